"""docs/errors.md lists the statuses and codes that the gateway's code answers with, and no others.

Belongs here: the page's table against the sources. Does not: when an answer is given (tests/gateway/, tests/wire/).
"""

from __future__ import annotations

import ast
import re
from types import SimpleNamespace
from typing import Any

import pytest

from rrgate import answers
from rrgate.chain import Step
from rrgate.messages import Denied
from rrgate.steps import way_in
from tests.docs.pages import ROOT
from tests.house.sources import EVERY, Source, within

PAGE = (ROOT / "docs" / "errors.md").read_text("utf-8")

Answer = tuple[int, str]


def documented() -> set[Answer]:
    rows = re.findall(r"^\| ([0-9]{3}) \| `([\w-]+)` \|", PAGE, re.MULTILINE)
    assert len(rows) == len(set(rows)), "a row stands twice"
    return {(int(status), code) for status, code in rows}


def called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def argument(call: ast.Call, place: int, keyword: str) -> ast.expr | None:
    if len(call.args) > place:
        return call.args[place]
    return next((each.value for each in call.keywords if each.arg == keyword), None)


def numbers(node: ast.AST | None, function: ast.AST) -> set[int]:
    """The statuses that an expression can be: those in it, or in what its variable is set to in this function."""
    if node is None:
        return set()
    if isinstance(node, ast.Name):
        values = [
            each.value
            for each in ast.walk(function)
            if isinstance(each, ast.Assign) and any(isinstance(t, ast.Name) and t.id == node.id for t in each.targets)
        ]
        return set().union(*(numbers(value, function) for value in values))
    found = {each.value for each in ast.walk(node) if isinstance(each, ast.Constant)}
    return {value for value in found if type(value) is int and 100 <= value <= 599}


def code_of(node: ast.expr | None) -> str:
    """A code: as it stands, or by the name that rrgate.answers gives it."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return str(getattr(answers, name, ""))


def bad_requests(status: ast.expr | None, function: ast.AST) -> set[Answer]:
    return {(each, answers.BAD_REQUEST) for each in numbers(status, function)}


def answered(source: Source) -> set[Answer]:
    """What one file answers, as far as it stands in it."""
    found: set[Answer] = set()
    for function in ast.walk(source.tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if not isinstance(node, ast.Call):
                continue
            match called(node):
                case "Reply":
                    statuses = numbers(argument(node, 0, "status"), function)
                    code = code_of(argument(node, 2, "code"))
                    found |= {(status, code) for status in statuses if code}
                case "HeadRefused" | "_refuse" | "_break_body":
                    found |= bad_requests(argument(node, 0, "status"), function)
                case "BodyBroken":
                    found |= bad_requests(argument(node, 1, "status"), function)
    return found


def denied(status: int) -> Answer:
    """What a plugin's `Denied` becomes."""
    ex: Any = SimpleNamespace(target_request=None, entered=0, denied_reason="")
    step = Step(lambda _: Denied("reason", status=status), is_async=False, plugin="p", phase="authorize", mark=1)
    with pytest.raises(StopIteration) as ended:
        way_in(ex, (step,)).send(None)
    reply = ended.value.value
    return reply.status, reply.code


def test_statuses_and_codes() -> None:
    found = set().union(*(answered(source) for source in EVERY if not within(source.name, "rrgate.core")))
    assert len(found) > 15, "the sources are read wrongly"
    assert documented() == found | {denied(401), denied(403), denied(429)}


def test_where_the_connection_closes() -> None:
    sentence = re.search(r"The connection closes after ([0-9, and]+)", PAGE)
    assert sentence is not None
    assert {int(status) for status in re.findall(r"[0-9]{3}", sentence[1])} == answers.CLOSING


def test_codes_and_texts() -> None:
    assert f"`{answers.GRANTED}`" in PAGE
    assert f"`{answers.GRANTED_MESSAGE}`" in PAGE
    assert f'"message": "{answers.INVALID_CREDENTIAL}"' in PAGE
