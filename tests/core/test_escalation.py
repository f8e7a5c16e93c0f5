"""Nobody comes to more than he has: every route that takes roles, users or members, tried by whoever has too little.

Belongs here: taking and granting roles. Does not: other people's ids (test_other_peoples_ids.py).
"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from attrs import evolve

from rrgate.core.table import ROUTES
from rrgate.model import Client, Invite, Member, Token, User
from tests.core.doubles import Core

TAKES_ROLES = {
    f"{route.method} {route.template}"
    for route in ROUTES
    if route.method in ("POST", "PUT") and route.noun in (Client, Invite, Member, Token, User)
} | {"POST /invites/accept"}

ROLES = ("owner", "admin", "user")
HELD = {"u-alice": "owner", "u-adam": "admin", "u-uma": "user", "u-alice-as-admin": "admin", "u-alice-as-user": "user"}


async def peopled(core: Core) -> None:
    core.directory.put(evolve(core.directory.users["alice"], operator=False))
    core.add_token("alice", "u-alice-as-admin", role="admin")
    core.add_token("alice", "u-alice-as-user", role="user")


def everything(core: Core) -> Any:
    """Who is what."""
    directory = core.directory
    return dict(directory.members), dict(directory.users), dict(directory.token_by_hash), dict(core.store.kept)


TRIED = {
    "POST /clients": ["u-alice", "u-adam", "u-uma", "u-bob"],
    "PUT /clients/{clientId}": ["u-adam", "u-uma", "u-alice-as-admin"],
    "PUT /clients/{clientId}/members/{userId}": ["u-adam", "u-uma", "u-alice-as-admin", "u-alice-as-user"],
    "PUT /clients/{clientId}/users/{userId}": ["u-adam", "u-uma", "u-alice-as-admin", "u-alice-as-user"],
    "POST /clients/{clientId}/invites": list(HELD),
    "POST /invites/accept": ["u-alice-as-admin", "u-alice-as-user"],
    "POST /users": ["u-bob"],
    "PUT /users/{userId}": ["u-alice", "u-adam", "u-alice-as-user"],
    "POST /users/{userId}/tokens": ["u-alice-as-admin", "u-alice-as-user"],
}


def test_every_route_that_takes_roles_is_tried() -> None:
    assert set(TRIED) == TAKES_ROLES


@pytest.mark.parametrize("template", ["members", "users"])
@pytest_twisted.ensureDeferred
async def test_changing_members(core: Core, template: str) -> None:
    await peopled(core)
    before = everything(core)
    for token in TRIED[f"PUT /clients/{{clientId}}/{template}/{{userId}}"]:
        for user_id in ("uma", "adam", "alice", "bob"):
            for role in ROLES:
                told = await core.ask("PUT", f"/clients/acme/{template}/{user_id}", {"roles": [role]}, token=token)
                assert told.status == 403, (token, user_id, role)
    assert everything(core) == before


@pytest_twisted.ensureDeferred
async def test_inviting(core: Core) -> None:
    await peopled(core)
    for token, held in HELD.items():
        for role in ROLES:
            before = everything(core)
            told = await core.ask("POST", "/clients/acme/invites", {"inviteRoles": ["user", role]}, token=token)
            may = held != "user" and ROLES.index(role) >= ROLES.index(held)
            assert told.status == (200 if may else 403), (token, role)
            if not may:
                assert everything(core) == before
            if held == "admin" and role == "owner":
                assert told.problems == {"inviteRoles": "goes beyond your own role, which is admin"}


@pytest_twisted.ensureDeferred
async def test_an_invite_goes_with_the_roles_of_who_made_it(core: Core) -> None:
    await peopled(core)
    invite = await core.make("invites", {"inviteRoles": ["user"]}, token="u-adam")
    core.directory.put_member("adam", "acme", ("user",))
    body = {"inviteCode": invite["inviteCode"]}
    assert (await core.ask("POST", "/invites/accept", body, token="u-bob")).status == 404
    core.directory.put_member("adam", "acme", ("admin",))
    invite = await core.make("invites", {"inviteRoles": ["admin"]}, token="u-adam")
    # He is put out, and comes back by another account.
    assert (await core.ask("DELETE", "/clients/acme/members/adam")).status == 200
    body = {"inviteCode": invite["inviteCode"]}
    assert (await core.ask("POST", "/invites/accept", body, token="u-adam")).status == 404
    assert (await core.ask("POST", "/users", body, token=None)).status == 404
    owners = await core.make("invites", {"inviteRoles": ["owner"]})
    core.directory.put_member("uma", "acme", ("owner",))
    assert (await core.ask("PUT", "/clients/acme/members/alice", {"roles": ["admin"]}, token="u-uma")).status == 200
    body = {"inviteCode": owners["inviteCode"]}
    assert (await core.ask("POST", "/invites/accept", body, token="u-bob")).status == 404


@pytest_twisted.ensureDeferred
async def test_fields_that_are_not_ones_own(core: Core) -> None:
    await peopled(core)
    invite = await core.make("invites", {"inviteRoles": ["user"]})
    code = {"inviteCode": invite["inviteCode"]}
    before = everything(core)
    members = {"clientMembers": [{"userId": "uma", "roles": ["owner"]}]}
    for method, where, body, token in (
        ("PUT", "/clients/acme", members, "u-alice"),
        ("PUT", "/clients/acme", {"userId": "uma"}, "u-alice"),
        ("PUT", "/clients/acme", {"configuration": {"plan": "team"}}, "u-alice"),
        ("PUT", "/clients/acme/members/uma", {"userId": "bob", "roles": ["user"]}, "u-alice"),
        ("PUT", "/clients/acme/members/uma", {"clientId": "other", "roles": ["user"]}, "u-alice"),
        ("POST", "/clients/acme/invites", {"inviteRoles": ["user"], "inviteTries": -100}, "u-alice"),
        *(("PUT", f"/users/{name}", {"userOperator": True}, f"u-{name}") for name in ("alice", "adam", "uma")),
        ("PUT", "/users/uma", {"roles": ["owner"]}, "u-uma"),
        ("POST", "/users", {**code, "userOperator": True}, None),
        ("POST", "/users", {**code, "inviteRoles": ["owner"]}, None),
        ("POST", "/users", {**code, "sKey": "alice"}, None),
        ("POST", "/invites/accept", {**code, "roles": ["owner"]}, "u-bob"),
        ("POST", "/users/uma/tokens", {"tokenName": "x", "userOperator": True}, "u-uma"),
    ):
        told = await core.ask(method, where, body, token=token)
        assert told.status == 400, (where, body, told.raw)
    core.house.directory.put(evolve(core.directory.users["alice"], operator=True))
    assert (await core.ask("POST", "/clients", {"clientName": "x", **members})).status == 400
    core.house.directory.put(evolve(core.directory.users["alice"], operator=False))
    for token in TRIED["POST /clients"]:
        assert (await core.ask("POST", "/clients", {"clientName": "x"}, token=token)).status == 403
    assert everything(core) == before
    # What is ignored in a POST decides nothing.
    told = await core.ask("POST", "/users", {**code, "userId": "alice", "clientId": "other"}, token=None)
    (member,) = told.document["members"]
    assert member["clientId"] == "acme"
    assert member["userId"] != "alice"
    told = await core.ask("POST", "/users/uma/tokens", {"tokenName": "x", "userId": "alice"}, token="u-uma")
    text = told.document["tokens"][0]["userToken"]
    assert (await core.ask("GET", "/users/me", token=text)).document["users"][0]["sKey"] == "uma"


@pytest_twisted.ensureDeferred
async def test_a_narrowed_token_widens_nothing(core: Core) -> None:
    await peopled(core)
    core.add_token("bob", "u-bob-as-owner", role="owner")
    invite = await core.make("invites", {"inviteRoles": ["owner"]})
    before = everything(core)
    for token, name in (("u-alice-as-admin", "alice"), ("u-alice-as-user", "alice"), ("u-bob-as-owner", "bob")):
        for method, where, body in (
            ("POST", f"/users/{name}/tokens", {"tokenName": "x"}),
            ("POST", f"/users/{name}/tokens", {"tokenName": "x", "tokenRole": "user"}),
            ("DELETE", f"/users/{name}/tokens/t-{name}", None),
            ("PUT", f"/users/{name}", {"userFirstName": "x"}),
            ("POST", "/invites/accept", {"inviteCode": invite["inviteCode"]}),
            ("POST", "/clients", {"clientName": "x"}),
        ):
            assert (await core.ask(method, where, body, token=token)).status == 403, (token, method, where)
    assert (await core.ask("DELETE", "/clients/acme/members/alice", token="u-alice-as-user")).status == 403
    assert everything(core) == before
