"""Rotation of the master key: nothing is lost, nothing changes but the wrapping, wherever the process is killed.

Belongs here: `rotate` and what others do to the state meanwhile. Does not: the command (tests/cli/), a running gateway
(tests/processes/).
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from rrgate.model import Client, Credential, Proxy, Target, User
from rrgate.store import KeyFileError, MissingKey, SecretError, Store, StoreError, WrongKey, credential_row, keyfile
from rrgate.store import key_rotation as rotation
from rrgate.store.database import connect
from rrgate.store.encrypted import HASHES, SEALED, WRAPPED
from rrgate.store.inspection import check_key
from rrgate.store.key_rotation import key_uses, rotate
from rrgate.store.key_source import FileKeys, GivenKeys
from rrgate.store.keyfile import MasterKeys, new_master_keys
from rrgate.store.sealed_parts import pack
from rrgate.store.secrets import callback_row, client_certificate_row, plugin_row, previous_callback_row, state_row

Make = Callable[..., Credential]
CLIENTS = [f"c{number}" for number in range(10)]


@pytest.fixture
def filled(data: Path, credential: Make) -> Path:
    """State with a secret of each of ten clients."""
    store = Store.open(data)
    fill(store, credential, CLIENTS)
    store.close()
    return data


def fill(store: Store, credential: Make, clients: list[str]) -> None:
    store.save(User(id="u1", operator=True, created_at=1, updated_at=1))
    for client in clients:
        store.save(
            Client(id=client, user_id="u1", name=client, created_at=1, updated_at=1),
            credential(store, f"k-{client}", f"secret of {client}".encode(), client),
        )


def readable(data: Path, given: GivenKeys | None = None) -> dict[str, str]:
    """Every secret in `data` by its client; also that hashes and fingerprints are as they were."""
    store = Store.open(data, given=given)
    credentials = store.load().credentials
    found = {
        each.client_id: store.secrets.unseal(each.client_id, credential_row(each.id), each.sealed_secret).decode()
        for each in credentials
    }
    for each in credentials:
        assert each.fingerprint == store.secrets.fingerprint(each.id, found[each.client_id].encode())
    store.close()
    return found


def secrets_of(clients: list[str]) -> dict[str, str]:
    return {client: f"secret of {client}" for client in clients}


def token_hash(data: Path, given: GivenKeys | None = None) -> bytes:
    store = Store.open(data, given=given)
    found = store.secrets.token_hash("u-token")
    store.close()
    return found


def file_keys(data: Path) -> MasterKeys:
    return keyfile.read(data / "master.key")


def under(data: Path) -> set[str]:
    """Ids of the master keys that something is under."""
    with sqlite3.connect(data / "rrgate.db") as connection:
        found = {key for table in WRAPPED for key in table.counts(connection)}
    connection.close()
    return found


def test_everything_is_under_the_new_key_alone_and_nothing_else_has_changed(filled: Path) -> None:
    old, hashed = file_keys(filled), token_hash(filled)
    with sqlite3.connect(filled / "rrgate.db") as connection:
        sealed = connection.execute("SELECT * FROM credentials").fetchall()
    done = rotate(filled)
    new = file_keys(filled)
    assert done == rotation.Rotated(new.current, (old.current,), 11, resumed=False)
    assert list(new.keys) == [new.current] != [old.current]
    assert under(filled) == {new.current}
    assert readable(filled) == secrets_of(CLIENTS)
    assert token_hash(filled) == hashed
    assert connection.execute("SELECT * FROM credentials").fetchall() == sealed
    connection.close()
    assert check_key(filled / "rrgate.db", FileKeys(filled / "master.key")) == len(CLIENTS)
    assert (filled / "master.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(MissingKey, match=f"master key {new.current}, and .*master.key has {old.current}"):
        Store.open(filled, given=GivenKeys(old))


def test_nothing_that_the_old_key_wraps_is_left_on_the_disk(filled: Path) -> None:
    """Who has the old key and gets the files afterwards opens nothing with it."""
    with sqlite3.connect(filled / "rrgate.db") as connection:
        wrapped = [row[1].wrapped for table in WRAPPED for row in table.every(connection)]
    connection.close()
    gateway = Store.open(filled)
    gateway.load()
    rotate(filled)
    contents = {path.name: path.read_bytes() for path in filled.iterdir()}
    assert [name for name, content in contents.items() for each in wrapped if each in content] == []
    gateway.close()


def test_what_a_gateway_makes_in_the_middle_ends_under_the_new_key(filled: Path, credential: Make) -> None:
    """Whenever a first secret of a client is saved, and whenever it was sealed, it is not lost."""
    gateway, made = Store.open(filled), []
    gateway.load()
    early = [f"early{number}" for number in range(20)]
    sealed = {client: credential(gateway, f"k-{client}", f"secret of {client}".encode(), client) for client in early}

    def save(client: str, secret: Credential | None = None) -> None:
        noun = Client(id=client, user_id="u1", name=client, created_at=1, updated_at=1)
        gateway.save(noun, secret or credential(gateway, f"k-{client}", f"secret of {client}".encode(), client))
        made.append(client)

    def at(point: str) -> None:
        if point.endswith("are wrapped anew"):
            return  # inside a transaction: others wait
        save(f"new{len(made)}")
        save(*sealed.popitem())
        # What was there is still readable to the gateway, also by a process that starts now.
        assert readable(filled).keys() >= {*CLIENTS, *made}

    rotate(filled, at=at)
    save("last")
    gateway.close()
    assert len(made) >= 9
    assert under(filled) == set(file_keys(filled).keys)
    assert len(file_keys(filled).keys) == 1
    assert readable(filled) == secrets_of([*CLIENTS, *made])


def test_a_process_that_has_read_nothing_yet_opens_all_of_it_after_two_rotations(filled: Path) -> None:
    gateway = Store.open(filled)
    for _ in range(2):
        rotate(filled)
    loaded = gateway.load()
    for each in loaded.credentials:
        secret = gateway.secrets.unseal(each.client_id, credential_row(each.id), each.sealed_secret)
        assert secret.decode() == f"secret of {each.client_id}"
    gateway.close()


def test_no_key_is_made_under_one_that_is_going(filled: Path) -> None:
    """The last line of defence, for processes of a version that does not look."""
    old = file_keys(filled).current
    rotate(filled)
    with sqlite3.connect(filled / "rrgate.db") as connection:
        insert = "INSERT INTO data_keys (client_id, wrapped, master_key_id) VALUES ('x', x'00', ?)"
        with pytest.raises(sqlite3.IntegrityError, match="the master key was changed"):
            connection.execute(insert, (old,))
        connection.execute(insert, (file_keys(filled).current,))
    connection.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from rrgate.store import key_rotation, keyfile

where, times = "", 0
key_rotation._BATCH, key_rotation._PAUSE = 3, 0

def reached(point):
    global times
    if point == where:
        times -= 1
        if times == 0:
            os.kill(os.getpid(), signal.SIGKILL)

rename, sync, write = Path.rename, keyfile.sync_directory, keyfile.json.dump

def dump(*given, **more):
    write(*given, **more)
    reached("the next file is written")

def renamed(self, to):
    reached("the next file is synced")
    rename(self, to)
    reached("the next file is in place")

keyfile.json.dump, Path.rename = dump, renamed
for line in sys.stdin:
    data, times, where = line.rstrip().split(" ", 2)
    times = int(times)
    if (child := os.fork()) == 0:
        key_rotation.rotate(Path(data), at=reached)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
POINTS = [
    ("the next file is written", 1),
    ("the next file is synced", 1),
    ("the next file is in place", 1),
    ("the new key is in the file", 1),
    ("some of instance_keys are wrapped anew", 1),
    ("some of instance_keys are committed", 1),
    ("some of data_keys are wrapped anew", 1),
    ("some of data_keys are wrapped anew", 3),
    ("some of data_keys are committed", 2),
    ("all is under the new key", 1),
    ("the next file is written", 2),
    ("the next file is synced", 2),
    ("the next file is in place", 2),
    ("the old key is out of the file", 1),
]


@pytest.fixture(scope="module")
def killed_at() -> Iterator[Callable[[Path, str, int], int]]:
    """Rotates in another process, which is killed when it comes to a point for the so manieth time; how it ended."""
    with subprocess.Popen(
        [sys.executable, "-c", KILLED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def rotate_and_die(data: Path, point: str, times: int) -> int:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{data} {times} {point}\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        yield rotate_and_die


@pytest.mark.parametrize(("point", "times"), POINTS, ids=str)
def test_killed_at_any_point_it_can_be_finished(
    filled: Path, credential: Make, killed_at: Callable[[Path, str, int], int], point: str, times: int
) -> None:
    hashed, old = token_hash(filled), file_keys(filled).current
    assert killed_at(filled, point, times) == -signal.SIGKILL
    # As it stands, it works: read and written.
    assert readable(filled) == secrets_of(CLIENTS)
    assert under(filled) <= set(file_keys(filled).keys)
    gateway = Store.open(filled)
    fill(gateway, credential, ["later"])
    gateway.close()
    done = rotate(filled)
    keys = file_keys(filled)
    assert under(filled) == set(keys.keys) == {keys.current} == {done.key}
    assert old not in keys.keys
    assert readable(filled) == secrets_of([*CLIENTS, "later"])
    assert token_hash(filled) == hashed
    assert not list(filled.glob("*.new"))


# What keeps a rotation from ending, and leaves the old key where it is.


def test_a_key_that_does_not_open_keeps_the_old_one(filled: Path) -> None:
    with sqlite3.connect(filled / "rrgate.db") as connection:
        connection.execute("UPDATE data_keys SET wrapped = zeroblob(60) WHERE client_id = 'c7'")
    connection.close()
    old = file_keys(filled).current
    for _ in range(2):
        with pytest.raises(WrongKey, match="does not open"):
            rotate(filled)
        assert old in file_keys(filled).keys
        assert readable_but(filled, "c7") == secrets_of([client for client in CLIENTS if client != "c7"])


def readable_but(data: Path, broken: str) -> dict[str, str]:
    store = Store.open(data)
    found = {
        each.client_id: store.secrets.unseal(each.client_id, credential_row(each.id), each.sealed_secret).decode()
        for each in store.load().credentials
        if each.client_id != broken
    }
    store.close()
    return found


def test_a_state_whose_key_is_not_there_is_left_alone(filled: Path) -> None:
    path = filled / "master.key"
    path.unlink()
    with pytest.raises(KeyFileError, match="missing"):
        rotate(filled)
    keyfile.create(path, new_master_keys())
    before = path.read_bytes()
    with pytest.raises(MissingKey):
        rotate(filled)
    assert path.read_bytes() == before


def test_a_file_that_cannot_be_replaced_leaves_all_as_it_was(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (filled / "master.key").read_bytes()

    def busy(path: Path, to: Path) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(Path, "rename", busy)
    with pytest.raises(OSError, match="busy"):
        rotate(filled)
    assert (filled / "master.key").read_bytes() == before
    assert under(filled) == {file_keys(filled).current}
    assert not list(filled.glob("*.new"))


def test_two_at_once_come_one_after_the_other(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rrgate.store.folder._LOCK_SECONDS", 0.0)
    refused = []

    def at(point: str) -> None:
        with pytest.raises(StoreError, match=r"keys\.lock .*; it is rotating") as caught:
            rotate(filled)
        refused.append(caught.value)

    rotate(filled, at=at)
    assert refused
    assert readable(filled) == secrets_of(CLIENTS)


def test_a_key_file_that_is_a_link_stays_one(filled: Path, tmp_path: Path) -> None:
    real = tmp_path / "kept elsewhere"
    (filled / "master.key").rename(real)
    (filled / "master.key").symlink_to(real)
    rotate(filled)
    assert (filled / "master.key").is_symlink()
    assert readable(filled) == secrets_of(CLIENTS)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_file_belongs_to_whom_it_belonged(filled: Path) -> None:
    os.chown(filled / "master.key", 1234, 1235)
    rotate(filled)
    there = (filled / "master.key").stat()
    assert (there.st_uid, there.st_gid, there.st_mode & 0o777) == (1234, 1235, 0o600)


# Keys that are given: the operator rotates them.


def test_given_keys(filled: Path, credential: Make) -> None:
    old = file_keys(filled)
    (filled / "master.key").unlink()
    new = new_master_keys()
    both = GivenKeys(evolve(new, keys={**new.keys, **old.keys}))
    hashed = token_hash(filled, GivenKeys(old))
    assert rotate(filled, GivenKeys(old)).rewrapped == 0
    # A gateway that was started with both works under the old key until it is rotated, beside one with the old alone.
    first, second = Store.open(filled, given=both), Store.open(filled, given=GivenKeys(old))
    fill(first, credential, ["first"])
    assert under(filled) == {old.current}
    done = rotate(filled, both)
    assert done == rotation.Rotated(new.current, (old.current,), 12, resumed=False)
    assert under(filled) == {new.current}
    fill(first, credential, ["again"])
    with pytest.raises(MissingKey):
        fill(second, credential, ["never"])
    first.close()
    second.close()
    assert rotate(filled, both).rewrapped == 0
    assert readable(filled, GivenKeys(new)) == secrets_of([*CLIENTS, "first", "again"])
    assert token_hash(filled, GivenKeys(new)) == hashed
    assert not (filled / "master.key").exists()
    with pytest.raises(SecretError):
        Store.open(filled, given=GivenKeys(old))


def test_which_keys_are_used(filled: Path) -> None:
    database, keys = connect(filled / "rrgate.db", synchronous="NORMAL"), file_keys(filled)
    other = new_master_keys(keys)
    shown = [(use.id, use.wraps, use.is_current, use.is_there) for use in key_uses(database, other)]
    assert shown == [(keys.current, 11, True, True), (other.current, 0, False, True)]
    shown = [(use.id, use.wraps, use.is_current, use.is_there) for use in key_uses(database, new_master_keys())]
    assert shown[0] == (keys.current, 11, True, False)
    database.close()


# Every column.


def test_every_column_of_bytes_is_known_to_rotation_and_checks(data: Path) -> None:
    """A new one belongs into rrgate/store/encrypted.py."""
    known = {(table.name, "wrapped") for table in WRAPPED} | {(each.table, each.name) for each in SEALED} | HASHES
    found, named = set(), set()
    with sqlite3.connect(data / "rrgate.db") as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in connection.execute(f"PRAGMA table_info({table})").fetchall():
                if row[2].upper() in ("BLOB", "ANY", ""):
                    found.add((table, row[1]))
                if "master_key" in row[1]:
                    named.add(table)
    connection.close()
    assert found == known
    assert named == {table.name for table in WRAPPED}


def test_every_sealed_column_is_opened_by_the_check(filled: Path) -> None:
    store = Store.open(filled)
    shown = store.secrets.seal("c1", client_certificate_row("g1"), b"PEM")
    common: dict[str, Any] = {"client_id": "c1", "user_id": "u1", "region": "local", "created_at": 1, "updated_at": 1}
    store.save(Target(id="g1", name="g1", base_url="https://g.test", sealed_client_certificate=shown, **common))
    signs = {
        "sealed_callback_secret": store.secrets.seal("c1", callback_row("p1"), b"whsec_"),
        "previous_sealed_callback_secret": store.secrets.seal("c1", previous_callback_row("p1"), b"whsec_"),
    }
    parts = {"proxy_credential_id": "k-c1", "target_id": "g1", "target_credential_id": "k-c1"}
    plugins = pack({name: store.secrets.seal("c1", plugin_row("p1", name), b"{}") for name in ("one", "two")})
    store.save(Proxy(id="p1", name="p1", sealed_plugins=plugins, **parts, **common, **signs))
    store.write_state("k-c1", 1, store.secrets.seal("c1", state_row("k-c1"), b"1\n{}"), 0)
    store.close()
    for column in SEALED:
        with sqlite3.connect(filled / "rrgate.db") as connection:
            select = f"SELECT {column.name}, {', '.join(column.key)} FROM {column.table}"
            before = connection.execute(select).fetchall()
            connection.execute(f"UPDATE {column.table} SET {column.name} = ?", (b"\x01" + bytes(40),))
        connection.close()
        assert before, f"the fixture has nothing in {column.table}"
        with pytest.raises(SecretError, match=rf"{len(before)} of \d+ secrets cannot be read"):
            check_key(filled / "rrgate.db", FileKeys(filled / "master.key"))
        with sqlite3.connect(filled / "rrgate.db") as connection:
            where = " AND ".join(f"{name} = ?" for name in column.key)
            connection.executemany(f"UPDATE {column.table} SET {column.name} = ? WHERE {where}", before)
        connection.close()
    assert check_key(filled / "rrgate.db", FileKeys(filled / "master.key")) == 16
