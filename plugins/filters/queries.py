"""`Query`: a JSONPath (RFC 9535), compiled so that what it may cost is bounded.

Belongs here: from a JSONPath's syntax tree to functions, and what each selects. Does not: reading JSONPaths, which
jsonpath-rfc9535 does, comparing values (comparing.py), or what becomes of what is selected (pruning.py).

The library's own way through a document is not taken: nothing bounds it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from jsonpath_rfc9535 import JSONPathEnvironment, JSONPathError
from jsonpath_rfc9535 import filter_expressions as syntax
from jsonpath_rfc9535.function_extensions import Count, Length, Value
from jsonpath_rfc9535.query import JSONPathQuery
from jsonpath_rfc9535.segments import JSONPathRecursiveDescentSegment, JSONPathSegment
from jsonpath_rfc9535.selectors import (
    FilterSelector,
    IndexSelector,
    JSONPathSelector,
    NameSelector,
    SliceSelector,
    WildcardSelector,
)

from rrgate_plugins.filters.comparing import COMPARISONS, NOTHING, Run

MOST_DESCENDANTS: Final = 2
"""Descendant segments (`..`) of a JSONPath."""

Node = tuple[Any, Any, Any]
"""The object or array that it is in, its name or place there, its value. The document itself is in nothing."""

_Children = Callable[[Any, Run], Iterator[tuple[Any, Any]]]
"""Names or places, and values, of those children of a value that a selector selects."""
_Segment = Callable[[Sequence[Node], Run], list[Node]]
_Values = Callable[[Any, Run], Any]
"""Of a current value: a value, or NOTHING."""
_Test = Callable[[Any, Run], bool]


class Query:
    """One JSONPath. May be used by several threads at once."""

    def __init__(self, text: str) -> None:
        """Raises ValueError, which tells what cannot be carried out, and where."""
        try:
            query = _ENVIRONMENT.compile(text)
            self._segments = _segments(query, once=True)
        except JSONPathError as error:
            raise ValueError(_complaint(error)) from None
        except (ArithmeticError, IndexError, RecursionError, ValueError) as error:
            if isinstance(error, _NotSupported):
                raise ValueError(str(error)) from None
            raise ValueError("is no JSONPath of RFC 9535") from None
        if text.count("..") > MOST_DESCENDANTS and _descendants(query) > MOST_DESCENDANTS:
            raise ValueError(f"must have at most {MOST_DESCENDANTS} descendant segments (..)")

    def select(self, run: Run) -> list[Node]:
        """The nodes of `run`'s document that it names, each once or more. Raises TooMuchWork."""
        nodes: list[Node] = [(None, None, run.document)]
        for segment in self._segments:
            nodes = segment(nodes, run)
        return nodes


class _NotSupported(ValueError):
    """What this gateway does not carry out."""


class _Environment(JSONPathEnvironment):
    """The functions of RFC 9535, without those that match regular expressions."""

    def setup_function_extensions(self) -> None:
        self.function_extensions["length"] = Length()
        self.function_extensions["count"] = Count()
        self.function_extensions["value"] = Value()


_ENVIRONMENT: Final = _Environment()


def _complaint(error: JSONPathError) -> str:
    token = error.token
    said = re.sub(r"[^ -~]", "?", str(error.args[0]))[:100] if error.args else "it cannot be read"
    where = f" at character {token.index + 1}" if token is not None else ""
    hint = "; match and search are not supported" if re.search(r"\b(match|search)\b", said) else ""
    return f"is no JSONPath that can be carried out: {said}{where}{hint}"


def _descendants(query: JSONPathQuery) -> int:
    """How many descendant segments are in a query, those of the queries in it too."""
    count = 0
    waiting: list[Any] = [query]
    for each in waiting:
        if isinstance(each, JSONPathQuery):
            waiting += each.segments
        elif isinstance(each, JSONPathSegment):
            count += isinstance(each, JSONPathRecursiveDescentSegment)
            waiting += each.selectors
        elif isinstance(each, FilterSelector | syntax.FilterExpression):
            waiting.append(each.expression)
        elif isinstance(each, syntax.FilterQuery):
            waiting.append(each.query)
        elif isinstance(each, syntax.LogicalExpression | syntax.ComparisonExpression):
            waiting += (each.left, each.right)
        elif isinstance(each, syntax.PrefixExpression):
            waiting.append(each.right)
        elif isinstance(each, syntax.FunctionExtension):
            waiting += each.args
    return count


# Segments.


def _segments(query: JSONPathQuery, *, once: bool) -> list[_Segment]:
    """`once`: a node that is selected twice counts once, and so nobody looks at what is below it again."""
    return [
        _descendant(list(map(_selector, segment.selectors)), once=once)
        if isinstance(segment, JSONPathRecursiveDescentSegment)
        else _child(list(map(_selector, segment.selectors)))
        for segment in query.segments
    ]


def _child(selectors: list[_Children]) -> _Segment:
    def select(nodes: Sequence[Node], run: Run) -> list[Node]:
        found = []
        for _, _, value in nodes:
            if type(value) is dict or type(value) is list:
                for selector in selectors:
                    run.spend(1)
                    found += [(value, key, each) for key, each in selector(value, run)]
        return found

    return select


def _descendant(selectors: list[_Children], *, once: bool) -> _Segment:
    def select(nodes: Sequence[Node], run: Run) -> list[Node]:
        found = []
        seen: set[int] = set()
        for _, _, value in nodes:
            waiting = [value]
            while waiting:
                value = waiting.pop()
                kind = type(value)
                if (kind is not dict and kind is not list) or (once and id(value) in seen):
                    continue
                if once:
                    seen.add(id(value))
                run.spend(len(value) + len(selectors))
                for selector in selectors:
                    found += [(value, key, each) for key, each in selector(value, run)]
                below = value.values() if kind is dict else reversed(value)
                waiting += [each for each in below if type(each) is dict or type(each) is list]
        return found

    return select


# Selectors: each is asked of an object or array.


def _selector(selector: JSONPathSelector) -> _Children:
    match selector:
        case NameSelector():
            return _by_name(selector.name)
        case IndexSelector():
            return _by_index(selector.index)
        case SliceSelector():
            return _by_slice(selector.slice)
        case WildcardSelector():
            return _every_child
        case FilterSelector():
            return _by_test(_test(selector.expression.expression))
    raise _NotSupported("has a selector that this gateway does not carry out")


def _by_name(name: str) -> _Children:
    def select(value: Any, run: Run) -> Iterator[tuple[Any, Any]]:
        if type(value) is dict and name in value:
            yield name, value[name]

    return select


def _by_index(index: int) -> _Children:
    def select(value: Any, run: Run) -> Iterator[tuple[Any, Any]]:
        if type(value) is list:
            place = index if index >= 0 else len(value) + index
            if 0 <= place < len(value):
                yield place, value[place]

    return select


def _by_slice(places: slice) -> _Children:
    def select(value: Any, run: Run) -> Iterator[tuple[Any, Any]]:
        if type(value) is list and places.step != 0:
            chosen = range(*places.indices(len(value)))
            run.spend(len(chosen))
            for place in chosen:
                yield place, value[place]

    return select


def _every_child(value: Any, run: Run) -> Iterator[tuple[Any, Any]]:
    run.spend(len(value))
    return iter(value.items() if type(value) is dict else enumerate(value))


def _by_test(test: _Test) -> _Children:
    def select(value: Any, run: Run) -> Iterator[tuple[Any, Any]]:
        for key, each in _every_child(value, run):
            if test(each, run):
                yield key, each

    return select


# Expressions: each is asked of the current value (`@`).


def _test(expression: Any) -> _Test:
    match expression:
        case syntax.FilterExpression():
            return _test(expression.expression)
        case syntax.LogicalExpression():
            left, right = _test(expression.left), _test(expression.right)
            if expression.operator == "&&":
                return lambda value, run: left(value, run) and right(value, run)
            return lambda value, run: left(value, run) or right(value, run)
        case syntax.PrefixExpression():
            inner = _test(expression.right)
            return lambda value, run: not inner(value, run)
        case syntax.ComparisonExpression():
            compare = COMPARISONS[expression.operator]
            one, other = _value(expression.left), _value(expression.right)
            return lambda value, run: compare(one(value, run), other(value, run), run)
        case syntax.FilterQuery():
            nodes = _nodes(expression)
            return lambda value, run: bool(nodes(value, run))
    raise _NotSupported("has a test that this gateway does not carry out")


def _nodes(expression: Any) -> Callable[[Any, Run], list[Node]]:
    if not isinstance(expression, syntax.FilterQuery):
        raise _NotSupported("has an argument that this gateway does not carry out")
    segments = _segments(expression.query, once=False)
    from_root = isinstance(expression, syntax.RootFilterQuery)

    def select(value: Any, run: Run) -> list[Node]:
        nodes: list[Node] = [(None, None, run.document if from_root else value)]
        run.spend(1)
        for segment in segments:
            nodes = segment(nodes, run)
        return nodes

    return select


def _value(expression: Any) -> _Values:
    match expression:
        case syntax.IntegerLiteral() | syntax.FloatLiteral():
            written = expression.token.value
            number = int(written) if re.fullmatch("-?[0-9]+", written) else float(written)
            return lambda value, run: number
        case syntax.FilterExpressionLiteral():
            literal = expression.value
            return lambda value, run: literal
        case syntax.FilterQuery():
            nodes = _nodes(expression)
            return lambda value, run: _only(nodes(value, run))
        case syntax.FunctionExtension(name="length"):
            measured = _value(expression.args[0])
            return lambda value, run: _length(measured(value, run))
        case syntax.FunctionExtension(name="count"):
            counted = _nodes(expression.args[0])
            return lambda value, run: len(counted(value, run))
        case syntax.FunctionExtension(name="value"):
            nodes = _nodes(expression.args[0])
            return lambda value, run: _only(nodes(value, run))
    raise _NotSupported("has a value that this gateway does not carry out")


def _only(nodes: list[Node]) -> Any:
    return nodes[0][2] if len(nodes) == 1 else NOTHING


def _length(value: Any) -> Any:
    return len(value) if type(value) in (str, list, dict) else NOTHING
