"""`rrgate audit`: what the commands themselves do is in the log, with no token in it, and it can be printed.

Belongs here: the command as it is typed. Does not: the Core API's entries (tests/core/test_audit.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rrgate.store import audit


def entries(run: Callable[..., Any], *arguments: object) -> list[dict[str, Any]]:
    result = run("audit", *arguments)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_init_is_told(run: Callable[..., Any], first: dict[str, str], data: Path) -> None:
    told = entries(run, "--data", data)
    assert {(each["auditVia"], each["auditAction"], each["userId"]) for each in told} == {
        ("rrgate init", "create", None)
    }
    by_kind = {each["auditResource"]: each for each in told}
    assert set(by_kind) == {"users", "clients", "tokens"}
    assert by_kind["users"]["auditResourceId"] == first["userId"]
    assert by_kind["clients"]["auditAfter"]["clientMembers"] == [
        {"userId": first["userId"], "roles": ["owner", "admin"]}
    ]
    assert by_kind["tokens"]["auditAfter"]["userId"] == first["userId"]
    assert first["userToken"][2:] not in json.dumps(told)
    assert entries(run, "--data", data, "--client", first["clientId"]) == [by_kind["clients"]]
    assert entries(run, "--data", data, "--client", "another") == []


def test_as_many_are_told_as_are_wanted(
    run: Callable[..., Any], first: dict[str, str], data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = entries(run, "--data", data)
    monkeypatch.setattr(audit, "MOST_BYTES", 1)  # so that each has a page of its own
    assert entries(run, "--data", data) == everything
    assert entries(run, "--data", data, "--limit", 2) == everything[:2]


def test_tokens_are_told(run: Callable[..., Any], first: dict[str, str], data: Path) -> None:
    made = json.loads(run("token", "new", "--data", data, "--name", "ci", "--days", 3, "--json").stdout)
    assert run("token", "revoke", "--data", data, made["tokenId"]).exit_code == 0
    gone, new = entries(run, "--data", data, "--limit", 2)
    assert (gone["auditAction"], gone["auditVia"]) == ("delete", "rrgate token revoke")
    assert (new["auditAction"], new["auditVia"]) == ("create", "rrgate token new")
    assert gone["auditResourceId"] == new["auditResourceId"] == made["tokenId"]
    assert gone["auditBefore"] == new["auditAfter"]
    assert new["auditAfter"]["tokenName"] == "ci"
    assert new["auditAfter"]["tokenExpiresAt"].endswith("Z")
    assert made["userToken"][2:] not in json.dumps([gone, new])


def test_a_revocation_that_fails_is_not(run: Callable[..., Any], first: dict[str, str], data: Path) -> None:
    before = entries(run, "--data", data)
    assert run("token", "revoke", "--data", data, "no-such-token").exit_code == 1
    assert entries(run, "--data", data) == before
