"""`rrgate user` makes users and operators, directly in the state.

Belongs here: the command as it is typed. Does not: a running gateway that follows (tests/plugins/test_boot_hooks.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rrgate.store import Store

Run = Callable[..., Any]


def users(data: Path) -> dict[str, bool]:
    with closing(Store.open(data)) as store:
        return {user.id: user.operator for user in store.load().users}


def audit(run: Run, data: Path) -> list[Any]:
    entries = [json.loads(line) for line in run("audit", "--data", data).stdout.splitlines()]
    return [
        (each["auditAction"], each["auditResource"], each["auditResourceId"])
        for each in entries
        if each["auditVia"] == "rrgate user"
    ]


@pytest.mark.parametrize("operator", [True, False])
def test_a_new_user_has_a_token(run: Run, first: dict[str, str], data: Path, operator: bool) -> None:
    result = run("user", "--data", data, "--json", *(["--operator"] if operator else []))
    assert result.exit_code == 0
    printed = json.loads(result.stdout)
    assert users(data) == {first["userId"]: True, printed["userId"]: operator}
    assert printed["userOperator"] is operator
    with closing(Store.open(data)) as store:
        hashes = {token.token_hash: token for token in store.load().tokens}
        token = hashes[store.secrets.token_hash(printed["userToken"])]
    assert token.user_id == printed["userId"]
    made = [("create", "tokens", token.id), ("create", "users", token.user_id)]
    assert sorted(audit(run, data)) == made
    assert printed["userToken"] not in run("audit", "--data", data).stdout


def test_for_people(run: Run, first: dict[str, str], data: Path) -> None:
    result = run("user", "--data", data)
    assert result.stdout.startswith("u-")
    assert len(result.stdout.splitlines()) == 1
    assert "is no operator. The token is not shown again." in result.stderr
    listed = run("user", "--data", data, "--list").stdout
    assert all(user_id in listed for user_id in users(data))


def test_an_operator_more_or_less(run: Run, first: dict[str, str], data: Path) -> None:
    user_id = first["userId"]
    for option, expected in (("--no-operator", False), ("--no-operator", False), ("--operator", True)):
        result = run("user", "--data", data, "--user", user_id, option, "--json")
        assert json.loads(result.stdout) == {"userId": user_id, "userOperator": expected}
        assert users(data) == {user_id: expected}
    # What was so already has no entry.
    assert audit(run, data) == [("change", "users", user_id)] * 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--user", "nobody", "--operator"], "there is no user with this id"),
        (["--user", "nobody"], "--user goes with --operator or --no-operator"),
        (["--list", "--operator"], "--list goes with no other option"),
        (["--list", "--json"], "--list goes with no other option"),
    ],
)
def test_what_is_not_done(run: Run, first: dict[str, str], data: Path, arguments: list[str], said: str) -> None:
    result = run("user", "--data", data, *arguments)
    assert result.exit_code != 0
    assert said in result.output
    assert users(data) == {first["userId"]: True}
