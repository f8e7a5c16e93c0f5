"""`rrgate keys`, and every other command with a master key that is not in the data directory.

Belongs here: what the commands print and take. Does not: what a rotation does (tests/store/test_key_rotation.py).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rrgate.store import Store, keyfile
from rrgate.store import key_rotation as rotation
from rrgate.store.key_source import GivenKeys, given_keys
from rrgate.store.keyfile import as_text

Run = Callable[..., Any]


def new_key(run: Run) -> str:
    result = run("keys", "new")
    assert result.exit_code == 0
    key: str = result.stdout.strip()
    assert len(base64.b64decode(key)) == 32
    assert "not shown again" in result.stderr
    return key


def listed(run: Run, data: Path) -> list[tuple[str, bool, bool, int]]:
    result = run("keys", "list", "--data", data, "--json")
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    return [(row["keyId"], row["current"], row["atHand"], row["wraps"]) for row in rows]


def test_a_rotation_with_the_key_file(run: Run, first: dict[str, str], data: Path) -> None:
    old = keyfile.read(data / "master.key").current
    assert listed(run, data) == [(old, True, True, 1)]
    result = run("keys", "rotate", "--data", data)
    assert result.exit_code == 0, result.output
    new = keyfile.read(data / "master.key").current
    assert f"Everything is under master key {new}; keys wrapped anew: 1." in result.stdout
    assert f"Key {old} is out of the key file" in result.stdout
    assert listed(run, data) == [(new, True, True, 1)]
    shown = run("keys", "list", "--data", data).stdout
    assert f"{new}  current" in shown
    assert "Copies in" not in result.stdout
    (data / "before-migration").mkdir()
    (data / "before-migration" / "rrgate.db-before-x").touch()
    assert "before-migration, like older backups, stay under" in run("keys", "rotate", "--data", data).stdout


def test_a_rotation_that_was_cut_short_is_told_of_and_finished(run: Run, first: dict[str, str], data: Path) -> None:
    def at(point: str) -> None:
        if point == "the new key is in the file":
            raise KeyboardInterrupt

    old = keyfile.read(data / "master.key").current
    with pytest.raises(KeyboardInterrupt):
        rotation.rotate(data, at=at)
    new = keyfile.read(data / "master.key").current
    shown = run("keys", "list", "--data", data).stdout
    assert f"{old}  current" in shown
    assert f"{new}  next" in shown
    said = run("doctor", "--data", data).stdout
    assert f"a rotation of the master key is not finished: 1 under {old}, 0 under {new}" in said
    assert f"→ run: rrgate keys rotate --data {data}" in said
    said = run("keys", "rotate", "--data", data).stdout
    assert "A rotation had been cut short; this has finished it." in said
    assert f"Everything is under master key {new}" in said
    assert "a rotation of" not in run("doctor", "--data", data).stdout


def test_a_backup_in_the_middle_of_a_rotation_can_be_restored_and_finished(
    run: Run, first: dict[str, str], data: Path, tmp_path: Path
) -> None:
    """A rotation that runs holds a lock, for which a backup waits; this one was killed."""

    def at(point: str) -> None:
        if point == "some of instance_keys are committed":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotation.rotate(data, at=at)
    assert run("backup", "--data", data, "--to", tmp_path / "b").exit_code == 0
    assert run("restore", "--from", tmp_path / "b", "--data", tmp_path / "r").exit_code == 0
    assert "finished it" in run("keys", "rotate", "--data", tmp_path / "r").stdout
    before, after = Store.open(data), Store.open(tmp_path / "r")
    assert before.secrets.token_hash("u-1") == after.secrets.token_hash("u-1")
    before.close()
    after.close()


def test_a_backup_waits_for_a_rotation(
    run: Run, first: dict[str, str], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rrgate.store.folder._LOCK_SECONDS", 0.0)
    told = []
    rotation.rotate(data, at=lambda point: told.append(run("backup", "--data", data, "--to", tmp_path / "b").stderr))
    assert told
    assert all("keys.lock" in each and "rotating" in each for each in told)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("way", ["variable", "command", "command in a variable"])
def test_every_command_with_a_given_key(
    run: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    kept, config = tmp_path / "kept", tmp_path / "rrgate.toml"
    monkeypatch.delenv("RRGATE_MASTER_KEY", raising=False)

    def give(*keys: str) -> GivenKeys:
        if way == "variable":
            monkeypatch.setenv("RRGATE_MASTER_KEY", " ".join(keys))
        elif way == "command":
            kept.write_text("\n".join(keys))
            config.write_text(f'key_command = ["cat", "{kept}"]\n')
            monkeypatch.setenv("RRGATE_CONFIG", str(config))
        else:
            kept.write_text("\n".join(keys))
            monkeypatch.setenv("RRGATE_KEY_COMMAND", f"cat '{kept}'")
        given = given_keys((), {"RRGATE_MASTER_KEY": " ".join(keys)})
        assert given is not None
        return given

    old, new = new_key(run), new_key(run)
    given = give(old)
    result = run("init", "--data", data)
    assert result.exit_code == 0, result.output
    assert "Without the master key" in result.stdout
    assert not (data / "master.key").exists()
    for command in ("token new", "token list", "audit", "keys list"):
        result = run(*command.split(), "--data", data)
        assert result.exit_code == 0, (command, result.output)
        assert old not in result.output
    result = run("doctor", "--data", data)
    assert "the master key opens every secret (0)" in result.stdout

    result = run("backup", "--data", data, "--to", tmp_path / "b")
    assert "the key is not in it, it comes from" in result.stdout
    assert old.encode() not in (tmp_path / "b").read_bytes()
    result = run("restore", "--from", tmp_path / "b", "--data", tmp_path / "restored")
    assert f"it needs master key {given.keys.current}" in result.stdout
    Store.open(tmp_path / "restored", given=given).close()

    said = run("keys", "rotate", "--data", data).stdout
    assert "keys wrapped anew: 0" in said
    assert "To rotate, give the gateway and this command a new key" in said
    give(new, old)
    assert f"Key {given.keys.current} is needed no longer" in run("keys", "rotate", "--data", data).stdout
    assert "has more keys than the one that is used" in run("doctor", "--data", data).stdout
    give(new)
    assert "the master key opens every secret (0)" in run("doctor", "--data", data).stdout
    give(old)
    result = run("token", "list", "--data", data)
    assert result.exit_code == 1
    assert f"has {given.keys.current}; give the key that belongs to this state" in result.stderr
    assert "master key" in run("doctor", "--data", data).stdout


def test_a_key_file_beside_a_given_key(
    run: Run, first: dict[str, str], data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How an operator moves from the file: its content is a value of the variable, too."""
    monkeypatch.setenv("RRGATE_MASTER_KEY", (data / "master.key").read_text())
    result = run("doctor", "--data", data)
    assert "master.key is there, though the master key comes from the variable RRGATE_MASTER_KEY" in result.stdout
    (data / "master.key").unlink()
    assert "master.key" not in run("doctor", "--data", data).stdout
    assert run("token", "list", "--data", data).exit_code == 0


def test_what_is_wrong_with_a_command_is_told_in_a_line(
    run: Run, first: dict[str, str], data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = as_text(b"k" * 32)
    for command, said in (
        ("/nowhere --flag", "key_command (/nowhere) cannot be run: No such file"),
        ("'unclosed", "RRGATE_KEY_COMMAND: it cannot be split into words (no closing quotation)"),
        (f"sh -c 'echo {key[:9]}; exit 4'", "key_command (sh) ended with status 4"),
        ("''", "the program has no name"),
    ):
        monkeypatch.setenv("RRGATE_KEY_COMMAND", command)
        for asked in (("token", "list"), ("keys", "rotate"), ("keys", "list"), ("audit",)):
            result = run(*asked, "--data", data)
            assert result.exit_code == 1
            assert said in result.stderr
            assert key[:9] not in result.output
        assert said.rpartition(";")[0] in run("doctor", "--data", data).stdout
