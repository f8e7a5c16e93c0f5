"""Users whom an invite has made and who are members of nothing any more: they stay for a while, and then go.

Belongs here: who goes, when, and what is left of him. Does not: members and invites themselves.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from twisted.internet.defer import Deferred

from rrgate.core import departed as module
from rrgate.core.departed import DAYS, MOST_DEPARTED, remove_departed
from rrgate.core.upkeep import Upkeep
from rrgate.core.user_limit import UserLimit
from rrgate.model import Member, Token, User
from rrgate.store import AsyncStore, Store, StoreError
from tests.core.doubles import Core

DAY = 86_400


async def joined(core: Core, client: str = "acme", by: str = "u-alice") -> tuple[str, str]:
    """Somebody who has become a user by an invite: his id, and his token."""
    code = (await core.make("invites", {"inviteRoles": ["user"]}, client, token=by))["inviteCode"]
    told = await core.ask("POST", "/users", {"inviteCode": code}, token=None)
    assert told.status == 200
    return told.document["users"][0]["sKey"], told.document["tokens"][0]["userToken"]


async def leave(core: Core, user: str, client: str = "acme", by: str = "u-alice") -> None:
    assert (await core.ask("DELETE", f"/clients/{client}/members/{user}", token=by)).status == 200


async def known(core: Core, token: str) -> bool:
    told = await core.ask("GET", "/users/me", token=token)
    assert told.status in (200, 401)
    return told.status == 200


async def pass_days(core: Core, days: float) -> None:
    """An hour's look at each end."""
    await remove_departed(core.house)
    core.seconds += days * DAY
    await remove_departed(core.house)


@pytest_twisted.ensureDeferred
async def test_who_has_left_his_last_client_goes_after_a_month_with_his_tokens(core: Core) -> None:
    user, token = await joined(core)
    await leave(core, user)
    await pass_days(core, DAYS - 0.01)
    assert await known(core, token)
    await pass_days(core, 0.02)
    assert not await known(core, token)
    assert user not in core.directory.users
    assert not [each for each in core.directory.token_by_hash.values() if each.user_id == user]
    assert not [each for each in core.store.kept.values() if isinstance(each, User | Token)]


@pytest_twisted.ensureDeferred
async def test_what_he_did_can_still_be_read(core: Core) -> None:
    user, token = await joined(core)
    core.directory.put_member(user, "acme", ("admin",))
    made = await core.make(
        "targets", {"targetName": "t", "targetRegion": "local", "targetBaseURL": "https://a.test"}, token=token
    )
    await leave(core, user)
    await pass_days(core, DAYS + 1)
    told = await core.ask("GET", f"/clients/acme/targets/{made['sKey']}")
    assert told.document["targets"][0]["userId"] == user
    told = await core.ask("GET", f"/clients/acme/targets/{made['sKey']}/revisions")
    assert [each["userId"] for each in told.document["revisions"]] == [user]
    told = await core.ask("GET", "/clients/acme/audit?limit=1000")
    assert user in {each["userId"] for each in told.document["audit"]}
    gone = core.store.entries[0]
    assert (gone.kind, gone.action, gone.noun_id, gone.user_id) == ("users", "delete", user, "")
    assert (gone.client_id, gone.via) == ("", "clientMembers")
    assert [each["tokenName"] for each in (gone.before or {})["tokens"]] == ["from an invite"]


async def member_of_another(core: Core, user: str, token: str) -> None:
    code = (await core.make("invites", {"inviteRoles": ["user"]}, "other", token="u-bob"))["inviteCode"]
    assert (await core.ask("POST", "/invites/accept", {"inviteCode": code}, token=token)).status == 200


async def operator(core: Core, user: str, token: str) -> None:
    core.directory.put(evolve(core.directory.users[user], operator=True))


@pytest.mark.parametrize("when", ["before", "meanwhile"])
@pytest.mark.parametrize("becomes", [member_of_another, operator])
@pytest_twisted.ensureDeferred
async def test_who_is_something_else_stays(core: Core, becomes: Any, when: str) -> None:
    user, token = await joined(core)
    if when == "before":
        await becomes(core, user, token)
    await leave(core, user)
    await remove_departed(core.house)
    if when == "meanwhile":
        await becomes(core, user, token)
    await pass_days(core, DAYS + 1)
    assert await known(core, token)


@pytest_twisted.ensureDeferred
async def test_who_comes_back_has_his_month_anew(core: Core) -> None:
    user, token = await joined(core)
    await leave(core, user)
    await pass_days(core, DAYS - 1)
    await member_of_another(core, user, token)
    await pass_days(core, 10)
    assert core.directory.users[user].departed_at is None
    await leave(core, user, "other", "u-bob")
    await pass_days(core, DAYS - 1)
    assert await known(core, token)
    await pass_days(core, 2)
    assert not await known(core, token)


@pytest_twisted.ensureDeferred
async def test_who_was_not_made_by_an_invite_stays(core: Core) -> None:
    core.add_user("eve")
    await leave(core, "uma")
    await pass_days(core, 10 * DAYS)
    assert await known(core, "u-uma")
    assert await known(core, "u-eve")


@pytest_twisted.ensureDeferred
async def test_with_a_deleted_client_its_members_have_left(core: Core) -> None:
    _, token = await joined(core)
    assert (await core.ask("DELETE", "/clients/acme?force=true")).status == 200
    await pass_days(core, DAYS - 1)
    assert await known(core, token)
    await pass_days(core, 2)
    assert not await known(core, token)
    assert await known(core, "u-alice")


@pytest_twisted.ensureDeferred
async def test_invite_accept_remove_without_end_leaves_no_more_users_than_the_bound(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_DEPARTED", 3)
    monkeypatch.setattr(module, "AT_ONCE", 2)
    other, others = await joined(core, "other", "u-bob")
    await leave(core, other, "other", "u-bob")
    came = []
    for _ in range(8):
        user, token = await joined(core)
        await leave(core, user)
        came.append(token)
        core.seconds += 1
    await remove_departed(core.house)
    assert [await known(core, token) for token in came] == [False] * 5 + [True] * 3, "those stay who came last"
    assert await known(core, others), "another client's are not displaced"
    assert MOST_DEPARTED >= 1000


@pytest_twisted.ensureDeferred
async def test_it_is_looked_once_an_hour(core: Core) -> None:
    upkeep = Upkeep(core.house, None)
    user, token = await joined(core)
    await leave(core, user)
    await upkeep.look()
    core.seconds += (DAYS + 1) * DAY
    for _ in range(59):
        await upkeep.look()
    assert await known(core, token)
    await upkeep.look()
    assert not await known(core, token)


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_written_is_tried_again(core: Core) -> None:
    user, token = await joined(core)
    await leave(core, user)
    core.store.error = StoreError("the disk is full")
    await remove_departed(core.house)
    await pass_days(core, DAYS - 1)
    assert await known(core, token)
    core.seconds += 2 * DAY
    core.store.error = StoreError("the disk is full")
    await remove_departed(core.house)
    assert await known(core, token)
    await remove_departed(core.house)
    assert not await known(core, token)
    assert not core.house.writing.locked


@pytest_twisted.ensureDeferred
async def test_who_becomes_a_member_at_the_last_moment_stays(core: Core) -> None:
    user, token = await joined(core)
    await leave(core, user)
    await remove_departed(core.house)
    core.seconds += (DAYS + 1) * DAY
    await core.house.writing.acquire()
    waiting = Deferred.fromCoroutine(remove_departed(core.house))
    core.directory.put_member(user, "acme", ("user",))
    core.house.writing.release()
    await waiting
    assert await known(core, token)


@pytest_twisted.ensureDeferred
async def test_what_is_changed_meanwhile_is_not_undone(core: Core) -> None:
    user, _ = await joined(core)
    await leave(core, user)
    await core.house.writing.acquire()
    waiting = Deferred.fromCoroutine(remove_departed(core.house))
    core.directory.put(evolve(core.directory.users[user], first_name="Eve"))
    core.house.writing.release()
    await waiting
    assert core.directory.users[user].first_name == "Eve"
    await remove_departed(core.house)
    seen = core.directory.users[user]
    assert (seen.first_name, seen.departed_at) == ("Eve", core.house.now())


@pytest_twisted.ensureDeferred
async def test_his_limit_goes_with_him(core: Core) -> None:
    limit = UserLimit(core.counters, 1)
    core._port.factory.house = house = evolve(core.house, user_limit=limit)
    core.directory.put(User(id="dan", came_to="acme", departed_at=1, created_at=1, updated_at=1))
    core.add_token("dan")
    assert [(await core.ask("GET", "/users/me", token="u-dan")).status for _ in range(2)] == [200, 429]
    assert "dan" in limit._quotas
    await remove_departed(house)
    assert "dan" not in limit._quotas
    assert not await known(core, "u-dan")


@pytest_twisted.ensureDeferred
async def test_nothing_of_it_is_published(core: Core) -> None:
    user, token = await joined(core)
    before = (await core.ask("GET", "/users/me", token=token)).document
    await leave(core, user)
    await remove_departed(core.house)
    assert core.directory.users[user].departed_at is not None
    assert (await core.ask("GET", "/users/me", token=token)).document == before


@pytest_twisted.ensureDeferred
async def test_on_disk_goes_what_is_his_alone(core: Core, tmp_path: Path) -> None:
    from twisted.internet import reactor

    data = tmp_path / "state"
    data.mkdir(mode=0o700)
    Store.create(data).close()
    store = AsyncStore.open(data, reactor)  # type: ignore[arg-type]
    house = evolve(core.house, store=store)
    user = User(id="dan", came_to="acme", departed_at=1, created_at=1, updated_at=1)
    token = Token(id="t", user_id="dan", name="t", token_hash=b"h", created_at=1)
    acme = core.directory.clients["acme"]
    alice, member = core.directory.users["alice"], Member(user_id="alice", client_id="acme", roles=("owner",))
    await store.save(alice, acme, member, user, token)
    for noun in (user, token):
        core.directory.put(noun)
    await remove_departed(house)
    await store.close()
    again = Store.open(data)
    inventory = again.load()
    assert (inventory.users, inventory.tokens, inventory.members) == ((alice,), (), (member,))
    again.close()
