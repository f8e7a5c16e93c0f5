"""`jwt`: a JSON Web Token that was made elsewhere and is kept as it is, on both sides; nothing in it is verified.

It stands raw in `Authorization`. Callers may put `Bearer ` before it, in any case; targets that want that are served
by the auth type `bearer`, with the same token. Targets can be shown tokens that are signed here instead
(signed_jwt.py).
"""

from __future__ import annotations

import hmac
import json
import re
from base64 import urlsafe_b64decode
from typing import Any, Final

from attrs import field, frozen

from rrgate.api import (
    ConfigError,
    Consumes,
    Denied,
    Exchange,
    Identity,
    Plugin,
    PluginContext,
    Problem,
    Side,
    documented,
    json_text,
    secret,
)
from rrgate_plugins.signed_jwt import OURS, TokenSigner
from rrgate_plugins.signing_keys import Algorithm, SigningKey, WrongKey, signing_key

_COMPACT = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*){2}(?:(?:\.[A-Za-z0-9_-]*){2})?\Z")
_SCHEME = b"bearer "
_MOST_CLAIMS: Final = 4096
"""Bytes of the claims; what is longer does not fit into the heads that targets take."""


def _is_jwt(token: str) -> bool:
    """Whether `token` is three parts (JWS, RFC 7515 7.1) or five (JWE, RFC 7516 7.1), the first a JOSE header."""
    if not _COMPACT.match(token):
        return False
    head = token.partition(".")[0]
    try:
        header = json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, RecursionError):
        return False
    return isinstance(header, dict) and isinstance(header.get("alg"), str)


@frozen
class StoredJwtConfig:
    """`{"token": JWT}`, or towards targets `{"signingKey", "algorithm", "claims", "ttl"}`."""

    token: str | None = secret(
        "The token, without `Bearer `: three or five parts of base64url, with dots between them.", default=None
    )
    signing_key: str | None = secret(
        "Target side, in place of `token`: the shared secret or the private key in PEM to sign tokens with.",
        default=None,
    )
    algorithm: Algorithm | None = documented("What to sign with; it must fit the key.", default=None)
    claims: dict[str, Any] = documented("What signed tokens say, besides `iat`, `exp` and `jti`.", factory=dict)
    ttl: int = documented("Seconds that a signed token is good for, 10 to 86400.", default=300)
    key_id: str | None = documented("The `kid` of signed tokens.", default=None)
    prefix: str = documented("What stands before a signed token, such as `Bearer `.", default="")
    key: SigningKey | None = field(init=False, default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        problems = self._wrong_key() if self.signing_key is not None else self._wrong_token()
        if problems:
            raise ConfigError(*problems)

    def _wrong_token(self) -> list[Problem]:
        if self.token is None:
            return [Problem("token", "is required, or towards targets signingKey in its place")]
        problems = [
            Problem(name, "is for tokens that are signed here, with signingKey")
            for name, given in (
                ("algorithm", self.algorithm),
                ("claims", self.claims),
                ("keyId", self.key_id),
                ("prefix", self.prefix),
            )
            if given
        ]
        if not _is_jwt(self.token):
            text = "must be a JWT alone: three or five parts of base64url, the first with its `alg`"
            problems.append(Problem("token", text))
        return problems

    def _wrong_key(self) -> list[Problem]:
        problems = []
        if self.token is not None:
            problems.append(Problem("signingKey", "must not be given beside token"))
        if self.algorithm is None:
            problems.append(Problem("algorithm", "is required with signingKey"))
        else:
            try:
                object.__setattr__(self, "key", signing_key(self.signing_key or "", self.algorithm))
            except WrongKey as error:
                problems.append(Problem("signingKey", str(error)))
        problems += [Problem(f"claims.{name}", "is the gateway's to write") for name in OURS if name in self.claims]
        try:
            size = len(json_text(self.claims).encode())
        except (TypeError, ValueError, RecursionError):
            problems.append(Problem("claims", "must be a JSON object, without halves of surrogate pairs"))
        else:
            if size > _MOST_CLAIMS:
                problems.append(Problem("claims", f"must have at most {_MOST_CLAIMS} bytes"))
        if not 10 <= self.ttl <= 86400:
            problems.append(Problem("ttl", "must be 10 to 86400 seconds"))
        for name, value in (("keyId", self.key_id), ("prefix", self.prefix)):
            if value is not None and any(not " " <= letter <= "~" for letter in value):
                problems.append(Problem(name, "must be visible ASCII characters"))
        if self.prefix.startswith(" "):
            problems.append(Problem("prefix", "must not begin with a space: it would not arrive"))
        return problems


class StoredJwt(Plugin):
    """A stored JWT, or one that is signed here."""

    name = "jwt"
    sides = frozenset({Side.PROXY, Side.TARGET})
    Config = StoredJwtConfig
    pure = True

    def __init__(self, config: StoredJwtConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        self._token = (config.token or "").encode()
        self._prefix = config.prefix.encode()
        self._signer: TokenSigner | None = None
        if config.key is not None:
            self._signer = TokenSigner(config.key, config.key_id, config.claims, config.ttl, context.wall)
        self._parameter = b"Authorization" if context.query_credentials else None
        self._identity = Identity("jwt", context.credential.id if context.credential else "")
        self.consumes = Consumes(headers={b"Authorization"}, parameters={b"Authorization"})

    @classmethod
    def check_side(cls, config: StoredJwtConfig, side: Side) -> None:
        if side is Side.PROXY and config.token is None:
            raise ConfigError(Problem("signingKey", "is for targets: callers show a token that is stored"))

    def authenticate(self, ex: Exchange) -> Identity | Denied | None:
        shown = ex.presented(b"Authorization", self._parameter)
        if shown is None or isinstance(shown, Denied):
            return shown
        if shown[: len(_SCHEME)].lower() == _SCHEME:
            shown = shown[len(_SCHEME) :].lstrip(b" ")
        if not self._token or not hmac.compare_digest(shown, self._token):
            return Denied("the token is not the credential's")
        return self._identity

    def prepare(self, ex: Exchange) -> None:
        token = self._token if self._signer is None else self._prefix + self._signer.token()
        ex.to_target.set_header(b"Authorization", token)
