"""Clients over HTTP.

Belongs here: /clients. Does not: what all routes share (test_every_route.py).
"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from attrs import evolve

from tests.core.doubles import Core


@pytest_twisted.ensureDeferred
async def test_one_sees_the_clients_one_belongs_to(core: Core) -> None:
    for token, names in (("u-alice", ["acme"]), ("u-uma", ["acme"]), ("u-bob", ["other"])):
        told = await core.ask("GET", "/clients", token=token)
        assert [client["sKey"] for client in told.document["clients"]] == names


@pytest_twisted.ensureDeferred
async def test_an_operator_is_nobody_in_other_peoples_clients(core: Core) -> None:
    assert core.directory.users["alice"].operator
    before = core.directory.clients["other"]
    for method, path, document in (
        ("GET", "/clients/other", None),
        ("PUT", "/clients/other", {"clientName": "Mine"}),
        ("DELETE", "/clients/other?force=true", None),
        ("GET", "/clients/other/credentials", None),
        ("GET", "/clients/other/audit", None),
    ):
        told = await core.ask(method, path, document)
        assert (told.status, told.document["error"]) == (404, "Not Found"), path
    assert core.directory.clients["other"] is before


@pytest_twisted.ensureDeferred
async def test_create_change_delete(core: Core) -> None:
    told = await core.ask("POST", "/clients", {"clientName": "Zwölf & Söhne", "userId": "ignored", "clientId": "x"})
    (client,) = told.document["clients"]
    assert client == {
        "pKey": client["sKey"],
        "sKey": client["sKey"],
        "userId": "alice",
        "clientId": client["sKey"],
        "parentId": client["sKey"],
        "clientName": "Zwölf & Söhne",
        "clientCreatedAt": "2025-12-12T05:26:57.621Z",
        "clientUpdatedAt": "2025-12-12T05:26:57.621Z",
        "clientMembers": [{"userId": "alice", "roles": ["owner", "admin"]}],
    }
    where = f"/clients/{client['sKey']}"
    assert (await core.ask("GET", where)).document["clients"] == [client]
    assert (await core.ask("GET", where, token="u-bob")).status == 404
    core.seconds += 1
    told = await core.ask("PUT", where, {**client, "clientName": "Dreizehn"})
    assert told.document["clients"][0]["clientName"] == "Dreizehn"
    assert told.document["clients"][0]["clientUpdatedAt"] == "2025-12-12T05:26:58.621Z"
    told = await core.ask("DELETE", where)
    assert told.document == {"message": "Client deleted successfully"}
    assert (await core.ask("GET", where)).status == 404
    assert ("alice", client["sKey"]) not in core.directory.members


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        ({}, {"clientName"}),
        ({"clientName": 5}, {"clientName"}),
        ({"clientName": "   "}, {"clientName"}),
        ({"clientName": "x", "clientMembers": []}, {"clientMembers"}),
        ({"clientNam": "x", "sKey": "y"}, {"clientName", "clientNam", "sKey"}),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_a_new_client_may_not_be(core: Core, document: dict[str, Any], fields: set[str]) -> None:
    told = await core.ask("POST", "/clients", document)
    assert told.status == 400
    assert set(told.problems) == fields


@pytest_twisted.ensureDeferred
async def test_members_are_read_only(core: Core) -> None:
    told = await core.ask("PUT", "/clients/acme", {"clientMembers": [{"userId": "alice", "roles": ["owner"]}]})
    assert told.problems == {"clientMembers": "is read only: leave it out, or send its present value"}


@pytest_twisted.ensureDeferred
async def test_operators_list_all_clients(core: Core) -> None:
    told = await core.ask("GET", "/clients?all=true")
    assert [each["sKey"] for each in told.document["clients"]] == ["acme", "other"]
    first = await core.ask("GET", "/clients?all=true&limit=1")
    behind = await core.ask("GET", f"/clients?all=true&cursor={first.document['nextCursor']}")
    assert [each["sKey"] for each in behind.document["clients"]] == ["other"]
    assert [each["sKey"] for each in (await core.ask("GET", "/clients?all=false")).document["clients"]] == ["acme"]
    assert (await core.ask("GET", "/clients?all=true", token="u-bob")).status == 403
    for text, narrowed in (("u-one", {"client_id": "acme"}), ("u-less", {"role": "owner"})):
        core.add_token("alice", text, **narrowed)
        assert (await core.ask("GET", "/clients?all=true", token=text)).status == 403
        assert (await core.ask("GET", "/clients", token=text)).status == 200


@pytest_twisted.ensureDeferred
async def test_only_operators_create_clients_unless_they_are_open(core: Core) -> None:
    assert (await core.ask("POST", "/clients", {"clientName": "Mine"}, token="u-bob")).status == 403
    core._port.factory.house = evolve(core.house, open_clients=True)
    assert (await core.ask("POST", "/clients", {"clientName": "Mine"}, token="u-bob")).status == 200


@pytest_twisted.ensureDeferred
async def test_a_client_with_resources_is_deleted_by_force_only(core: Core) -> None:
    await core.make("proxies", await core.make_parts())
    told = await core.ask("DELETE", "/clients/acme")
    assert told.status == 409
    assert "1 proxies, 1 targets and 2 credentials" in told.document["message"]
    assert (await core.ask("DELETE", "/clients/acme?force=false")).status == 409
    assert (await core.ask("DELETE", "/clients/acme?force=yes")).status == 400
    assert (await core.ask("DELETE", "/clients/acme?force=true", token="u-adam")).status == 403
    assert (await core.ask("DELETE", "/clients/acme?force=true")).status == 200
    directory = core.directory
    assert (directory.proxies, directory.targets, directory.credentials) == ({}, {}, {})
    assert list(directory.clients) == ["other"]
    assert core.store.kept == {}
