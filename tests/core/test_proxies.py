"""Proxies over HTTP: the published pages' bodies, what must fit together, and who may do what.

Belongs here: /clients/{clientId}/proxies. Does not: what all routes share (test_every_route.py).
"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted

from rrgate.core import queries
from rrgate.store import Conflict
from tests.core.doubles import CALLER, TARGET, TOWARDS, Core

PATH = "/clients/acme/proxies"


@pytest_twisted.ensureDeferred
async def test_the_published_pages_sample_works(core: Core) -> None:
    parts = await core.make_parts()
    sample = {
        **parts,
        "proxyName": "Production Payment Gateway",
        "proxyActive": True,
        "proxyDefaultRuleEffect": "allow",
        "proxyAlias": "payment-gateway",
        "proxyAdditionalHeaders": {},
        "proxyAdditionalQueryParams": {},
        "proxyAdditionalData": {},
    }
    made = await core.make("proxies", sample)
    assert {name: made[name] for name in sample} == sample
    assert (made["pKey"], made["clientId"], made["parentId"], made["userId"]) == ("acme", "acme", "acme", "alice")
    assert made["proxyCreatedAt"] == made["proxyUpdatedAt"] == "2025-12-12T05:26:57.621Z"
    assert made["proxyURL"] == f"https://gateway.test/api/{made['sKey']}"
    shown = await core.ask("GET", f"/api{PATH}/{made['sKey']}")
    assert shown.document == {"proxies": [made], "message": "Success"}
    listed = await core.ask("GET", PATH)
    assert listed.document == {"proxies": [made], "message": "Success"}
    core.seconds += 60
    changed = await core.ask("PUT", f"{PATH}/{made['sKey']}", {"proxyName": "Updated Proxy Name", "proxyActive": False})
    assert changed.document["proxies"] == [
        {
            **made,
            "proxyName": "Updated Proxy Name",
            "proxyActive": False,
            "proxyUpdatedAt": "2025-12-12T05:27:57.621Z",
        }
    ]
    assert core.directory.proxies[made["sKey"]].active is False
    gone = await core.ask("DELETE", f"{PATH}/{made['sKey']}")
    assert gone.document == {"message": "Proxy deleted successfully"}
    assert not core.directory.proxies
    assert (await core.ask("GET", f"{PATH}/{made['sKey']}")).status == 404


@pytest_twisted.ensureDeferred
async def test_read_change_write(core: Core) -> None:
    made = await core.make("proxies", await core.make_parts())
    core.seconds += 1
    told = await core.ask("PUT", f"{PATH}/{made['sKey']}", {**made, "proxyName": "New", "proxyUpdatedAt": "whenever"})
    assert told.status == 200
    assert told.document["proxies"][0] == {
        **made,
        "proxyName": "New",
        "proxyUpdatedAt": "2025-12-12T05:26:58.621Z",
    }


@pytest.mark.parametrize(
    "created",
    [
        "2025-12-12T05:26:57.62Z",  # as Go writes .620
        "2025-12-12T05:26:57.620+00:00",
        "2025-12-12T05:26:57.620000+00:00",
        "2025-12-12T06:26:57.62+01:00",
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_time_may_be_written_back_in_another_spelling(core: Core, created: str) -> None:
    core.seconds -= 0.001
    made = await core.make("proxies", await core.make_parts())
    assert made["proxyCreatedAt"] == "2025-12-12T05:26:57.620Z"
    told = await core.ask("PUT", f"{PATH}/{made['sKey']}", {**made, "proxyCreatedAt": created})
    assert told.status == 200
    assert told.document["proxies"] == [made]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sKey": "other"}, "sKey"),
        ({"pKey": "other"}, "pKey"),
        ({"clientId": "other"}, "clientId"),
        ({"parentId": 5}, "parentId"),
        ({"userId": "bob"}, "userId"),
        ({"proxyRegion": "eu-west-1"}, "proxyRegion"),
        ({"proxyURL": "https://elsewhere"}, "proxyURL"),
        ({"proxyCreatedAt": "2020-01-01T00:00:00.000Z"}, "proxyCreatedAt"),
        ({"proxyCreatedAt": "2025-12-12T05:26:57.6210001Z"}, "proxyCreatedAt"),
        ({"proxyCreatedAt": "then"}, "proxyCreatedAt"),
        ({"proxyCreatedAt": None}, "proxyCreatedAt"),
        ({"proxyCallbackPreviousSecretExpiresAt": "2025-12-12T05:26:57Z"}, "proxyCallbackPreviousSecretExpiresAt"),
        ({"proxyNam": "x"}, "proxyNam"),
        ({"proxyRetryPolicy": {}}, "proxyRetryPolicy"),
        ({"proxyName": ""}, "proxyName"),
        ({"proxyName": None}, "proxyName"),
        ({"proxyName": "x" * 201}, "proxyName"),
        ({"proxyName": "a\nb"}, "proxyName"),
        ({"proxyActive": "true"}, "proxyActive"),
        ({"proxyAlias": "Upper"}, "proxyAlias"),
        ({"proxyAlias": "api"}, "proxyAlias"),
        ({"proxyAlias": "-a"}, "proxyAlias"),
        ({"proxyAlias": "550e8400-e29b-41d4-a716-446655440000"}, "proxyAlias"),
        ({"proxyAdditionalHeaders": []}, "proxyAdditionalHeaders"),
        ({"proxyAdditionalHeaders": {"X-A": 1}}, "proxyAdditionalHeaders.X-A"),
        ({"proxyAdditionalHeaders": {"Host": "x"}}, "proxyAdditionalHeaders.Host"),
        ({"proxyAdditionalData": {"a": 1}}, "proxyAdditionalData"),
        ({"proxyDefaultRuleEffect": "deny"}, "proxyDefaultRuleEffect"),
        ({"proxyDefaultRuleEffect": "maybe"}, "proxyDefaultRuleEffect"),
        ({"proxyMaxRequestBytes": 0}, "proxyMaxRequestBytes"),
        ({"proxyMaxResponseBytes": 1.5}, "proxyMaxResponseBytes"),
        ({"proxyStreaming": "sometimes"}, "proxyStreaming"),
        ({"proxyCookies": True}, "proxyCookies"),
        ({"proxyPassHeaders": ["x y"]}, "proxyPassHeaders.0"),
        ({"proxyPassHeaders": ["Connection"]}, "proxyPassHeaders.0"),
        ({"proxyPassHeaders": "X-A"}, "proxyPassHeaders"),
        ({"proxyTargetId": "nowhere"}, "proxyTargetId"),
        ({"proxyTargetId": 5}, "proxyTargetId"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_a_put_may_not_say(core: Core, change: dict[str, Any], field: str) -> None:
    made = await core.make("proxies", await core.make_parts())
    told = await core.ask("PUT", f"{PATH}/{made['sKey']}", change)
    assert told.status == 400
    assert list(told.problems) == [field]
    assert (await core.ask("GET", f"{PATH}/{made['sKey']}")).document["proxies"] == [made]


@pytest_twisted.ensureDeferred
async def test_what_typed_clients_write_where_they_say_nothing_says_nothing(core: Core) -> None:
    """Go writes `""` for a text of its published sample that is not set, and null, as Java does, for an object."""
    objects = ("proxyAdditionalHeaders", "proxyAdditionalQueryParams", "proxyAdditionalData")
    unset = {"proxyAlias": "", **dict.fromkeys(objects)}
    parts = await core.make_parts()
    plain = await core.make("proxies", parts)
    made = await core.make("proxies", {**parts, **unset})
    for each in (plain, made):
        assert each["proxyAlias"] is None
        assert [each[name] for name in objects] == [{}, {}, {}]
    named = {"proxyAlias": "payments", "proxyAdditionalHeaders": {"X-A": "1"}, "proxyAdditionalQueryParams": {"a": "1"}}
    path = f"{PATH}/{made['sKey']}"
    assert (await core.ask("PUT", path, named)).document["proxies"][0]["proxyAlias"] == "payments"
    again = (await core.ask("PUT", path, unset)).document["proxies"][0]
    assert again["proxyAlias"] is None
    assert [again[name] for name in objects] == [{}, {}, {}]


@pytest_twisted.ensureDeferred
async def test_everything_wrong_is_said_at_once(core: Core) -> None:
    parts = await core.make_parts()
    document = {
        **parts,
        "proxyTargetId": "nowhere",
        "proxyProxyCredentialId": parts["proxyTargetCredentialId"],
        "proxyAlias": "Nope",
        "proxyAdditionalData": {"a": 1},
        "proxyUnknown": 1,
        "sKey": "mine",
        "clientId": "ignored",
        "userId": "ignored",
        "parentId": "ignored",
    }
    del document["proxyName"]
    told = await core.ask("POST", PATH, document)
    assert told.status == 400
    assert set(told.problems) == {
        "proxyName",
        "proxyAlias",
        "proxyUnknown",
        "sKey",
        "proxyProxyCredentialId",
        "proxyTargetId",
    }
    assert told.problems["proxyProxyCredentialId"] == (
        "names a credential whose credentialType is target; it must be proxy"
    )


@pytest_twisted.ensureDeferred
async def test_what_plugins_say_is_gathered(core: Core) -> None:
    parts = await core.make_parts()
    told = await core.ask(
        "POST", PATH, {**parts, "proxyAdditionalHeaders": {"Host": "x"}, "proxyAdditionalQueryParams": {"bad": "x"}}
    )
    assert set(told.problems) == {"proxyAdditionalHeaders.Host", "proxyAdditionalQueryParams.bad"}
    made = await core.make("proxies", {**parts, "proxyAdditionalHeaders": {"X-A": "1"}, "proxyStreaming": "never"})
    assert made["proxyAdditionalHeaders"] == {"X-A": "1"}


@pytest_twisted.ensureDeferred
async def test_parts_of_others_regions_and_sides(core: Core) -> None:
    parts = await core.make_parts()
    theirs = await core.make_parts("other", "u-bob")
    eu_target = await core.make("targets", {**TARGET, "targetRegion": "eu-west-1"})
    eu_caller = await core.make("credentials", {**CALLER, "credentialRegion": "eu-west-1"})
    for change, problem in (
        ({"proxyTargetId": theirs["proxyTargetId"]}, "names no target of this client"),
        ({"proxyProxyCredentialId": theirs["proxyProxyCredentialId"]}, "names no credential of this client"),
        ({"proxyTargetCredentialId": "nowhere"}, "names no credential of this client"),
        ({"proxyTargetId": eu_target["sKey"]}, "names a target of another region; it must lie in the proxy's"),
        (
            {"proxyProxyCredentialId": eu_caller["sKey"]},
            "names a credential of another region; it must lie in the proxy's",
        ),
    ):
        told = await core.ask("POST", PATH, {**parts, **change})
        assert told.status == 400
        assert told.problems == {next(iter(change)): problem}
    made = await core.make("proxies", parts)
    told = await core.ask("PUT", f"{PATH}/{made['sKey']}", {"proxyTargetId": eu_target["sKey"]})
    assert list(told.problems) == ["proxyTargetId"]
    another = await core.make("targets", TARGET)
    told = await core.ask("PUT", f"{PATH}/{made['sKey']}", {"proxyTargetId": another["sKey"]})
    assert told.document["proxies"][0]["proxyTargetId"] == another["sKey"]
    assert [proxy.id for proxy in core.directory.proxies_using(another["sKey"])] == [made["sKey"]]


@pytest_twisted.ensureDeferred
async def test_an_alias_is_unique_within_its_client(core: Core) -> None:
    parts = await core.make_parts()
    made = await core.make("proxies", {**parts, "proxyAlias": "pay"})
    told = await core.ask("POST", PATH, {**parts, "proxyAlias": "pay"})
    assert told.status == 409
    assert list(told.problems) == ["proxyAlias"]
    second = await core.make("proxies", parts)
    assert (await core.ask("PUT", f"{PATH}/{second['sKey']}", {"proxyAlias": "pay"})).status == 409
    theirs = await core.make_parts("other", "u-bob")
    assert (await core.make("proxies", {**theirs, "proxyAlias": "pay"}, "other", "u-bob"))["proxyAlias"] == "pay"
    told = await core.ask("PUT", f"{PATH}/{made['sKey']}", {"proxyAlias": None})
    assert told.document["proxies"][0]["proxyAlias"] is None
    assert (await core.ask("PUT", f"{PATH}/{second['sKey']}", {"proxyAlias": "pay"})).status == 200
    core.store.error = Conflict("proxyAlias", "taken meanwhile")
    told = await core.ask("PUT", f"{PATH}/{made['sKey']}", {"proxyAlias": "another"})
    assert (told.status, told.problems) == (409, {"proxyAlias": "taken meanwhile"})
    assert core.directory.proxies[made["sKey"]].alias is None


@pytest_twisted.ensureDeferred
async def test_a_proxy_with_a_deleted_credential_can_be_changed_and_mended(core: Core) -> None:
    parts = await core.make_parts()
    made = await core.make("proxies", parts)
    assert (await core.ask("DELETE", f"/clients/acme/credentials/{parts['proxyTargetCredentialId']}")).status == 200
    told = await core.ask("PUT", f"{PATH}/{made['sKey']}", {**made, "proxyActive": False})
    assert told.status == 200
    towards = await core.make("credentials", TOWARDS)
    told = await core.ask("PUT", f"{PATH}/{made['sKey']}", {"proxyTargetCredentialId": towards["sKey"]})
    assert told.document["proxies"][0]["proxyTargetCredentialId"] == towards["sKey"]


@pytest_twisted.ensureDeferred
async def test_a_list_of_large_ones_ends_sooner(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = (10, 10, 9_000, 10, 10, 10, 10)
    parts = await core.make_parts()
    wanted = []
    for size in sizes:
        core.seconds += 1
        wanted.append((await core.make("proxies", {**parts, "proxyAdditionalHeaders": {"X-A": "x" * size}}))["sKey"])
    monkeypatch.setattr(queries, "MOST_BYTES", 8_000)
    pages: list[list[str]] = []
    cursor = ""
    while cursor is not None:
        told = await core.ask("GET", f"/clients/acme/proxies?limit=4{cursor and '&cursor=' + cursor}")
        assert list(told.document)[:2] == ["proxies", "message"]
        pages.append([each["sKey"] for each in told.document["proxies"]])
        cursor = told.document.get("nextCursor")
    assert [each for page in pages for each in page] == wanted
    assert list(map(len, pages)) == [2, 1, 4]
