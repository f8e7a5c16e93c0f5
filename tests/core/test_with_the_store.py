"""The Core API over the real Store, Directory and RequestLog: what was answered is there after a restart.

Belongs here: that the parts fit together. Does not: what each does alone.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest_twisted
from attrs import evolve

from rrgate.directory import Directory
from rrgate.store import AsyncStore, Member, RequestLog, Store, credential_row
from rrgate.store.log_rows import LogRow
from tests.core.doubles import CALLER, SECRET, Core, no_route


@pytest_twisted.ensureDeferred
async def test_what_was_answered_survives(core: Core, tmp_path: Path) -> None:
    from twisted.internet import reactor

    data = tmp_path / "state"
    data.mkdir(mode=0o700)
    Store.create(data).close()
    store = AsyncStore.open(data, reactor)  # type: ignore[arg-type]
    request_log = RequestLog.open(data, reactor, lambda row: (json.loads(row.facts), {}))  # type: ignore[arg-type]
    alice = core.directory.users["alice"]
    token = evolve(next(iter(core.directory.token_by_hash.values())), token_hash=store.secrets.token_hash("u-alice"))
    assert token.user_id == "alice"
    await store.save(alice, token)
    directory = Directory(no_route)
    directory.put(alice)
    directory.put(token)
    core._port.factory.house = evolve(
        core.house, directory=directory, store=store, request_log=request_log
    )
    told = await core.ask("POST", "/clients", {"clientName": "Real"})
    client = told.document["clients"][0]["sKey"]
    parts = await core.make_parts(client)
    proxy = await core.make("proxies", {**parts, "proxyAlias": "pay"}, client)
    where = f"/clients/{client}/proxies/{proxy['sKey']}"
    told = await core.ask("PUT", where, {**proxy, "proxyName": "Changed"})
    assert told.status == 200
    another = await core.make("credentials", CALLER, client)
    assert (await core.ask("DELETE", f"/clients/{client}/credentials/{another['sKey']}")).status == 200
    request_log.append(
        [
            LogRow(proxy["sKey"], f"r{at}", client, at, "GET", 200, json.dumps({"sKey": f"r{at}"}))
            for at in range(5)
        ]
    )
    told = await core.ask("GET", f"{where}/requests?limit=2&processedAfter=1970-01-01T00:00:00.001Z")
    assert [record["sKey"] for record in told.document["requests"]] == ["r4", "r3"]
    told = await core.ask(
        "GET",
        f"{where}/requests?processedBefore=1970-01-01T00:00:00.004Z&cursor={told.document['nextCursor']}",
    )
    assert [record["sKey"] for record in told.document["requests"]] == ["r2", "r1", "r0"]
    assert (await core.ask("GET", f"{where}/requests?cursor=%20")).status == 400
    assert (await core.ask("GET", f"{where}/requests/r3")).document["requests"] == [{"sKey": "r3"}]
    await store.close()

    again = Store.open(data)
    inventory = again.load()
    assert inventory.users == (alice,)
    assert inventory.clients == tuple(directory.clients.values())
    assert inventory.members == (Member(user_id="alice", client_id=client, roles=("owner", "admin")),)
    assert set(inventory.credentials) == set(directory.credentials.values())
    assert inventory.targets == tuple(directory.targets.values())
    assert inventory.proxies == tuple(directory.proxies.values())
    kept = directory.credentials[parts["proxyProxyCredentialId"]]
    opened = again.secrets.unseal(client, credential_row(kept.id), kept.sealed_secret)
    assert json.loads(opened) == CALLER["credentialSecret"]
    again.close()
    for file in data.iterdir():
        assert SECRET.encode() not in file.read_bytes()
    store = AsyncStore.open(data, reactor)  # type: ignore[arg-type]
    core._port.factory.house = evolve(core._port.factory.house, store=store)
    assert (await core.ask("DELETE", f"/clients/{client}?force=true")).status == 200
    inventory = await store.load()
    assert (inventory.clients, inventory.members, inventory.credentials, inventory.proxies) == ((), (), (), ())
    await store.close()
    await request_log.close()


@pytest_twisted.ensureDeferred
async def test_people_survive_and_an_invite_is_used_up_with_what_it_gives(core: Core, tmp_path: Path) -> None:
    from twisted.internet import reactor

    data = tmp_path / "state"
    data.mkdir(mode=0o700)
    Store.create(data).close()
    store = AsyncStore.open(data, reactor)  # type: ignore[arg-type]
    alice = core.directory.users["alice"]
    token = evolve(next(iter(core.directory.token_by_hash.values())), token_hash=store.secrets.token_hash("u-alice"))
    await store.save(alice, token)
    directory = Directory(no_route)
    directory.put(alice)
    directory.put(token)
    core._port.factory.house = evolve(core.house, directory=directory, store=store)
    (client,) = (await core.ask("POST", "/clients", {"clientName": "Real"})).document["clients"]
    where = f"/clients/{client['sKey']}"
    await core.ask("PUT", f"{where}/configuration", {"plan": "team", "allowedNetworks": ["10.0.0.0/8:443"]})
    invites = [await core.make("invites", {"inviteRoles": ["admin"]}, client["sKey"]) for _ in range(3)]
    codes = [{"inviteCode": each["inviteCode"]} for each in invites]
    told = await core.ask("POST", "/users", {**codes[0], "userFirstName": "Eve"}, token=None)
    assert told.status == 200, told.raw
    eve, text = told.document["users"][0], told.document["tokens"][0]["userToken"]
    assert (await core.ask("POST", "/users", codes[0], token=None)).status == 404
    assert (await core.ask("POST", "/invites/accept", codes[1])).status == 200
    wrong = {"inviteCode": codes[2]["inviteCode"][:-1]}
    assert (await core.ask("POST", "/invites/accept", wrong)).status == 404
    body = {"tokenName": "narrow", "tokenRole": "user", "tokenClientId": client["sKey"]}
    assert (await core.ask("POST", f"/users/{eve['sKey']}/tokens", body, token=text)).status == 200
    gone = await core.ask("GET", f"/users/{eve['sKey']}/tokens", token=text)
    assert len(gone.document["tokens"]) == 2
    await store.close()

    again = Store.open(data)
    inventory = again.load()
    assert set(inventory.users) == set(directory.users.values())
    assert set(inventory.tokens) == set(directory.token_by_hash.values())
    assert inventory.clients == tuple(directory.clients.values())
    assert {(each.user_id, each.client_id): each.roles for each in inventory.members} == directory.members
    assert inventory.invites == tuple(directory.invites.values())
    assert [(each.id, each.tries) for each in inventory.invites] == [(invites[2]["sKey"], 1)]
    again.delete(*inventory.clients)
    assert again.load().invites == ()
    again.close()
    for file in data.iterdir():
        for secret in (text, *(code["inviteCode"].partition(".")[2] for code in codes)):
            assert secret.encode() not in file.read_bytes()
