"""Calling the boot hooks, plugin by plugin, so that whoever fails is named; and events, thinned out.

Belongs here: how each hook is called, and what of its answers is taken. Does not: the hooks' meaning (hookspecs.py),
when they are called (gateway.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from attrs import frozen
from sqlite_utils import Migrations
from twisted.internet.interfaces import IReactorTime

from rrgate import hookspecs
from rrgate.boot_values import Event, Page, PageRequest
from rrgate.careful_log import CarefulLogger
from rrgate.messages import Reply
from rrgate.patience import RAISED
from rrgate.registry import Hook, PluginLoadError, Registry
from rrgate.steps import WrongAnswer, wrong_with
from rrgate.store import PluginSteps
from rrgate.store.plugin_steps import clashing

EVENT_SECONDS: Final = 60.0
"""Events of one kind and subject are told at most once in so many seconds."""
_MOST_REMEMBERED: Final = 1000


@frozen
class MountedPage:
    """A page and who brings it, for messages."""

    page: Page
    plugin: str


class BootHooks:
    """The boot hooks of one gateway's plugins. All on the reactor's thread."""

    def __init__(self, registry: Registry, gateway: object, clock: IReactorTime) -> None:
        """`gateway`: what hooks are given. `clock`: monotonic."""
        self._registry = registry
        self._gateway = gateway
        self._clock = clock
        self._log = CarefulLogger("rrgate.boot")
        self._told: dict[tuple[str, str, str], float] = {}
        self._left_out = 0
        self._said_left_out = float("-inf")
        self.notify: Callable[[Event], None] = lambda event: None
        """Is given each event that is told. Never raises."""
        self.events: Counter[str] = Counter()
        """How many of each kind there were, told or not."""

    def migrations(self) -> tuple[PluginSteps, ...]:
        """Every plugin's migrations. Raises PluginLoadError naming the one at fault."""
        sets = []
        for origin, answer in self._collected(hookspecs.rrgate_migrations):
            if not isinstance(answer, Migrations):
                raise PluginLoadError(f"{origin}: rrgate_migrations must answer rrgate.api.Migrations")
            each = PluginSteps(origin, answer)
            if problem := each.problem() or self._misnamed(origin, answer.name):
                raise PluginLoadError(f"{origin}: {problem}")
            sets.append(each)
        if problem := clashing(sets):
            raise PluginLoadError(problem)
        return tuple(sets)

    def _misnamed(self, origin: str, name: str) -> str:
        wanted = self._registry.distributions.get(origin, "").lower().replace("-", "_").replace(".", "_")
        if not wanted or name == wanted or name.startswith(wanted + "_"):
            return ""
        return f"the migration set {name!r} must be named {wanted!r} after its distribution, or go on behind a _"

    def pages(self, is_taken: Callable[[Page], bool]) -> tuple[MountedPage, ...]:
        """Every plugin's pages. `is_taken`: whether one lies where the gateway's own do.

        Raises PluginLoadError naming the plugin of one that is no Page, or whose path is taken.
        """
        mounted: dict[tuple[str, str], MountedPage] = {}
        for origin, page in self._collected(hookspecs.rrgate_resources, gateway=self._gateway):
            if not isinstance(page, Page):
                raise PluginLoadError(f"{origin}: rrgate_resources must answer rrgate.api.Page")
            if is_taken(page):
                where = f"{page.path} on the {page.listener} listener"
                raise PluginLoadError(f"{origin} mounts {where}, where pages of rrgate's own lie")
            other = mounted.setdefault((page.listener, page.path), MountedPage(page, origin))
            if other.page is not page:
                raise PluginLoadError(
                    f"{origin} mounts {page.path} on the {page.listener} listener, where {other.plugin} has a page"
                )
        return tuple(mounted.values())

    def answer(self, mounted: MountedPage, request: PageRequest) -> Reply:
        """The page's answer, or a 500 if it fails."""
        page = mounted.page
        try:
            reply = page.answer(request)
            if type(reply) is not Reply:
                raise WrongAnswer(f"a page answered a {type(reply).__name__}, not a Reply")
            if wrong := wrong_with(reply):
                raise WrongAnswer(f"a page answered a Reply with {wrong}")
        except RAISED:
            self._log.failure("the page {path} of {plugin} failed", path=page.path, plugin=mounted.plugin)
            self.tell(Event("plugin-fault", f"the page {page.path} of {mounted.plugin} failed", f"page {page.path}"))
            return Reply(500, "A plugin of this gateway failed; its operator's log says which", "internal-error")
        return reply

    def started(self) -> None:
        """Call `rrgate_started` of every plugin. Never raises."""
        for origin, call in self._registry.hooks(hookspecs.rrgate_started):
            self._call(hookspecs.rrgate_started, origin, call)

    def stopping(self) -> None:
        """Call `rrgate_stopping` of every plugin, the one that was loaded last first. Never raises."""
        for origin, call in reversed(self._registry.hooks(hookspecs.rrgate_stopping)):
            self._call(hookspecs.rrgate_stopping, origin, call)

    def tell(self, event: Event) -> bool:
        """Log `event` and hand it to every plugin, unless its like was told within the last minute; whether it was.

        Of more than a thousand subjects a minute no more is told, but how many events were left out. Never raises.
        """
        self.events[event.kind] += 1
        key, now = (event.kind, event.subject, event.window), self._clock.seconds()
        last = self._told.get(key)
        if last is not None and now - last < EVENT_SECONDS:
            return False
        if len(self._told) >= _MOST_REMEMBERED:
            self._told = {known: at for known, at in self._told.items() if now - at < EVENT_SECONDS}
            if len(self._told) >= _MOST_REMEMBERED:
                # More subjects than anybody reads in a minute.
                self._left_out += 1
                if now - self._said_left_out >= EVENT_SECONDS:
                    self._say_left_out(now)
                return False
        if self._left_out:
            self._say_left_out(now)
        self._told[key] = now
        self._log.warn("{kind}: {message}", kind=event.kind, message=event.message, subject=event.subject)
        self.notify(event)
        for origin, call in self._registry.hooks(hookspecs.rrgate_event):
            self._call(hookspecs.rrgate_event, origin, call, event=event)
        return True

    def _say_left_out(self, now: float) -> None:
        self._log.warn(
            "{count} events were not told since this was last said: more than {most} subjects had some within a minute",
            most=_MOST_REMEMBERED,
            count=self._left_out,
        )
        self._left_out, self._said_left_out = 0, now

    def _call(self, hook: Hook, origin: str, call: Callable[..., Any], **arguments: object) -> None:
        try:
            call(gateway=self._gateway, **arguments)
        except RAISED:  # one plugin's fault keeps nobody from starting, stopping or being told
            self._log.failure("{hook} of {plugin} failed", hook=hook.__name__, plugin=origin)
            if hook is not hookspecs.rrgate_event:
                name = hook.__name__
                self.tell(Event("plugin-fault", f"{name} of {origin} failed", f"{origin} {name}"))

    def _collected(self, hook: Hook, **arguments: object) -> Iterator[tuple[str, object]]:
        """(whose, each of what it answers)."""
        for origin, call in self._registry.hooks(hook):
            try:
                answers: Any = call(**arguments)
                each: Sequence[object] = tuple(_iterable(answers))
            except RAISED as error:
                raise PluginLoadError(f"{origin}: {hook.__name__} failed: {type(error).__name__}: {error}") from error
            for answer in each:
                yield origin, answer


def _iterable(answers: Any) -> Iterable[object]:
    return () if answers is None else answers
