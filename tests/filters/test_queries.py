"""JSONPaths: what they select, as RFC 9535 has it and as the library that reads them does; which are refused.

Belongs here: `Query`. Does not: what becomes of what is selected (test_answers.py).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonpath_rfc9535 import JSONPathEnvironment

from rrgate_plugins.filters.comparing import NOTHING, Run, TooMuchWork, less, same
from rrgate_plugins.filters.queries import MOST_DESCENDANTS, Query

MOST = 1_000_000

# RFC 9535 1.5
STORE = {
    "store": {
        "book": [
            {"category": "reference", "author": "Nigel Rees", "title": "Sayings of the Century", "price": 8.95},
            {"category": "fiction", "author": "Evelyn Waugh", "title": "Sword of Honour", "price": 12.99},
            {
                "category": "fiction",
                "author": "Herman Melville",
                "title": "Moby Dick",
                "isbn": "0-553-21311-3",
                "price": 8.99,
            },
            {
                "category": "fiction",
                "author": "J. R. R. Tolkien",
                "title": "The Lord of the Rings",
                "isbn": "0-395-19395-8",
                "price": 22.99,
            },
        ],
        "bicycle": {"color": "red", "price": 399},
    }
}
BOOKS: list[Any] = STORE["store"]["book"]  # type: ignore[assignment]
LETTERS = list("abcdefg")
# RFC 9535 2.3.5.3
A = {
    "a": [3, 5, 1, 2, 4, 6, {"b": "j"}, {"b": "k"}, {"b": {}}, {"b": "kilo"}],
    "o": {"p": 1, "q": 2, "r": 3, "s": 5, "t": {"u": 6}},
    "e": "f",
}
# RFC 9535 2.3.5.3, comparisons
X = {"obj": {"x": "y"}, "arr": [2, 3]}
# RFC 9535 2.5.2.3
D = {"o": {"j": 1, "k": 2}, "a": [5, 3, [{"j": 4}, {"k": 6}]]}

# document, JSONPath, the values in no particular order
SELECTED: dict[str, tuple[Any, str, list[Any]]] = {
    "the authors of all books": (STORE, "$.store.book[*].author", [book["author"] for book in BOOKS]),
    "all authors": (STORE, "$..author", [book["author"] for book in BOOKS]),
    "all things in the store": (STORE, "$.store.*", list(STORE["store"].values())),
    "all prices": (STORE, "$.store..price", [*[book["price"] for book in BOOKS], 399]),
    "the third book": (STORE, "$..book[2]", [BOOKS[2]]),
    "its author": (STORE, "$..book[2].author", ["Herman Melville"]),
    "it has no publisher": (STORE, "$..book[2].publisher", []),
    "the last book": (STORE, "$..book[-1]", [BOOKS[3]]),
    "the first two books": (STORE, "$..book[0,1]", BOOKS[:2]),
    "the first two books, as a slice": (STORE, "$..book[:2]", BOOKS[:2]),
    "books with a number": (STORE, "$..book[?@.isbn]", BOOKS[2:]),
    "cheap books": (STORE, "$..book[?@.price<10]", [BOOKS[0], BOOKS[2]]),
    "the document": (STORE, "$", [STORE]),
    "names with quotes": ({"o": {"j j": {"k.k": 3}}, "'": {"@": 2}}, "$.o['j j']", [{"k.k": 3}]),
    "two of them": ({"o": {"j j": {"k.k": 3}}}, "$.o['j j']['k.k']", [3]),
    "names in other quotes": ({"o": {"j j": {"k.k": 3}}}, '$.o["j j"]["k.k"]', [3]),
    "odd names": ({"'": {"@": 2}}, "$[\"'\"][\"@\"]", [2]),
    "an escaped name": ({"a": 1, "\u263a": 2}, r"$['\u263A']", [2]),
    "a wildcard on an object": ({"o": {"j": 1, "k": 2}, "a": [5, 3]}, "$[*]", [{"j": 1, "k": 2}, [5, 3]]),
    "a wildcard on an array": ({"a": [5, 3]}, "$.a[*]", [5, 3]),
    "an index": (["a", "b"], "$[1]", ["b"]),
    "an index from the end": (["a", "b"], "$[-2]", ["a"]),
    "an index beyond": (["a", "b"], "$[2]", []),
    "an index before": (["a", "b"], "$[-3]", []),
    "an index of an object": ({"0": 1}, "$[0]", []),
    "a name of an array": (["a"], "$.length", []),
    "a slice": (LETTERS, "$[1:3]", ["b", "c"]),
    "a slice without an end": (LETTERS, "$[5:]", ["f", "g"]),
    "a slice with a step": (LETTERS, "$[1:5:2]", ["b", "d"]),
    "a slice backwards": (LETTERS, "$[5:1:-2]", ["f", "d"]),
    "a slice of all backwards": (LETTERS, "$[::-1]", LETTERS[::-1]),
    "a slice with no step": (LETTERS, "$[::0]", []),
    "a slice of an object": ({"a": 1}, "$[0:1]", []),
    "a comparison": (A, "$.a[?@.b == 'kilo']", [{"b": "kilo"}]),
    "in parentheses": (A, "$.a[?(@.b == 'kilo')]", [{"b": "kilo"}]),
    "greater": (A, "$.a[?@>3.5]", [5, 4, 6]),
    "existence": (A, "$.a[?@.b]", [{"b": "j"}, {"b": "k"}, {"b": {}}, {"b": "kilo"}]),
    "existence of any": (A, "$[?@.*]", [A["a"], A["o"]]),
    "existence of a query's": (A, "$[?@[?@.b]]", [A["a"]]),
    "two tests": (A, "$.o[?@<3, ?@<3]", [1, 2, 1, 2]),
    "or": (A, "$.a[?@<2 || @.b == \"k\"]", [1, {"b": "k"}]),
    "and": (A, "$.o[?@>1 && @<4]", [2, 3]),
    "or, of an object": (A, "$.o[?@.u || @.x]", [{"u": 6}]),
    "of two queries": (A, "$.a[?@.b == $.x]", [3, 5, 1, 2, 4, 6]),
    "equal to themselves": (A, "$.a[?@ == @]", A["a"]),
    "not": (A, "$.a[?!@.b]", [3, 5, 1, 2, 4, 6]),
    "not, in parentheses": (A, "$.a[?!(@.b == 'j') && @.b]", [{"b": "k"}, {"b": {}}, {"b": "kilo"}]),
    "and before or": ([1, 2, 3], "$[?@ == 1 || @ == 2 && @ == 3]", [1]),
    "length of a text": (["ab", "c", "\U0001f600"], "$[?length(@) == 1]", ["c", "\U0001f600"]),
    "length of an array": ([[1, 2], [1]], "$[?length(@) >= 2]", [[1, 2]]),
    "length of a number is nothing": ([1], "$[?length(@) < 2]", []),
    "count": ([{"a": 1, "b": 2}, {"a": 1}], "$[?count(@.*) > 1]", [{"a": 1, "b": 2}]),
    "count counts twice": ([{"a": 1}], "$[?count(@['a','a']) == 2]", [{"a": 1}]),
    "value": ([{"color": {"c": "red"}}], "$[?value(@..c) == 'red']", [{"color": {"c": "red"}}]),
    "value of several is nothing": ([[{"c": 1}, {"c": 1}]], "$[?value(@..c) == 1]", []),
    "descendants": (D, "$..j", [1, 4]),
    "descendants by place": (D, "$..[0]", [5, {"j": 4}]),
    "all descendants": (D, "$..*", [D["o"], D["a"], 1, 2, 5, 3, D["a"][2], {"j": 4}, {"k": 6}, 4, 6]),  # type: ignore[index]
    "descendants with themselves": (D, "$..o", [D["o"]]),
    "two names of each": (D, "$.o..[*, *]", [1, 2, 1, 2]),
    "null is a value": ({"a": None, "b": [None]}, "$.a", [None]),
    "null has nothing in it": ({"a": None}, "$.a[0]", []),
    "null is there": ([{"a": None}, {}], "$[?@.a]", [{"a": None}]),
    "null is null": ([{"a": None}, {}], "$[?@.a == null]", [{"a": None}]),
    "a number that is not written so": ([{"a": 1.0}, {"a": 1.5}], "$[?@.a == 1]", [{"a": 1.0}]),
    "a number with an exponent": ([{"a": 100}], "$[?@.a == 1e2]", [{"a": 100}]),
    "a number of many digits": ([9007199254740993, 9007199254740992], "$[?@ == 9007199254740993]", [9007199254740993]),
    "a member of the document's": ({"max": 2, "a": [1, 2, 3]}, "$.a[?@ > $.max]", [3]),
    "spaces": ({"a": {"b": [1, 2]}}, "$ .a [ 'b' ] [ 0 , 1 ]", [1, 2]),
}  # fmt: skip


def selected(path: str, document: Any) -> list[Any]:
    return [value for _, _, value in Query(path).select(Run(document, MOST))]


def sorted_(values: list[Any]) -> list[str]:
    return sorted(json.dumps(value, sort_keys=True) for value in values)


@pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in SELECTED.items()])
def test_selected(row: tuple[Any, str, list[Any]]) -> None:
    document, path, values = row
    assert sorted_(selected(path, document)) == sorted_(values)


def test_a_node_is_told_by_where_it_is() -> None:
    inner: list[Any] = [1, 1]
    document = {"a": inner}
    assert Query("$.a[1]").select(Run(document, MOST)) == [(inner, 1, 1)]
    assert Query("$.a").select(Run(document, MOST)) == [(document, "a", inner)]
    assert Query("$").select(Run(document, MOST)) == [(None, None, document)]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "JSONPath"),
        ("a", "JSONPath"),
        ("$.", "JSONPath"),
        ("$.a[", "JSONPath"),
        ("$.a]", "JSONPath"),
        ("$[01]", "JSONPath"),
        ("$['a", "JSONPath"),
        ("$[?@.a = 1]", "JSONPath"),
        ("$[?1]", "JSONPath"),
        ("$[?@.* == 1]", "JSONPath"),
        ("$[?length(@.*) == 1]", "JSONPath"),
        ("$[?count(1) == 1]", "JSONPath"),
        ("$[9007199254740992]", "JSONPath"),
        ("$[?@ == 1e999]", "JSONPath"),
        ("$[?" + "(" * 250 + "@" + ")" * 250 + "]", ""),
        ("$[?" + "!" * 450 + "@.a]", ""),
        ("$[?match(@.a, 'b')]", "match and search are not supported"),
        ("$[?search(@.a, 'b')]", "match and search are not supported"),
        ("$[?other(@.a)]", "JSONPath"),
        ("$..a..b..c", "at most 2 descendant"),
        ("$..a[?@..b == 1 || @..c]", ""),
        ("$..a[?$..b && @..c]", "at most 2 descendant"),
        ("$..a[?count(@..b) == value($..c)]", "at most 2 descendant"),
        ("$[?!(@..a)][?@..b][?@..c]", "at most 2 descendant"),
    ],
)
def test_refused(path: str, words: str) -> None:
    if not words:
        try:
            Query(path)
        except ValueError as error:
            assert "JSONPath" in str(error)  # noqa: PT017
        return
    with pytest.raises(ValueError, match=words):
        Query(path)


def test_two_descendants_may_be() -> None:
    assert selected("$..a..b", {"a": {"x": {"b": 1}}}) == [1]
    assert selected("$['..a','..b','..c']", {"..a": 1}) == [1]


SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, "a", "b", ""])
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3),
    max_leaves=25,
)
_SELECTORS = st.sampled_from(
    [
        *("['a']", "['b']", "[*]", "[0]", "[-1]", "[1:]", "[::2]", "['a','b']", "[0,0]", "[?@.a]", "[?@==1]"),
        *("[?@.a==@.b]", "[?@.a<2]", "[?@.b>='a']", "[?!@.a||@[0]]", "[?@!=$.a]", "[?@.a==null]", "[?@==$]"),
        *("[?count(@.*)>1&&length(@)<4]", "[?value(@..a)==true]", "[?@[?@>0]]", "[?@.a<=@.b]", "[?@>'a']"),
    ]
)
PATHS = st.builds(
    lambda first, dots, rest: "$" + first + (".." if dots else "") + "".join(rest),
    st.sampled_from(["", "..*", "['a']", "[*]"]),
    st.booleans(),
    st.lists(_SELECTORS, min_size=1, max_size=3),
)


PATHS = PATHS.filter(lambda path: path.count("..") <= MOST_DESCENDANTS)


@given(DOCUMENTS, PATHS)
@settings(max_examples=400, deadline=None)
def test_it_selects_what_the_library_does(document: Any, path: str) -> None:
    theirs = JSONPathEnvironment().find(path, document).values()
    assert set(sorted_(selected(path, document))) == set(sorted_(theirs))


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (True, True, True),
        (None, None, True),
        (None, False, False),
        ("1", 1, False),
        ("a", "a", True),
        ([1, [2]], [1, [2]], True),
        ([1], [True], False),
        ([1], [1, 2], False),
        ({"a": 1, "b": [0]}, {"b": [0], "a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1}, {"a": True}, False),
        ({}, [], False),
        ([], "", False),
        (NOTHING, NOTHING, True),
        (NOTHING, None, False),
    ],
)
def test_equal(one: Any, other: Any, equal: bool) -> None:
    assert same(one, other, Run(None, 100)) is equal
    assert same(other, one, Run(None, 100)) is equal


@pytest.mark.parametrize(
    ("one", "other", "before"),
    [(1, 2, True), (2, 1, False), (1, 1.5, True), ("a", "b", True), ("a", 1, False), (False, True, False),
     (0, True, False), (None, 1, False), ([1], [2], False), (NOTHING, 1, False)],
)  # fmt: skip
def test_order(one: Any, other: Any, before: bool) -> None:
    assert less(one, other, Run(None, 100)) is before


# No two of them are one object, which would be told at a glance.
LONG_TEXTS = {"a": "x" * 100_000 + "1", "b": "x" * 100_000 + "2", "l": [0] * 50}

# document, JSONPath: what costs far more than the document is long
COSTLY: dict[str, tuple[Any, str]] = {
    "a query for each element": ([[1] * 50] * 1 + [[1] for _ in range(500)], "$[?count($[*]) > 1]"),
    "selectors of selectors": ([[[1] * 10] * 10] * 10, "$[*,*,*,*][*,*,*,*][*,*,*,*]"),
    "slices of slices": ([[[1] * 10] * 10] * 10, "$[:,:,:,:][:,:,:,:][:,:,:,:]"),
    "tests of tests": ([[1] * 100 for _ in range(100)], "$[?@[?@ == 1]][?@ == 2, ?@ == 2, ?@ == 2]"),
    "large values compared": ([[[0] * 1000, [0] * 1000] for _ in range(50)], "$[?@[0] == @[1]]"),
    "long texts compared": (LONG_TEXTS, "$.l[?$.a == $.b]"),
    "long texts in order": (LONG_TEXTS, "$.l[?$.a < $.b]"),
    "deep, for each of its depths": (json.loads("[" * 300 + "]" * 300), "$..[?count(@..*) > 0]"),
    "many": ([1] * 30_000, "$[*]"),
    "many, by a test": ([1] * 30_000, "$[?@ == 2]"),
    "many below": ([[1] for _ in range(15_000)], "$..a"),
}


@pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in COSTLY.items()])
def test_work_is_bounded(row: tuple[Any, str]) -> None:
    document, path = row
    with pytest.raises(TooMuchWork):
        Query(path).select(Run(document, 20_000))


def test_what_is_below_several_of_the_selected_is_looked_at_once() -> None:
    document = json.loads("[" * 300 + "1" + "]" * 300)
    assert len(Query("$..*..*").select(Run(document, 5_000))) == 299
