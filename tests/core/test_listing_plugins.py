"""`proxyPlugins`: what a proxy may list, what of it is sealed, and when its secrets are to be given again.

Belongs here: the Core API's side, and /proxy-plugins. Does not: plugins that run (tests/gateway/test_proxy_plugins.py).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve

from rrgate.model import Proxy
from rrgate.store.sealed_parts import unpack
from tests.core.doubles import SECRET, Core

PATH = "/clients/acme/proxies"
FIELD = "proxyPlugins"
STAMP = {"name": "stamp", "configuration": {"header": "X-Stamp", "secret": SECRET}}
MARK: dict[str, Any] = {"name": "mark"}


async def proxy_with(core: Core, *plugins: dict[str, Any]) -> Any:
    return await core.make("proxies", {**await core.make_parts(), FIELD: list(plugins)})


def kept(core: Core, made: Any) -> Proxy:
    return core.directory.proxies[made["sKey"]]


def opened(core: Core, made: Any) -> dict[str, Any]:
    """What is sealed of each, opened."""
    return {
        name: json.loads(core.store.secrets.opened("acme", f"proxies/{made['sKey']}/plugins/{name}", sealed))
        for name, sealed in unpack(kept(core, made).sealed_plugins).items()
    }


async def put(core: Core, made: Any, **changes: Any) -> Any:
    return await core.ask("PUT", f"{PATH}/{made['sKey']}", changes)


@pytest_twisted.ensureDeferred
async def test_what_may_be_listed_is_told_to_every_user(core: Core) -> None:
    told = await core.ask("GET", "/proxy-plugins", token="u-bob")
    assert [each["name"] for each in told.document["proxyPlugins"]] == ["mark", "stamp"]
    stamp = told.document["proxyPlugins"][1]
    assert (stamp["aliases"], stamp["distribution"], stamp["version"]) == (["seal"], None, None)
    assert stamp["configuration"]["properties"]["secret"]["writeOnly"] is True


@pytest_twisted.ensureDeferred
async def test_a_list_is_kept_in_its_order_and_its_secrets_are_sealed_and_never_answered(core: Core) -> None:
    made = await proxy_with(core, STAMP, MARK)
    stamp, mark = made[FIELD]
    fingerprint = stamp.pop("fingerprint")
    assert stamp == {"name": "stamp", "configuration": {"header": "X-Stamp"}}
    assert len(fingerprint) == 8
    assert mark == {"name": "mark", "configuration": {}, "fingerprint": None}
    assert opened(core, made) == {"stamp": STAMP["configuration"]}
    assert kept(core, made).plugins_host == "api.stripe.com"
    assert SECRET not in repr(kept(core, made))
    for path in (PATH, f"{PATH}/{made['sKey']}", "/clients/acme/audit", f"{PATH}/{made['sKey']}/revisions"):
        told = await core.ask("GET", path)
        assert (told.status, SECRET in told.raw.decode()) == (200, False)


@pytest_twisted.ensureDeferred
async def test_what_is_read_can_be_written_back_and_keeps_its_secrets(core: Core) -> None:
    made = await proxy_with(core, STAMP, MARK)
    before = kept(core, made)
    told = await put(core, made, **{**made, "proxyName": "another"})
    assert told.status == 200
    after = kept(core, made)
    assert (after.name, after.sealed_plugins) == ("another", before.sealed_plugins)
    assert told.document["proxies"][0][FIELD] == made[FIELD]


@pytest.mark.parametrize(
    ("list", "shown", "sealed"),
    [
        ([], [], {}),
        ([MARK], ["mark"], {}),
        ([MARK, {"name": "stamp", "configuration": {"header": "X-Stamp"}}], ["mark", "stamp"], {"stamp": SECRET}),
        ([{"name": "stamp", "configuration": {"header": "X-Other", "secret": "new"}}], ["stamp"], {"stamp": "new"}),
        ([{"name": "seal", "configuration": {"header": "X-Other", "secret": "new"}}], ["seal"], {"seal": "new"}),
        ([{"name": "seal", "configuration": {"header": "X-Stamp"}}], ["seal"], {}),
    ],
    ids=["none", "without secrets", "in another order", "a new secret", "by its other name", "another name, anew"],
)
@pytest_twisted.ensureDeferred
async def test_a_new_list_takes_the_place_of_the_present_one(
    core: Core, list: Any, shown: list[str], sealed: dict[str, str]
) -> None:
    made = await proxy_with(core, STAMP, MARK)
    told = await put(core, made, **{FIELD: list})
    assert told.status == 200, told.raw
    assert [each["name"] for each in told.document["proxies"][0][FIELD]] == shown
    assert {name: each["secret"] for name, each in opened(core, made).items()} == sealed
    assert kept(core, made).plugins_host == ("api.stripe.com" if sealed else None)


@pytest_twisted.ensureDeferred
async def test_the_same_secret_given_again_changes_nothing(core: Core) -> None:
    made = await proxy_with(core, STAMP)
    before = kept(core, made)
    core.seconds += 60
    assert (await put(core, made, **{FIELD: [STAMP]})).status == 200
    assert kept(core, made) is before


@pytest_twisted.ensureDeferred
async def test_a_fingerprint_is_the_present_one_or_none(core: Core) -> None:
    made = await proxy_with(core, STAMP)
    told = await put(core, made, **{FIELD: [{**made[FIELD][0], "fingerprint": "00000000"}]})
    assert (told.status, set(told.problems)) == (400, {f"{FIELD}.0.fingerprint"})
    assert (await put(core, made, **{FIELD: [{**made[FIELD][0], "fingerprint": None}]})).status == 200


@pytest_twisted.ensureDeferred
async def test_a_fingerprint_tells_that_a_secret_was_replaced(core: Core) -> None:
    made = await proxy_with(core, STAMP)
    old = made[FIELD][0]["fingerprint"]
    entry = {**made[FIELD][0], "configuration": {"header": "X-Stamp", "secret": "another"}}
    told = await put(core, made, **{FIELD: [entry]})
    assert told.document["proxies"][0][FIELD][0]["fingerprint"] != old
    log = await core.ask("GET", f"{PATH}/{made['sKey']}/revisions")
    now, before = (each["revisionAfter"][FIELD][0]["fingerprint"] for each in log.document["revisions"])
    assert (before, now) == (old, told.document["proxies"][0][FIELD][0]["fingerprint"])


@pytest.mark.parametrize(
    ("list", "field", "says"),
    [
        ([{"name": "nothing"}], "0.name", "is no plugin that proxies may list here; there are mark, stamp"),
        ([{"name": "not-for-tenants"}], "0.name", "the operator would name it in tenant_plugins"),
        ([{"name": "apiKey"}], "0.name", "is no plugin that proxies may list here"),
        ([MARK, {"name": "stamp", "configuration": {}}], "1.configuration.header", "is required"),
        ([{"name": "stamp", "configuration": {"header": "é"}}], "0.configuration.header", "must be ASCII"),
        ([{"name": "stamp", "configuration": {"header": "X", "hedaer": "X"}}], "0.configuration.hedaer", "header?"),
        ([{"name": "mark", "configuration": {"a": 1}}], "0.configuration.a", "there are no fields here"),
        ([MARK, MARK], "1.name", "is listed already"),
        ([STAMP, {**STAMP, "name": "seal"}], "1.name", "is listed already"),
        ([{"name": "mark", "fingerprint": "00000000"}], "0.fingerprint", "is read only"),
        ([MARK] * 21, "", "at most 20"),
        ([{"name": ""}], "0.name", "must have 1 to 200 characters"),
        ([{"name": "stamp", "configuration": {"header": "X" * 65_536}}], "0.configuration", "at most 65536 bytes"),
        ([{"configuration": {}}], "0.name", "is required"),
        ("mark", "", "must be an array"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_cannot_be_listed_is_refused_by_field_and_without_its_values(
    core: Core, list: Any, field: str, says: str
) -> None:
    document = {**await core.make_parts(), FIELD: list}
    made = await core.ask("POST", PATH, document)
    known = await proxy_with(core)
    changed = await put(core, known, **{FIELD: list})
    for told in (made, changed):
        assert told.status == 400
        assert says in told.problems[f"{FIELD}.{field}".rstrip(".")]
        assert SECRET not in told.raw.decode()
    assert kept(core, known).plugins == ()


@pytest_twisted.ensureDeferred
async def test_the_other_name_of_one_that_stays_is_refused_too(core: Core) -> None:
    made = await proxy_with(core, {**STAMP, "name": "seal"})
    for list in ([made[FIELD][0], STAMP], [STAMP, made[FIELD][0]]):
        told = await put(core, made, **{FIELD: list})
        assert (told.status, set(told.problems)) == (400, {f"{FIELD}.1.name"})


@pytest.mark.parametrize(
    "configuration",
    [{"header": "X-Other"}, {}, {"header": "X-Stamp", "secret": None}, {"header": "X-Stamp", "more": 1}],
    ids=["another", "less", "explicitly none", "more"],
)
@pytest_twisted.ensureDeferred
async def test_a_configuration_with_secrets_is_changed_by_who_knows_them(core: Core, configuration: Any) -> None:
    made = await proxy_with(core, STAMP)
    before = kept(core, made)
    told = await put(core, made, **{FIELD: [{"name": "stamp", "configuration": configuration}]})
    wanted = 400 if "header" not in configuration else 409 if configuration.get("secret", "-") == "-" else 200
    assert told.status == wanted
    if wanted == 409:
        assert "to be sent with any change" in told.problems[f"{FIELD}.0.configuration"]
    assert (kept(core, made) is before) == (wanted != 200)


@pytest_twisted.ensureDeferred
async def test_true_is_not_1(core: Core) -> None:
    made = await proxy_with(core, {"name": "stamp", "configuration": {"header": "X", "more": True}})
    told = await put(core, made, **{FIELD: [{"name": "stamp", "configuration": {"header": "X", "more": 1}}]})
    assert told.document["proxies"][0][FIELD][0]["configuration"]["more"] is not True


# Where secrets go.


async def target_at(core: Core, url: str) -> str:
    made = await core.make("targets", {"targetName": "t", "targetRegion": "us-east-1", "targetBaseURL": url})
    return str(made["sKey"])


@pytest_twisted.ensureDeferred
async def test_another_host_takes_the_secrets_again(core: Core) -> None:
    made = await proxy_with(core, MARK, STAMP)
    before = kept(core, made)
    moved = {"proxyTargetId": await target_at(core, "https://other.test/v1"), "proxyTargetCredentialId": None}
    credential = {
        "credentialName": "other",
        "credentialType": "target",
        "credentialAuthType": "bearer",
        "credentialRegion": "us-east-1",
        "credentialSecret": {"token": "t"},
    }
    moved["proxyTargetCredentialId"] = (await core.make("credentials", credential))["sKey"]
    for changes in (moved, {**moved, FIELD: made[FIELD]}):
        told = await put(core, made, **changes)
        assert told.status == 409
        assert "must know them" in told.problems[f"{FIELD}.1.configuration"]
        assert kept(core, made) is before
    told = await put(core, made, **moved, **{FIELD: [STAMP]})
    assert told.status == 200, told.raw
    assert kept(core, made).plugins_host == "other.test"
    # Without secrets there is nothing to be kept from anybody.
    plain = await proxy_with(core, MARK)
    assert (await put(core, plain, **moved)).status == 200


@pytest_twisted.ensureDeferred
async def test_the_same_host_by_another_target_does_not(core: Core) -> None:
    made = await proxy_with(core, STAMP)
    told = await put(core, made, proxyTargetId=await target_at(core, "https://api.stripe.com/v2"))
    assert told.status == 200, told.raw
    assert opened(core, made)["stamp"]["secret"] == SECRET


@pytest_twisted.ensureDeferred
async def test_they_stay_bound_to_the_host_of_a_target_that_is_gone(core: Core) -> None:
    made = await proxy_with(core, STAMP)
    told = await core.ask("DELETE", f"/clients/acme/targets/{made['proxyTargetId']}?force=true")
    assert told.status == 200, told.raw
    other = {"name": "stamp", "configuration": {"header": "X-Other", "secret": "new"}}
    assert (await put(core, made, **{FIELD: [other]})).status == 200
    assert kept(core, made).plugins_host == "api.stripe.com"
    there = await target_at(core, "https://other.test")
    assert (await put(core, made, proxyTargetId=there)).status == 409
    there = await target_at(core, "https://api.stripe.com")
    assert (await put(core, made, proxyTargetId=there)).status == 200


@pytest_twisted.ensureDeferred
async def test_a_target_does_not_take_them_elsewhere(core: Core) -> None:
    made = await proxy_with(core, STAMP)
    credential = core.directory.credentials[made["proxyTargetCredentialId"]]
    core.directory.put(evolve(credential, allowed_hosts=("api.stripe.com", "other.test")))
    path = f"/clients/acme/targets/{made['proxyTargetId']}"
    told = await core.ask("PUT", path, {"targetBaseURL": "https://other.test"})
    assert told.status == 409
    assert made["sKey"] in told.problems["targetBaseURL"]
    assert (await core.ask("PUT", path, {"targetBaseURL": "https://api.stripe.com/v2"})).status == 200
    assert (await put(core, made, **{FIELD: []})).status == 200
    assert (await core.ask("PUT", path, {"targetBaseURL": "https://other.test"})).status == 200


# What was changed on the disk.


@pytest.mark.parametrize(
    "damage",
    [
        {"sealed_plugins": b"damaged"},
        {"sealed_plugins": None},
        {"sealed_plugins": None, "plugins_host": None},
        {"plugins_host": None},
        {"plugins_host": "other.test"},
    ],
    ids=str,
)
@pytest_twisted.ensureDeferred
async def test_secrets_that_are_damaged_are_given_anew_and_stand_in_no_other_way(core: Core, damage: Any) -> None:
    made = await proxy_with(core, MARK, STAMP)
    core.directory.put(evolve(kept(core, made), **damage))
    told = await put(core, made, proxyActive=False, **{FIELD: made[FIELD]})
    assert told.status == 200, told.raw
    assert {name: getattr(kept(core, made), name) for name in damage} == damage
    told = await put(core, made, **{FIELD: [made[FIELD][1]]})
    assert (told.status, set(told.problems)) == (409, {f"{FIELD}.0.configuration"})
    assert (await put(core, made, **{FIELD: [STAMP, MARK]})).status == 200
    assert opened(core, made)["stamp"]["secret"] == SECRET
    assert kept(core, made).plugins_host == "api.stripe.com"
    core.directory.put(evolve(kept(core, made), **damage))
    assert (await put(core, made, **{FIELD: []})).status == 200
    assert kept(core, made).sealed_plugins is None


# Revisions.


@pytest_twisted.ensureDeferred
async def test_a_revision_is_put_back_and_the_secrets_stay_as_they_are(core: Core) -> None:
    made = await proxy_with(core, STAMP, MARK)
    entry = {"name": "stamp", "configuration": {"header": "X-Stamp", "secret": "newer"}}
    assert (await put(core, made, **{FIELD: [entry]})).status == 200
    where = f"{PATH}/{made['sKey']}/revisions"
    told = await core.ask("POST", f"{where}/1/restore")
    assert told.status == 200, told.raw
    assert [each["name"] for each in told.document["proxies"][0][FIELD]] == ["stamp", "mark"]
    assert opened(core, made)["stamp"]["secret"] == "newer"


@pytest_twisted.ensureDeferred
async def test_one_whose_secrets_are_gone_is_not_put_back(core: Core) -> None:
    made = await proxy_with(core, {"name": "mark"}, STAMP)
    changed = [{"name": "stamp", "configuration": {"header": "X-Other", "secret": SECRET}}]
    assert (await put(core, made, **{FIELD: changed})).status == 200
    before = kept(core, made)
    told = await core.ask("POST", f"{PATH}/{made['sKey']}/revisions/1/restore")
    assert told.status == 409
    assert f"{FIELD}.1.configuration" in told.problems
    assert kept(core, made) is before


@pytest.mark.parametrize("since", [[], [MARK], [{"name": "stamp", "configuration": {"header": "X-Stamp"}}]], ids=str)
@pytest_twisted.ensureDeferred
async def test_one_that_had_secrets_is_not_put_back_without_them(core: Core, since: Any) -> None:
    made = await proxy_with(core, MARK, STAMP)
    assert (await put(core, made, **{FIELD: []})).status == 200
    assert (await put(core, made, **{FIELD: since})).status == 200
    before = kept(core, made)
    told = await core.ask("POST", f"{PATH}/{made['sKey']}/revisions/1/restore")
    assert told.status == 409
    assert "list it by PUT, secrets included" in told.problems[f"{FIELD}.1.configuration"]
    assert kept(core, made) is before


@pytest_twisted.ensureDeferred
async def test_a_plugin_that_is_off_by_now_stands_in_no_ones_way(core: Core) -> None:
    made = await proxy_with(core, MARK)
    listing = core.house.proxy_plugins
    object.__setattr__(core.house, "proxy_plugins", type(listing)(core.house.registry, ()))  # type: ignore[call-arg]
    assert (await put(core, made, proxyName="renamed")).status == 200
    assert (await put(core, made, **{FIELD: made[FIELD]})).status == 200
    told = await put(core, made, **{FIELD: [{"name": "stamp"}]})
    assert told.status == 400
    assert (await put(core, made, **{FIELD: []})).status == 200
