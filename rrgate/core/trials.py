"""/…/test of targets and credentials: one request to a target, to see whether it answers.

Belongs here: what may be tried with what, and the published form of what came of it. Does not: the request
(rrgate/trial.py).
"""

from __future__ import annotations

from typing import Any, Final

from attrs import frozen

from rrgate.api import ConfigError, Problem
from rrgate.core.access import Role
from rrgate.core.answers import Answer, Refused, conflict, missing
from rrgate.core.authentication import role_in
from rrgate.core.binding import first_use
from rrgate.core.checking import gathered, owned, refuse_if
from rrgate.core.routes import Call, Route
from rrgate.core.shapes import Success
from rrgate.core.shapes import Trial as ShownTrial
from rrgate.model import Credential, Side, Target
from rrgate.model.urls import test_path as checked_path
from rrgate.structuring import structure
from rrgate.trial import TooManyTrials, Trial


@frozen
class WantedTrial:
    """The body of a credential's test. `path`: the target's `targetTestPath` if it is left out."""

    target_id: str
    path: str | None = None


@frozen
class Nothing:
    """The body of a target's test, if it has one."""


def document_of(trial: Trial) -> dict[str, Any]:
    """A trial as published; seconds to the microsecond."""

    def rounded(seconds: float | None) -> float | None:
        return None if seconds is None else round(seconds, 6)

    return {
        "status": trial.status,
        "problem": trial.problem,
        "connectSeconds": rounded(trial.connect_seconds),
        "firstByteSeconds": rounded(trial.first_byte_seconds),
        "totalSeconds": rounded(trial.total_seconds),
    }


async def tried(call: Call, target: Target, credential: Credential | None, path: str) -> Answer:
    """The answer to a test. Raises Refused with 429 if there are too many under way."""

    async def note() -> None:
        await call.note_test(credential or target, target, path)
        # What was changed or deleted meanwhile is in force already.
        now = call.house.directory
        if now.targets.get(target.id) != target or (credential and now.credentials.get(credential.id) != credential):
            raise missing()

    try:
        running = call.house.trials.start(call.client, target, credential, path, note)
    except TooManyTrials:
        raise Refused(
            429, "There are as many tests under way as there may be; wait for one.", headers=(("Retry-After", "1"),)
        ) from None
    trial = await call.presence.while_here(running)
    return Answer(200, {"test": document_of(trial), "message": "Success"})


async def try_target(call: Call) -> Answer:
    target = owned(call.house.directory.targets, call, "targetId")
    structure(call.document, Nothing, "")
    if target.test_path is None:
        raise conflict("targetTestPath", "is not set: say which path is to be called")
    return await tried(call, target, None, target.test_path)


async def try_credential(call: Call) -> Answer:
    credential = owned(call.house.directory.credentials, call, "credentialId")
    wanted: WantedTrial = structure(call.document, WantedTrial, "")
    target = call.house.directory.targets.get(wanted.target_id)
    problems: list[Problem] = []
    if credential.side is not Side.TARGET:
        problems.append(Problem("credentialType", "is proxy; only credentials that targets are shown can be tested"))
    if target is None or target.client_id != call.client.id:
        raise ConfigError(*problems, Problem("targetId", "names no target of this client"))
    if target.region != credential.region:
        problems.append(Problem("targetId", "names a target of another region; it must lie in the credential's"))
    path = wanted.path if wanted.path is not None else target.test_path
    with gathered(problems):
        path = _fit(path)
    refuse_if(problems)
    check_shown(call, credential)
    if first_use(call.house, credential, target):
        credential = await bound(call, credential, target)
    return await tried(call, target, credential, path)


def check_shown(call: Call, credential: Credential) -> None:
    """Raises Refused with 409 for a credential that no target would be shown now."""
    if not credential.active:
        raise conflict("credentialActive", "is false: a credential that is switched off is shown to nobody")
    if credential.expires_at is not None and credential.expires_at <= call.house.now():
        raise conflict("credentialExpiresAt", "is past: a credential that has expired is shown to nobody")


def _fit(path: str | None) -> str:
    if path is None:
        raise ConfigError(Problem("path", "is required where the target has no targetTestPath"))
    try:
        return checked_path(path)
    except ValueError as error:
        raise ConfigError(Problem("path", str(error))) from None


async def bound(call: Call, credential: Credential, target: Target) -> Credential:
    """`credential`, bound to the host of `target`: a test is a use like any other."""
    house = call.house
    await house.writing.acquire()
    try:
        # Judged again: while this waited, all of it may have changed.
        credential = owned(house.directory.credentials, call, "credentialId")
        assert call.token is not None
        role = role_in(house, call.user, call.token, call.client.id)
        token = house.directory.token_by_hash.get(call.token.token_hash)
        if role is None or role < Role.ADMIN or token is None or house.directory.targets.get(target.id) != target:
            raise missing()
        check_shown(call, credential)
        for changed in first_use(house, credential, target):
            await call.save(changed)
            credential = changed
        return credential
    finally:
        house.writing.release()


_SUCCESS: Final = Success(name="test", of=ShownTrial, listed=False)

ROUTES = (
    Route(
        method="POST",
        template="/clients/{clientId}/targets/{targetId}/test",
        handler=try_target,
        success=_SUCCESS,
        statuses=(409, 429, 503),
        tries=True,
        bodiless=True,
        help="Call a target's `targetTestPath`, without a credential.",
    ),
    Route(
        method="POST",
        template="/clients/{clientId}/credentials/{credentialId}/test",
        handler=try_credential,
        noun=WantedTrial,
        success=_SUCCESS,
        statuses=(409, 429, 503),
        tries=True,
        help="Call a path of a target with a credential.",
    ),
)
