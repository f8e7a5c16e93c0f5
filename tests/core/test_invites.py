"""Invites over HTTP: their codes work once, for a time and a number of tries, and give no more than was meant.

Belongs here: …/invites, /invites/accept, /invites/decline, POST /users. Does not: who invites with which roles
(test_escalation.py).
"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted

from rrgate.core.attempts import MOST
from rrgate.core.invites import MOST_INVITES, end_invites
from rrgate.model import Invite
from rrgate.model.invite import MOST_TRIES
from rrgate.store import StoreError
from tests.core.doubles import Core, Told

WHERE = "/clients/acme/invites"
DAY = 86_400


async def invited(core: Core, *roles: str, token: str = "u-alice", **about: Any) -> Any:
    return await core.make("invites", {"inviteRoles": roles or ["user"], **about}, token=token)


async def accept(core: Core, code: object, token: str = "u-bob") -> Told:
    return await core.ask("POST", "/invites/accept", {"inviteCode": code}, token=token)


@pytest_twisted.ensureDeferred
async def test_what_an_invite_is(core: Core) -> None:
    invite = await invited(core, "user", "admin", inviteEmail="bob@example.com")
    code = invite.pop("inviteCode")
    assert code.startswith("i-")
    assert len(code.partition(".")[2]) == 22  # 128 bits
    assert invite == {
        "pKey": "acme",
        "sKey": invite["sKey"],
        "userId": "alice",
        "clientId": "acme",
        "parentId": "acme",
        "inviteEmail": "bob@example.com",
        "inviteRoles": ["admin", "user"],
        "inviteTries": 0,
        "inviteExpiresAt": "2025-12-19T05:26:57.621Z",
        "inviteCreatedAt": "2025-12-12T05:26:57.621Z",
        "inviteUpdatedAt": "2025-12-12T05:26:57.621Z",
    }
    told = await core.ask("GET", WHERE, token="u-uma")
    assert told.document == {"invites": [invite], "message": "Success"}
    for part in code[2:].split("."):
        assert part.encode() not in told.raw
        assert part not in repr([entry.published() for entry in core.store.entries])
    assert code not in repr(core.store.kept)


@pytest_twisted.ensureDeferred
async def test_it_is_accepted_once(core: Core) -> None:
    invite = await invited(core, "admin")
    told = await accept(core, invite["inviteCode"])
    assert told.status == 200
    assert [(each["userId"], each["roles"]) for each in told.document["members"]] == [("bob", ["admin"])]
    assert core.directory.members["bob", "acme"] == ("admin",)
    assert not any(isinstance(each, Invite) for each in core.store.kept.values())
    made, gone = core.store.entries[1], core.store.entries[0]
    assert [(each.kind, each.action, each.user_id, each.via) for each in (made, gone)] == [
        ("members", "create", "bob", "POST /invites/accept"),
        ("invites", "delete", "bob", "POST /invites/accept"),
    ]
    for token in ("u-bob", "u-uma"):
        assert (await accept(core, invite["inviteCode"], token)).status == 404
    assert core.directory.members["uma", "acme"] == ("user",)


@pytest_twisted.ensureDeferred
async def test_roles_are_added_and_never_taken(core: Core) -> None:
    for token, before, expected in (
        ("u-alice", ("owner", "admin"), ("owner", "admin", "user")),
        ("u-uma", ("user",), ("user",)),
    ):
        invite = await invited(core, "user")
        assert (await accept(core, invite["inviteCode"], token)).status == 200
        assert core.directory.members[token[2:], "acme"] == expected
        assert set(before) <= set(expected)


@pytest_twisted.ensureDeferred
async def test_it_is_declined(core: Core) -> None:
    invite = await invited(core)
    told = await core.ask("POST", "/invites/decline", {"inviteCode": invite["inviteCode"]}, token=None)
    assert told.document == {"message": "Invite declined successfully"}
    (entry, *_) = core.store.entries
    assert (entry.kind, entry.action, entry.user_id, entry.via) == ("invites", "delete", "", "POST /invites/decline")
    assert (await accept(core, invite["inviteCode"])).status == 404


@pytest_twisted.ensureDeferred
async def test_a_person_without_an_account_gets_one(core: Core) -> None:
    invite = await invited(core, "admin")
    body = {"inviteCode": invite["inviteCode"], "userFirstName": "Eve", "userEmail": "eve@example.com"}
    told = await core.ask("POST", "/users", body, token=None)
    assert told.status == 200
    (user,), (token,), (member,) = (told.document[kind] for kind in ("users", "tokens", "members"))
    text = token["userToken"]
    assert (user["userFirstName"], user["userOperator"]) == ("Eve", False)
    assert (member["userId"], member["clientId"], member["roles"]) == (user["sKey"], "acme", ["admin"])
    told = await core.ask("GET", "/users/me", token=text)
    assert told.document["users"] == [user]
    told = await core.ask("GET", "/clients", token=text)
    assert [each["sKey"] for each in told.document["clients"]] == ["acme"]
    assert (await core.ask("POST", "/users", body, token=None)).status == 404
    entries = core.store.entries[:4]
    assert sorted((each.kind, each.action) for each in entries) == [
        ("invites", "delete"), ("members", "create"), ("tokens", "create"), ("users", "create"),
    ]
    assert {(each.user_id, each.token_id) for each in entries} == {(user["sKey"], token["sKey"])}
    assert text not in repr(core.store.kept) + repr(core.store.entries)


@pytest_twisted.ensureDeferred
async def test_what_is_not_kept_has_not_happened(core: Core) -> None:
    invite = await invited(core)
    core.store.error = StoreError("the disk is full")
    assert (await accept(core, invite["inviteCode"])).status == 500
    assert ("bob", "acme") not in core.directory.members
    assert (await accept(core, invite["inviteCode"])).status == 200


@pytest_twisted.ensureDeferred
async def test_every_reason_looks_the_same(core: Core) -> None:
    codes = {}
    for reason in ("over", "taken back", "accepted", "declined", "of one who may no more", "wrong"):
        codes[reason] = await invited(core, "admin", token="u-adam")
    await core.ask("DELETE", f"{WHERE}/{codes['taken back']['sKey']}")
    await accept(core, codes["accepted"]["inviteCode"], "u-uma")
    await core.ask("POST", "/invites/decline", {"inviteCode": codes["declined"]["inviteCode"]}, token=None)
    await core.ask("PUT", "/clients/acme/members/adam", {"roles": ["user"]})
    shown = {reason: each["inviteCode"] for reason, each in codes.items()}
    shown["wrong"] = shown["wrong"][:-1]
    shown |= {"none": "i-nothing.has-this", "of another form": "x", "empty": ""}
    answers = set()
    for reason, code in shown.items():
        if reason == "over":
            continue
        told = await accept(core, code)
        assert told.status == 404, reason
        answers.add(told.raw)
    core.directory.put_member("adam", "acme", ("admin",))
    core.seconds += 7 * DAY
    answers.add((await accept(core, shown["over"])).raw)
    for where, body in (("/users", {"userFirstName": "x"}), ("/invites/decline", {})):
        told = await core.ask("POST", where, {**body, "inviteCode": shown["over"]}, token=None)
        answers.add(told.raw)
    assert len(answers) == 1
    assert ("bob", "acme") not in core.directory.members


@pytest_twisted.ensureDeferred
async def test_ten_wrong_codes_end_it(core: Core) -> None:
    invite = await invited(core)
    wrong = invite["inviteCode"][:-1]
    for _ in range(MOST_TRIES - 1):
        assert (await accept(core, wrong)).status == 404
    (shown,) = (await core.ask("GET", WHERE)).document["invites"]
    assert shown["inviteTries"] == MOST_TRIES - 1
    assert core.store.kept[Invite, shown["sKey"]].tries == MOST_TRIES - 1
    assert (await accept(core, wrong)).status == 404
    assert (await core.ask("GET", WHERE)).document["invites"] == []
    (entry, *_) = core.store.entries
    assert (entry.kind, entry.action, entry.user_id, entry.via) == ("invites", "delete", "", "inviteTries")
    assert (await accept(core, invite["inviteCode"])).status == 404


@pytest_twisted.ensureDeferred
async def test_wrong_codes_are_limited_by_address(core: Core) -> None:
    invite = await invited(core)
    for number in range(MOST):
        where = ("/invites/accept", "/invites/decline", "/users")[number % 3]
        assert (await core.ask("POST", where, {"inviteCode": f"i-{number}.x"}, token="u-bob")).status == 404
    for where in ("/invites/accept", "/invites/decline", "/users"):
        told = await core.ask("POST", where, {"inviteCode": invite["inviteCode"]}, token="u-bob")
        assert told.status == 429, where
    core.seconds += 60
    assert (await accept(core, invite["inviteCode"])).status == 200


@pytest.mark.parametrize(
    ("where", "body", "fields"),
    [
        (WHERE, {}, ["inviteRoles"]),
        (WHERE, {"inviteRoles": [], "inviteEmail": 5}, ["inviteRoles", "inviteEmail"]),
        (WHERE, {"inviteRoles": ["operator"], "inviteTries": 0}, ["inviteRoles", "inviteTries"]),
        (WHERE, {"inviteRoles": ["user"], "inviteCode": "i-mine.x"}, ["inviteCode"]),
        (WHERE, {"inviteRoles": ["user"], "inviteExpiresAt": "2099-01-01T00:00:00Z"}, ["inviteExpiresAt"]),
        ("/invites/accept", {}, ["inviteCode"]),
        ("/invites/accept", {"inviteCode": 5, "roles": ["owner"]}, ["inviteCode", "roles"]),
        ("/invites/accept", {"inviteCode": "x" * 201}, ["inviteCode"]),
        ("/invites/decline", {"inviteCode": None}, ["inviteCode"]),
        ("/users", {"userFirstName": "", "userOperator": True}, ["inviteCode", "userFirstName", "userOperator"]),
        ("/users", {"inviteCode": "x", "roles": ["owner"]}, ["roles"]),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_may_not_be_said(core: Core, where: str, body: Any, fields: list[str]) -> None:
    told = await core.ask("POST", where, body)
    assert told.status == 400
    assert sorted(told.problems) == sorted(fields)
    assert core.store.kept == {}


@pytest_twisted.ensureDeferred
async def test_what_is_over_goes(core: Core) -> None:
    await invited(core)
    core.seconds += DAY
    later = await invited(core)
    core.seconds += 6 * DAY
    (shown,) = (await core.ask("GET", WHERE)).document["invites"]
    assert shown["sKey"] == later["sKey"]
    core.store.error = StoreError("the disk is full")
    await end_invites(core.house)
    assert len(core.directory.invites) == 2
    await end_invites(core.house)
    assert list(core.directory.invites) == [later["sKey"]]
    (entry, *_) = core.store.entries
    assert (entry.kind, entry.action, entry.user_id, entry.via) == ("invites", "delete", "", "inviteExpiresAt")


@pytest_twisted.ensureDeferred
async def test_there_is_a_most_and_they_go_with_their_client(core: Core) -> None:
    for _ in range(MOST_INVITES):
        await invited(core)
    told = await core.ask("POST", WHERE, {"inviteRoles": ["user"]})
    assert told.status == 409
    kept, acme = dict(core.directory.invites), core.directory.clients["acme"]
    assert (await core.ask("DELETE", "/clients/acme")).status == 200
    assert core.directory.invites == {}
    # Whoever drops a client alone drops them, too.
    for invite in kept.values():
        core.directory.put(invite)
    core.directory.drop(core.directory.clients["other"])
    assert core.directory.invites == kept
    core.directory.drop(acme)
    assert core.directory.invites == {}
