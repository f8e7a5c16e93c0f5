"""`jwtVerify` while a real OpenID provider rotates its signing keys, under load: no token that is good is refused, and
those of a key that was withdrawn are, once the set that is kept is out of date.

Belongs here: a whole gateway and npm's oidc-provider. Does not: when sets are fetched (tests/plugins/jwt/).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Condition, Thread
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from twisted.internet.task import Clock

from rrgate_plugins.jwt_verify.remote_keys import FRESH, PAUSE
from tests.callers import Address, Caller, in_thread
from tests.openid.running_provider import API, RunningProvider
from tests.running_gateway import MadeProxy, RunningGateway
from tests.targets import Target, echo

CALLERS = 8
TOKENS = 12
"""Of each key: some are verified anew, most were before."""


@pytest.fixture
def provider() -> Iterator[RunningProvider]:
    running = RunningProvider()
    yield running
    running.stop()


class Load(Thread):
    """Callers on connections of their own that show tokens, one after the other and without a pause, until `end`."""

    def __init__(self, address: Address, path: str) -> None:
        super().__init__(name="load", daemon=True)
        self._address, self._path = address, path
        self._changed = Condition()
        self._shown: tuple[tuple[str, str], ...] = ()
        self._done = [0] * CALLERS
        self._ended = False
        self.statuses: Counter[tuple[str, int]] = Counter()
        """Answers by key and status."""
        self.broken: list[Exception] = []
        self._callers = [Thread(target=self._call, args=(place,), daemon=True) for place in range(CALLERS)]

    def show(self, **tokens: Sequence[str]) -> None:
        """What is shown from now on, by key."""
        self._shown = tuple((name, token) for name, several in tokens.items() for token in several)

    def run(self) -> None:
        for caller in self._callers:
            caller.start()
        for caller in self._callers:
            caller.join()

    def _call(self, place: int) -> None:
        try:
            with Caller(self._address) as caller:
                while not self._ended:
                    shown = self._shown
                    name, token = shown[(self._done[place] * CALLERS + place) % len(shown)]
                    status = caller.call("GET", self._path, {"Authorization": f"Bearer {token}"}).status
                    with self._changed:
                        self.statuses[name, status] += 1
                        self._done[place] += 1
                        self._changed.notify_all()
        except Exception as error:  # noqa: BLE001 - told to whoever waits
            with self._changed:
                self.broken.append(error)
                self._changed.notify_all()

    def more(self, each: int = 2 * TOKENS) -> None:
        """Return when every caller has had so many answers more, whose requests began after this was called."""
        with self._changed:
            until = [done + 1 + each for done in self._done]
            reached = self._changed.wait_for(
                lambda: bool(self.broken) or all(a >= b for a, b in zip(self._done, until, strict=True)), timeout=60
            )
        assert reached
        assert not self.broken, self.broken

    def end(self) -> None:
        self._ended = True
        self.join(60)


def turn_the_clock_of_plugins(gateway: RunningGateway) -> Clock:
    """Their time stands still from now on, but for what the clock is turned by; all else goes by the reactor's."""
    clock = Clock()
    objects = gateway.gateway._compiler._objects
    objects._context = evolve(objects._context, clock=clock)
    return clock


class House:
    """A gateway, its provider, the load on it, and what becomes of single tokens."""

    def __init__(self, gateway: RunningGateway, provider: RunningProvider, clock: Clock, proxy: MadeProxy) -> None:
        self.gateway, self.provider, self.clock, self.proxy = gateway, provider, clock, proxy
        self.load = Load(gateway.address, f"{proxy.path}/")

    def tokens(self) -> list[str]:
        """Of the key that signs now."""
        return [self.provider.access_token() for _ in range(TOKENS)]

    async def status(self, token: str) -> int:
        answer = await self.gateway.call(self.proxy, "GET", "/", {"Authorization": f"Bearer {token}"}, key=None)
        return answer.status

    async def withdraw(self, old: str, its: Sequence[str], unseen: str, new: str) -> None:
        """The key `old` is in the set no more. Of its tokens, `unseen` is one that nobody has shown yet."""
        await in_thread(self.load.more, 2)  # nobody shows them any more
        fetched = self.provider.key_set_requests()
        self.provider.sign_with(new)
        await in_thread(self.load.more)
        self.clock.advance(FRESH - 1)
        for token in (*its, unseen):  # each is known as verified from now on
            assert await self.status(token) == 200, "the set that is kept serves for its time"
        assert self.provider.key_set_requests() == fetched
        self.clock.advance(1)
        await in_thread(self.load.more)
        for _ in range(1000):  # the old set serves until the new one is there
            if await self.status(its[0]) == 401:
                break
        for token in (*its, unseen):
            assert await self.status(token) == 401, old
        await in_thread(self.load.more)
        assert self.provider.key_set_requests() == fetched + 1


@pytest_twisted.ensureDeferred
async def test_signing_keys_are_rotated_under_load(provider: RunningProvider, tmp_path: Path) -> None:
    gateway = RunningGateway.start(tmp_path / "state")
    clock = turn_the_clock_of_plugins(gateway)
    secret: dict[str, Any] = {"jwksUri": provider.jwks_uri, "issuer": provider.issuer, "audience": API}
    with Target(echo) as target:
        proxy = await gateway.proxy(target.url, caller=("jwtVerify", secret))
        house = House(gateway, provider, clock, proxy)
        load = house.load
        try:
            first, unseen_first = house.tokens(), provider.access_token()
            load.show(first=first)
            load.start()
            await in_thread(load.more)
            assert provider.key_set_requests() == 1

            # From one moment to the next: tokens of a key that is not in the set that is kept.
            clock.advance(PAUSE)
            provider.sign_with("second", "first")
            second, unseen_second = house.tokens(), provider.access_token()
            load.show(first=first, second=second)
            await in_thread(load.more)
            assert provider.key_set_requests() == 2
            load.show(second=second)
            await house.withdraw("first", first, unseen_first, "second")

            # With notice: it is in the set before it signs.
            provider.sign_with("second", "third")
            clock.advance(FRESH)
            await in_thread(load.more)
            provider.sign_with("third", "second")
            third = house.tokens()
            load.show(second=second, third=third)
            await in_thread(load.more)
            load.show(third=third)
            await house.withdraw("second", second, unseen_second, "third")
        finally:
            await in_thread(load.end)
            await gateway.stop()
    assert not load.broken
    assert {name for name, _ in load.statuses} == {"first", "second", "third"}
    assert {status for _, status in load.statuses} == {200}, load.statuses
