"""`basicAuth` (also spelled `basic`): a user name and a password in `Authorization: Basic …`, on both sides (RFC 7617).

In UTF-8, as the gateway's challenge says. Callers' text is compared in Unicode's form NFC (RFC 7617 2.1, RFC 8265),
since keyboards differ in it, unless it is very long; targets are sent what the secret holds. The comparison takes
constant time.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64encode
from unicodedata import normalize

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

_SCHEME = b"basic "
_MOST_FORMED = 1000
"""Bytes of the longest text that is brought into form NFC: that takes time by the square of its combining marks, 0.6 s
for a whole head of them, which anybody can send."""


def _in_form(pair: bytes) -> bytes:
    """`pair` as it is compared. Raises ValueError for what is no UTF-8."""
    if pair.isascii() or len(pair) > _MOST_FORMED:
        return pair
    return normalize("NFC", pair.decode()).encode()


def _wrong_with(text: str) -> str:
    """Why `text` can stand on neither side of the colon (RFC 7617 2), or nothing."""
    if any(letter < " " or "\x7f" <= letter <= "\x9f" for letter in text):
        return "must have no control characters (RFC 7617 2)"
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        return "must not hold half of a surrogate pair: UTF-8 has no bytes for it"
    return ""


@frozen
class BasicAuthConfig:
    """`{"username": NAME, "password": SECRET}`. One of the two may be empty: some APIs take a key as user name."""

    username: str = secret("The user name, without a colon; it may be the secret itself.")
    password: str = secret("The password.")

    def __attrs_post_init__(self) -> None:
        problems = []
        if ":" in self.username:
            problems.append(Problem("username", "must have no colon: the password begins behind it (RFC 7617 2)"))
        for field, text in (("username", self.username), ("password", self.password)):
            if wrong := _wrong_with(text):
                problems.append(Problem(field, wrong))
        if not self.username and not self.password:
            problems.append(Problem("password", "must not be empty where `username` is"))
        if problems:
            raise ConfigError(*problems)


class BasicAuth(Plugin):
    """A user name and a password."""

    name = "basicAuth"
    aliases = ("basic",)
    sides = frozenset({Side.PROXY, Side.TARGET})
    Config = BasicAuthConfig
    pure = True

    def __init__(self, config: BasicAuthConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        pair = f"{config.username}:{config.password}".encode()
        self._value = b"Basic " + b64encode(pair)
        self._known = _in_form(pair)
        self._parameter = b"Authorization" if context.query_credentials else None
        self._identity = Identity("basicAuth", context.credential.id if context.credential else "")
        self.consumes = Consumes(headers={b"Authorization"}, parameters={b"Authorization"})

    def authenticate(self, ex: Exchange) -> Identity | Denied | None:
        shown = ex.presented(b"Authorization", self._parameter)
        if shown is None or isinstance(shown, Denied):
            return shown
        if shown[: len(_SCHEME)].lower() != _SCHEME:
            return Denied("the scheme is not Basic")
        try:
            pair = _in_form(binascii.a2b_base64(shown[len(_SCHEME) :].strip(b" "), strict_mode=True))
        except ValueError:
            return Denied("behind the scheme is no base64 of UTF-8")
        if not hmac.compare_digest(pair, self._known):
            return Denied("user name and password are not the credential's")
        return self._identity

    def prepare(self, ex: Exchange) -> None:
        ex.to_target.set_header(b"Authorization", self._value)
