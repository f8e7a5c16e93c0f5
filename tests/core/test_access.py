"""The table of who may do what is whole, and is the only place that says so.

Belongs here: the table beside the routes. Does not: that requests are judged by it (test_every_route.py).
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from rrgate.core.access import MAY, OPERATORS, Or, Role, Who, described, needs
from rrgate.core.table import ROUTES
from rrgate.model import Configuration
from rrgate.model.published import published_fields

CORE = Path(__file__).parents[2] / "rrgate" / "core"


def test_every_route_has_its_line_in_the_order_of_the_routes() -> None:
    assert list(MAY) == [f"{route.method} {route.template}" for route in ROUTES]


def test_every_route_needs_what_its_line_says() -> None:
    for route in ROUTES:
        assert route.needs == MAY[f"{route.method} {route.template}"]


def test_no_route_says_it_for_itself() -> None:
    saying = {
        path.name
        for path in CORE.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Route"
        if any(each.arg == "needs" for each in node.keywords)
    }
    # Pages of plugins are in no table of ours.
    assert saying == {"pages.py"}


def test_a_route_without_a_line_does_not_exist() -> None:
    with pytest.raises(LookupError, match=r"access\.py"):
        needs("POST", "/nothing")


def test_every_line_fits_its_path() -> None:
    for line, needed in MAY.items():
        assert isinstance(needed, Role | Or) == ("/clients/{clientId}" in line), line
        if needed in (Who.SELF, Who.WHOLE_SELF) or (isinstance(needed, Or) and needed.who is Who.WHOLE_SELF):
            assert "{userId}" in line
        assert described(needed)


def test_operators_fields_are_fields() -> None:
    assert {known.name for known in published_fields(Configuration)} > OPERATORS
