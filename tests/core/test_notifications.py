"""Notifications over the Core API: whose they are, that reading marks them read, and what becomes of changes and time.

Belongs here: routes, and who is told of members, invites and what expires. Does not: rows (tests/store/), texts of
events (tests/test_notice_texts.py), who may ask (test_other_peoples_ids.py).
"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
import treq

from rrgate.core.invites import end_invites
from rrgate.core.notifications import tell_what_expires
from rrgate.core.upkeep import LOOKS_AN_HOUR, UPKEEP, Upkeep
from rrgate.model.notification import Notice, Receiver
from rrgate.model.times import format_milliseconds
from rrgate.store import StoreError
from rrgate.testing.operator_log import operator_log
from tests.core.doubles import TOWARDS, Core

PATHS: dict[Receiver, tuple[str, str]] = {
    "system": ("/notifications/system", ""),
    "user": ("/users/alice/notifications", "alice"),
    "client": ("/clients/acme/notifications", "acme"),
}
"""Where those of each kind are, and whose they are."""

each_kind = pytest.mark.parametrize("kind", PATHS)
DAY = 86_400


def tell(core: Core, kind: Receiver, *causes: str) -> None:
    receiver = PATHS[kind][1]
    core.notifier.tell(
        [Notice(type=kind, receiver_id=receiver, cause=each, title=f"T {each}", message=f"M {each}") for each in causes]
    )


async def read(core: Core, path: str, token: str = "u-alice") -> list[Any]:
    told = await core.ask("GET", path, token=token)
    assert told.status == 200, told.raw
    assert told.document["message"] == "Success"
    found: list[Any] = told.document["notifications"]
    return found


@each_kind
@pytest_twisted.ensureDeferred
async def test_as_published_and_read_once_it_is_read(core: Core, kind: Receiver) -> None:
    path, receiver = PATHS[kind]
    assert await read(core, path) == []
    tell(core, kind, "a")
    (found,) = await read(core, path)
    assert found == {
        "pKey": receiver or "SYSTEM_NOTIFICATION",
        "sKey": found["notificationId"],
        "notificationId": found["sKey"],
        "type": kind,
        "title": "T a",
        "message": "M a",
        "read": False,
        "createdAt": format_milliseconds(int(core.seconds * 1000)),
    }
    one = f"{path}/{found['sKey']}"
    # Whoever lists, or only asks whether it is there, has not read it.
    url = f"http://127.0.0.1:{core.port}{one}"
    response = await treq.head(url, headers={"Authorization": "u-alice"}, persistent=False)
    assert response.code == 200
    assert await read(core, path) == [found]
    for _ in range(2):
        assert await read(core, one) == [{**found, "read": True}]
    assert await read(core, path) == [{**found, "read": True}]


@each_kind
@pytest_twisted.ensureDeferred
async def test_those_of_others_are_not_there(core: Core, kind: Receiver) -> None:
    for other in PATHS:
        tell(core, other, "a")
    for other, (path, _) in PATHS.items():
        (found,) = await read(core, path)
        told = await core.ask("GET", f"{PATHS[kind][0]}/{found['sKey']}")
        assert told.status == (200 if other == kind else 404)
    assert (await core.ask("GET", f"{PATHS[kind][0]}/nothing")).status == 404


@pytest_twisted.ensureDeferred
async def test_each_member_reads_for_himself(core: Core) -> None:
    tell(core, "client", "a")
    (found,) = await read(core, "/clients/acme/notifications", "u-uma")
    assert await read(core, f"/clients/acme/notifications/{found['sKey']}", "u-uma") == [{**found, "read": True}]
    assert await read(core, "/clients/acme/notifications") == [found]
    assert await read(core, "/clients/other/notifications", "u-bob") == []


@pytest.mark.parametrize("token", ["u-adam", "u-uma", "u-bob"])
@pytest_twisted.ensureDeferred
async def test_system_ones_are_for_operators(core: Core, token: str) -> None:
    tell(core, "system", "a")
    (found,) = await read(core, "/notifications/system")
    for path in ("/notifications/system", f"/notifications/system/{found['sKey']}", "/notifications/system/x"):
        assert (await core.ask("GET", path, token=token)).status == 403


@each_kind
@pytest_twisted.ensureDeferred
async def test_they_are_paged(core: Core, kind: Receiver) -> None:
    path = PATHS[kind][0]
    tell(core, kind, "a", "b", "c")
    told = await core.ask("GET", f"{path}?limit=2")
    assert [each["title"] for each in told.document["notifications"]] == ["T c", "T b"]
    assert [each["title"] for each in await read(core, f"{path}?cursor={told.document['nextCursor']}")] == ["T a"]
    for bad in ("cursor=x", "limit=0"):
        told = await core.ask("GET", f"{path}?{bad}")
        assert (told.status, list(told.problems)) == (400, [bad.partition("=")[0]])


@pytest_twisted.ensureDeferred
async def test_on_a_full_disk_it_can_be_read_and_is_not_marked(core: Core) -> None:
    tell(core, "client", "a")
    (found,) = await read(core, "/clients/acme/notifications")
    core.store.error = StoreError("the disk is full")
    with operator_log() as log:
        assert await read(core, f"/clients/acme/notifications/{found['sKey']}") == [found]
    assert "could not be marked as read" in log.text
    assert await read(core, f"/clients/acme/notifications/{found['sKey']}") == [{**found, "read": True}]


@pytest_twisted.ensureDeferred
async def test_what_expires_is_told_twice_and_no_more(core: Core) -> None:
    until = core.seconds + 30 * DAY
    await core.make("credentials", {**TOWARDS, "credentialExpiresAt": format_milliseconds(int(until * 1000))})
    seen = []
    for left in (8, 7, 6.9, 2, 1, 0.5, 0, -1):
        core.seconds = until - left * DAY
        for _ in range(2):
            tell_what_expires(core.house)
        seen.append(len(await read(core, "/clients/acme/notifications")))
    assert seen == [0, 1, 1, 1, 2, 2, 2, 2]


@pytest_twisted.ensureDeferred
async def test_it_is_looked_for_once_an_hour(core: Core) -> None:
    upkeep = Upkeep(core.house, None)
    made = await core.make("credentials", TOWARDS)
    until = format_milliseconds(int((core.seconds + DAY) * 1000))
    for look in range(LOOKS_AN_HOUR + 1):
        await upkeep.look()
        if look == 0:
            await core.ask("PUT", f"/clients/acme/credentials/{made['sKey']}", {"credentialExpiresAt": until})
        assert len(await read(core, "/clients/acme/notifications")) == (1 if look == LOOKS_AN_HOUR else 0)
        core.seconds += UPKEEP


async def texts(core: Core, path: str, token: str = "u-alice") -> list[tuple[str, str]]:
    return [(each["title"], each["message"]) for each in await read(core, path, token)]


@pytest_twisted.ensureDeferred
async def test_members_are_told_and_so_is_their_client(core: Core) -> None:
    uma = "/clients/acme/members/uma"
    for roles in (["admin"], ["admin"], ["user", "admin"], ["admin"]):
        assert (await core.ask("PUT", uma, {"roles": roles})).status == 200
    # Within an hour the same again is told once.
    assert await texts(core, "/users/uma/notifications", "u-uma") == [
        ("Your roles were changed", 'In the client "Acme" (acme) you are now: admin, user.'),
        ("Your roles were changed", 'In the client "Acme" (acme) you are now: admin.'),
    ]
    assert (await core.ask("DELETE", uma)).status == 200
    gone = ("You are no member any more", 'You are no member of the client "Acme" (acme) any more.')
    assert (await texts(core, "/users/uma/notifications", "u-uma"))[0] == gone
    assert [title for title, _ in await texts(core, "/clients/acme/notifications")] == [
        "A member has gone",
        *["A member's roles were changed"] * 2,
    ]
    assert await texts(core, "/users/alice/notifications") == []


@pytest.mark.parametrize(
    ("how", "title"),
    [
        ("accept", "Your invite was accepted"),
        ("join", "Your invite was accepted"),
        ("decline", "Your invite was declined"),
        ("expire", "Your invite has expired"),
        ("guess", "Your invite was ended"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_who_invites_is_told_what_became_of_it(core: Core, how: str, title: str) -> None:
    words = "Click https://evil.test"
    invite = await core.make("invites", {"inviteRoles": ["user"], "inviteEmail": words}, token="u-adam")
    invited = 'The user adam has invited somebody to the client "Acme" (acme) as user.'
    assert await texts(core, "/clients/acme/notifications") == [("Somebody was invited", invited)]
    code = invite["inviteCode"]
    match how:
        case "accept":
            told = await core.ask("POST", "/invites/accept", {"inviteCode": code}, token="u-bob")
        case "join":
            told = await core.ask("POST", "/users", {"inviteCode": code, "userFirstName": words}, token=None)
        case "decline":
            told = await core.ask("POST", "/invites/decline", {"inviteCode": code}, token=None)
        case "expire":
            core.seconds += 7 * DAY
            await end_invites(core.house)
        case _:
            for _ in range(10):
                told = await core.ask("POST", "/invites/decline", {"inviteCode": f"{code[:-2]}xx"}, token=None)
                core.seconds += 60
            assert told.status == 404
    (found,) = await texts(core, "/users/adam/notifications", "u-adam")
    assert found[0] == title
    assert found[1].startswith(f'Your invite {invite["sKey"]} to the client "Acme" (acme) ')
    of_client = await texts(core, "/clients/acme/notifications")
    assert [each[0] for each in of_client[:-1]] == ["A new member"] * (how in ("accept", "join"))
    assert "evil" not in repr(of_client)
    if how == "accept":
        joined = ("You are a member", 'You have become a member of the client "Acme" (acme): user.')
        assert await texts(core, "/users/bob/notifications", "u-bob") == [joined]


@pytest_twisted.ensureDeferred
async def test_with_a_client_its_members_are_told(core: Core) -> None:
    assert (await core.ask("DELETE", "/clients/acme?force=true")).status == 200
    for name in ("alice", "adam", "uma"):
        ((title, message),) = await texts(core, f"/users/{name}/notifications", f"u-{name}")
        assert title == "A client was deleted"
        assert '"Acme" (acme)' in message
    assert await texts(core, "/users/bob/notifications", "u-bob") == []


@pytest_twisted.ensureDeferred
async def test_of_a_change_that_fails_nobody_is_told(core: Core) -> None:
    core.store.error = StoreError("the disk is full")
    assert (await core.ask("PUT", "/clients/acme/members/uma", {"roles": ["admin"]})).status == 500
    assert await texts(core, "/users/uma/notifications", "u-uma") == []
    assert await texts(core, "/clients/acme/notifications") == []
