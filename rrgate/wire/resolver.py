"""`Resolver`: names to addresses, kept for a while, and for longer where the name server does not answer.

Belongs here: look-ups in threads, what is known of names, and until when. Does not: which addresses may be dialled
(guard.py), dialling (dialer.py).
"""

from __future__ import annotations

import socket
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

from attrs import evolve, frozen
from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from rrgate.boot_values import Event

PATIENCE: Final = 1.8
"""Seconds for a new look-up of a name whose addresses have been known, before these are used (RFC 8767 5)."""
MOST_NAMES: Final = 10_000
"""Names of which more is kept than what is in force."""
_THERE_IS_NONE: Final = frozenset(
    getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY") if hasattr(socket, name)
)
"""What a name server has said, in place of not having answered."""

Name = tuple[str, int]
"""A host and a port."""


class CannotConnect(Exception):
    """No connection to the target; the text says at which step, without its addresses."""


@frozen
class Known:
    """What is known of a name. Times are seconds of the reactor's clock.

    `addresses`: None of one that does not resolve. `until`: from then on it is looked up anew. `stale_until`: until
    when these addresses may be used if that fails. `failing`: it has, the last time.
    """

    addresses: list[str] | None
    until: float
    stale_until: float = 0.0
    failing: bool = False


class Resolver:
    """Looks names up in threads of its own: a slow name server holds up neither the reactor nor other tenants.

    Where a name cannot be looked up anew (nobody answers, or says that he cannot), the addresses that it had are used
    for a while, as RFC 8767 has it; whoever asks waits for that once, and no more as long as it goes on. A name that is
    said not to exist does not resolve.
    """

    def __init__(
        self,
        reactor: Any,
        pool: ThreadPool,
        *,
        timeout: float,
        keep: float,
        keep_failure: float,
        keep_stale: float = 0.0,
        per_tenant: int = 2,
        look_up: Callable[[str, int], list[str]] | None = None,
        tell: Callable[[Event], object] = lambda event: None,
    ) -> None:
        """`timeout`, `keep`, `keep_failure`: seconds. `keep_stale`: for how many more addresses may be used if they
        cannot be looked up anew. `per_tenant`: threads that one tenant may hold. `tell`: the operator, of names with
        which it is so.
        """
        self._reactor = reactor
        self._pool = pool
        self._timeout = timeout
        self._keep = keep
        self._keep_failure = keep_failure
        self._keep_stale = keep_stale
        self._gates: dict[str, defer.DeferredSemaphore] = defaultdict(lambda: defer.DeferredSemaphore(per_tenant))
        self._known: dict[Name, Known] = {}
        self._look_up = look_up or _look_up
        self._tell = tell

    async def addresses(self, host: str, port: int, tenant: str) -> list[str]:
        """The addresses of `host`. Raises CannotConnect. A look-up that nobody waits for runs on in its thread, and
        what it finds is kept."""
        name = (host, port)
        known = self._in_force(name) or await self._asked(name, self._gates[tenant])
        if known.addresses is None:
            raise CannotConnect("the target's name does not resolve")
        return known.addresses

    def _in_force(self, name: Name) -> Known | None:
        known = self._known.get(name)
        return None if known is None or known.until < self._reactor.seconds() else known

    def _stale(self, name: Name) -> Known | None:
        """What may still be used of a name that cannot be looked up."""
        known = self._known.get(name)
        return None if known is None or known.stale_until <= self._reactor.seconds() else known

    async def _asked(self, name: Name, gate: defer.DeferredSemaphore) -> Known:
        stale = self._stale(name)
        if stale is not None and stale.failing:
            # Nobody waits for a name server that is known not to answer; it is asked now and then beside.
            if gate.tokens:
                gate.acquire()
                self._begin(name, gate)
            return self._failed(name)
        patience = self._timeout if stale is None else min(PATIENCE, self._timeout)
        try:
            await gate.acquire().addTimeout(patience, self._reactor)
        except defer.TimeoutError:
            if self._stale(name) is not None:
                return self._failed(name)
            raise CannotConnect("the target's name was not resolved in time") from None
        known = self._in_force(name)
        if known is not None:
            # Not in this call: of a thousand who wait for one name, each would let the next in from its own stack.
            self._reactor.callLater(0, gate.release)
            return known
        try:
            return await self._begin(name, gate).addTimeout(patience, self._reactor)
        except defer.TimeoutError:
            return self._failed(name)

    def _begin(self, name: Name, gate: defer.DeferredSemaphore) -> Deferred[Known]:
        """Look it up. Opens `gate` when the thread is free, however long that takes."""
        asked: Deferred[Known] = Deferred()
        looking: Deferred[Any] = deferToThreadPool(self._reactor, self._pool, self._look_up, *name)
        looking.addCallbacks(self._found, self._not_found, callbackArgs=(name,), errbackArgs=(name,))
        # Opened last, so that whoever waits for the same name finds it known.
        looking.chainDeferred(asked)
        looking.addBoth(lambda _: gate.release())
        return asked

    def _found(self, addresses: list[str], name: Name) -> Known:
        until = self._reactor.seconds() + self._keep
        return self._keep_known(name, Known(addresses, until, until + self._keep_stale))

    def _not_found(self, failure: Failure, name: Name) -> Known:
        failure.trap(OSError, ValueError)
        error = failure.value
        if isinstance(error, ValueError) or getattr(error, "errno", None) in _THERE_IS_NONE:
            self._known.pop(name, None)
        return self._failed(name)

    def _failed(self, name: Name) -> Known:
        """It could not be looked up."""
        now = self._reactor.seconds()
        stale = self._stale(name)
        if stale is None:
            return self._keep_known(name, Known(None, now + self._keep_failure))
        host, age = name[0], now - stale.stale_until + self._keep_stale + self._keep
        message = f"{host} cannot be looked up: the addresses that it had {age:.0f} seconds ago are used"
        self._tell(Event("names-unanswered", message))
        return self._keep_known(name, evolve(stale, until=now + self._keep_failure, failing=True))

    def _keep_known(self, name: Name, known: Known) -> Known:
        self._known[name] = known
        if len(self._known) > MOST_NAMES:
            now = self._reactor.seconds()
            self._known = {name: each for name, each in self._known.items() if each.until > now}
        return known


def _look_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
