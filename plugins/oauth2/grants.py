"""How the next token of a credential is got: by the client itself, or by a refresh token that is kept on disk.

Belongs here: what is asked with, and what is committed before it is used. Does not: when (keeper.py), the request
(endpoint.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, Protocol

from attrs import asdict, evolve, field, frozen

from rrgate.api import KeepsState, StateBusy, StateChanged, StateError
from rrgate_plugins.oauth2.answers import Granted, NoToken
from rrgate_plugins.oauth2.config import REFRESH, OAuth2Config
from rrgate_plugins.oauth2.endpoint import TokenEndpoint

LOCK_SECONDS: Final = 12.0
"""How long another process may take: a token request, and writing down what came of it."""

FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 60.0
"""Seconds between two tries that failed: twice as long each time."""
SOON: Final = 0.25
"""Seconds that two clocks may be apart, at the end of a wait."""

UNKNOWN_LIFE: Final = 3600.0
"""Seconds for which a token is used whose provider does not say how long it lives, if another can follow it."""

UNAUTHORIZED: Final = "nobody has authorized this credential, or the provider no longer accepts that somebody did"


@frozen
class Held:
    """An access token, by the wall's time. `since`: from when its life counts. `renewable`: whether another can follow
    without anybody's doing."""

    access_token: str = field(repr=False)
    since: float
    life: float | None
    renewable: bool = True


class Grant(Protocol):
    """Of one credential."""

    async def next(self, old: str | None) -> Held:
        """A token that is not `old`: a new one, or one that another process has got meanwhile. Raises NoToken."""


@frozen(eq=False)
class ByClient:
    """`client_credentials`: a token can always be asked for."""

    endpoint: TokenEndpoint
    wall: Callable[[], float]

    async def next(self, old: str | None) -> Held:
        """See `Grant`."""
        since = self.wall()
        try:
            granted = await self.endpoint.by_client()
        except NoToken as error:
            # No grant of anybody's can be over here: it is tried again.
            raise NoToken(str(error), wait=error.wait) from None
        return Held(granted.access_token, since, granted.life)


def wait_after(failures: int) -> float:
    """Seconds from so many tries that failed, one after the other, to the next."""
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures - 1, 10))


@frozen
class Failed:
    """A try that failed, the last of `failures`. `why`: the words of its NoToken. `until`: when, by the wall's time,
    there may be another, and `wait` how many seconds after this one."""

    why: str
    failures: int
    until: float
    wait: float

    @classmethod
    def after(cls, before: Failed | None, error: NoToken, now: float) -> Failed:
        """Of the try that failed with `error` now."""
        failures = 1 if before is None else before.failures + 1
        wait = max(wait_after(failures), error.wait)
        return cls(str(error), failures, now + wait, wait)

    def check(self, now: float) -> None:
        """Raises NoToken while it is to be waited for."""
        left = self.until - now
        # Whoever has waited for it himself must not find that by his clock the last of it is still to come; and what
        # is longer than all of it is of a clock that was set back.
        if SOON < left <= self.wait:
            raise NoToken(self.why, wait=left)


@frozen
class Record:
    """What is on disk. `over`: the provider no longer accepts the refresh token, or there is none. `failed`: no token
    has come since."""

    held: Held | None = None
    refresh_token: str | None = field(default=None, repr=False)
    over: bool = False
    failed: Failed | None = None

    def written(self) -> bytes:
        """As kept."""
        document: dict[str, Any] = {"over": self.over, "refreshToken": self.refresh_token}
        if self.held is not None:
            document |= {
                "accessToken": self.held.access_token,
                "since": self.held.since,
                "life": self.held.life,
            }
        if self.failed is not None:
            document["failed"] = asdict(self.failed)
        return json.dumps(document).encode()

    @classmethod
    def read(cls, written: bytes) -> Record:
        """What was `written`."""
        document = json.loads(written)
        refresh_token = document["refreshToken"]
        held = None
        if "accessToken" in document:
            held = Held(document["accessToken"], document["since"], document["life"], refresh_token is not None)
        failed = document.get("failed")
        return cls(held, refresh_token, document["over"], None if failed is None else Failed(**failed))


def serves(held: Held, now: float) -> bool:
    """For a good while; one that no other can follow, to its end."""
    if not held.renewable:
        return held.life is None or now < held.since + held.life
    return now < held.since + (UNKNOWN_LIFE if held.life is None else held.life) * 0.8


@frozen(eq=False)
class OneForAll:
    """Another grant that keeps nothing itself: all processes of the node have the token that one of them has got, and
    wait together where one has got none.

    There are APIs for which a new token ends the one before it. The disk is only for sharing: without it each process
    has a token, and waits, of its own.
    """

    grant: Grant
    state: KeepsState
    wall: Callable[[], float]

    async def next(self, old: str | None) -> Held:
        """See `Grant`."""
        held: Held | None = None
        failure: NoToken | None = None
        try:
            async with self.state.locked(LOCK_SECONDS):
                kept = await self.state.read()
                record = Record() if kept is None else Record.read(kept.value)
                found = record.held
                if found is not None and found.access_token != old:
                    found = evolve(found, renewable=True)
                    if serves(found, self.wall()):
                        return found
                if record.failed is not None:
                    record.failed.check(self.wall())
                try:
                    held = await self.grant.next(old)
                    record = Record(held)
                except NoToken as error:
                    failed = Failed.after(record.failed, error, self.wall())
                    record = evolve(record, failed=failed)
                    failure = NoToken(failed.why, wait=failed.wait)
                await self.state.write(record.written(), 0 if kept is None else kept.revision)
        except StateError:
            pass
        if failure is not None:
            raise failure
        return await self.grant.next(old) if held is None else held


class ByRefreshToken:
    """`refresh_token` and `authorization_code`: a refresh token that the provider may replace at every use.

    What replaces it is on disk before anything is done with it. A process that dies between the provider's answer and
    that has lost it: the old one is then tried once more, and either still serves, or the grant is over.
    """

    def __init__(
        self, config: OAuth2Config, endpoint: TokenEndpoint, state: KeepsState, wall: Callable[[], float]
    ) -> None:
        self._endpoint = endpoint
        self._state = state
        self._wall = wall
        self._first = Record(
            refresh_token=config.refresh_token if config.grant_type == REFRESH else None,
            over=config.grant_type != REFRESH,
        )
        self._unwritten: tuple[Record, int] | None = None

    async def next(self, old: str | None) -> Held:
        """See `Grant`."""
        try:
            async with self._state.locked(LOCK_SECONDS):
                return await self._next(old)
        except StateBusy:
            raise NoToken("another process of this gateway is getting one, and does not come to an end") from None
        except StateError:
            raise NoToken("what is kept of it cannot be read or written on this gateway") from None

    async def _next(self, old: str | None) -> Held:
        record, revision = await self._present()
        if record.held is not None and record.held.access_token != old and serves(record.held, self._wall()):
            return record.held
        if record.over or record.refresh_token is None:
            if not record.over:
                await self._end(record, revision)
            raise NoToken(UNAUTHORIZED, grant_is_over=True)
        since = self._wall()
        try:
            granted = await self._endpoint.by_refresh_token(record.refresh_token)
        except NoToken as error:
            if error.grant_is_over:
                await self._end(record, revision)
            raise
        return await self._keep(granted, since, record.refresh_token, revision)

    async def begin(self, granted: Granted, since: float) -> Held:
        """Somebody has authorized: keep what was `granted`, whatever was there. Raises StateError; then he is told that
        he has not, and it is not kept later either."""
        async with self._state.locked(LOCK_SECONDS):
            _, revision = await self._present()
            try:
                return await self._keep(granted, since, None, revision)
            finally:
                self._unwritten = None

    async def _present(self) -> tuple[Record, int]:
        """What is kept. What could not be written before is written now, unless there is something newer."""
        if self._unwritten is not None:
            record, revision = self._unwritten
            try:
                revision = await self._state.write(record.written(), revision)
                self._unwritten = None
                return record, revision
            except StateChanged:
                self._unwritten = None
        kept = await self._state.read()
        return (self._first, 0) if kept is None else (Record.read(kept.value), kept.revision)

    async def _keep(self, granted: Granted, since: float, refresh_token: str | None, revision: int) -> Held:
        refresh_token = granted.refresh_token or refresh_token
        held = Held(granted.access_token, since, granted.life, refresh_token is not None)
        record = Record(held, refresh_token)
        self._unwritten = record, revision
        await self._state.write(record.written(), revision)
        self._unwritten = None
        return held

    async def _end(self, record: Record, revision: int) -> None:
        await self._state.write(evolve(record, over=True).written(), revision)
