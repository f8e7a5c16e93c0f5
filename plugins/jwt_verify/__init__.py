"""`jwtVerify`: callers show a JSON Web Token, whose signature and claims are verified (docs/auth-types.md).

Belongs here: the plugin. Its rooms: config.py, strict.py (JSON and base64url), tokens.py (a token's form), keys.py and
remote_keys.py (which keys), claims.py (what it must say), verified.py (tokens that come again).
"""

from __future__ import annotations

from collections.abc import Awaitable
from types import MappingProxyType
from typing import Final

from rrgate.api import Consumes, Denied, Exchange, Explained, Identity, Plugin, PluginContext, Reply, Side
from rrgate_plugins.jwt_verify.config import JwtVerifyConfig
from rrgate_plugins.jwt_verify.keys import KeySet
from rrgate_plugins.jwt_verify.remote_keys import COLD_PAUSE, NoKeys, RemoteKeys, RemoteKeySets
from rrgate_plugins.jwt_verify.tokens import LONGEST_TOKEN, Token, TokenRefused, read_token
from rrgate_plugins.jwt_verify.verified import VerifiedTokens

__all__ = ["JwtVerify", "JwtVerifyConfig"]

_SCHEME: Final = b"bearer "
_NO_KEYS: Final = Reply(
    503,
    "The keys that this proxy's callers are verified with cannot be fetched now",
    "unavailable",
    headers=((b"Retry-After", b"%d" % COLD_PAUSE),),
)
_ANY_AUDIENCE: Final = "This proxy takes tokens that were made for others: its credential's audience is null"


class JwtVerify(Plugin):
    """A token that somebody else signed."""

    name = "jwtVerify"
    sides = frozenset({Side.PROXY})
    Config = JwtVerifyConfig

    def __init__(self, config: JwtVerifyConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        self._keys = config.keys
        self._remote: RemoteKeys | None = None
        if config.jwks_uri is not None:
            self._remote = context.shared.of(RemoteKeySets, RemoteKeySets).at(config.jwks_uri, context)
        self._rules = config.claim_rules
        self._algorithms = config.allowed
        self._verified = VerifiedTokens()
        self._warns = config.audience is None
        self._parameter = b"Authorization" if context.query_credentials else None
        self._credential_id = context.credential.id if context.credential else ""
        self.consumes = Consumes(headers={b"Authorization"}, parameters={b"Authorization"})

    def authenticate(
        self, ex: Exchange
    ) -> Identity | Denied | Reply | Awaitable[Identity | Denied | Reply | None] | None:
        shown = ex.presented(b"Authorization", self._parameter)
        if shown is None or isinstance(shown, Denied):
            return shown
        if shown[: len(_SCHEME)].lower() != _SCHEME:
            return Denied("the scheme is not Bearer")
        raw = shown[len(_SCHEME) :].lstrip(b" ")
        if len(raw) > LONGEST_TOKEN:
            return Denied("the token is too long")
        keys = self._keys if self._remote is None else self._remote.in_force()
        now = self.context.clock.seconds()
        known = self._verified.find(raw, keys, now, self.context.wall())
        if known is not None:
            if self._remote is not None:
                self._remote.keep_fresh(now, self.context.http)
            return self._let_in(ex, known)
        try:
            token = read_token(raw)
            if token.algorithm not in self._algorithms:
                raise TokenRefused("the token's `alg` is none that the credential allows")
            if self._remote is not None:
                keys = self._remote.now(token.key_id, self.context.http)
                if keys is None:
                    return self._when_fetched(ex, raw, token, self._remote)
            return self._let_in(ex, self._identified(raw, token, keys))
        except TokenRefused as error:
            return Denied(str(error))

    def explain(self, ex: Exchange, phase: str) -> Explained:
        """What every caller is warned of whose token is right; no keys are fetched."""
        if self._warns:
            ex.warnings.append(_ANY_AUDIENCE)
        return Explained()

    async def _when_fetched(
        self, ex: Exchange, raw: bytes, token: Token, remote: RemoteKeys
    ) -> Identity | Denied | Reply:
        try:
            keys = await remote.later(token.key_id, self.context.http)
            return self._let_in(ex, self._identified(raw, token, keys))
        except NoKeys:
            return _NO_KEYS
        except TokenRefused as error:
            return Denied(str(error))

    def _identified(self, raw: bytes, token: Token, keys: KeySet | None) -> Identity:
        """Whose token it is. Raises TokenRefused. Its claims are not looked at before its signature is right."""
        assert keys is not None
        keys.verify(token)
        claims = token.claims()
        expires = self._rules.judge(claims, self.context.wall())
        # A subject that the issuer does not name is called by the credential's type, as a stored secret's is.
        subject, kept = claims.get("sub", self.name), MappingProxyType(claims)
        identity = Identity(subject, self._credential_id, kept, self.config.log_claims)
        self._verified.keep(raw, keys, identity, self.context.clock.seconds(), expires)
        return identity

    def _let_in(self, ex: Exchange, identity: Identity) -> Identity:
        if self._warns:
            ex.warnings.append(_ANY_AUDIENCE)
        return identity
