"""How much one tenant may have: 409 for who would create more, and nothing else is refused.

Belongs here: bounds on nouns of a client, its members, and the clients of a user. Does not: counting
(tests/test_belonging.py), bounds below one noun, such as rules of a proxy (test_rules.py and its like).
"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from attrs import evolve

from rrgate.core import clients, invites
from tests.core.doubles import CALLER, Core


def with_room(core: Core, most: int) -> None:
    core._port.factory.house = evolve(core.house, resources_per_client=most)


async def kinds_of(core: Core) -> dict[str, tuple[str, dict[str, Any]]]:
    """By kind, where one is created and from what; there are a proxy and its parts."""
    parts = await core.make_parts()
    proxy = await core.make("proxies", parts)
    below = f"proxies/{proxy['sKey']}"
    return {
        "credentials": ("credentials", CALLER),
        "targets": ("targets", {"targetName": "T", "targetRegion": "us-east-1", "targetBaseURL": "https://t.example"}),
        "proxies": ("proxies", parts),
        "rules": (f"{below}/rules", {"effect": "deny"}),
        "filters": (f"{below}/filters", {"effect": "destroy", "jsonPaths": ["$..password"]}),
        "meters": (f"{below}/meters", {"meterName": "all", "meterType": "request_count"}),
    }


@pytest_twisted.ensureDeferred
async def test_the_bound_is_on_all_kinds_together(core: Core) -> None:
    kinds = await kinds_of(core)
    made = core.directory.census.of("acme")
    assert made == 4  # two credentials, a target and a proxy
    for kind in ("rules", "filters", "meters"):
        where, document = kinds[kind]
        told = await core.ask("POST", f"/clients/acme/{where}", document)
        assert told.status == 200, told.raw
    with_room(core, 7)
    for kind, (where, document) in kinds.items():
        told = await core.ask("POST", f"/clients/acme/{where}", document)
        assert (told.status, list(told.problems)) == (409, [kind]), told.raw
        assert "this client has 7 credentials, targets, proxies, rules, filters and meters" in told.document["message"]
    assert core.directory.census.of("acme") == 7

    # What is not right is told before; changes are made; another client has its own.
    assert (await core.ask("POST", "/clients/acme/credentials", {})).status == 400
    proxy = kinds["rules"][0].split("/")[1]
    changed = await core.ask("PUT", f"/clients/acme/proxies/{proxy}", {"proxyName": "Changed"})
    assert changed.status == 200, changed.raw
    assert (await core.ask("POST", "/clients/other/credentials", CALLER, token="u-bob")).status == 200
    with_room(core, 3)
    assert (await core.ask("PUT", f"/clients/acme/proxies/{proxy}", {"proxyName": "Again"})).status == 200

    # What goes makes room, and what belongs to it.
    with_room(core, 7)
    assert (await core.ask("DELETE", f"/clients/acme/proxies/{proxy}")).status == 200
    assert core.directory.census.of("acme") == 3
    parts = kinds["proxies"][1]
    for place in (f"credentials/{parts['proxyTargetCredentialId']}", f"targets/{parts['proxyTargetId']}"):
        assert (await core.ask("POST", f"/clients/acme/{place}/rules", {"effect": "deny"})).status == 200
        assert (await core.ask("DELETE", f"/clients/acme/{place}")).status == 200
    assert core.directory.census.of("acme") == 1
    for status in (200, 200, 200, 200, 200, 200, 409):
        assert (await core.ask("POST", "/clients/acme/credentials", CALLER)).status == status


@pytest_twisted.ensureDeferred
async def test_members_are_bounded_with_those_that_are_invited(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    members = len(core.directory.members_of("acme"))
    monkeypatch.setattr(invites, "MOST_MEMBERS", members + 2)
    for status in (200, 200, 409):
        told = await core.ask("POST", "/clients/acme/invites", {"inviteRoles": ["user"]})
        assert told.status == status
    assert f"{members + 2} members and open invites" in told.document["message"]


@pytest_twisted.ensureDeferred
async def test_clients_of_users_that_are_no_operators(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    core._port.factory.house = evolve(core.house, open_clients=True)
    had = sum(client.user_id == "bob" for client in core.directory.clients.values())
    monkeypatch.setattr(clients, "MOST_CLIENTS", had + 1)
    for status in (200, 409):
        told = await core.ask("POST", "/clients", {"clientName": "Mine"}, token="u-bob")
        assert told.status == status
    assert list(told.problems) == ["clients"]
    for _ in range(had + 3):
        assert (await core.ask("POST", "/clients", {"clientName": "Ours"})).status == 200
