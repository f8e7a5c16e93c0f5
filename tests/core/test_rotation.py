"""Replacing secrets over HTTP: what a PUT may say of the old one, what is kept of it, and when that is gone.

Belongs here: `credentialSecret` and `credentialPreviousSecretExpiresAt`. Does not: requests (tests/gateway).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve

from rrgate.core.rotation import end_overlaps
from rrgate.model import Credential
from rrgate.model.times import format_milliseconds
from tests.core.doubles import CALLER, NOW, SECRET, TOWARDS, Core

PATH = "/clients/acme/credentials"
UNTIL = "credentialPreviousSecretExpiresAt"
DAY = 86_400


def at(seconds: float) -> str:
    """A time so many seconds from the beginning of each test."""
    return format_milliseconds(int((NOW + seconds) * 1000))


class Rotating:
    """A caller's credential and what was kept of it."""

    def __init__(self, core: Core, made: Any) -> None:
        self.core = core
        self.id: str = made["sKey"]

    async def put(self, **changes: Any) -> Any:
        return await self.core.ask("PUT", f"{PATH}/{self.id}", changes)

    async def rotate(self, value: str, **more: Any) -> Any:
        told = await self.put(credentialSecret={"key": "X-API-Key", "value": value}, **more)
        assert told.status == 200, told.raw
        return told.document["credentials"][0]

    @property
    def kept(self) -> Credential:
        return self.core.directory.credentials[self.id]

    def _value(self, row: str, sealed: bytes | None) -> str | None:
        if sealed is None:
            return None
        return str(json.loads(self.core.store.secrets.opened("acme", row, sealed))["value"])

    @property
    def secrets(self) -> tuple[str | None, str | None]:
        """(present, previous), as they lie in the store."""
        kept = self.core.store.kept[Credential, self.id]
        assert kept == self.kept
        return (
            self._value(f"credentials/{self.id}", kept.sealed_secret),
            self._value(f"credentials/{self.id}/previous", kept.previous_sealed_secret),
        )


async def made(core: Core) -> Rotating:
    return Rotating(core, await core.make("credentials", CALLER))


@pytest_twisted.ensureDeferred
async def test_the_old_secret_is_kept_for_as_long_as_was_said(core: Core) -> None:
    one = await made(core)
    changed = await one.rotate("second", **{UNTIL: at(60)})
    assert changed[UNTIL] == at(60)
    assert one.secrets == ("second", SECRET)
    assert (one.kept.secret_version, one.kept.previous_secret_version) == (2, 1)
    before = one.kept.before
    assert before is not None
    assert (before.secret_version, before.before) == (1, None)
    assert SECRET not in repr(one.kept)
    # Other changes leave it alone.
    assert (await one.put(credentialName="New")).status == 200
    assert (await one.put(**changed)).status == 200
    assert one.secrets == ("second", SECRET)
    assert one.kept.secret_version == 2


@pytest_twisted.ensureDeferred
async def test_a_second_rotation_keeps_only_the_secret_before_it(core: Core) -> None:
    one = await made(core)
    await one.rotate("second", **{UNTIL: at(60)})
    await one.rotate("third", **{UNTIL: at(90)})
    assert one.secrets == ("third", "second")
    assert (one.kept.secret_version, one.kept.previous_secret_version) == (3, 2)


@pytest.mark.parametrize("more", [{}, {UNTIL: None}])
@pytest_twisted.ensureDeferred
async def test_a_new_secret_alone_ends_whatever_worked(core: Core, more: dict[str, None]) -> None:
    one = await made(core)
    assert (await one.rotate("second", **more))[UNTIL] is None
    assert one.secrets == ("second", None)
    await one.rotate("third", **{UNTIL: at(60)})
    await one.rotate("fourth", **more)
    assert one.secrets == ("fourth", None)
    assert one.kept.previous_secret_version is None


@pytest_twisted.ensureDeferred
async def test_null_ends_the_overlap_and_another_time_moves_its_end(core: Core) -> None:
    one = await made(core)
    await one.rotate("second", **{UNTIL: at(60)})
    for until in (at(5), at(30 * DAY)):
        assert (await one.put(**{UNTIL: until})).document["credentials"][0][UNTIL] == until
        assert one.secrets == ("second", SECRET)
    assert one.kept.secret_version == 2
    assert (await one.put(**{UNTIL: None})).document["credentials"][0][UNTIL] is None
    assert one.secrets == ("second", None)
    assert (await one.put(**{UNTIL: None})).status == 200
    assert (await one.put(**{UNTIL: at(5)})).status == 400


@pytest_twisted.ensureDeferred
async def test_a_rotation_that_is_repeated_does_not_end_its_own_overlap(core: Core) -> None:
    one = await made(core)
    for _ in range(3):
        await one.rotate("second", **{UNTIL: at(60)})
        assert one.secrets == ("second", SECRET)
        assert one.kept.previous_secret_version == 1
    await one.rotate("second")
    assert one.secrets == ("second", None)
    told = await one.put(credentialSecret={"key": "X-API-Key", "value": "second"}, **{UNTIL: at(60)})
    assert told.problems == {UNTIL: "has nothing to keep: this credentialSecret is the present one"}


@pytest.mark.parametrize("until", [at(0), at(-1), at(30 * DAY + 1), "1970-01-01", "9999-12-31"])
@pytest.mark.parametrize("overlaps", [False, True])
@pytest_twisted.ensureDeferred
async def test_times_that_are_past_or_far(core: Core, until: str, overlaps: bool) -> None:
    one = await made(core)
    if overlaps:
        await one.rotate("second", **{UNTIL: at(60)})
        assert (await one.put(**{UNTIL: until})).problems == {UNTIL: "must lie ahead, by at most 30 days"}
    before = one.kept
    told = await one.put(credentialSecret={"key": "X-API-Key", "value": "third"}, **{UNTIL: until})
    assert told.problems == {UNTIL: "must lie ahead, by at most 30 days"}
    assert one.kept is before


@pytest_twisted.ensureDeferred
async def test_whose_previous_secret_there_is_none_of(core: Core) -> None:
    told = await core.ask("POST", PATH, {**CALLER, UNTIL: at(60)})
    assert told.problems == {UNTIL: "is for PUT: a new credential has no previous secret"}
    assert (await core.ask("POST", PATH, {**CALLER, UNTIL: None})).status == 200
    one = await made(core)
    assert "takes a new credentialSecret" in (await one.put(**{UNTIL: at(60)})).problems[UNTIL]
    towards = Rotating(core, await core.make("credentials", TOWARDS))
    told = await towards.put(credentialSecret={"token": "new"}, **{UNTIL: at(60)})
    assert "that callers show" in told.problems[UNTIL]
    # With all that is wrong, at once.
    told = await one.put(credentialSecret={"value": "x"}, **{UNTIL: at(-1)})
    assert set(told.problems) == {"credentialSecret.key", UNTIL}


@pytest_twisted.ensureDeferred
async def test_a_secret_that_does_not_open_is_replaced_without_overlap_only(core: Core) -> None:
    one = await made(core)
    core.directory.put(evolve(one.kept, sealed_secret=b"broken"))
    told = await one.put(credentialSecret={"key": "X-API-Key", "value": "new"}, **{UNTIL: at(60)})
    assert told.status == 409
    assert "leave this field out" in told.problems[UNTIL]
    await one.rotate("new")
    assert one.secrets == ("new", None)


@pytest_twisted.ensureDeferred
async def test_what_is_over_is_removed_by_the_next_change_and_by_itself(core: Core) -> None:
    one, other = await made(core), await made(core)
    for each in (one, other):
        await each.rotate("second", **{UNTIL: at(60)})
    changed = (await core.ask("GET", f"{PATH}/{one.id}")).document["credentials"][0]
    core.seconds = NOW + 59.999
    await end_overlaps(core.house)
    assert one.secrets == ("second", SECRET)
    core.seconds = NOW + 60
    told = await one.put(**{**changed, "credentialName": "New"})
    assert told.document["credentials"][0][UNTIL] is None
    assert (one.secrets, other.secrets) == (("second", None), ("second", SECRET))
    stamp = other.kept.updated_at
    core.store.error = OSError("disk on fire")
    await end_overlaps(core.house)
    assert other.secrets == ("second", SECRET)
    await end_overlaps(core.house)
    assert other.secrets == ("second", None)
    assert other.kept.updated_at == stamp
    entry = core.store.entries[0]
    assert (entry.via, entry.user_id, entry.token_id, entry.noun_id) == (UNTIL, "", "", other.id)
    assert entry.before is not None
    assert entry.before[UNTIL] is not None
    assert entry.after == {**entry.before, UNTIL: None}
    assert not core.house.writing.locked


@pytest_twisted.ensureDeferred
async def test_the_present_secret_written_once_more_changes_nothing(core: Core) -> None:
    for body in (CALLER, TOWARDS):
        made = await core.make("credentials", body)
        core.seconds += 1
        kept, entries = core.directory.credentials[made["sKey"]], len(core.store.entries)
        told = await core.ask("PUT", f"{PATH}/{made['sKey']}", {"credentialSecret": body["credentialSecret"]})
        assert told.document["credentials"] == [made]
        assert core.directory.credentials[made["sKey"]] is kept
        assert len(core.store.entries) == entries
    # Of one that was given up on, it is a new beginning.
    given_up = evolve(core.directory.credentials[made["sKey"]], needs_authorization=True)
    core.directory.put(given_up)
    told = await core.ask("PUT", f"{PATH}/{made['sKey']}", {"credentialSecret": TOWARDS["credentialSecret"]})
    assert told.document["credentials"][0]["credentialNeedsAuthorization"] is False
    assert core.directory.credentials[made["sKey"]].secret_version == given_up.secret_version + 1
