"""Members of a client over HTTP.

Belongs here: …/members, and the same under …/users. Does not: becoming one (test_invites.py), taking roles
(test_escalation.py).
"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted

from rrgate.directory import Directory, Noun
from rrgate.model import Client, Member
from tests.core.doubles import Core

WHERE = "/clients/acme/members"


def member(user_id: str, *roles: str, name: str | None = None) -> dict[str, Any]:
    return {
        "pKey": "acme",
        "sKey": user_id,
        "userId": user_id,
        "clientId": "acme",
        "parentId": "acme",
        "roles": list(roles),
        "userFirstName": name,
        "userLastName": None,
        "userEmail": None,
    }


@pytest.mark.parametrize("plural", ["members", "users"])
@pytest_twisted.ensureDeferred
async def test_who_they_are(core: Core, plural: str) -> None:
    await core.ask("PUT", "/users/uma", {"userFirstName": "Uma", "userPhone": "5", "userBio": "x"}, token="u-uma")
    everybody = [member("adam", "admin"), member("alice", "owner", "admin"), member("uma", "user", name="Uma")]
    for token in ("u-alice", "u-adam", "u-uma"):
        told = await core.ask("GET", f"/clients/acme/{plural}", token=token)
        assert told.document == {plural: everybody, "message": "Success"}
    found, cursor = [], ""
    while cursor is not None:
        told = await core.ask("GET", f"/clients/acme/{plural}?limit=2{cursor and '&cursor=' + cursor}")
        found += told.document[plural]
        cursor = told.document.get("nextCursor")
    assert found == everybody


@pytest.mark.parametrize("plural", ["members", "users"])
@pytest_twisted.ensureDeferred
async def test_an_owner_changes_and_removes_them(core: Core, plural: str) -> None:
    where = f"/clients/acme/{plural}/uma"
    told = await core.ask("PUT", where, {**member("uma", "user"), "roles": ["admin", "owner", "admin"]})
    assert told.document == {plural: [member("uma", "owner", "admin")], "message": "Success"}
    assert core.directory.members["uma", "acme"] == ("owner", "admin")
    assert list(core.store.kept.values()) == [Member(user_id="uma", client_id="acme", roles=("owner", "admin"))]
    assert (await core.ask("PUT", "/clients/acme", {"clientName": "Uma's"}, token="u-uma")).status == 200
    assert (await core.ask("DELETE", where)).document == {"message": "Member deleted successfully"}
    assert (await core.ask("GET", "/clients/acme", token="u-uma")).status == 404
    assert (await core.ask("DELETE", where)).status == 404
    assert core.directory.users["uma"]


@pytest_twisted.ensureDeferred
async def test_everybody_may_leave(core: Core) -> None:
    for name in ("uma", "adam"):
        assert (await core.ask("DELETE", f"{WHERE}/{name}", token=f"u-{name}")).status == 200
        assert (await core.ask("GET", "/clients/acme", token=f"u-{name}")).status == 404


@pytest_twisted.ensureDeferred
async def test_the_last_owner_neither_leaves_nor_is_lowered(core: Core) -> None:
    for method, body in (("DELETE", None), ("PUT", {"roles": ["admin", "user"]})):
        told = await core.ask(method, f"{WHERE}/alice", body)
        assert told.status == 409
        assert list(told.problems) == ["roles"]
    assert (await core.ask("PUT", f"{WHERE}/alice", {"roles": ["owner"]})).status == 200
    assert (await core.ask("PUT", f"{WHERE}/adam", {"roles": ["owner"]})).status == 200
    assert (await core.ask("PUT", f"{WHERE}/alice", {"roles": ["user"]})).status == 200
    assert (await core.ask("DELETE", f"{WHERE}/adam", token="u-adam")).status == 409
    assert (await core.ask("DELETE", f"{WHERE}/alice", token="u-alice")).status == 200


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"roles": []}, ["roles"]),
        ({"roles": ["operator"]}, ["roles"]),
        ({"roles": "owner"}, ["roles"]),
        ({"roles": None}, ["roles"]),
        ({"roles": ["user"], "userId": "alice", "role": "owner"}, ["userId", "role"]),
        ({"userFirstName": "Mine"}, ["userFirstName"]),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_a_member_may_not_be(core: Core, body: Any, fields: list[str]) -> None:
    told = await core.ask("PUT", f"{WHERE}/uma", body)
    assert told.status == 400
    assert sorted(told.problems) == sorted(fields)
    assert core.store.kept == {}


@pytest_twisted.ensureDeferred
async def test_nobody_becomes_a_member_by_put(core: Core) -> None:
    for user_id in ("bob", "nobody"):
        assert (await core.ask("PUT", f"{WHERE}/{user_id}", {"roles": ["user"]})).status == 404
    assert ("bob", "acme") not in core.directory.members


def test_the_directory_knows_those_of_each_client() -> None:
    directory = Directory(lambda directory, proxy: pytest.fail("no proxy is used"))
    clients = [Client(id=id, user_id="u", name=id, created_at=1, updated_at=1) for id in "abc"]
    changes: list[tuple[Any, Noun]] = [
        *((directory.put, client) for client in clients[:2]),
        *((directory.put, Member(user_id=user, client_id="a", roles=("user",))) for user in "xyz"),
        *((directory.put, Member(user_id=user, client_id="b", roles=("user",))) for user in "xyz"),
        (directory.put, Member(user_id="x", client_id="a", roles=("owner",))),
        (directory.drop, Member(user_id="y", client_id="a", roles=("user",))),
        (directory.drop, Member(user_id="y", client_id="c", roles=("user",))),
        *((directory.drop, client) for client in clients[1:]),
        (directory.put, clients[1]),
        (directory.put, Member(user_id="z", client_id="b", roles=("admin",))),
    ]
    for change, noun in changes:
        change(noun)
        for client in "abc":
            these = {user: roles for (user, of), roles in directory.members.items() if of == client}
            assert dict(directory.members_of(client)) == these
    assert dict(directory.members_of("a")) == {"x": ("owner",), "z": ("user",)}
    assert dict(directory.members_of("b")) == {"z": ("admin",)}
