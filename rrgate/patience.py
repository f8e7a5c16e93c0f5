"""`Patience`: how long a plugin may wait for what it awaits, and how its wait is ended.

Belongs here: the time that one step may wait, and telling who ended a wait: time, the caller, or the plugin itself.
Does not: calling plugins, or what their failing leads to (steps.py).

A step that awaits nothing, or only what is there already, sets no timer and makes no object here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Generator
from types import CoroutineType, coroutine
from typing import Any, Final, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from rrgate.body import Body
from rrgate.careful_log import CarefulLogger
from rrgate.messages import TargetResponse
from rrgate.waiting import Waiter

_log = CarefulLogger("rrgate.patience")


class PluginTimeout(Exception):
    """A plugin waited for too long. Raised from what it ended with, which says where it waited."""

    holds_no_values = True


class CallerLeft(CancelledError):
    """The request was cancelled while a plugin waited; what a plugin raises of itself is never this."""


class Working(Protocol):
    """The Exchange that a plugin works on, as far as it tells what is waited for."""

    id: str
    request_body: Body
    response: TargetResponse | None


class Patience:
    """How long each step of a gateway's plugins may wait."""

    __slots__ = ("clock", "seconds")

    def __init__(self, clock: IReactorTime | None, seconds: float) -> None:
        """`seconds`: that one step may wait, in all; without a `clock` it may wait for ever."""
        self.clock = clock
        self.seconds = seconds

    @coroutine
    def answer_of(self, ex: Working, answer: Awaitable[Any]) -> Generator[Any, None, Any]:
        """What `answer`, which a plugin gave while it worked on `ex`, comes to. To be awaited by a Task.

        Raises what the plugin raises, PluginTimeout, and CallerLeft. A plugin that is told to end, by time or
        because the caller left, gets CancelledError where it waits, and may not wait again.
        """
        running = answer if type(answer) is CoroutineType else _native(answer)
        try:
            awaited = running.send(None)
        except StopIteration as end:
            return end.value
        return (yield from _Wait(self, ex, running).end(awaited))


RAISED: Final = (Exception, SystemExit, asyncio.CancelledError)
"""What counts as a plugin's fault when it is raised. What else there is ends the process, or a coroutine."""

ENDLESS: Final = Patience(None, 0.0)
"""For chains that are run without a gateway."""


async def _native(answer: Awaitable[Any]) -> Any:
    """Whatever can be awaited, as a coroutine."""
    return await answer


class _Wait:
    """One step that waits."""

    __slots__ = ("_asleep", "_awaited", "_ex", "_left", "_over", "_patience", "_running", "_since", "_timer", "_waiter")

    def __init__(self, patience: Patience, ex: Working, running: Coroutine[Any, Any, Any]) -> None:
        self._patience = patience
        self._ex = ex
        self._running = running
        self._awaited: Any = None
        self._waiter: Waiter[None]
        self._timer: IDelayedCall | None = None
        self._over = False
        self._left = False
        self._since = 0.0
        # Seconds that it waited for a body, whose sender has timeouts of its own on the wire.
        self._asleep = 0.0

    def end(self, awaited: Any) -> Generator[Any, None, Any]:
        """Run to the end from the wait for `awaited`. Raises as `Patience.answer_of` says."""
        running, clock = self._running, self._patience.clock
        cause: BaseException | None = None
        if clock is not None:
            self._since = clock.seconds()
            self._timer = clock.callLater(self._patience.seconds, self._look)
        try:
            while True:
                error = yield from self._wait(awaited)
                awaited = running.send(None) if error is None else running.throw(error)
                if self._over or self._left:
                    running.close()
                    break
        except StopIteration as end:
            if not self._over and not self._left:
                return end.value
        except RAISED as raised:
            if not self._over and not self._left:
                raise
            cause = raised
        finally:
            if self._timer is not None and self._timer.active():
                self._timer.cancel()
        if self._left:
            raise CallerLeft from cause
        seconds = self._patience.seconds
        raise PluginTimeout(f"waited for more than {seconds:g} seconds (setting plugin_timeout)") from cause

    def _wait(self, awaited: Any) -> Generator[Any, None, BaseException | None]:
        """Wait for `awaited`; what is to be raised in the plugin, if anything."""
        waiter: Waiter[None] = Waiter(self._cancel)
        self._awaited, self._waiter = awaited, waiter
        if isinstance(awaited, Waiter):
            awaited._resume = lambda: waiter.fire(None)
        elif isinstance(awaited, Deferred):

            def fired(result: object) -> None:
                # As in Task: a good result is still there for the Deferred's own `__await__`.
                if isinstance(result, Failure):
                    waiter.fail(result.value or CancelledError())
                else:
                    waiter.fire(None)

            awaited.addBoth(fired)
        else:
            return TypeError(f"a plugin awaited a {type(awaited).__name__}, which is no Deferred")
        clock = self._patience.clock
        begun = clock.seconds() if clock is not None and self._reads_a_body() else -1.0
        try:
            yield from waiter.__await__()
        except BaseException as error:  # noqa: BLE001 - it goes to the plugin
            return error
        finally:
            self._awaited = None
            if begun >= 0 and clock is not None and self._timer is not None:
                self._asleep += clock.seconds() - begun
                self._timer.reset(max(0, self._remaining(clock)))
        return None

    def _remaining(self, clock: IReactorTime) -> float:
        return self._patience.seconds + self._asleep - (clock.seconds() - self._since)

    def _reads_a_body(self) -> bool:
        ex, awaited = self._ex, self._awaited
        return ex.request_body.is_read_by(awaited) or (
            ex.response is not None and ex.response.body.is_read_by(awaited)
        )

    def _look(self) -> None:
        """Whether its time is over."""
        clock = self._patience.clock
        if clock is not None and self._reads_a_body():
            # It is set anew when the wait for the body ends.
            self._timer = clock.callLater(self._patience.seconds, self._look)
            return
        self._over = True
        self._waiter.cancel()

    def _cancel(self) -> None:
        """Called by the Waiter when time is over, or the request is cancelled."""
        self._left = not self._over
        try:
            self._awaited.cancel()
        except Exception:  # noqa: BLE001 - a Deferred's canceller may be a plugin's
            _log.failure("what a plugin awaits for request {id} cannot be cancelled", id=self._ex.id)
