"""Credentials over HTTP: the published pages' bodies, and that a secret goes in and never comes out.

Belongs here: /clients/{clientId}/credentials. Does not: real auth types (tests/plugins).
"""

from __future__ import annotations

import errno
import json
from typing import Any

import pytest
import pytest_twisted
from twisted.logger import globalLogPublisher

from tests.core.doubles import CALLER, SECRET, TOWARDS, Core

PATH = "/clients/acme/credentials"


@pytest_twisted.ensureDeferred
async def test_create_change_delete(core: Core) -> None:
    made = await core.make("credentials", CALLER)
    assert made == {
        "pKey": "acme",
        "sKey": made["sKey"],
        "userId": "alice",
        "clientId": "acme",
        "parentId": "acme",
        "credentialName": "App API Key",
        "credentialType": "proxy",
        "credentialAuthType": "key",
        "credentialRegion": "us-east-1",
        "credentialActive": True,
        "credentialDefaultRuleEffect": "allow",
        "credentialInQuery": True,
        "credentialExpiresAt": None,
        "credentialPreviousSecretExpiresAt": None,
        "credentialAllowedHosts": None,
        "credentialNeedsAuthorization": False,
        "credentialTemporary": False,
        "credentialFingerprint": made["credentialFingerprint"],
        "credentialCreatedAt": "2025-12-12T05:26:57.621Z",
        "credentialUpdatedAt": "2025-12-12T05:26:57.621Z",
    }
    assert len(made["credentialFingerprint"]) == 8
    kept = core.directory.credentials[made["sKey"]]
    assert SECRET not in repr(kept)
    prefix = f"acme|credentials/{kept.id}|".encode()
    assert kept.sealed_secret.startswith(prefix)
    assert json.loads(kept.sealed_secret[len(prefix) :][::-1]) == CALLER["credentialSecret"]
    where = f"{PATH}/{made['sKey']}"
    assert (await core.ask("GET", where)).document["credentials"] == [made]
    core.seconds += 1
    told = await core.ask("PUT", where, {**made, "credentialExpiresAt": "2030-01-01T00:00:00+02:00"})
    (changed,) = told.document["credentials"]
    assert changed["credentialExpiresAt"] == "2029-12-31T22:00:00.000Z"
    assert core.directory.credentials[made["sKey"]].secret_version == 1
    told = await core.ask("PUT", where, changed)
    assert told.status == 200
    assert (await core.ask("DELETE", where)).document == {"message": "Credential deleted successfully"}
    assert (await core.ask("GET", where)).status == 404


@pytest_twisted.ensureDeferred
async def test_a_new_secret_replaces_the_old_one_whole(core: Core) -> None:
    made = await core.make("credentials", CALLER)
    where = f"{PATH}/{made['sKey']}"
    told = await core.ask("PUT", where, {"credentialSecret": {"key": "other"}})
    (changed,) = told.document["credentials"]
    assert changed["credentialFingerprint"] != made["credentialFingerprint"]
    kept = core.directory.credentials[made["sKey"]]
    assert kept.secret_version == 2
    assert SECRET.encode()[::-1] not in kept.sealed_secret
    secret = CALLER["credentialSecret"]
    assert isinstance(secret, dict)
    told = await core.ask("PUT", where, {"credentialSecret": dict(reversed(secret.items()))})
    assert told.document["credentials"][0]["credentialFingerprint"] == made["credentialFingerprint"]


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"credentialType": "caller"}, {"credentialType"}),
        ({"credentialType": None}, {"credentialType"}),
        ({"credentialAuthType": "nope"}, {"credentialAuthType"}),
        ({"credentialAuthType": "apikey"}, {"credentialAuthType"}),
        ({"credentialAuthType": "bearer"}, {"credentialAuthType"}),
        ({"credentialAuthType": 5}, {"credentialAuthType"}),
        ({"credentialSecret": SECRET}, {"credentialSecret"}),
        ({"credentialSecret": None}, {"credentialSecret"}),
        ({"credentialSecret": {"key": 5, "valuee": SECRET}}, {"credentialSecret.key", "credentialSecret.valuee"}),
        ({"credentialSecret": {"value": SECRET}}, {"credentialSecret.key"}),
        ({"credentialExpiresAt": "tomorrow"}, {"credentialExpiresAt"}),
        ({"credentialExpiresAt": "2024-02-30T00:00:00Z"}, {"credentialExpiresAt"}),
        ({"credentialExpiresAt": 1765517217621}, {"credentialExpiresAt"}),
        ({"credentialActive": 0}, {"credentialActive"}),
        ({"credentialFingerprint": "00000000"}, {"credentialFingerprint"}),
        ({"credentialAllowedHosts": []}, {"credentialAllowedHosts"}),
        (
            {"credentialName": "", "credentialRegion": "X", "credentialSecret": {}, "credentialScret": SECRET},
            {"credentialName", "credentialRegion", "credentialSecret.key", "credentialScret"},
        ),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_a_new_credential_may_not_be(core: Core, change: dict[str, Any], fields: set[str]) -> None:
    told = await core.ask("POST", PATH, {**CALLER, **change})
    assert told.status == 400
    assert set(told.problems) == fields
    assert not core.directory.credentials


@pytest_twisted.ensureDeferred
async def test_installed_auth_types_are_listed_by_side(core: Core) -> None:
    told = await core.ask("POST", PATH, {**CALLER, "credentialAuthType": "bearer"})
    assert told.problems["credentialAuthType"] == "is not installed for the proxy side; installed are: apiKey, key"
    told = await core.ask("POST", PATH, {**TOWARDS, "credentialAuthType": "oauth3"})
    assert told.problems["credentialAuthType"].endswith("the target side; installed are: apiKey, bearer, key")


@pytest_twisted.ensureDeferred
async def test_missing_fields(core: Core) -> None:
    told = await core.ask("POST", PATH, {})
    assert told.problems == dict.fromkeys(CALLER, "is required")


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"credentialType": "target"}, {"credentialType"}),
        ({"credentialAuthType": "apiKey"}, {"credentialAuthType"}),
        ({"credentialRegion": "eu-west-1"}, {"credentialRegion"}),
        ({"credentialSecret": {"key": 5}, "credentialName": 5}, {"credentialSecret.key", "credentialName"}),
        ({"credentialSecret": {}}, {"credentialSecret.key"}),
        ({"credentialDefaultRuleEffect": "deny"}, {"credentialDefaultRuleEffect"}),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_a_put_may_not_say(core: Core, change: dict[str, Any], fields: set[str]) -> None:
    made = await core.make("credentials", CALLER)
    before = core.directory.credentials[made["sKey"]]
    told = await core.ask("PUT", f"{PATH}/{made['sKey']}", change)
    assert told.status == 400
    assert set(told.problems) == fields
    assert core.directory.credentials[made["sKey"]] is before


@pytest_twisted.ensureDeferred
async def test_one_in_use_is_deleted_all_the_same(core: Core) -> None:
    proxy = await core.make("proxies", await core.make_parts())
    for field in ("proxyProxyCredentialId", "proxyTargetCredentialId"):
        assert (await core.ask("DELETE", f"{PATH}/{proxy[field]}")).status == 200
    assert (await core.ask("GET", PATH)).document["credentials"] == []
    assert (await core.ask("GET", f"{PATH}?includeTemporary=true")).status == 200
    assert (await core.ask("GET", f"{PATH}?includeTemporary=1")).status == 400


@pytest_twisted.ensureDeferred
async def test_the_secret_is_in_no_log(core: Core) -> None:
    events: list[str] = []

    def observe(event: Any) -> None:
        events.append(repr(event) + str(event.get("log_failure") and event["log_failure"].getTraceback()))

    globalLogPublisher.addObserver(observe)
    try:
        await core.make("credentials", CALLER)
        core.store.error = OSError(errno.EIO, "disk on fire", f"/{SECRET}")
        told = await core.ask("POST", PATH, CALLER)
        assert told.status == 500
        assert "fire" not in told.raw.decode()
        assert told.document["error"] == "Internal Server Error"
    finally:
        globalLogPublisher.removeObserver(observe)
    assert any("disk on fire" in event for event in events)
    assert not any(SECRET in event for event in events)


@pytest_twisted.ensureDeferred
async def test_a_query_is_of_the_callers_side(core: Core) -> None:
    problem = {"credentialInQuery": "is for credentials that callers show"}
    told = await core.ask("POST", PATH, {**TOWARDS, "credentialInQuery": False})
    assert told.problems == problem
    made = await core.make("credentials", {**TOWARDS, "credentialInQuery": True})
    assert (await core.ask("PUT", f"{PATH}/{made['sKey']}", {"credentialInQuery": False})).problems == problem
    made = await core.make("credentials", {**CALLER, "credentialInQuery": False})
    assert made["credentialInQuery"] is False
