"""`Watchdog`: a thread that notices when the reactor's thread does not turn, and says who keeps it, while it happens.

Belongs here: noticing, reading off the thread where it is, telling it. Does not: ending what blocks; nothing can.

Nothing is noted on a request's way for it: whose step runs stands in the local names of the function that called it
(rrgate.steps, rrgate.pipeline), and these are read from the blocked thread, only when it is blocked.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from attrs import evolve, frozen

from rrgate.boot_values import Event
from rrgate.careful_log import CarefulLogger
from rrgate.chain import Step

EVENT_SECONDS: Final = 60.0
"""One subject is told of at most once in so many seconds."""
_RUNNERS: Final = frozenset({"rrgate.steps", "rrgate.pipeline"})
"""Modules whose functions call plugins, with the Step in the local name `step`."""
_BETWEEN: Final = frozenset({"rrgate.patience"})
"""Modules that stand between them and an `async` method."""
_REACTORS: Final = frozenset({"rrgate.reactor", "twisted.internet.base", "selectors", "asyncio.base_events"})
"""Modules whose functions a reactor is in between turns, beside Twisted's own reactors."""
_OFTEN: Final = 4
"""Looks in each span that the thread may be blocked for."""

_log = CarefulLogger("rrgate.watchdog")


@frozen
class Blocked:
    """The reactor's thread has not turned for `seconds`, or had not for so long if it is `over`.

    `plugin` and `phase`: whose step it is in; empty if it is in none. `place`: `file:line in function` of the
    plugin's method, and of where it is now; no values.
    """

    plugin: str
    phase: str
    place: str
    seconds: float = 0.0
    over: bool = False

    def __str__(self) -> str:
        who = f"plugin {self.plugin!r} in {self.phase}" if self.plugin else "something"
        verb = "kept" if self.over else "has been keeping"
        return f"{who} {verb} the reactor from turning for {self.seconds * 1000:.0f} ms, at {self.place}"

    @property
    def subject(self) -> str:
        """For events: the plugin and phase, else the place."""
        return f"{self.plugin} {self.phase}" if self.plugin else self.place


class Watchdog:
    """Watches one reactor's thread, from `start` to `stop`.

    What is blocked for `seconds` or longer may be noticed; from a quarter more on it always is. The milliseconds told
    are the least that it can have been. A machine too busy to run the thread can look the same. One plugin and phase,
    or one place, is told of at most once in `EVENT_SECONDS`.
    """

    def __init__(self, reactor: Any, seconds: float, tell: Callable[[Event], object]) -> None:
        """`tell` is called on the reactor's thread once it turns again; until then only the log says it."""
        self._reactor = reactor
        self._seconds = seconds
        self._tell = tell
        self._told: dict[str, float] = {}
        self._stopping = threading.Event()
        self._answered = threading.Event()
        self._watched = 0

    def start(self) -> None:
        """Begin as soon as the reactor runs."""
        self._reactor.callWhenRunning(self._begin)

    def stop(self) -> None:
        """End; does not wait for the thread."""
        self._stopping.set()
        self._answered.set()

    def _begin(self) -> None:
        if not self._stopping.is_set():
            self._watched = threading.get_ident()
            threading.Thread(target=self._run, name="rrgate-watchdog", daemon=True).start()

    def _run(self) -> None:
        while not self._stopping.wait(self._seconds / _OFTEN):
            self._answered.clear()
            asked = time.monotonic()
            self._reactor.callFromThread(self._answered.set)
            if self._answered.wait(self._seconds) or self._stopping.is_set():
                continue
            found = self._look()
            if found is not None and self._is_new(found.subject, asked):
                _log.warn("{blocked}", blocked=evolve(found, seconds=time.monotonic() - asked))
            else:
                found = None
            self._answered.wait()
            if found is not None and not self._stopping.is_set():
                whole = evolve(found, seconds=time.monotonic() - asked, over=True)
                self._reactor.callFromThread(self._tell, Event("reactor-blocked", str(whole), whole.subject))

    def _look(self) -> Blocked | None:
        """Where the thread is; None if it only waits for something to do, or has ended."""
        frame = sys._current_frames().get(self._watched)
        if frame is None:
            return None
        step, method = _step_of(frame)
        if step is None:
            return None if _is_reactors(frame) else Blocked("", "", _place(frame))
        place = _place(frame) if method is frame else f"{_place(method)}, in {_place(frame)}"
        return Blocked(step.plugin, step.phase, place)

    def _is_new(self, subject: str, now: float) -> bool:
        last = self._told.get(subject)
        if last is not None and now - last < EVENT_SECONDS:
            return False
        self._told[subject] = now
        return True


def _is_reactors(frame: FrameType) -> bool:
    """Whether the reactor itself is at work, or waits."""
    module = str(frame.f_globals.get("__name__"))
    return module in _REACTORS or (module.startswith("twisted.internet.") and module.endswith("reactor"))


def _step_of(innermost: FrameType) -> tuple[Step | None, FrameType]:
    """The step that the thread is in, and the frame of the plugin's method."""
    method = innermost
    frame: FrameType | None = innermost
    while frame is not None:
        module = frame.f_globals.get("__name__")
        if module in _RUNNERS and frame is not innermost:
            step = frame.f_locals.get("step")
            if isinstance(step, Step):
                return step, method
        if module not in _BETWEEN:
            method = frame
        frame = frame.f_back
    return None, innermost


def _place(frame: FrameType) -> str:
    code = frame.f_code
    return f"{code.co_filename}:{frame.f_lineno} in {code.co_name}"
