"""/…/test over HTTP: what may be tried with what, and what is answered.

Belongs here: the routes. Does not: the requests themselves (tests/chain/test_trial.py, tests/gateway/test_trials.py).
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from twisted.internet.defer import Deferred

from rrgate.store import StoreError
from rrgate.trial import TooManyTrials, Trial
from tests.core.doubles import CALLER, SECRET, TARGET, TOWARDS, Core, until

CREDENTIALS = "/clients/acme/credentials"
TARGETS = "/clients/acme/targets"


async def made(core: Core, **more: Any) -> tuple[str, str]:
    """The ids of a target and of a credential for it."""
    target = await core.make("targets", TARGET)
    credential = await core.make("credentials", {**TOWARDS, **more})
    return target["sKey"], credential["sKey"]


@pytest_twisted.ensureDeferred
async def test_a_target(core: Core) -> None:
    target, _ = await made(core)
    for prefix in ("", "/api"):
        told = await core.ask("POST", f"{prefix}{TARGETS}/{target}/test", token="u-adam")
        assert told.document == {
            "test": {
                "status": 200,
                "problem": None,
                "connectSeconds": 0.001235,
                "firstByteSeconds": 0.25,
                "totalSeconds": 0.5,
            },
            "message": "Success",
        }
    assert core.trials.tried == [("acme", target, None, "/v1/customers")] * 2


@pytest_twisted.ensureDeferred
async def test_a_credential(core: Core) -> None:
    target, credential = await made(core)
    where = f"{CREDENTIALS}/{credential}/test"
    core.trials.trial = Trial(None, "the target does not take connections", None, None, 0.5)
    told = await core.ask("POST", where, {"targetId": target, "path": "/v1/me?deep=1"})
    assert told.status == 200
    assert told.document["test"] == {
        "status": None,
        "problem": "the target does not take connections",
        "connectSeconds": None,
        "firstByteSeconds": None,
        "totalSeconds": 0.5,
    }
    assert (await core.ask("POST", where, {"targetId": target})).status == 200
    assert core.trials.tried == [
        ("acme", target, credential, "/v1/me?deep=1"),
        ("acme", target, credential, "/v1/customers"),
    ]


@pytest_twisted.ensureDeferred
async def test_a_target_without_a_path(core: Core) -> None:
    target = await core.make("targets", {**TARGET, "targetTestPath": None})
    credential = await core.make("credentials", TOWARDS)
    told = await core.ask("POST", f"{TARGETS}/{target['sKey']}/test")
    assert told.status == 409
    assert list(told.problems) == ["targetTestPath"]
    told = await core.ask("POST", f"{CREDENTIALS}/{credential['sKey']}/test", {"targetId": target["sKey"]})
    assert told.status == 400
    assert list(told.problems) == ["path"]


@pytest.mark.parametrize(
    ("document", "wrong"),
    [
        ({}, "targetId"),
        ({"targetId": 5}, "targetId"),
        ({"targetId": "nothing"}, "targetId"),
        ({"targetId": "T", "paht": "/"}, "paht"),
        ({"targetId": "T", "path": 5}, "path"),
        ({"targetId": "T", "path": ""}, "path"),
        ({"targetId": "T", "path": "v1"}, "path"),
        ({"targetId": "T", "path": "//v1"}, "path"),
        ({"targetId": "T", "path": "https://elsewhere.test/"}, "path"),
        ({"targetId": "T", "path": "/a/%2e%2e/b"}, "path"),
        ({"targetId": "T", "path": "/a b"}, "path"),
        ({"targetId": "T", "path": "/a\r\nX-A: 1"}, "path"),
        ({"targetId": "T", "path": "/a?b=\u00fc"}, "path"),
        ({"targetId": "T", "path": "/a#b"}, "path"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_is_not_sent(core: Core, document: dict[str, Any], wrong: str) -> None:
    target, credential = await made(core)
    if document.get("targetId") == "T":
        document = {**document, "targetId": target}
    told = await core.ask("POST", f"{CREDENTIALS}/{credential}/test", document)
    assert told.status == 400
    assert list(told.problems) == [wrong]
    assert core.trials.tried == []


@pytest_twisted.ensureDeferred
async def test_who_may_not_be_tried_with_whom(core: Core) -> None:
    target, credential = await made(core)
    where = f"{CREDENTIALS}/{credential}/test"
    elsewhere = await core.make("targets", {**TARGET, "targetRegion": "eu-west-1"})
    theirs = await core.make("targets", TARGET, client="other", token="u-bob")
    callers = await core.make("credentials", CALLER)
    for status, path, target_id, wrong in (
        (400, where, elsewhere["sKey"], ["targetId"]),
        (400, where, theirs["sKey"], ["targetId"]),
        (400, f"{CREDENTIALS}/{callers['sKey']}/test", target, ["credentialType"]),
        (400, f"{CREDENTIALS}/{callers['sKey']}/test", "nothing", ["credentialType", "targetId"]),
    ):
        told = await core.ask("POST", path, {"targetId": target_id})
        assert (told.status, list(told.problems)) == (status, wrong)
    off = await core.make("credentials", {**TOWARDS, "credentialActive": False})
    told = await core.ask("POST", f"{CREDENTIALS}/{off['sKey']}/test", {"targetId": target})
    assert (told.status, list(told.problems)) == (409, ["credentialActive"])
    late = await core.make("credentials", {**TOWARDS, "credentialExpiresAt": "2025-12-12T05:26:58Z"})
    where = f"{CREDENTIALS}/{late['sKey']}/test"
    core.seconds += 0.378
    assert (await core.ask("POST", where, {"targetId": target})).status == 200
    core.seconds += 0.001
    told = await core.ask("POST", where, {"targetId": target})
    assert (told.status, list(told.problems)) == (409, ["credentialExpiresAt"])
    assert len(core.trials.tried) == 1


@pytest_twisted.ensureDeferred
async def test_the_first_use_binds_a_credential(core: Core) -> None:
    target, credential = await made(core)
    where = f"{CREDENTIALS}/{credential}"
    await core.ask("POST", f"{where}/test", {"targetId": target})
    assert core.directory.credentials[credential].allowed_hosts == ("api.stripe.com",)
    entry = core.store.entries[1]
    assert (entry.via, entry.action, entry.noun_id) == (
        "POST /clients/{clientId}/credentials/{credentialId}/test",
        "change",
        credential,
    )
    await core.ask("POST", f"{where}/test", {"targetId": target})
    await core.ask("POST", f"{TARGETS}/{target}/test")
    assert [entry.action for entry in core.store.entries[:4]] == ["test", "test", "test", "change"]
    assert not core.house.writing.locked


def move_the_target(core: Core, target_id: str) -> None:
    core.directory.put(evolve(core.directory.targets[target_id], base_url="https://elsewhere.test"))


def lower_the_role(core: Core, target_id: str) -> None:
    core.directory.put_member("adam", "acme", ("user",))


def end_the_token(core: Core, target_id: str) -> None:
    core.directory.replace_people(core.directory.users.values(), ())


def switch_it_off(core: Core, target_id: str) -> None:
    for credential in tuple(core.directory.credentials.values()):
        core.directory.put(evolve(credential, active=False))


def let_it_expire(core: Core, target_id: str) -> None:
    for credential in tuple(core.directory.credentials.values()):
        core.directory.put(evolve(credential, expires_at=int(core.seconds * 1000)))


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (move_the_target, 404),
        (lower_the_role, 404),
        (end_the_token, 404),
        (switch_it_off, 409),
        (let_it_expire, 409),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_changed_while_it_waited_to_be_bound(
    core: Core, change: Callable[[Core, str], None], status: int
) -> None:
    target, credential = await made(core)
    await core.house.writing.acquire()
    asked = Deferred.fromCoroutine(
        core.ask("POST", f"{CREDENTIALS}/{credential}/test", {"targetId": target}, token="u-adam")
    )
    await until(lambda: bool(core.house.writing.waiting))
    change(core, target)
    core.house.writing.release()
    assert (await asked).status == status
    assert core.directory.credentials[credential].allowed_hosts is None
    assert core.trials.tried == []
    assert not core.house.writing.locked


def drop_the_credential(core: Core, target_id: str) -> None:
    for credential in tuple(core.directory.credentials.values()):
        core.directory.drop(credential)


def drop_the_target(core: Core, target_id: str) -> None:
    core.directory.drop(core.directory.targets[target_id])


@pytest.mark.parametrize("change", [move_the_target, drop_the_target, switch_it_off, drop_the_credential])
@pytest_twisted.ensureDeferred
async def test_what_changed_while_it_was_written_down(core: Core, change: Callable[[Core, str], None]) -> None:
    target, credential = await made(core, credentialAllowedHosts=["api.stripe.com"])
    core.store.waiting = []
    asked = Deferred.fromCoroutine(core.ask("POST", f"{CREDENTIALS}/{credential}/test", {"targetId": target}))
    await until(lambda: bool(core.store.waiting))
    change(core, target)
    core.store.waiting[0].callback(None)
    assert (await asked).status == 404
    assert core.trials.tried == []


@pytest_twisted.ensureDeferred
async def test_changes_do_not_wait_for_a_test(core: Core) -> None:
    target, credential = await made(core)
    core.trials.waiting = []
    asked = Deferred.fromCoroutine(core.ask("POST", f"{CREDENTIALS}/{credential}/test", {"targetId": target}))
    await until(lambda: bool(core.trials.waiting))
    assert (await core.ask("PUT", f"{TARGETS}/{target}", {"targetName": "Renamed"})).status == 200
    core.trials.waiting[0].callback(core.trials.trial)
    assert (await asked).status == 200


@pytest_twisted.ensureDeferred
async def test_whoever_leaves_ends_it(core: Core) -> None:
    target, _ = await made(core)
    core.trials.waiting = []
    with socket.create_connection(("127.0.0.1", core.port)) as asking:
        head = f"POST {TARGETS}/{target}/test HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: u-alice\r\n"
        asking.sendall(f"{head}Content-Length: 0\r\n\r\n".encode())
        await until(lambda: bool(core.trials.waiting))
        (running,) = core.trials.waiting
        assert not running.called
    await until(lambda: running.called)


@pytest_twisted.ensureDeferred
async def test_each_is_in_the_audit_log_before_it_is_sent(core: Core) -> None:
    target, credential = await made(core, credentialAllowedHosts=["api.stripe.com"])
    body = {"targetId": target, "path": f"/v1/me?sig={SECRET}&deep&a=1"}
    await core.ask("POST", f"{CREDENTIALS}/{credential}/test", body, token="u-adam")
    await core.ask("POST", f"{TARGETS}/{target}/test")
    told = await core.ask("GET", "/clients/acme/audit")
    of_target, of_credential, *_ = told.document["audit"]
    assert of_credential["auditAction"] == of_target["auditAction"] == "test"
    assert of_credential["userId"] == "adam"
    assert (of_credential["auditResource"], of_credential["auditResourceId"]) == ("credentials", credential)
    assert of_credential["auditVia"] == "POST /clients/{clientId}/credentials/{credentialId}/test"
    assert of_credential["auditBefore"] is None
    assert of_credential["auditAfter"] == {"targetId": target, "path": "/v1/me?sig=&deep&a="}
    assert (of_target["auditResource"], of_target["auditResourceId"]) == ("targets", target)
    assert of_target["auditAfter"] == {"targetId": target, "path": "/v1/customers"}
    assert SECRET.encode() not in told.raw
    core.trials.tried.clear()
    core.store.error = StoreError("the disk is full")
    assert (await core.ask("POST", f"{TARGETS}/{target}/test")).status == 500
    assert core.trials.tried == []


@pytest_twisted.ensureDeferred
async def test_a_targets_test_takes_nothing(core: Core) -> None:
    target, credential = await made(core)
    where = f"{TARGETS}/{target}/test"
    assert (await core.ask("POST", where, {})).status == 200
    told = await core.ask("POST", where, {"path": "/other", "credentialId": credential})
    assert told.status == 400
    assert set(told.problems) == {"path", "credentialId"}
    assert len(core.trials.tried) == 1


@pytest_twisted.ensureDeferred
async def test_too_many_at_once(core: Core) -> None:
    target, _ = await made(core)
    core.trials.error = TooManyTrials()
    told = await core.ask("POST", f"{TARGETS}/{target}/test")
    assert (told.status, told.headers["retry-after"]) == (429, "1")
    assert told.problems == {}
