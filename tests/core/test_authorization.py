"""What is shown of a credential whose auth type finds out that somebody must authorize it, or has done so.

Belongs here: when that is written down. Does not: authorizing (test_authorize.py), finding it out (tests/plugins/).
"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from twisted.internet.defer import Deferred

from rrgate.core.authorization import TEMPORARY_HOURS, end_temporary, show_authorization
from rrgate.model import Credential
from rrgate.testing.operator_log import operator_log
from tests.core.doubles import TOWARDS, Core


async def made(core: Core, **fields: Any) -> Credential:
    credential_id = str((await core.make("credentials", TOWARDS))["sKey"])
    credential = evolve(core.directory.credentials[credential_id], **fields)
    core.directory.put(credential)
    return credential


# whether it needed it and was temporary, whether it needs it now, what is shown after
SHOWN = [
    ((False, False), True, (True, False)),
    ((True, False), False, (False, False)),
    # Who has been authorized stays, whoever needs it once more.
    ((True, True), False, (False, False)),
    ((False, True), True, (True, True)),
]


@pytest.mark.parametrize(("before", "needed", "after"), SHOWN)
@pytest_twisted.ensureDeferred
async def test_what_is_found_out_is_shown(
    core: Core, before: tuple[bool, bool], needed: bool, after: tuple[bool, bool]
) -> None:
    credential = await made(core, needs_authorization=before[0], temporary=before[1])
    await show_authorization(core.house, credential, needed)
    shown = core.directory.credentials[credential.id]
    assert (shown.needs_authorization, shown.temporary) == after
    entry = core.store.entries[0]
    assert (entry.action, entry.noun_id, entry.user_id, entry.via) == (
        "change",
        credential.id,
        "",
        "credentialNeedsAuthorization",
    )


@pytest_twisted.ensureDeferred
async def test_what_is_shown_already_is_not_written_once_more(core: Core) -> None:
    credential = await made(core, needs_authorization=True)
    entries = len(core.store.entries)
    await show_authorization(core.house, credential, True)
    assert len(core.store.entries) == entries


@pytest_twisted.ensureDeferred
async def test_what_was_found_out_of_another_secret_is_not_shown(core: Core) -> None:
    credential = await made(core)
    core.directory.put(evolve(credential, secret_version=credential.secret_version + 1))
    await show_authorization(core.house, credential, True)
    assert not core.directory.credentials[credential.id].needs_authorization


@pytest_twisted.ensureDeferred
async def test_a_credential_that_is_no_more_does_not_come_back(core: Core) -> None:
    credential = await made(core)
    core.directory.drop(credential)
    await show_authorization(core.house, credential, True)
    assert credential.id not in core.directory.credentials


@pytest.mark.parametrize("deleted", [False, True])
@pytest_twisted.ensureDeferred
async def test_who_is_authorized_at_the_last_moment_is_not_removed(core: Core, deleted: bool) -> None:
    credential = await made(core, needs_authorization=True, temporary=True)
    core.seconds += TEMPORARY_HOURS * 3600
    await core.house.writing.acquire()
    ended = Deferred.fromCoroutine(end_temporary(core.house))
    if deleted:
        core.directory.drop(credential)
    else:
        core.directory.put(evolve(credential, needs_authorization=False, temporary=False))
    with operator_log() as log:
        core.house.writing.release()
        await ended
    assert log.text == ""
    assert (credential.id in core.directory.credentials) is not deleted
    assert "delete" not in {entry.action for entry in core.store.entries}
