"""Encryption at rest: what opens, what does not, and that nothing shows a key or lets plaintext reach the disk.

Belongs here: Secrets and the key file. Does not: which nouns have secrets.
"""

from __future__ import annotations

import base64
import json
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrgate.model import Credential
from rrgate.store import BrokenSecret, KeyFileError, MissingKey, SecretError, Secrets, Store, WrongKey, keyfile
from rrgate.store.keyfile import MasterKeys, new_master_keys
from rrgate.store.secrets import (
    WrappedKey,
    bodies_row,
    callback_row,
    client_certificate_row,
    credential_row,
    new_instance_key,
    plugin_row,
    previous_callback_row,
    previous_row,
    state_row,
)

MASTER = new_master_keys()
INSTANCE = new_instance_key(MASTER, MASTER.current)


def fresh() -> Secrets:
    return Secrets(MASTER, INSTANCE, {})


@given(st.binary(max_size=200), st.text(max_size=10), st.uuids().map(str))
def test_what_is_sealed_unseals(plaintext: bytes, row: str, client: str) -> None:
    secrets = fresh()
    sealed = secrets.seal(client, row, plaintext)
    assert secrets.unseal(client, row, sealed) == plaintext
    assert len(plaintext) < 4 or plaintext not in sealed
    assert secrets.seal(client, row, plaintext) != sealed
    assert Secrets(MASTER, INSTANCE, secrets.unsaved()).unseal(client, row, sealed) == plaintext


def test_no_nonce_comes_twice_whoever_seals() -> None:
    secrets = fresh()
    with ThreadPoolExecutor(4) as threads:
        sealed = list(threads.map(lambda _: secrets.seal("c", "row", b"the same"), range(5_000), chunksize=50))
    assert len({each[:13] for each in sealed}) == 5_000


def test_nor_in_a_fork_of_who_has_sealed_before() -> None:
    secrets = fresh()
    secrets.seal("c", "row", b"the same")
    reads, writes = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writes, b"".join(secrets.seal("c", "row", b"the same")[:13] for _ in range(100)))
        os._exit(0)
    os.close(writes)
    with open(reads, "rb") as told:
        there = told.read()
    os.waitpid(child, 0)
    here = {secrets.seal("c", "row", b"the same")[:13] for _ in range(100)}
    assert len(here.union(there[place : place + 13] for place in range(0, len(there), 13))) == 200


def test_another_row_client_or_byte_does_not_open() -> None:
    secrets = fresh()
    sealed = secrets.seal("c1", "credentials/k1", b"hush")
    secrets.seal("c2", "credentials/k1", b"other")
    for client, row in (("c1", "credentials/k2"), ("c2", "credentials/k1")):
        with pytest.raises(BrokenSecret, match="belongs elsewhere"):
            secrets.unseal(client, row, sealed)
    for place in range(len(sealed)):
        broken = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(BrokenSecret) as caught:
            secrets.unseal("c1", "credentials/k1", broken)
        assert "hush" not in str(caught.value)
    for short in (b"", sealed[:1], sealed[:20], sealed[:-1]):
        with pytest.raises(BrokenSecret):
            secrets.unseal("c1", "credentials/k1", short)
    with pytest.raises(MissingKey, match="no data key for client c3"):
        secrets.unseal("c3", "credentials/k1", sealed)


def test_what_is_resealed_opens_for_its_new_row_only() -> None:
    secrets = fresh()
    sealed = secrets.seal("c1", credential_row("k1"), b"hush")
    moved = secrets.reseal("c1", credential_row("k1"), sealed, previous_row("k1"))
    assert secrets.unseal("c1", previous_row("k1"), moved) == b"hush"
    for row, each in ((credential_row("k1"), moved), (previous_row("k1"), sealed), (previous_row("k2"), moved)):
        with pytest.raises(BrokenSecret):
            secrets.unseal("c1", row, each)
    with pytest.raises(BrokenSecret):
        secrets.reseal("c1", credential_row("k1"), moved, previous_row("k1"))


def test_whether_this_is_what_is_sealed() -> None:
    secrets = fresh()
    sealed = secrets.seal("c1", "row", b"hush")
    assert secrets.holds("c1", "row", sealed, b"hush")
    for client, row, each, plaintext in (
        ("c1", "row", sealed, b"hus"),
        ("c1", "other", sealed, b"hush"),
        ("c2", "row", sealed, b"hush"),
        ("c1", "row", sealed[:-1], b"hush"),
    ):
        assert not secrets.holds(client, row, each, plaintext)


def test_keys_that_do_not_fit() -> None:
    secrets = fresh()
    secrets.seal("c1", "row", b"x")
    wrapped = secrets.unsaved()["c1"]
    with pytest.raises(MissingKey, match=MASTER.current):
        Secrets(new_master_keys(), INSTANCE, {})
    with pytest.raises(WrongKey):
        Secrets(MasterKeys(current=MASTER.current, keys={MASTER.current: b"\0" * 32}), INSTANCE, {})
    elsewhere = Secrets(MASTER, INSTANCE, {"c2": wrapped, "c3": WrappedKey(b"", MASTER.current)})
    for client in ("c2", "c3"):
        with pytest.raises(WrongKey):
            elsewhere.unseal(client, "row", b"\x01" + b"\0" * 40)


def test_previous_master_keys_still_unwrap() -> None:
    secrets = fresh()
    sealed = secrets.seal("c1", "row", b"x")
    rotated = new_master_keys(MASTER)
    assert rotated.current != MASTER.current
    later = Secrets(rotated, INSTANCE, secrets.unsaved())
    assert later.unseal("c1", "row", sealed) == b"x"
    assert later.token_hash("u-1") == secrets.token_hash("u-1")


def test_hashes() -> None:
    secrets, other = fresh(), Secrets(MASTER, new_instance_key(MASTER, MASTER.current), {})
    assert secrets.token_hash("u-1") == fresh().token_hash("u-1")
    assert len({secrets.token_hash("u-1"), secrets.token_hash("u-2"), other.token_hash("u-1")}) == 3
    assert len(secrets.token_hash("\udcff")) == 32
    prints = {
        secrets.fingerprint("k1", b"a"),
        secrets.fingerprint("k1", b"b"),
        secrets.fingerprint("k2", b"a"),
        other.fingerprint("k1", b"a"),
    }
    assert len(prints) == 4
    assert all(len(text) == 8 and int(text, 16) >= 0 for text in prints)


def test_no_repr_shows_key_bytes() -> None:
    secrets = fresh()
    secrets.seal("c1", "row", b"x")
    key = MASTER.keys[MASTER.current]
    for shown in (repr(secrets), repr(MASTER), repr(INSTANCE), str(vars(secrets)["_master"])):
        assert repr(key)[2:-1] not in shown
        assert base64.b64encode(key).decode() not in shown
        assert repr(INSTANCE.wrapped)[2:-1] not in shown


def test_the_key_file(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    with pytest.raises(KeyFileError, match="missing"):
        keyfile.read(path)
    keyfile.create(path, MASTER)
    assert path.stat().st_mode & 0o777 == 0o600
    assert keyfile.read(path) == MASTER
    with pytest.raises(KeyFileError, match="never written over"):
        keyfile.create(path, new_master_keys())
    rotated = new_master_keys(MASTER)
    keyfile.replace(path, rotated)
    assert keyfile.read(path) == rotated
    assert os.listdir(tmp_path) == ["master.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o620])
def test_a_key_file_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master.key"
    keyfile.create(path, MASTER)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=r"open to others \(mode 0\d+\); run: chmod 600"):
        keyfile.read(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"current": "x", "keys": {}}',
        b'{"current": [], "keys": {}}',
        b'{"current": "x", "keys": {"x": 7}}',
        b'{"current": "x", "keys": {"x": "hush!"}}',
        json.dumps({"current": "x", "keys": {"x": base64.b64encode(b"k" * 32).decode()}}).encode(),
        json.dumps({"current": keyfile.key_id(b"k"), "keys": {keyfile.key_id(b"k"): "aw=="}}).encode(),
    ],
)
def test_a_damaged_key_file_is_refused_without_its_content(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="damaged") as caught:
        keyfile.read(path)
    assert "hush" not in str(caught.value)


def test_state_with_a_wrong_missing_or_open_key(data: Path) -> None:
    key = data / "master.key"
    right = key.read_bytes()
    key.unlink()
    keyfile.create(key, new_master_keys())
    with pytest.raises(MissingKey):
        Store.open(data)
    key.unlink()
    with pytest.raises(KeyFileError, match="put it back"):
        Store.open(data)
    key.write_bytes(right)
    key.chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        Store.open(data)
    key.chmod(0o600)
    Store.open(data).close()


def test_an_instance_key_that_was_changed(data: Path) -> None:
    with sqlite3.connect(data / "rrgate.db") as connection:
        connection.execute("UPDATE instance_keys SET wrapped = zeroblob(60)")
    connection.close()
    with pytest.raises(SecretError):
        Store.open(data)


def test_a_deleted_clients_secrets_are_beyond_reading(
    data: Path, store: Store, nouns: SimpleNamespace, credential: Callable[..., Credential]
) -> None:
    kept = credential(store, secret=b"x")
    store.save(nouns.user, nouns.client, kept)
    store.delete(nouns.client, kept)
    with pytest.raises(MissingKey):
        store.secrets.unseal("c1", "credentials/k1", kept.sealed_secret)


def test_what_is_sealed_behind_the_end_of_its_client_brings_no_key_of_it_to_disk(
    data: Path, store: Store, nouns: SimpleNamespace
) -> None:
    store.save(nouns.user, nouns.client)
    store.delete(nouns.client)
    late = store.secrets.seal("c1", bodies_row("r1"), b"the body of a request that ended later")
    store.save(attrs.evolve(nouns.user, updated_at=3))
    again = Store.open(data)
    with pytest.raises(MissingKey):
        again.secrets.unseal("c1", bodies_row("r1"), late)
    again.close()


def test_no_plaintext_in_any_file(
    data: Path, store: Store, nouns: SimpleNamespace, credential: Callable[..., Credential]
) -> None:
    planted = [f"planted-secret-{number}-{'x' * 20}".encode() for number in range(30)]
    token = "u-" + "T" * 43
    store.save(nouns.user, nouns.client)
    for number, secret in enumerate(planted):
        store.save(credential(store, f"k{number}", json.dumps({"key": secret.decode()}).encode()))
    from rrgate.model import Token

    store.save(
        Token(id="t", user_id="u1", name="n", token_hash=store.secrets.token_hash(token), created_at=1),
        credential(store, "k0", b'{"key": "replaced-secret"}'),
    )
    searched = [*planted, token.encode(), b"replaced-secret", *keyfile.read(data / "master.key").keys.values()]
    forms = [form for text in searched for form in (text, base64.b64encode(text)[:-4], text.hex().encode())]
    for closed in (False, True):
        if closed:
            store.close()
        for path in data.rglob("*"):
            if path.is_file() and path.name != "master.key":
                content = path.read_bytes()
                assert not [form for form in forms if form in content], path


def test_each_place_has_a_name_of_its_own() -> None:
    """What is sealed for one place opens in no other."""
    names = [
        *(of("x") for of in (credential_row, previous_row, state_row, client_certificate_row, bodies_row)),
        *(callback_row("x"), previous_callback_row("x"), plugin_row("x", "one"), plugin_row("x", "other")),
    ]
    assert len(set(names)) == len(names)


def test_fingerprints_and_hashes_of_tokens_have_keys_of_their_own() -> None:
    """Else a fingerprint, which the Core API shows, would be part of a token's hash."""
    secrets = fresh()
    assert secrets.fingerprint("a", b"b") != secrets.token_hash("a\0b")[:4].hex()


def test_what_is_made_once_a_rotation_has_begun_is_under_the_new_key() -> None:
    new = new_master_keys()
    both = MasterKeys(current=new.current, keys={**MASTER.keys, **new.keys})
    secrets = Secrets(both, INSTANCE, {})
    secrets.seal("one", "row", b"x")
    secrets.unsaved_under(new.current)
    secrets.seal("two", "row", b"x")
    assert {key.master_key_id for key in secrets.unsaved().values()} == {new.current}
