"""`UnderWay`: authorizations from their link to the browser's coming back, each step once, and within ten minutes.

Belongs here: what is remembered of one, and by what it is found again. Does not: judging who asks (authorize.py).

Nonces, states and cookies are 256 random bits; only their hashes are kept. All is in memory: whoever is in the
middle of it when the gateway stops begins again.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Final

from attrs import field, frozen

MINUTES: Final = 10
_SECONDS: Final = MINUTES * 60
MOST_OF_A_CLIENT: Final = 32
MOST_IN_ALL: Final = 1000


@frozen
class Asked:
    """What somebody asked for: that this credential, with this version of its secret, is authorized."""

    client_id: str
    credential_id: str
    secret_version: int
    user_id: str
    token_hash: bytes = field(repr=False)
    token_id: str


@frozen
class _Link:
    asked: Asked
    until: float


@frozen
class Left:
    """A browser that was sent away. `kept`: what the plugin wants back."""

    asked: Asked
    cookie_hash: bytes = field(repr=False)
    kept: str = field(repr=False)
    until: float


class TooMany(Exception):
    """The client has `MOST_OF_A_CLIENT` under way, or there are `MOST_IN_ALL`."""


class UnderWay:
    """One object a gateway."""

    def __init__(self, wall: Callable[[], float]) -> None:
        """`wall`: seconds since the epoch."""
        self._wall = wall
        self._links: dict[bytes, _Link] = {}
        self._left: dict[bytes, Left] = {}

    def link(self, asked: Asked) -> tuple[str, float]:
        """The nonce of a new link, and until when it may be followed. Raises TooMany."""
        self._forget_old()
        under_way: list[_Link | Left] = [*self._links.values(), *self._left.values()]
        there = [each.asked.client_id for each in under_way]
        if there.count(asked.client_id) >= MOST_OF_A_CLIENT or len(there) >= MOST_IN_ALL:
            raise TooMany
        nonce, until = secrets.token_urlsafe(32), self._wall() + _SECONDS
        self._links[_hash(nonce)] = _Link(asked, until)
        return nonce, until

    def follow(self, nonce: str) -> Asked | None:
        """Whose link this is, once; None for one that is unknown, over or followed already."""
        self._forget_old()
        found = self._links.pop(_hash(nonce), None)
        return None if found is None else found.asked

    def leave(self, asked: Asked, state: str, kept: str) -> tuple[str, str]:
        """A browser is sent away with `state`: the cookie that it gets, by name and value."""
        cookie = secrets.token_urlsafe(32)
        self._left[_hash(state)] = Left(asked, _hash(cookie), kept, self._wall() + _SECONDS)
        return cookie_name(state), cookie

    def come_back(self, state: str, cookies: dict[str, str]) -> Left | None:
        """What was under way with `state`, once; None if nothing was, or this is another browser."""
        self._forget_old()
        found = self._left.get(_hash(state))
        cookie = cookies.get(cookie_name(state), "")
        if found is None or not hmac.compare_digest(_hash(cookie), found.cookie_hash):
            return None
        del self._left[_hash(state)]
        return found

    def _forget_old(self) -> None:
        # A clock that is set back prolongs nothing by more than the time itself.
        now, latest = self._wall(), self._wall() + 2 * _SECONDS
        self._links = {key: each for key, each in self._links.items() if now < each.until <= latest}
        self._left = {key: each for key, each in self._left.items() if now < each.until <= latest}


def new_state() -> str:
    """A state that was never there before."""
    return secrets.token_urlsafe(32)


def cookie_name(state: str) -> str:
    """Each authorization has a cookie of its own, so that two in one browser do not meet."""
    return f"__Host-rrgate-{_hash(state).hex()[:16]}"


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
