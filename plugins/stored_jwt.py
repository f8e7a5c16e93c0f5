"""`jwt`: a JSON Web Token that was made elsewhere and is kept as it is, on both sides; nothing in it is verified.

It stands raw in `Authorization`. Callers may put `Bearer ` before it, in any case; targets that want that are served
by the auth type `bearer`, with the same token.
"""

from __future__ import annotations

import hmac
import json
import re
from base64 import urlsafe_b64decode

from attrs import frozen

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
    secret,
)

_COMPACT = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*){2}(?:(?:\.[A-Za-z0-9_-]*){2})?\Z")
_SCHEME = b"bearer "


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
    """`{"token": JWT}`."""

    token: str = secret("The token, without `Bearer `: three or five parts of base64url, with dots between them.")

    def __attrs_post_init__(self) -> None:
        if not _is_jwt(self.token):
            raise ConfigError(
                Problem("token", "must be a JWT alone: three or five parts of base64url, the first with its `alg`")
            )


class StoredJwt(Plugin):
    """A stored JWT."""

    name = "jwt"
    sides = frozenset({Side.PROXY, Side.TARGET})
    Config = StoredJwtConfig

    def __init__(self, config: StoredJwtConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        self._token = config.token.encode()
        self._parameter = b"Authorization" if context.query_credentials else None
        self._identity = Identity("jwt", context.credential.id if context.credential else "")
        self.consumes = Consumes(headers={b"Authorization"}, parameters={b"Authorization"})

    def authenticate(self, ex: Exchange) -> Identity | Denied | None:
        shown = ex.presented(b"Authorization", self._parameter)
        if shown is None or isinstance(shown, Denied):
            return shown
        if shown[: len(_SCHEME)].lower() == _SCHEME:
            shown = shown[len(_SCHEME) :].lstrip(b" ")
        if not hmac.compare_digest(shown, self._token):
            return Denied("the token is not the credential's")
        return self._identity

    def prepare(self, ex: Exchange) -> None:
        ex.to_target.set_header(b"Authorization", self._token)
