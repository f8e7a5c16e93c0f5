"""`rrgate init` makes everything or nothing; `rrgate token` works on it directly.

Belongs here: both commands as they are typed. Does not: what is stored (tests/store/).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rrgate.store import Member, Store, StoreError

Run = Callable[..., Any]

TOKEN = re.compile(r"u-[A-Za-z0-9_-]{43}\Z")


def stored(data: Path) -> Any:
    store = Store.open(data)
    loaded = store.load()
    store.close()
    return loaded


def test_init_prints_exactly_one_object(first: dict[str, str], data: Path) -> None:
    assert list(first) == ["clientId", "userId", "userToken"]
    assert TOKEN.match(first["userToken"])
    loaded = stored(data)
    assert [user.operator for user in loaded.users] == [True]
    assert loaded.members == (Member(user_id=first["userId"], client_id=first["clientId"], roles=("owner", "admin")),)
    assert [client.id for client in loaded.clients] == [first["clientId"]]


def test_init_for_people(run: Run, data: Path) -> None:
    result = run("init", "--data", data)
    assert result.exit_code == 0
    assert len(re.findall(r"u-[A-Za-z0-9_-]{43}", result.stdout)) == 1
    assert f"twistd -n rrgate --data {data}" in result.stdout
    assert data.stat().st_mode & 0o777 == 0o700


def test_only_the_keyed_hash_is_stored(first: dict[str, str], data: Path) -> None:
    token = first["userToken"].encode()
    for path in data.iterdir():
        assert token not in path.read_bytes()
        assert token[2:] not in path.read_bytes()
    store = Store.open(data)
    assert store.load().tokens[0].token_hash == store.secrets.token_hash(first["userToken"])
    store.close()


def test_init_refuses_what_is_not_empty(run: Run, first: dict[str, str], data: Path) -> None:
    before = {path.name: path.read_bytes() for path in data.iterdir()}
    result = run("init", "--data", data)
    assert result.exit_code == 1
    assert "is not empty" in result.stderr
    assert "choose another directory" in result.stderr
    assert {path.name: path.read_bytes() for path in data.iterdir()} == before


def test_init_leaves_nothing_half_made(run: Run, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*nouns: object, **audit: object) -> None:
        raise StoreError("no space")

    monkeypatch.setattr(Store, "save", fail)
    result = run("init", "--data", data / "deep", "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no space" in result.stderr
    assert not data.exists()
    data.mkdir()
    assert run("init", "--data", data).exit_code == 1
    assert os.listdir(data) == []


def test_init_where_it_may_not_write(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("init", "--data", tmp_path / "file" / "state")
    assert result.exit_code == 1
    assert "file" in result.stderr


def test_two_inits_at_once(data: Path) -> None:
    command = [sys.executable, "-c", "from rrgate.cli import main; main()", "init", "--data", str(data), "--json"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    outputs = [process.communicate(timeout=30) for process in running]
    assert sorted(process.returncode for process in running) == [0, 1, 1]
    (won,) = [json.loads(out) for out, _ in outputs if out]
    assert [user.id for user in stored(data).users] == [won["userId"]]


def test_tokens_are_made_listed_and_revoked(run: Run, first: dict[str, str], data: Path) -> None:
    result = run("token", "new", "--data", data, "--name", "[red]ci[/red]\u202e", "--days", 2, "--json")
    made = json.loads(result.stdout)
    assert list(made) == ["tokenId", "userId", "userToken"]
    assert made["userId"] == first["userId"]
    assert TOKEN.match(made["userToken"])
    plain = run("token", "new", "--data", data)
    assert TOKEN.match(plain.stdout.strip())

    listed = run("token", "list", "--data", data).stdout
    assert made["tokenId"] in listed
    assert "[red]ci[/red]?" in listed
    assert listed.count("never") == 2
    for token in (made["userToken"], plain.stdout.strip(), first["userToken"]):
        assert token not in listed

    tokens = {token.id: token for token in stored(data).tokens}
    expires = tokens[made["tokenId"]].expires_at
    assert expires is not None
    assert abs(expires - (time.time() + 2 * 86400) * 1000) < 60_000

    assert run("token", "revoke", "--data", data, made["tokenId"]).exit_code == 0
    assert made["tokenId"] not in {token.id for token in stored(data).tokens}


def test_token_mistakes(run: Run, first: dict[str, str], data: Path) -> None:
    wrong_user = run("token", "new", "--data", data, "--user", "nobody")
    assert wrong_user.exit_code == 1
    assert first["userId"] in wrong_user.stderr
    given_token = run("token", "revoke", "--data", data, first["userToken"])
    assert given_token.exit_code == 1
    assert "rrgate token list" in given_token.stderr
    assert first["userToken"] not in given_token.output
    no_state = run("token", "list", "--data", data / "elsewhere")
    assert no_state.exit_code == 1
    assert "rrgate init" in no_state.stderr


@pytest.mark.parametrize("name", ["", " ", "x" * 201, "two\nlines", "\x1b[31m"])
def test_a_name_that_the_core_api_would_not_take(run: Run, first: dict[str, str], data: Path, name: str) -> None:
    refused = run("token", "new", "--data", data, "--name", name)
    assert refused.exit_code == 2
    assert "--name" in refused.stderr
    assert [token.name for token in stored(data).tokens] == ["init"]


def test_no_name_is_so_long_that_an_id_is_cut(run: Run, first: dict[str, str], data: Path) -> None:
    made = json.loads(run("token", "new", "--data", data, "--name", "x" * 200, "--days", 2, "--json").stdout)
    listed = run("token", "list", "--data", data).stdout
    assert made["tokenId"] in listed
    assert listed.count(first["userId"]) == 2


def test_a_running_store_sees_new_tokens(run: Run, first: dict[str, str], data: Path) -> None:
    store = Store.open(data)
    store.load()
    made = run("token", "new", "--data", data).stdout.strip()
    assert store.tokens_changed()
    assert store.secrets.token_hash(made) in {token.token_hash for token in store.load_tokens()}
    store.close()
