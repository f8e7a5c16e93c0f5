"""Revisions: every change of what is configured is one, and each can be put back as by PUT, or is refused whole.

Belongs here: what is listed, and what restoring does and refuses. Does not: their rows (tests/store/test_audit.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import pytest_twisted

from rrgate.core.changes import KINDS
from rrgate.core.revisions import put_back
from rrgate.model import Target
from rrgate.model.published import Writable, published_fields
from rrgate.model.times import format_milliseconds
from tests.core.doubles import CALLER, SECRET, TARGET, TOWARDS, Core
from tests.core.every_id import METER

FILTER = {"effect": "destroy", "jsonPaths": ["$.a"]}

CHANGES: Mapping[str, Mapping[str, Any]] = {
    "credentials": {
        "credentialName": "Renamed",
        "credentialActive": False,
        "credentialExpiresAt": "2030-01-01T00:00:00Z",
    },
    "targets": {"targetName": "Renamed", "targetTimeout": 3, "targetTestPath": None},
    "proxies": {"proxyName": "Renamed", "proxyAlias": "again", "proxyAdditionalHeaders": {"X-A": "b"}},
    "credentials rules": {"effect": "allow", "path": "^/a", "notes": "because"},
    "targets rules": {"priority": 7, "methods": ["GET"], "headers": [{"name": "^x$"}]},
    "credentials filters": {"effect": "retain", "jsonPaths": ["$.b", "$.c"]},
    "targets filters": {"path": "^/a", "notes": "because"},
    "proxies filters": {"headers": [{"name": "^x$", "presence": "absent"}]},
    "proxies meters": {"meterName": "Renamed", "meterActive": False, "limits": {"day": 3}},
    "proxies rules": {"active": False, "regexFlags": "i"},
}
"""What is changed of each noun that has revisions."""

each_noun = pytest.mark.parametrize("noun", CHANGES)


async def where(core: Core, noun: str) -> str:
    """The path of a new noun of acme's."""
    parts = await core.make_parts()
    proxy = await core.make("proxies", parts)
    ids = {"credentials": parts["proxyTargetCredentialId"], "targets": parts["proxyTargetId"], "proxies": proxy["sKey"]}
    kind, _, within = noun.partition(" ")
    path = f"/clients/acme/{kind}/{ids[kind]}"
    if within == "rules":
        return f"{path}/rules/{(await core.make_rule(kind, ids[kind]))['sKey']}"
    if within:
        told = await core.ask("POST", f"{path}/{within}", {"meters": METER, "filters": FILTER}[within])
        return f"{path}/{within}/{told.document[within][0]['sKey']}"
    return path


async def read(core: Core, path: str, token: str = "u-alice") -> list[Any]:
    told = await core.ask("GET", path, token=token)
    assert told.status == 200, told.raw
    revisions: list[Any] = told.document["revisions"]
    return revisions


async def the(core: Core, path: str) -> dict[str, Any]:
    ((found,),) = (value for value in (await core.ask("GET", path)).document.values() if isinstance(value, list))
    return dict(found)


def lasting(document: Mapping[str, Any]) -> dict[str, Any]:
    """All of it but when it was changed."""
    return {name: value for name, value in document.items() if not name.endswith("UpdatedAt")}


@each_noun
@pytest_twisted.ensureDeferred
async def test_what_was_is_put_back_and_is_a_revision_too(core: Core, noun: str) -> None:
    path = await where(core, noun)
    numbered = [each["revision"] for each in await read(core, f"{path}/revisions")]
    assert numbered == list(range(len(numbered), 0, -1))
    # A credential that targets are shown is bound to a host by its first use, which is a revision.
    assert len(numbered) == (2 if noun == "credentials" else 1)
    before = await the(core, path)
    core.seconds += 7
    told = await core.ask("PUT", path, CHANGES[noun])
    assert told.status == 200, told.raw
    after = await the(core, path)
    for name in CHANGES[noun]:
        assert after[name] != before[name]
    core.seconds += 7
    told = await core.ask("POST", f"{path}/revisions/{numbered[0]}/restore", token="u-adam")
    assert told.status == 200, told.raw
    assert lasting(await the(core, path)) == lasting(before)
    latest, changed, *_ = await read(core, f"{path}/revisions")
    assert (changed["revision"], latest["revision"]) == (numbered[0] + 1, numbered[0] + 2)
    assert (latest["userId"], latest["revisionAction"]) == ("adam", "change")
    assert latest["revisionVia"].endswith("/revisions/{revision}/restore")
    assert latest["revisionBefore"] == changed["revisionAfter"]
    assert {name: latest["revisionAfter"][name] for name in CHANGES[noun]} == {
        name: before[name] for name in CHANGES[noun]
    }
    entry = core.store.entries[0]
    assert (entry.id, entry.after) == (latest["sKey"], latest["revisionAfter"])
    # And forward again.
    assert (await core.ask("POST", f"{path}/revisions/{numbered[0] + 1}/restore")).status == 200
    assert lasting(await the(core, path)) == lasting(after)


@each_noun
@pytest_twisted.ensureDeferred
async def test_where_nothing_differs_nothing_is_written(core: Core, noun: str) -> None:
    path = await where(core, noun)
    newest = (await read(core, f"{path}/revisions"))[0]["revision"]
    before, kept, entries = await the(core, path), dict(core.store.kept), len(core.store.entries)
    core.seconds += 7
    assert (await core.ask("POST", f"{path}/revisions/{newest}/restore")).status == 200
    assert await the(core, path) == before
    assert core.store.kept == kept
    assert len(core.store.entries) == entries


@each_noun
@pytest_twisted.ensureDeferred
async def test_what_is_no_revision_or_deleted_is_not_there(core: Core, noun: str) -> None:
    path = await where(core, noun)
    for number in ("0", "9", "-1", "x", "1.0", "٣", "1" * 30):
        assert (await core.ask("POST", f"{path}/revisions/{number}/restore")).status == 404
    assert (await core.ask("POST", f"{path}/revisions/1/restore", {"x": 1})).status == 400
    earlier = await read(core, f"{path}/revisions")
    assert (await core.ask("DELETE", f"{path}?force=true" if noun == "targets" else path)).status == 200
    assert (await core.ask("GET", f"{path}/revisions")).status == 404
    assert (await core.ask("POST", f"{path}/revisions/1/restore")).status == 404
    gone, *rest = await read(core, f"/clients/acme/revisions?resourceId={earlier[0]['revisionResourceId']}")
    assert rest == earlier
    assert (gone["revisionAction"], gone["revision"]) == ("delete", len(earlier) + 1)
    assert gone["revisionBefore"] == earlier[0]["revisionAfter"]
    assert gone["revisionAfter"] is None


async def refused(core: Core, path: str, number: int) -> tuple[int, list[str]]:
    """The answer to restoring, which has changed nothing."""
    before, kept, entries = await the(core, path), dict(core.store.kept), len(core.store.entries)
    told = await core.ask("POST", f"{path}/revisions/{number}/restore")
    assert await the(core, path) == before
    assert core.store.kept == kept
    assert len(core.store.entries) == entries
    return told.status, list(told.problems)


@pytest_twisted.ensureDeferred
async def test_a_proxy_whose_parts_are_gone(core: Core) -> None:
    parts = await core.make_parts()
    proxy = await core.make("proxies", parts)
    other = await core.make("targets", TARGET)
    path = f"/clients/acme/proxies/{proxy['sKey']}"
    assert (await core.ask("PUT", path, {"proxyTargetId": other["sKey"]})).status == 200
    assert (await core.ask("DELETE", f"/clients/acme/targets/{parts['proxyTargetId']}")).status == 200
    assert await refused(core, path, 1) == (400, ["proxyTargetId"])


@pytest_twisted.ensureDeferred
async def test_a_proxy_whose_alias_was_taken_meanwhile(core: Core) -> None:
    parts = await core.make_parts()
    proxy = await core.make("proxies", {**parts, "proxyAlias": "pay"})
    path = f"/clients/acme/proxies/{proxy['sKey']}"
    assert (await core.ask("PUT", path, {"proxyAlias": "old"})).status == 200
    await core.make("proxies", {**parts, "proxyAlias": "pay"})
    assert await refused(core, path, 1) == (409, ["proxyAlias"])


@pytest_twisted.ensureDeferred
async def test_a_target_on_a_host_that_its_credentials_may_not_go_to_any_more(core: Core) -> None:
    parts = await core.make_parts()
    target, credential = parts["proxyTargetId"], parts["proxyTargetCredentialId"]
    moved = {"targetBaseURL": "https://other.test"}
    assert (await core.ask("PUT", f"/clients/acme/targets/{target}", moved)).status == 200
    await core.make("proxies", parts)
    assert (await the(core, f"/clients/acme/credentials/{credential}"))["credentialAllowedHosts"] == ["other.test"]
    assert await refused(core, f"/clients/acme/targets/{target}", 1) == (409, ["targetBaseURL"])


@pytest_twisted.ensureDeferred
async def test_other_hosts_of_a_credential_take_its_secret(core: Core) -> None:
    made = await core.make("credentials", {**TOWARDS, "credentialAllowedHosts": ["a.test"]})
    path = f"/clients/acme/credentials/{made['sKey']}"
    moved = {"credentialAllowedHosts": ["b.test"], "credentialSecret": {"token": SECRET}, "credentialName": "B"}
    assert (await core.ask("PUT", path, moved)).status == 200
    assert await refused(core, path, 1) == (409, ["credentialAllowedHosts"])
    moved["credentialAllowedHosts"] = ["a.test"]
    assert (await core.ask("PUT", path, moved)).status == 200
    assert (await core.ask("POST", f"{path}/revisions/1/restore")).status == 200
    assert (await the(core, path))["credentialName"] == TOWARDS["credentialName"]


@pytest_twisted.ensureDeferred
async def test_secrets_stay_as_they_are(core: Core) -> None:
    path = await where(core, "credentials")
    rotated = {"credentialSecret": {"token": "another"}, "credentialName": "Rotated"}
    assert (await core.ask("PUT", path, rotated)).status == 200
    credential = core.directory.credentials[path.rpartition("/")[2]]
    bound = (await the(core, path))["credentialAllowedHosts"]
    assert (await core.ask("POST", f"{path}/revisions/1/restore")).status == 200
    restored = core.directory.credentials[credential.id]
    assert restored.name == TOWARDS["credentialName"]
    assert (restored.sealed_secret, restored.secret_version) == (credential.sealed_secret, credential.secret_version)
    # Revision 1 was bound to nothing yet.
    assert bound
    assert (await the(core, path))["credentialAllowedHosts"] == bound
    told = await core.ask("GET", f"{path}/revisions")
    assert SECRET.encode() not in told.raw
    assert b'"another"' not in told.raw
    assert b"redential" + b"Secret\"" not in told.raw


@pytest_twisted.ensureDeferred
async def test_an_overlap_of_secrets_stays_as_it_is(core: Core) -> None:
    made = await core.make("credentials", CALLER)
    path = f"/clients/acme/credentials/{made['sKey']}"
    until = format_milliseconds(int(core.seconds * 1000) + 86_400_000)
    secret = {**CALLER["credentialSecret"], "value": "another"}  # type: ignore[dict-item]
    rotated = {"credentialSecret": secret, "credentialPreviousSecretExpiresAt": until, "credentialName": "Rotated"}
    assert (await core.ask("PUT", path, rotated)).status == 200
    assert (await core.ask("POST", f"{path}/revisions/1/restore")).status == 200
    restored = await the(core, path)
    assert restored["credentialName"] == CALLER["credentialName"]
    assert restored["credentialPreviousSecretExpiresAt"] == until
    # Nor does it begin again once it has been ended.
    assert (await core.ask("PUT", path, {"credentialPreviousSecretExpiresAt": None})).status == 200
    assert (await core.ask("POST", f"{path}/revisions/2/restore")).status == 200
    assert (await the(core, path))["credentialPreviousSecretExpiresAt"] is None


@pytest_twisted.ensureDeferred
async def test_what_there_was_no_field_for_has_its_default(core: Core) -> None:
    target = core.directory.targets[(await core.make("targets", {**TARGET, "targetTimeout": 3}))["sKey"]]
    written = {known.name for known in published_fields(Target) if known.writable is Writable.ALWAYS}
    document = put_back(target, {"targetName": "As it was", "targetBaseURL": "http://x.test", "targetForgotten": 1})
    assert set(document) == written
    assert document["targetName"] == "As it was"
    assert document["targetTimeout"] != 3


@pytest_twisted.ensureDeferred
async def test_those_of_a_client_are_read_by_page_and_noun(core: Core) -> None:
    first = await core.make("targets", TARGET)
    assert (await core.ask("PUT", "/clients/acme/configuration", {"logBodies": True})).status == 200
    assert (await core.ask("PUT", "/clients/acme", {"clientName": "Renamed"})).status == 200
    second = await core.make("targets", TARGET)
    await core.ask("PUT", f"/clients/acme/targets/{first['sKey']}", {"targetTimeout": 3})
    # Neither a test nor what belongs to others is a revision.
    assert (await core.ask("POST", f"/clients/acme/targets/{first['sKey']}/test")).status == 200
    await core.make("targets", TARGET, client="other", token="u-bob")

    async def listed(query: str = "") -> list[tuple[str, str, int]]:
        found = await read(core, f"/clients/acme/revisions{query}", token="u-uma")
        return [(each["revisionResource"], each["revisionResourceId"], each["revision"]) for each in found]

    newest_first = [
        ("targets", first["sKey"], 2),
        ("targets", second["sKey"], 1),
        ("clients", "acme", 1),
        ("configuration", "acme", 1),
        ("targets", first["sKey"], 1),
    ]
    assert await listed() == newest_first
    assert await listed("?resource=targets") == [each for each in newest_first if each[0] == "targets"]
    assert await listed("?resource=configuration") == [newest_first[3]]
    assert await listed(f"?resourceId={first['sKey']}") == [newest_first[0], newest_first[4]]
    assert await listed(f"?resource=proxies&resourceId={first['sKey']}") == []
    told = await core.ask("GET", "/clients/acme/revisions?limit=2")
    assert await listed(f"?limit=2&cursor={told.document['nextCursor']}") == newest_first[2:4]
    for bad in ("cursor=x", "limit=0", "resource=tokens"):
        told = await core.ask("GET", f"/clients/acme/revisions?{bad}")
        assert (told.status, list(told.problems)) == (400, [bad.partition("=")[0]])


@pytest_twisted.ensureDeferred
async def test_a_revision_as_published(core: Core) -> None:
    made = await core.make("targets", TARGET)
    (revision,) = await read(core, f"/clients/acme/targets/{made['sKey']}/revisions")
    assert revision == {
        "pKey": "acme",
        "sKey": core.store.entries[0].id,
        "userId": "alice",
        "clientId": "acme",
        "parentId": made["sKey"],
        "revision": 1,
        "revisionCreatedAt": made["targetCreatedAt"],
        "revisionVia": "POST /clients/{clientId}/targets",
        "revisionAction": "create",
        "revisionResource": "targets",
        "revisionResourceId": made["sKey"],
        "revisionBefore": None,
        "revisionAfter": {name: value for name, value in made.items() if name != "warnings"},
    }


def test_every_noun_that_is_configured_has_some() -> None:
    """But people, whose roles and tokens nobody puts back."""
    tried = {noun.split(" ")[-1] for noun in CHANGES}
    assert tried == set(KINDS.values()) - {"clients", "users", "tokens", "members", "invites"}
