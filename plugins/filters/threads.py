"""`Workers`: the threads that filter large answers, and how much waits for them; one object a gateway.

Belongs here: bounds on what is under way. Does not: filtering.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.threadpool import ThreadPool

THREADS: Final = 2
MOST_HELD: Final = 128 * 1024 * 1024
"""Bytes of answers that are gathered, or wait for a thread."""

R = TypeVar("R")


class _Thread(Thread):
    """One that a process which ends does not wait for: nobody would read what it works out."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(daemon=True, **settings)


class _Pool(ThreadPool):
    threadFactory = _Thread  # type: ignore[assignment]  # which Twisted has as a static method


class Overloaded(Exception):
    """Too much is under way already."""


class Workers:
    """Used on the reactor's thread."""

    def __init__(self, clock: Any) -> None:
        """`clock`: the reactor, or a clock in its place."""
        self.held = 0
        self._clock = clock
        self._pool: ThreadPool | None = None

    def hold(self, size: int) -> None:
        """So many bytes more are held. Raises Overloaded, and then they are not."""
        if self.held + size > MOST_HELD:
            raise Overloaded
        self.held += size

    def let_go(self, size: int) -> None:
        """They are not any more."""
        self.held -= size

    def run(self, work: Callable[[], R], size: int) -> Deferred[R]:
        """What `work` answers or raises, run in a thread.

        To cancel the Deferred keeps it from beginning, and does not stop it, as its bounds do. Its `size` bytes are
        then held until the thread is done with it, whatever who cancelled lets go of.
        """
        reactor = self._reactor()
        left = False

        def leave(_: Deferred[R]) -> None:
            nonlocal left
            left = True
            self.held += size

        def tell(succeeded: bool, result: Any) -> None:
            if left:
                self.held -= size
            elif succeeded:
                done.callback(result)
            else:
                done.errback(result)

        done: Deferred[R] = Deferred(leave)
        if self._pool is None:
            self._pool = _Pool(0, THREADS, "rrgate-filters")
            self._pool.start()
        self._pool.callInThreadWithCallback(
            lambda succeeded, result: reactor.callFromThread(tell, succeeded, result),
            lambda: None if left else work(),
        )
        return done

    def close(self) -> None:
        """Wait for what runs, and end the threads."""
        if self._pool is not None:
            self._pool.stop()
            self._pool = None

    def _reactor(self) -> Any:
        if IReactorFromThreads.providedBy(self._clock):
            return self._clock
        from twisted.internet import reactor  # a clock of a test's, beside which the real one runs

        return reactor
