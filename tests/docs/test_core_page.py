"""docs/core-api.md says of each route and field what the code does, and of nothing else.

Belongs here: comparing the page's tables with the route table and the models. Does not: the page's prose.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from rrgate.core.table import NOUNS, ROUTES
from tests.docs.core_page import (
    CONFIGURATION_HEAD,
    FIELD_HEAD,
    ROUTE_HEAD,
    Row,
    configuration_rows,
    field_rows,
    route_row,
)

PAGE = Path(__file__).parents[2] / "docs" / "core-api.md"


def tables() -> list[tuple[str, Row, list[Row]]]:
    """Every table of the page: the heading above it, its own head, its rows."""
    found: list[tuple[str, Row, list[Row]]] = []
    heading, inside = "", False
    for line in PAGE.read_text("utf-8").splitlines():
        if line.startswith("#"):
            heading = line.lstrip("#").strip()
        if not line.startswith("|"):
            inside = False
            continue
        row = tuple(cell.strip() for cell in line.strip("|").split("|"))
        if not inside:
            found.append((heading, row, []))
            inside = True
        elif set(row) != {"---"}:
            found[-1][2].append(row)
    return found


def test_routes() -> None:
    rows = [row for _, head, rows in tables() if head == ROUTE_HEAD for row in rows]
    assert rows == [route_row(route) for route in ROUTES]


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.plural)
def test_fields(noun: object) -> None:
    by_heading = {heading: rows for heading, head, rows in tables() if head == FIELD_HEAD}
    assert set(by_heading) == {f"Fields of {known.plural}" for known in NOUNS}
    (known,) = (known for known in NOUNS if known is noun)
    assert by_heading[f"Fields of {known.plural}"] == field_rows(known)


def test_fields_of_a_configuration() -> None:
    (rows,) = (rows for _, head, rows in tables() if head == CONFIGURATION_HEAD)
    assert rows == configuration_rows()


def test_statuses() -> None:
    """Those that core/ refuses with, and what comes of exceptions."""
    raised = {500}
    for path in (PAGE.parents[1] / "rrgate" / "core").glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in ("Refused", "Answer") and call.args:
                raised |= {each.value for each in ast.walk(call.args[0]) if isinstance(each, ast.Constant)}
    (rows,) = (rows for _, head, rows in tables() if head == ("status", "when"))
    assert [int(status) for status, _ in rows] == sorted(raised - {200})


def test_its_samples_are_json() -> None:
    blocks = PAGE.read_text("utf-8").split("```json\n")[1:]
    assert blocks
    for block in blocks:
        assert isinstance(json.loads(block.partition("```")[0]), dict)
