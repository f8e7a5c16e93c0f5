"""`Glance`: tells of most requests by a few looks that no rule of a proxy can match them.

Belongs here: what is seen of a request without taking it apart. Does not: which rules may match others (indexes.py).
Most requests are such; one costs 1 µs then in place of 2.7. And a Judge of one's own, of which thousands are called in
turn, is read from memory: a Glance has what is needed in fewer places.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from os.path import commonprefix
from typing import Final

from rrgate.api import Exchange
from rrgate_plugins.rules.patterns import beginning, same

_MOST: Final = 16
"""Beginnings of paths that are compared one by one."""

_Begun = tuple[bytes, tuple[bytes, ...]]
"""What all paths begin with that a rule may match, and what each."""
_ByPath = Collection[tuple[bytes, frozenset[bytes] | None]]
"""Patterns of paths as `spelled`, each with the methods that its rule is for; None for all."""


class Glance:
    """Of one Judge."""

    __slots__ = ("_begun", "_begun_by_method", "_header_names", "_parameters")

    def __init__(
        self,
        begun: _Begun,
        begun_by_method: Mapping[bytes, _Begun] | None,
        header_names: Mapping[bytes, tuple[int, ...]] | None,
        parameters: bool,
    ) -> None:
        """Use `of`."""
        self._begun = begun
        self._begun_by_method = begun_by_method
        self._header_names = header_names
        self._parameters = parameters

    @classmethod
    def of(
        cls, by_path: _ByPath, header_names: Mapping[bytes, tuple[int, ...]] | None, parameters: bool
    ) -> Glance | None:
        """None where nothing can be told so: a path that matches may begin anyhow, or in too many ways.

        Of all rules that there are: `by_path`, those that ask for a path; `header_names`: by names of headers that were
        looked at, the rules that ask for one of them, which are more and more; None where none asks. `parameters`:
        whether one asks for a parameter. There must be no rule that asks for nothing of the kind.
        """
        known = [(beginning(pattern), methods) for pattern, methods in by_path]
        if len(known) > _MOST or any(begun is None for begun, _ in known):
            return None
        named = frozenset[bytes]().union(*(methods for _, methods in known if methods is not None))
        by_method = {
            method: _begun(begun for begun, methods in known if methods is None or method in methods)
            for method in named
        }
        of_all = _begun(begun for begun, methods in known if methods is None)
        return cls(of_all, by_method or None, header_names, parameters)

    def nothing_matches(self, ex: Exchange) -> bool:
        """Whether that is sure. Not to be asked before the path was judged; False where that is missing."""
        forms = ex.forms
        if forms is None:
            return False
        by_method = self._begun_by_method
        common, begun = self._begun if by_method is None else by_method.get(ex.method, self._begun)
        for path in forms.readings if forms.raw else (b"/",):
            if path.startswith(common) and path.startswith(begun):
                return False
        if self._parameters and ex.query:
            return False
        names = self._header_names
        if names is not None:
            for _, name, _ in ex.crossing_fields():
                if names.get(name) != ():
                    return False
        return True


def _begun(beginnings: Iterable[bytes | None]) -> _Begun:
    found = tuple(sorted({begun for begun in beginnings if begun is not None}))
    common = commonprefix(found) if found else b""  # noqa: RUF071 - bytes, no paths of files
    shared: _Begun = same((common, found))
    return shared
