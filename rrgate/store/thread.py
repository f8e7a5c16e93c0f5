"""`WorkThread`: one thread that does blocking work in order, and tells the reactor's thread how it ended.

Belongs here: the hand-over between the two threads. Does not: what the work is.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

P = ParamSpec("P")
T = TypeVar("T")

_Work = tuple[Deferred[Any], Callable[[], Any]]


class ThreadClosed(Exception):
    """Work was given after the end."""


class WorkThread:
    """Why not the reactor's thread pool: work here keeps its order, and never waits behind a slow DNS answer."""

    def __init__(self, reactor: IReactorFromThreads, name: str) -> None:
        self._reactor = reactor
        self._queue: SimpleQueue[_Work | None] = SimpleQueue()
        self._closed: Deferred[None] | None = None
        # A daemon, so that a process whose reactor has gone can still end.
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Run `work` on the thread, after all that was given before; fires on the reactor's thread.

        Cancelling the Deferred only stops the waiting: the work is done all the same. Fails with ThreadClosed after
        `close`. Called on the reactor's thread.
        """
        if self._closed is not None:
            return fail(ThreadClosed("this was closed; nothing more can be done with it"))
        deferred: Deferred[T] = Deferred()
        self._queue.put((deferred, lambda: work(*args, **kwargs)))
        return deferred

    def close(self, last: Callable[[], None]) -> Deferred[None]:
        """Do what was given, then `last`, and end the thread; fires when that is done. May be called again."""
        if self._closed is not None:
            return succeed(None)
        closed = self.call(last)
        self._closed = closed
        self._queue.put(None)
        return closed

    def _run(self) -> None:
        while (given := self._queue.get()) is not None:
            deferred, work = given
            tell: Callable[[Any], None]
            result: object
            try:
                result = work()
                tell = deferred.callback
            except BaseException:  # noqa: BLE001 - whoever waits is told, whatever it was
                result = Failure()
                tell = deferred.errback
            self._reactor.callFromThread(tell, result)
            del given, deferred, work, tell, result  # nothing of it is kept while this waits for more
