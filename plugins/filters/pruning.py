"""`Stage`: what the filters of one scope leave of a document.

Belongs here: retain and destroy. Does not: what a JSONPath names (queries.py), bytes (documents.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from attrs import frozen

from rrgate_plugins.filters.comparing import Run
from rrgate_plugins.filters.queries import Node, Query


@frozen(eq=False)
class Stage:
    """The filters of a scope that apply to an answer: all that their JSONPaths name is looked up in the document as it
    came into the stage. Where anything is retained, nothing else is left; what is destroyed is not, in any case."""

    retained: Sequence[Query] = ()
    destroyed: Sequence[Query] = ()

    def leave(self, run: Run) -> None:
        """Change `run.document` into what is left of it. Raises TooMuchWork; nothing of it may be answered then."""
        destroyed = _Places(node for query in self.destroyed for node in query.select(run))
        if not self.retained:
            destroyed.remove()
        else:
            retained = _Places(node for query in self.retained for node in query.select(run))
            if not retained.root:
                _keep(run.document, retained, destroyed)
                if not isinstance(run.document, dict | list):
                    run.document = None
            else:
                destroyed.remove()
        if destroyed.root:
            run.document = None


class _Places:
    """Nodes by the object or array that they are in. `root`: whether the document itself is one."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.root = False
        self._within: dict[int, tuple[Any, set[Any]]] = {}
        for container, key, _ in nodes:
            if container is None:
                self.root = True
            else:
                self._within.setdefault(id(container), (container, set()))[1].add(key)

    def of(self, container: Any) -> set[Any] | tuple[()]:
        """The names or places within `container`."""
        found = self._within.get(id(container))
        return () if found is None else found[1]

    def remove(self) -> None:
        """Take all of them out."""
        for container, keys in self._within.values():
            if isinstance(container, dict):
                for key in keys:
                    del container[key]
            else:
                container[:] = [each for place, each in enumerate(container) if place not in keys]


def _keep(document: Any, retained: _Places, destroyed: _Places) -> bool:
    """Leave of `document` what is retained and not destroyed, and the way to it; whether that is anything."""
    if not isinstance(document, dict | list):
        return False
    kept, lost = retained.of(document), destroyed.of(document)
    left: list[tuple[Any, Any]] = []
    for key, value in document.items() if isinstance(document, dict) else enumerate(document):
        if key in lost:
            continue
        if key in kept:
            _take_out(value, destroyed)
            left.append((key, value))
        elif _keep(value, retained, destroyed):
            left.append((key, value))
    if isinstance(document, dict):
        document.clear()
        document.update(left)
    else:
        document[:] = [value for _, value in left]
    return bool(left)


def _take_out(value: Any, destroyed: _Places) -> None:
    """Leave out of `value`, which is kept, what is destroyed in it."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if not isinstance(value, dict | list):
            continue
        lost = destroyed.of(value)
        if isinstance(value, dict):
            for key in lost:
                del value[key]
            waiting += value.values()
        else:
            if lost:
                value[:] = [each for place, each in enumerate(value) if place not in lost]
            waiting += value
