"""What rules and filters have in common: routes below whom they belong to, and plugins that can carry their checks out.

Belongs here: that. Does not: what is particular to either (rules.py, filters.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol

from rrgate.api import ConfigError, Plugin, Problem
from rrgate.core.answers import Answer
from rrgate.core.checking import gathered
from rrgate.core.queries import PAGING
from rrgate.core.routes import Call, Route


class Handles(Protocol):
    """The handlers of one kind of belonging nouns."""

    async def list(self, call: Call) -> Answer: ...
    async def create(self, call: Call) -> Answer: ...
    async def show(self, call: Call) -> Answer: ...
    async def update(self, call: Call) -> Answer: ...
    async def delete(self, call: Call) -> Answer: ...


def check_by_plugins(
    problems: list[Problem],
    checks: frozenset[str],
    plugins: Collection[type[Plugin]],
    does: Callable[[type[Plugin]], frozenset[str]],
    nobody: str,
    judge: Callable[[type[Plugin]], object],
) -> None:
    """Raises ConfigError with `problems` and what else is wrong, unless there is nothing.

    `does`: the kinds of checks that a plugin carries out, none if it has no part in these. `nobody`: why it cannot be,
    if no plugin has. `judge` is asked of each that carries out all of `checks`, and raises ConfigError.
    """
    willing = [plugin for plugin in plugins if does(plugin)]
    able = [plugin for plugin in willing if does(plugin) >= checks]
    if not willing:
        problems.append(Problem("effect", f"cannot be carried out: {nobody}"))
    elif not able:
        known = frozenset[str]().union(*map(does, willing))
        problems += [
            Problem(kind, "is carried out by no installed plugin: leave it out, or install one that does")
            for kind in sorted(checks - known or checks)
        ]
    if not problems:
        for plugin in able:
            with gathered(problems):
                judge(plugin)
    if problems:
        raise ConfigError(*problems)


def routes_below(
    parent: str, parameter: str, singular: str, noun: type[Any], most: int, of: Handles
) -> tuple[Route, ...]:
    """The routes of `noun` below nouns of the kind `parent`, of which one is a `singular` and the id in paths is
    `parameter`; each can have `most`."""
    name = noun.__name__.lower()
    all_of_them = f"/clients/{{clientId}}/{parent}/{{{parameter}}}/{name}s"
    one = f"{all_of_them}/{{{name}Id}}"
    whose = f"of a {singular}"
    created = f"Create a {name} {whose}; it can have {most}."
    return (
        Route(method="GET", template=all_of_them, handler=of.list, parameters=PAGING, help=f"The {name}s {whose}."),
        Route(method="POST", template=all_of_them, handler=of.create, noun=noun, help=created),
        Route(method="GET", template=one, handler=of.show, help=f"One {name} {whose}."),
        Route(method="PUT", template=one, handler=of.update, noun=noun, help=f"Change a {name} {whose}."),
        Route(method="DELETE", template=one, handler=of.delete, help=f"Delete a {name} {whose}."),
    )
