"""The Core API on a full disk: 503 that says so, nothing half-written, and all as before when there is room again; and
with a database that is damaged.

Belongs here: what changes of configuration meet. Does not: the request log (tests/test_journal.py), the queue of
asynchronous requests (tests/delivery/test_disk_faults.py).
"""

from __future__ import annotations

import errno
import json
import sqlite3
from pathlib import Path

import pytest
import pytest_twisted
from attrs import evolve

from rrgate.directory import Directory
from rrgate.store import AsyncStore, Store, StoreError, credential_row, full_disk
from rrgate.store.full_disk import is_full
from rrgate.testing.operator_log import operator_log
from tests.core.doubles import CALLER, Core, no_route


def told_by_the_store(error: Exception) -> StoreError:
    told = StoreError("the database does not answer")
    told.__cause__ = error
    return told


def failed(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("it says")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize("room", [0, full_disk.LEAST_ROOM])
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (failed(sqlite3.SQLITE_FULL), "full"),
        (failed(sqlite3.SQLITE_IOERR_SHMSIZE), "without room"),
        (failed(sqlite3.SQLITE_IOERR_WRITE), "without room"),
        (failed(sqlite3.SQLITE_BUSY), "not"),
        (told_by_the_store(failed(sqlite3.SQLITE_FULL)), "full"),
        (StoreError("full"), "not"),
        (sqlite3.OperationalError("no code"), "not"),
        (OSError(errno.ENOSPC, "full"), "full"),
        (OSError(errno.EDQUOT, "full"), "full"),
        (OSError(errno.EIO, "broken"), "not"),
        (ValueError("disk full"), "not"),
    ],
)
def test_what_says_that_a_disk_is_full(
    error: Exception, expected: str, room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(full_disk, "_room", lambda folder: room)
    assert is_full(error, tmp_path) == (expected == "full" or (expected == "without room" and room == 0))
    assert is_full(error) == (expected == "full")
    monkeypatch.undo()
    assert not is_full(failed(sqlite3.SQLITE_IOERR_WRITE), tmp_path / "nowhere")


@pytest_twisted.ensureDeferred
async def test_routes_that_only_write_down_who_asked_say_so_too(core: Core) -> None:
    parts = await core.make_parts()
    for method, path, body in (
        ("POST", f"/clients/acme/targets/{parts['proxyTargetId']}/test", None),
        ("PUT", "/clients/acme", {"clientName": "Other"}),
        ("DELETE", f"/clients/acme/targets/{parts['proxyTargetId']}", None),
    ):
        core.store.error = failed(sqlite3.SQLITE_FULL)
        told = await core.ask(method, path, body)
        assert (told.status, told.headers.get("retry-after")) == (503, "5"), (path, told.raw)
        core.store.error = failed(sqlite3.SQLITE_IOERR_WRITE)
        assert (await core.ask(method, path, body)).status == 500


@pytest_twisted.ensureDeferred
async def test_a_full_disk_takes_no_change_and_forgets_none(core: Core, tmp_path: Path) -> None:
    from twisted.internet import reactor

    data = tmp_path / "state"
    data.mkdir(mode=0o700)
    Store.create(data).close()
    kept = Store.open(data)
    store = AsyncStore(kept, reactor)  # type: ignore[arg-type]
    alice = core.directory.users["alice"]
    token = evolve(next(iter(core.directory.token_by_hash.values())), token_hash=store.secrets.token_hash("u-alice"))
    await store.save(alice, token)
    directory = Directory(no_route)
    directory.put(alice)
    directory.put(token)
    core._port.factory.house = evolve(core.house, directory=directory, store=store)
    (client,) = (await core.ask("POST", "/clients", {"clientName": "Real"})).document["clients"]
    where = f"/clients/{client['sKey']}"
    # The first credential brings the key that a client's secrets are encrypted with: that is not to be lost either.
    made: list[str] = []
    for room in (0, 4):
        (pages,) = kept._connection.execute("PRAGMA page_count").fetchone()
        kept._connection.execute(f"PRAGMA max_page_count = {pages + room}")
        for _ in range(100):
            told = await core.ask("POST", f"{where}/credentials", {**CALLER, "credentialName": "x" * 90})
            if told.status != 200:
                break
            made.append(told.document["credentials"][0]["sKey"])
        assert (told.status, told.headers["retry-after"]) == (503, "5")
        assert told.document == {
            "error": "Service Unavailable",
            "message": "The disk of the gateway is full; nothing was changed. Changes are taken again as soon as there "
            "is room.",
        }
        assert list(directory.credentials) == made
        assert (await core.ask("GET", f"{where}/credentials")).status == 200
    kept._connection.execute("PRAGMA max_page_count = 1000000")
    for _ in range(3):
        told = await core.ask("POST", f"{where}/credentials", CALLER)
        assert told.status == 200, told.raw
        made.append(told.document["credentials"][0]["sKey"])
    await store.close()

    again = Store.open(data)
    credentials = again.load().credentials
    assert [each.id for each in credentials] == made
    for each in credentials:
        opened = again.secrets.unseal(client["sKey"], credential_row(each.id), each.sealed_secret)
        assert json.loads(opened) == CALLER["credentialSecret"]
    again.close()

@pytest_twisted.ensureDeferred
async def test_of_a_damaged_database_the_operator_reads_who_says_which(core: Core) -> None:
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    core.store.error = error
    with operator_log() as log:
        assert (await core.ask("PUT", "/clients/acme", {"clientName": "Other"})).status == 500
    assert "PUT /clients/{clientId}: a database is damaged; rrgate doctor says which, and what to do" in log.text
