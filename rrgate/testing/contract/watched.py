"""`watch`: a plugin as it is, but for notes that are taken of all that its methods answer, raise and call.

Belongs here: taking notes, and making its surroundings fail on demand. Does not: judging.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Generator
from typing import Any, ClassVar, Final, NoReturn
from weakref import WeakValueDictionary

from attrs import define, evolve, field

from rrgate.api import Plugin, PluginContext
from rrgate.chain import Chain
from rrgate.testing.contract.blocking import watching

PHASES: Final = tuple(name for name, type_ in Chain.__annotations__.items() if "Step" in str(type_))


class Broken(Exception):
    """What a plugin relies on does not work. (Made on purpose.)"""


@define
class Notes:
    """What the objects of one watched class did."""

    file: str
    """Where the class is written."""
    objects: list[Plugin] = field(factory=list)
    answers: list[tuple[str, object]] = field(factory=list)
    """(phase, what it answered), in order."""
    errors: list[tuple[str, BaseException]] = field(factory=list)
    blocked: list[str] = field(factory=list)
    fails: str = ""
    """What fails now: `wall`, `clock`, or a phase, which then raises when it has done its work."""

    def of(self, phase: str) -> list[object]:
        """Everything that was answered in a phase."""
        return [answer for known, answer in self.answers if known == phase]


def watch(plugin: type[Plugin]) -> tuple[type[Plugin], Callable[[object], Notes]]:
    """A class that behaves like `plugin`, and what gives the notes of all its objects that have the same clock.

    One class serves in any number of gateways, so that only the first has to find out what it is.
    """
    file = getattr(sys.modules.get(plugin.__module__), "__file__", None) or ""
    kept: WeakValueDictionary[int, Notes] = WeakValueDictionary()
    """By the clock's id: it lives as long as the objects that are in the notes."""

    def noted(clock: object) -> Notes:
        notes = kept.get(id(clock))
        if notes is None:
            kept[id(clock)] = notes = Notes(file)
        return notes

    class Watched(plugin):  # type: ignore[valid-type, misc]
        name: ClassVar[str] = plugin.name

        def __init__(self, config: Any, context: PluginContext) -> None:
            notes = noted(context.clock)
            clock: Any = _Clock(context.clock, notes)
            super().__init__(config, evolve(context, wall=_wall(context.wall, notes), clock=clock))
            notes.objects.append(self)
            for phase in PHASES:
                method = getattr(self, phase, None)
                if method is not None:
                    setattr(self, phase, _noting(method, phase, notes))

    Watched.__name__, Watched.__qualname__, Watched.__module__ = plugin.__name__, plugin.__qualname__, plugin.__module__
    return Watched, noted


def _wall(wall: Callable[[], float], notes: Notes) -> Callable[[], float]:
    def read() -> float:
        if notes.fails == "wall":
            raise Broken("the wall's time cannot be read")
        return wall()

    return read


class _Clock:
    def __init__(self, clock: Any, notes: Notes) -> None:
        self._clock = clock
        self._notes = notes

    def __getattr__(self, name: str) -> Any:
        if self._notes.fails == "clock":
            raise Broken("the clock does not work")
        return getattr(self._clock, name)


class _Awaited:
    """An awaitable of a plugin's, watched at every step; what it waits for in between is not its doing."""

    def __init__(self, awaited: Any, phase: str, notes: Notes) -> None:
        self._steps: Generator[Any, Any, Any] = awaited.__await__()
        self._phase = phase
        self._notes = notes

    def __await__(self) -> Generator[Any, Any, Any]:
        notes, phase = self._notes, self._phase
        error: BaseException | None = None
        while True:
            try:
                with watching(_into(notes, phase)):
                    waited = next(self._steps) if error is None else self._steps.throw(error)
            except StopIteration as end:
                _end(notes, phase, end.value)
                return end.value
            except BaseException as raised:
                notes.errors.append((phase, raised))
                raise
            try:
                yield waited
                error = None
            except BaseException as thrown:  # noqa: BLE001 - all of it is the plugin's to handle
                error = thrown


def _noting(method: Callable[..., Any], phase: str, notes: Notes) -> Callable[..., Any]:
    def plain(*arguments: Any) -> Any:
        try:
            with watching(_into(notes, phase)):
                answer = method(*arguments)
        except BaseException as raised:
            notes.errors.append((phase, raised))
            raise
        if hasattr(answer, "__await__"):
            return later(answer)
        _end(notes, phase, answer)
        return answer

    async def later(awaitable: Any) -> Any:
        return await _Awaited(awaitable, phase, notes)

    async def coroutine(*arguments: Any) -> Any:
        return await _Awaited(method(*arguments), phase, notes)

    return coroutine if inspect.iscoroutinefunction(method) else plain


def _end(notes: Notes, phase: str, answer: object) -> None:
    notes.answers.append((phase, answer))
    if notes.fails == phase:
        _fail(phase)


def _fail(phase: str) -> NoReturn:
    raise Broken(f"{phase} fails")


def _into(notes: Notes, phase: str) -> Callable[[str], object]:
    return lambda name: notes.blocked.append(f"{name} in {phase}")
