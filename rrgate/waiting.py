"""Waiting without a Deferred: a one-shot `Waiter` and the `Task` that runs a coroutine over Waiters and Deferreds.

Belongs here: how a coroutine of the request path is started, resumed and cancelled. Does not: what it waits for.

Why not `Deferred.fromCoroutine`: it costs 1.8 µs before the first step and 1–2 µs a resumption; a Task whose steps
are all synchronous ends inside `start` and has made no Deferred at all. Plugins may await Deferreds as they like.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


class Waiter(Generic[T]):
    """A value that comes later, once, for one waiting coroutine.

    Firing twice, or after it was cancelled, does nothing. Only a `Task` can await it (not `Deferred.fromCoroutine`).
    """

    __slots__ = ("_error", "_on_cancel", "_resume", "_value", "done")

    def __init__(self, on_cancel: Callable[[], None] | None = None) -> None:
        """`on_cancel` is called when the coroutine that waits is cancelled, before it is told."""
        self.done = False
        self._value: T
        self._error: BaseException | None = None
        self._resume: Callable[[], None] | None = None
        self._on_cancel = on_cancel

    def fire(self, value: T) -> None:
        """Hand over `value`; the waiting coroutine runs on before this returns."""
        if not self.done:
            self.done = True
            self._value = value
            resume, self._resume = self._resume, None
            if resume is not None:
                resume()

    def fail(self, error: BaseException) -> None:
        """Raise `error` in the waiting coroutine, before this returns."""
        if not self.done:
            self.done = True
            self._error = error
            resume, self._resume = self._resume, None
            if resume is not None:
                resume()

    def cancel(self) -> None:
        """Tell whoever would fire that nobody waits any more, and raise `CancelledError` in the one who did."""
        if not self.done:
            if self._on_cancel is not None:
                self._on_cancel()
            self.fail(CancelledError())

    def __await__(self) -> Generator[Waiter[T], None, T]:
        if not self.done:
            yield self
        if self._error is not None:
            raise self._error
        return self._value


class Task:
    """Runs a coroutine to its end on the reactor's thread, from `start`, synchronously as far as it gets."""

    __slots__ = ("_coroutine", "_done", "_running", "_waiting", "cancelled", "finished")

    def __init__(
        self, coroutine: Coroutine[Any, Any, Any], done: Callable[[BaseException | None], None] | None = None
    ) -> None:
        """`done` is called once at the end, with the exception that ended it or None."""
        self._coroutine = coroutine
        self._done = done
        self._waiting: Waiter[Any] | Deferred[Any] | None = None
        self._running = False
        self.cancelled = False
        self.finished = False

    def start(self) -> Task:
        """Run until the first thing that is not there yet."""
        self._step()
        return self

    def cancel(self) -> None:
        """Raise `CancelledError` where the coroutine waits; what it waits for is cancelled first.

        A coroutine that is running right now (this is called from inside it) gets it at its next wait.
        """
        if self.finished or self.cancelled:
            return
        self.cancelled = True
        waiting = self._waiting
        if waiting is not None and not self._running:
            waiting.cancel()

    def _step(self, error: BaseException | None = None) -> None:
        coroutine = self._coroutine
        self._waiting = None
        self._running = True
        try:
            awaited = coroutine.send(None) if error is None else coroutine.throw(error)
        except StopIteration:
            self._end(None)
            return
        except BaseException as raised:
            self._end(raised)
            if not isinstance(raised, Exception):
                raise
            return
        finally:
            self._running = False
        self._waiting = awaited
        if type(awaited) is Waiter or isinstance(awaited, Waiter):
            awaited._resume = self._step
        elif isinstance(awaited, Deferred):
            awaited.addBoth(self._deferred_fired)
        else:
            self._step(TypeError(f"a coroutine of the request path awaited {awaited!r}, not a Deferred or a Waiter"))
            return
        if self.cancelled and self._waiting is awaited:
            awaited.cancel()

    def _deferred_fired(self, result: object) -> None:
        # The awaited Deferred still holds a good `result`, and its own `__await__` answers it when resumed. A bad one
        # it would not raise before its callbacks are through, of which this is one.
        self._step(result.value if isinstance(result, Failure) else None)

    def _end(self, error: BaseException | None) -> None:
        self.finished = True
        done, self._done = self._done, None
        if done is not None:
            done(error)
        elif error is not None and not isinstance(error, CancelledError):
            Deferred[None]().addErrback(lambda failure: failure).errback(Failure(error))


def run_deferred(coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
    """The edge to the Deferred world: run `coroutine` as a Task; cancelling the Deferred cancels the Task."""
    answer: list[T] = []
    deferred: Deferred[T] = Deferred(lambda _: task.cancel())

    async def keep() -> None:
        answer.append(await coroutine)

    def done(error: BaseException | None) -> None:
        if error is None:
            deferred.callback(answer[0])
        else:
            deferred.errback(Failure(error))

    task = Task(keep(), done)
    task.start()
    return deferred
