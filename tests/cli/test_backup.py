"""Backups: whole, private, made while somebody writes; and restored only where nothing is and nothing is odd.

Belongs here: both commands and the file between them. Does not: copying a database (tests/store/test_database.py).
"""

from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.testing import MemoryReactorClock

from rrgate.store import LogRow, RequestLog, Store
from rrgate.store.inspection import check_whole

Run = Callable[..., Any]


def members(file: Path) -> dict[str, bytes]:
    with tarfile.open(file) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def rewritten(file: Path, contents: dict[str, bytes], kind: bytes = tarfile.REGTYPE) -> None:
    with tarfile.open(file, "w") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            if name.endswith("master.key"):
                member.type = kind
                member.linkname = "/etc/passwd"
            tar.addfile(member, io.BytesIO(content))


@pytest.fixture
def file(run: Run, first: dict[str, str], data: Path, tmp_path: Path) -> Path:
    log = RequestLog.open(data, MemoryReactorClock(), lambda row: ({}, {}))  # type: ignore[arg-type]
    log.append([LogRow("p", "r", "c", 1, "GET", 200, "[]")])
    made = tmp_path / "backup.tar"
    result = run("backup", "--data", data, "--to", made)
    assert result.exit_code == 0, result.output
    return made


def test_there_and_back(run: Run, first: dict[str, str], data: Path, file: Path, tmp_path: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(members(file)) == ["manifest.json", "rrgate.db", "log.db", "master.key"]
    assert sorted(os.listdir(tmp_path)) == ["backup.tar", "state"]
    restored = tmp_path / "restored"
    result = run("restore", "--from", file, "--data", restored)
    assert result.exit_code == 0, result.output
    assert {path.name: path.stat().st_mode & 0o777 for path in restored.iterdir()} == dict.fromkeys(
        ("rrgate.db", "log.db", "master.key", "state.lock"), 0o600
    )
    before, after = Store.open(data), Store.open(restored)
    assert before.load() == after.load()
    assert before.secrets.token_hash("u-1") == after.secrets.token_hash("u-1")
    before.close()
    after.close()
    with sqlite3.connect(restored / "log.db") as log:
        assert log.execute("SELECT count(*) FROM requests").fetchone() == (1,)
    log.close()


def test_without_the_key(run: Run, first: dict[str, str], data: Path, tmp_path: Path) -> None:
    file, restored = tmp_path / "b", tmp_path / "restored"
    result = run("backup", "--data", data, "--to", file, "--without-key")
    assert "without the key" in result.stdout
    assert "master.key" not in members(file)
    key = (data / "master.key").read_bytes()
    assert key[30:60] not in file.read_bytes()
    result = run("restore", "--from", file, "--data", restored)
    assert result.exit_code == 0
    assert "put master.key into" in result.stdout
    (restored / "master.key").write_bytes(key)
    (restored / "master.key").chmod(0o600)
    Store.open(restored).close()


def test_nothing_is_written_over(run: Run, data: Path, file: Path) -> None:
    before = file.read_bytes()
    result = run("backup", "--data", data, "--to", file)
    assert result.exit_code == 1
    assert "never written over" in result.stderr
    assert file.read_bytes() == before
    result = run("restore", "--from", file, "--data", data)
    assert result.exit_code == 1
    assert "is not empty" in result.stderr


def test_a_backup_that_cannot_be_made_leaves_nothing(
    run: Run, data: Path, first: dict[str, str], tmp_path: Path
) -> None:
    (data / "master.key").unlink()
    result = run("backup", "--data", data, "--to", tmp_path / "b")
    assert result.exit_code == 1
    assert f"{data / 'master.key'} is missing" in result.stderr
    assert os.listdir(tmp_path) == ["state"]
    assert run("backup", "--data", tmp_path / "x", "--to", tmp_path / "b").exit_code == 1
    assert run("backup", "--data", data, "--to", tmp_path / "x" / "b", "--without-key").exit_code == 1


def damage(contents: dict[str, bytes]) -> dict[str, dict[str, bytes]]:
    manifest = json.loads(contents["manifest.json"])

    def with_manifest(**changes: object) -> dict[str, bytes]:
        return {**contents, "manifest.json": json.dumps({**manifest, **changes}).encode()}

    without = {name: content for name, content in contents.items() if name != "rrgate.db"}
    return {
        "nothing": {},
        "no manifest": {name: content for name, content in contents.items() if name != "manifest.json"},
        "broken manifest": {**contents, "manifest.json": b"{"},
        "manifest of another shape": {**contents, "manifest.json": b"[1]"},
        "another format": with_manifest(format=2),
        "a changed database": {**contents, "rrgate.db": contents["rrgate.db"][:-1] + b"\xff"},
        "a cut database": {**contents, "rrgate.db": contents["rrgate.db"][:-4096]},
        "a missing database": without,
        "an unknown file": {**contents, "../evil": b"x"},
        "an unknown file in the manifest": {
            **with_manifest(files={**manifest["files"], "../evil": "0" * 64}),
            "../evil": b"x",
        },
        "no files": with_manifest(files={}),
    }


@pytest.mark.parametrize("what", damage({"manifest.json": b'{"files": {}}', "rrgate.db": b""}))
def test_an_odd_backup_is_refused_and_leaves_nothing(run: Run, file: Path, tmp_path: Path, what: str) -> None:
    odd = tmp_path / "odd.tar"
    rewritten(odd, damage(members(file))[what])
    result = run("restore", "--from", odd, "--data", tmp_path / "deep" / "new")
    assert result.exit_code == 1
    assert "not a whole backup" in result.stderr or "in a format that" in result.stderr
    assert not (tmp_path / "deep").exists()
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_links_in_a_backup_are_refused(run: Run, file: Path, tmp_path: Path, kind: bytes) -> None:
    odd = tmp_path / "odd.tar"
    rewritten(odd, members(file), kind)
    assert run("restore", "--from", odd, "--data", tmp_path / "new").exit_code == 1
    assert not (tmp_path / "new").exists()


def test_a_cut_or_foreign_file_is_refused(run: Run, file: Path, tmp_path: Path) -> None:
    for content in (b"", b"hello" * 1000, file.read_bytes()[:-20_000], file.read_bytes()[:5000]):
        odd = tmp_path / "odd"
        odd.write_bytes(content)
        result = run("restore", "--from", odd, "--data", tmp_path / "new")
        assert result.exit_code == 1
        assert "not a whole backup" in result.stderr
        assert not (tmp_path / "new").exists()
    assert run("restore", "--from", tmp_path / "none", "--data", tmp_path / "new").exit_code == 1


def test_a_backup_of_a_newer_version_is_refused(run: Run, data: Path, first: dict[str, str], tmp_path: Path) -> None:
    with sqlite3.connect(data / "rrgate.db") as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('rrgate', 'z', '')"
        )
    connection.close()
    assert run("backup", "--data", data, "--to", tmp_path / "b").exit_code == 0
    result = run("restore", "--from", tmp_path / "b", "--data", tmp_path / "new")
    assert result.exit_code == 1
    assert "newer rrgate" in result.stderr


SAVING = """
import sys
from pathlib import Path
import attrs
from rrgate.store import Store
store = Store.open(Path(sys.argv[1]))
loaded = store.load()
for number in range(1_000_000):
    store.save(
        attrs.evolve(loaded.users[0], updated_at=number),
        attrs.evolve(loaded.clients[0], updated_at=number, name="x" * 20000),
    )
    print(number, flush=True)
"""


def test_while_somebody_writes(run: Run, data: Path, first: dict[str, str], tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", SAVING, str(data)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    for number in range(3):
        file, restored = tmp_path / f"b{number}", tmp_path / f"r{number}"
        assert run("backup", "--data", data, "--to", file).exit_code == 0
        assert process.poll() is None
        assert run("restore", "--from", file, "--data", restored).exit_code == 0
        check_whole(restored / "rrgate.db")
        store = Store.open(restored)
        loaded = store.load()
        store.close()
        assert loaded.users[0].updated_at == loaded.clients[0].updated_at
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
