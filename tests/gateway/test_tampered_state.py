"""State that somebody has changed on the disk: refused, clearly and closed, where it is read; all else goes on.

Belongs here: changed rows of rrgate.db, as a store, the checks and a whole gateway meet them. Does not: ciphers alone
(tests/store/test_secrets.py), which key file there is (tests/store/test_key_source.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from rrgate.store import BrokenSecret, MissingKey, SecretError, Store, StoreError, WrongKey, credential_row
from rrgate.store.inspection import check_key
from rrgate.store.key_source import FileKeys
from tests.leak_search import LeakSearch
from tests.running_gateway import MadeProxy, RunningGateway
from tests.targets import Target, echo

Tamper = Callable[[sqlite3.Connection, dict[str, str]], Any]
"""Changes the database. `ids`: `mine` and `beside` are credentials of one client, `strange` is one of another."""

SEALED = "UPDATE credentials SET sealed_secret = {} WHERE id = :mine"


def sql(*statements: str) -> Tamper:
    def tamper(connection: sqlite3.Connection, ids: dict[str, str]) -> None:
        for statement in statements:
            given = {name: value for name, value in ids.items() if f":{name}" in statement}
            assert connection.execute(statement, given).rowcount > 0

    return tamper


def changed(function: Callable[[bytes], bytes], table: str = "credentials", column: str = "sealed_secret") -> Tamper:
    """`mine`, or what belongs to its client, is put through `function`."""

    def tamper(connection: sqlite3.Connection, ids: dict[str, str]) -> None:
        key, row = ("id", ids["mine"]) if table == "credentials" else ("client_id", ids["client"])
        (value,) = connection.execute(f"SELECT {column} FROM {table} WHERE {key} = ?", (row,)).fetchone()
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (function(value), row))

    return tamper


def flipped(place: int, bit: int = 0) -> Callable[[bytes], bytes]:
    def flip(value: bytes) -> bytes:
        at = place % len(value)
        return value[:at] + bytes([value[at] ^ (1 << bit)]) + value[at + 1 :]

    return flip


FROM = "(SELECT sealed_secret FROM credentials WHERE id = :{})"

TAMPERED: dict[str, tuple[Tamper, type[SecretError], str]] = {
    "a secret of another row": (sql(SEALED.format(FROM.format("beside"))), BrokenSecret, "belongs elsewhere"),
    "a secret of another client": (sql(SEALED.format(FROM.format("strange"))), BrokenSecret, "belongs elsewhere"),
    "a row of another client": (
        sql("UPDATE credentials SET client_id = :other WHERE id = :mine"),
        BrokenSecret,
        "belongs elsewhere",
    ),
    "the secret that was replaced": (
        sql("UPDATE credentials SET previous_sealed_secret = sealed_secret, sealed_secret = x'01' WHERE id = :mine"),
        BrokenSecret,
        "not in a form",
    ),
    "cut to nothing": (changed(lambda _: b""), BrokenSecret, "not in a form"),
    "cut to the format": (changed(lambda value: value[:1]), BrokenSecret, "not in a form"),
    "cut behind the nonce": (changed(lambda value: value[:13]), BrokenSecret, "not in a form"),
    "cut in the tag": (changed(lambda value: value[:-1]), BrokenSecret, "was changed"),
    "cut at its front": (changed(lambda value: value[:1] + value[2:]), BrokenSecret, "was changed"),
    "lengthened": (changed(lambda value: value + b"\0"), BrokenSecret, "was changed"),
    "another format": (changed(lambda value: b"\x02" + value[1:]), BrokenSecret, "not in a form"),
    "a bit of the format": (changed(flipped(0, 7)), BrokenSecret, "not in a form"),
    "a bit of the nonce": (changed(flipped(5)), BrokenSecret, "was changed"),
    "a bit of the text": (changed(flipped(13, 3)), BrokenSecret, "was changed"),
    "a bit of the tag": (changed(flipped(-1, 7)), BrokenSecret, "was changed"),
    "plain text": (changed(lambda _: b'{"token":"not-sealed-at-all-000000000000"}'), BrokenSecret, "not in a form"),
    "zeros": (changed(lambda value: bytes(len(value))), BrokenSecret, "not in a form"),
    "the data key of another client": (
        sql(
            "UPDATE data_keys SET wrapped = (SELECT wrapped FROM data_keys WHERE client_id = :other) "
            "WHERE client_id = :client"
        ),
        WrongKey,
        "does not open with it",
    ),
    "the instance key as a data key": (
        sql("UPDATE data_keys SET wrapped = (SELECT wrapped FROM instance_keys) WHERE client_id = :client"),
        WrongKey,
        "does not open with it",
    ),
    "no data key": (sql("DELETE FROM data_keys WHERE client_id = :client"), MissingKey, "no data key"),
    "a bit of a data key": (changed(flipped(20), "data_keys", "wrapped"), WrongKey, "does not open with it"),
    "a bit of a data key's nonce": (changed(flipped(0), "data_keys", "wrapped"), WrongKey, "does not open with it"),
    "a data key cut": (changed(lambda value: value[:-1], "data_keys", "wrapped"), WrongKey, "does not open with it"),
    "a data key cut to nothing": (changed(lambda _: b"", "data_keys", "wrapped"), WrongKey, "does not open with it"),
    "a data key of another master key": (
        sql("UPDATE data_keys SET master_key_id = '0123456789abcdef' WHERE client_id = :client"),
        MissingKey,
        "encrypted with master key 0123456789abcdef",
    ),
}

SECRETS = {name: f"sealed-{name}-0123456789-abcdefgh" for name in ("mine", "beside", "strange")}


async def made(gateway: RunningGateway, url: str) -> tuple[dict[str, str], dict[str, MadeProxy]]:
    """(ids, proxies), of two clients; each proxy shows the secret of its name to its target."""
    other = (await gateway.ask("POST", "/clients", {"clientName": "other"})).json["clients"][0]["sKey"]
    ids, proxies, first = {"client": gateway.client, "other": other}, {}, gateway.client
    # The caller's secrets are not those that are tampered with: they are in a client of their own.
    for name, client in (("mine", first), ("beside", first), ("strange", other)):
        gateway.client = client
        proxies[name] = await gateway.proxy(url, towards=("bearer", {"token": SECRETS[name]}))
        ids[name] = proxies[name].target_credential
    gateway.client = first
    return ids, proxies


@pytest.fixture(scope="module")
def state(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Path, dict[str, str], dict[str, MadeProxy], Any, Target]]:
    """State of a gateway that has stopped, what is in it, its first user, and the target of its proxies."""
    data = tmp_path_factory.mktemp("tampered") / "state"
    target = Target(echo)
    gateway = RunningGateway.start(data)
    try:
        ids, proxies = pytest_twisted.blockon(Deferred.fromCoroutine(made(gateway, target.url)))
    finally:
        pytest_twisted.blockon(gateway.stop())
    yield data, ids, proxies, gateway.first, target
    target.stop()


@pytest.fixture(params=TAMPERED)
def case(request: pytest.FixtureRequest) -> tuple[Tamper, type[SecretError], str]:
    return TAMPERED[request.param]


@pytest.fixture
def tampered(state: Any, case: Any, tmp_path: Path) -> Path:
    """A copy of the state that was tampered with."""
    data, ids, *_ = state
    copy = tmp_path / "state"
    copy.mkdir(mode=0o700)
    for name in ("rrgate.db", "log.db", "master.key"):
        (copy / name).write_bytes((data / name).read_bytes())
        (copy / name).chmod(0o600)
    with sqlite3.connect(copy / "rrgate.db") as connection:
        case[0](connection, ids)
    connection.close()
    return copy


def test_it_is_refused_where_it_is_read_and_by_the_check(state: Any, tampered: Path, case: Any) -> None:
    _, kind, said = case
    store = Store.open(tampered)
    try:
        mine = next(each for each in store.load().credentials if each.id == state[1]["mine"])
        with pytest.raises(kind, match=said) as caught:
            store.secrets.unseal(mine.client_id, credential_row(mine.id), mine.sealed_secret)
    finally:
        store.close()
    with pytest.raises(StoreError, match=said) as checked:
        check_key(tampered / "rrgate.db", FileKeys(tampered / "master.key"))
    for secret in SECRETS.values():
        assert secret not in str(caught.value) + str(checked.value)


@pytest_twisted.ensureDeferred
async def test_a_gateway_answers_with_an_error_and_sends_nothing(state: Any, tampered: Path) -> None:
    _, _, proxies, first, target = state
    search = LeakSearch.of(tampered)
    for name, secret in SECRETS.items():
        search.know(name, secret)
    gateway = RunningGateway(RunningGateway.open(tampered), first)
    try:
        before = target.connections
        answer = await gateway.call(proxies["mine"])
        # 503: a credential that is another client's is none of this proxy's.
        assert answer.status in (500, 503), answer.body
        assert target.connections == before
        # What was not touched works, and the other client's does in each case.
        answer = await gateway.call(proxies["strange"])
        assert answer.status == 200
        assert dict(answer.json["headers"])["Authorization"] == f"Bearer {SECRETS['strange']}"
    finally:
        await gateway.stop()


UNREADABLE = {
    "a rule of a newer version": (
        "UPDATE rules SET document = json_set(document, '$.fromTomorrow', 1) WHERE parent_id = :mine"
    ),
    "a rule that is no JSON": "UPDATE rules SET document = 'x' WHERE parent_id = :mine",
    "a credential of a newer version": (
        "UPDATE credentials SET document = json_set(document, '$.fromTomorrow', 1) WHERE id = :mine"
    ),
}


@pytest.mark.parametrize("statement", UNREADABLE.values(), ids=UNREADABLE)
@pytest_twisted.ensureDeferred
async def test_a_row_that_cannot_be_read_lets_nothing_through(tmp_path: Path, statement: str) -> None:
    data, target = tmp_path / "state", Target(echo)
    gateway = RunningGateway.start(data)
    try:
        ids, proxies = await made(gateway, target.url)
        place = f"/clients/{proxies['mine'].client}/credentials/{ids['mine']}/rules"
        assert (await gateway.ask("POST", place, {"effect": "deny", "path": "^/secret"})).status == 200
    finally:
        await gateway.stop()
    with sqlite3.connect(data / "rrgate.db") as connection:
        sql(statement)(connection, ids)
    connection.close()
    gateway = RunningGateway(RunningGateway.open(data), gateway.first)
    try:
        before = target.connections
        answer = await gateway.call(proxies["mine"])
        assert (answer.status, target.connections) == (500, before)
        assert (await gateway.call(proxies["beside"])).status == 200
    finally:
        await gateway.stop()
        target.stop()
