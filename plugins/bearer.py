"""`bearer`: a token behind a prefix in `Authorization`, on both sides (RFC 6750 2.1).

The scheme is compared without regard to case (RFC 9110 11.1), the token in constant time.
"""

from __future__ import annotations

import hmac

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
    documented,
    secret,
)


def _visible(text: str) -> bool:
    return all(" " <= letter <= "~" for letter in text)


@frozen
class BearerConfig:
    """`{"token": SECRET, "prefix": "Bearer ", "addToHeader": true}`."""

    token: str = secret("The token.")
    prefix: str = documented("What stands before it, with its space.", default="Bearer ")
    add_to_header: bool = documented("Send it in a header; there is no other place.", default=True)

    def __attrs_post_init__(self) -> None:
        problems = []
        if not self.token or not _visible(self.token) or self.token != self.token.strip():
            problems.append(Problem("token", "must be visible ASCII characters, without spaces at its ends"))
        if not _visible(self.prefix) or self.prefix.startswith(" "):
            problems.append(Problem("prefix", "must be visible ASCII characters, such as `Bearer ` with its space"))
        if not self.add_to_header:
            problems.append(Problem("addToHeader", "must be true: a bearer token has no other place"))
        if problems:
            raise ConfigError(*problems)


class Bearer(Plugin):
    """A token in `Authorization`."""

    name = "bearer"
    sides = frozenset({Side.PROXY, Side.TARGET})
    Config = BearerConfig
    pure = True

    def __init__(self, config: BearerConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        self._prefix = config.prefix.encode()
        self._scheme = self._prefix.lower()
        self._token = config.token.encode()
        self._value = self._prefix + self._token
        self._parameter = b"Authorization" if context.query_credentials else None
        self._identity = Identity("bearer", context.credential.id if context.credential else "")
        self.consumes = Consumes(headers={b"Authorization"}, parameters={b"Authorization"})

    def authenticate(self, ex: Exchange) -> Identity | Denied | None:
        shown = ex.presented(b"Authorization", self._parameter)
        if shown is None or isinstance(shown, Denied):
            return shown
        place = len(self._scheme)
        if shown[:place].lower() != self._scheme:
            return Denied("the scheme is not the credential's")
        if not hmac.compare_digest(shown[place:].lstrip(b" "), self._token):
            return Denied("the token is not the credential's")
        return self._identity

    def prepare(self, ex: Exchange) -> None:
        ex.to_target.set_header(b"Authorization", self._value)
