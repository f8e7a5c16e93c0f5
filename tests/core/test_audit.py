"""The audit log: every route that writes tells one truthful entry of it, what fails tells none, and no secret is in it.

Belongs here: what the log holds and who reads it. Does not: its rows (tests/store/test_audit.py).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve, frozen

from rrgate.core.changes import KINDS, changed, is_in_force
from rrgate.core.members import NAMES
from rrgate.core.proxies import PARTS
from rrgate.core.routes import Route
from rrgate.core.table import NOUNS, ROUTES
from rrgate.model.documents import publish
from rrgate.store import StoreError
from tests.core.doubles import CALLER, SECRET, TARGET, TOWARDS, Core
from tests.core.every_id import METER, made
from tests.core.every_id import path as path_of

DERIVED = frozenset({"proxyURL", "clientMembers", "warnings", "userToken", "inviteCode", "meterCounts"})
"""Published fields that are worked out and not kept, or shown once."""


FILTER = {"effect": "destroy", "jsonPaths": ["$..password"]}


@frozen
class Example:
    """A request that succeeds. `body`: as it is, or the parts of a proxy where it is a str. `query`: behind `?`.
    `first`: a PUT of the noun before it."""

    body: Any = None
    query: str = ""
    action: str = "change"
    first: Any = None


EXAMPLES = {
    "PUT /users/{userId}": Example({"userFirstName": "Alice"}),
    "POST /users/{userId}/tokens": Example({"tokenName": "new"}, action="create"),
    "DELETE /users/{userId}/tokens/{tokenId}": Example(action="delete"),
    "POST /clients": Example({"clientName": "New"}, action="create"),
    "PUT /clients/{clientId}": Example({"clientName": "Renamed"}),
    "DELETE /clients/{clientId}": Example(query="?force=true", action="delete"),
    "PUT /clients/{clientId}/configuration": Example({"logBodies": True}),
    "PUT /clients/{clientId}/members/{userId}": Example({"roles": ["admin"]}),
    "DELETE /clients/{clientId}/members/{userId}": Example(action="delete"),
    "PUT /clients/{clientId}/users/{userId}": Example({"roles": ["admin"]}),
    "DELETE /clients/{clientId}/users/{userId}": Example(action="delete"),
    "POST /clients/{clientId}/invites": Example({"inviteRoles": ["user"]}, action="create"),
    "DELETE /clients/{clientId}/invites/{inviteId}": Example(action="delete"),
    "POST /clients/{clientId}/credentials": Example(CALLER, action="create"),
    "PUT /clients/{clientId}/credentials/{credentialId}": Example(
        {"credentialSecret": {"key": "X-API-Key", "value": SECRET + "2"}}
    ),
    "DELETE /clients/{clientId}/credentials/{credentialId}": Example(action="delete"),
    "POST /clients/{clientId}/targets": Example(TARGET, action="create"),
    "PUT /clients/{clientId}/targets/{targetId}": Example({"targetTimeout": 5}),
    "DELETE /clients/{clientId}/targets/{targetId}": Example(query="?force=true", action="delete"),
    "POST /clients/{clientId}/proxies": Example("parts", action="create"),
    "PUT /clients/{clientId}/proxies/{proxyId}": Example({"proxyActive": False}),
    "DELETE /clients/{clientId}/proxies/{proxyId}": Example(action="delete"),
    "POST /clients/{clientId}/proxies/{proxyId}/callback-secret": Example(),
    "POST /clients/{clientId}/credentials/{credentialId}/rules": Example({"effect": "deny"}, action="create"),
    "PUT /clients/{clientId}/credentials/{credentialId}/rules/{ruleId}": Example({"path": "^/a"}),
    "DELETE /clients/{clientId}/credentials/{credentialId}/rules/{ruleId}": Example(action="delete"),
    "POST /clients/{clientId}/targets/{targetId}/rules": Example({"effect": "deny"}, action="create"),
    "PUT /clients/{clientId}/targets/{targetId}/rules/{ruleId}": Example({"path": "^/a"}),
    "DELETE /clients/{clientId}/targets/{targetId}/rules/{ruleId}": Example(action="delete"),
    "POST /clients/{clientId}/proxies/{proxyId}/rules": Example({"effect": "deny"}, action="create"),
    "PUT /clients/{clientId}/proxies/{proxyId}/rules/{ruleId}": Example({"path": "^/a"}),
    "DELETE /clients/{clientId}/proxies/{proxyId}/rules/{ruleId}": Example(action="delete"),
    "POST /clients/{clientId}/credentials/{credentialId}/filters": Example(FILTER, action="create"),
    "PUT /clients/{clientId}/credentials/{credentialId}/filters/{filterId}": Example({"path": "^/a"}),
    "DELETE /clients/{clientId}/credentials/{credentialId}/filters/{filterId}": Example(action="delete"),
    "POST /clients/{clientId}/targets/{targetId}/filters": Example(FILTER, action="create"),
    "PUT /clients/{clientId}/targets/{targetId}/filters/{filterId}": Example({"effect": "retain"}),
    "DELETE /clients/{clientId}/targets/{targetId}/filters/{filterId}": Example(action="delete"),
    "POST /clients/{clientId}/proxies/{proxyId}/filters": Example(FILTER, action="create"),
    "PUT /clients/{clientId}/proxies/{proxyId}/filters/{filterId}": Example({"jsonPaths": ["$.b"]}),
    "DELETE /clients/{clientId}/proxies/{proxyId}/filters/{filterId}": Example(action="delete"),
    "POST /clients/{clientId}/proxies/{proxyId}/meters": Example(METER, action="create"),
    "PUT /clients/{clientId}/proxies/{proxyId}/meters/{meterId}": Example({"limits": {"day": 5}}),
    "DELETE /clients/{clientId}/proxies/{proxyId}/meters/{meterId}": Example(action="delete"),
    **{
        f"POST /clients/{{clientId}}/{noun}/revisions/{{revision}}/restore": Example(first=first)
        for noun, first in {
            "credentials/{credentialId}": {"credentialActive": False},
            "targets/{targetId}": {"targetTimeout": 5},
            "proxies/{proxyId}": {"proxyActive": False},
            "credentials/{credentialId}/rules/{ruleId}": {"path": "^/a"},
            "targets/{targetId}/rules/{ruleId}": {"path": "^/a"},
            "proxies/{proxyId}/rules/{ruleId}": {"path": "^/a"},
            "credentials/{credentialId}/filters/{filterId}": {"path": "^/a"},
            "targets/{targetId}/filters/{filterId}": {"effect": "retain"},
            "proxies/{proxyId}/filters/{filterId}": {"jsonPaths": ["$.b"]},
            "proxies/{proxyId}/meters/{meterId}": {"meterActive": False},
        }.items()
    },
}
"""One for each route that writes: whoever adds such a route adds its line here."""

BY_CODE = frozenset({"POST /invites/accept", "POST /invites/decline", "POST /users"})
"""What these change is told in entries of several kinds: see test_invites.py."""

OTHER_ANSWER = "/callback-secret"
"""What is behind a noun's path where the answer is not the noun as it is then."""

WRITING = [route for route in ROUTES if route.writes and f"{route.method} {route.template}" not in BY_CODE]


def name_of(route: Route) -> str:
    return f"{route.method} {route.template}"


every_writing_route = pytest.mark.parametrize("route", WRITING, ids=name_of)


def test_every_writing_route_has_an_example() -> None:
    assert set(EXAMPLES) == set(map(name_of, WRITING))
    assert {name_of(route) for route in ROUTES} >= BY_CODE


def test_every_noun_has_a_kind() -> None:
    assert set(KINDS.items()) == {(known.noun, known.plural) for known in NOUNS}


async def asked(core: Core, route: Route) -> tuple[str, Any, str, str]:
    """Where to ask and with what body, where the noun is read, and its id; empty for a new one."""
    example = EXAMPLES[name_of(route)]
    ids = await made(core)
    path = path_of(route, ids)
    proxy = publish(core.directory.proxies[ids["proxyId"]])
    # The same parts once more: what they are bound to is told of already.
    parts = {name: proxy[name] for name in ("proxyName", "proxyRegion", *PARTS)}
    changed = ""
    template, noun = noun_of(route.template), noun_of(path)
    if example.action != "create":
        last = template.rpartition("{")[2].partition("}")[0]
        changed = path.split("/")[template.split("/").index(f"{{{last}}}")]
    if example.first is not None:
        assert (await core.ask("PUT", noun, example.first)).status == 200
    return path + example.query, parts if example.body == "parts" else example.body, noun, changed


def noun_of(path: str) -> str:
    """The path, or template, of the noun that is changed."""
    return path.partition("/revisions/")[0].removesuffix(OTHER_ANSWER)


def kept(document: Any) -> dict[str, Any]:
    """A document without what is not kept, and without what the log tells of a noun that went with it."""
    hidden = DERIVED | {known.plural for known in NOUNS}
    if "roles" in document:
        hidden |= set(NAMES)  # which are the user's
    return {name: value for name, value in document.items() if name not in hidden}


async def read(core: Core, path: str) -> Any:
    """What is at `path`, where there is a list of its kind only, in that."""
    told = await core.ask("GET", path)
    if told.status != 405:
        return the_one(told.document)
    kind, _, id = path.rpartition("/")
    (found,) = [each for each in the_list((await core.ask("GET", kind)).document) if each["sKey"] == id]
    return found


def the_list(document: Any) -> Any:
    """The array of an answer."""
    (found,) = (value for value in document.values() if not isinstance(value, str))
    return found


def the_one(document: Any) -> Any:
    """What an answer is about: the one object in its array, or an object that stands there by itself."""
    found = the_list(document)
    return found[0] if isinstance(found, list) else found


@every_writing_route
@pytest_twisted.ensureDeferred
async def test_one_truthful_entry(core: Core, route: Route) -> None:
    where, body, path, known = await asked(core, route)
    before = None
    if known:
        before = await read(core, path)
    earlier = len(core.store.entries)
    core.seconds += 7
    told = await core.ask(route.method, where, body)
    assert told.status == 200, told.raw
    assert len(core.store.entries) == earlier + 1
    entry = core.store.entries[0]
    kind = [part for part in noun_of(route.template).split("/") if part and not part.startswith("{")][-1]
    kind = "members" if route.template.startswith("/clients/") and kind == "users" else kind
    after = None
    if entry.action != "delete":
        after = await read(core, path) if where.endswith(OTHER_ANSWER) else the_one(told.document)
    noun_id = known or after["sKey"]
    assert (entry.action, entry.kind, entry.noun_id) == (EXAMPLES[name_of(route)].action, kind, noun_id)
    assert (entry.user_id, entry.token_id, entry.via) == ("alice", "t-alice", name_of(route))
    assert entry.client_id == {"clients": noun_id, "users": "", "tokens": ""}.get(kind, "acme")
    assert entry.at == int(core.seconds * 1000)
    assert (entry.before and kept(entry.before)) == (before and kept(before))
    assert (entry.after and kept(entry.after)) == (after and kept(after))


@every_writing_route
@pytest_twisted.ensureDeferred
async def test_no_entry_of_what_fails(core: Core, route: Route) -> None:
    where, body, _, _ = await asked(core, route)
    earlier = list(core.store.entries)
    assert (await core.ask(route.method, where, body, token="u-bob")).status in (403, 404)
    assert (await core.ask(route.method, where, body, token=None)).status == 401
    if route.takes_body:
        assert (await core.ask(route.method, where, {**body, "nothingKnowsThis": 1})).status == 400
    core.store.error = StoreError("the disk is full")
    assert (await core.ask(route.method, where, body)).status == 500
    assert list(core.store.entries) == earlier


@every_writing_route
@pytest_twisted.ensureDeferred
async def test_no_secret_in_it(core: Core, route: Route) -> None:
    where, body, _, _ = await asked(core, route)
    told = await core.ask(route.method, where, body)
    made = told.document["callbackSecret"]["secret"] if where.endswith(OTHER_ANSWER) else SECRET
    entries = [entry.published() for entry in core.store.entries]
    for hidden in (SECRET, SECRET[::-1], made, made[::-1], "u-alice", "sealed"):
        assert hidden not in json.dumps(entries)
        assert hidden not in repr(core.store.entries)


@pytest_twisted.ensureDeferred
async def test_another_secret_shows_as_another_fingerprint(core: Core) -> None:
    made = await core.make("credentials", TOWARDS)
    await core.ask(
        "PUT", f"/clients/acme/credentials/{made['sKey']}", {"credentialSecret": {"token": "another"}}
    )
    (entry, *_) = (await core.ask("GET", "/clients/acme/audit")).document["audit"]
    assert entry["auditBefore"]["credentialFingerprint"] == made["credentialFingerprint"]
    assert entry["auditAfter"]["credentialFingerprint"] != made["credentialFingerprint"]
    assert "credentialSecret" not in {**entry["auditBefore"], **entry["auditAfter"]}


@pytest_twisted.ensureDeferred
async def test_what_goes_with_a_client_is_told_too(core: Core) -> None:
    proxy = await core.make("proxies", await core.make_parts())
    await core.ask("DELETE", "/clients/acme?force=true")
    before = core.store.entries[0].before
    assert before is not None
    assert [each["sKey"] for each in before["proxies"]] == [proxy["sKey"]]
    assert {each["sKey"] for each in before["credentials"]} == {
        proxy["proxyProxyCredentialId"],
        proxy["proxyTargetCredentialId"],
    }
    # Nobody is a member of it any more; `rrgate audit` still shows it.
    assert (await core.ask("GET", "/clients/acme/audit")).status == 404


@pytest_twisted.ensureDeferred
async def test_it_is_read_by_page_resource_and_time(core: Core) -> None:
    first = await core.make("targets", TARGET)
    core.seconds += 10
    await core.ask("PUT", f"/clients/acme/targets/{first['sKey']}", {"targetTimeout": 3}, token="u-adam")
    core.seconds += 10
    second = await core.make("targets", TARGET)
    await core.make("targets", TARGET, client="other", token="u-bob")

    async def read(query: str, token: str = "u-alice") -> list[tuple[str, str, str]]:
        told = await core.ask("GET", f"/clients/acme/audit{query}", token=token)
        assert told.document["message"] == "Success"
        return [(each["auditResourceId"], each["auditAction"], each["userId"]) for each in told.document["audit"]]

    newest_first = [
        (second["sKey"], "create", "alice"),
        (first["sKey"], "change", "adam"),
        (first["sKey"], "create", "alice"),
    ]
    assert await read("") == await read("", token="u-adam") == newest_first
    assert await read(f"?resourceId={first['sKey']}") == newest_first[1:]
    assert await read("?resourceId=nothing") == []
    created = first["targetCreatedAt"]
    assert await read(f"?createdAfter={created}") == newest_first[:2]
    assert await read(f"?createdBefore={created}") == []
    assert await read(f"?createdBefore={second['targetCreatedAt']}") == newest_first[1:]
    told = await core.ask("GET", "/clients/acme/audit?limit=2")
    assert await read(f"?limit=2&cursor={told.document['nextCursor']}") == newest_first[2:]
    for bad in ("cursor=x", "cursor=", "limit=0", "createdAfter=yesterday"):
        told = await core.ask("GET", f"/clients/acme/audit?{bad}")
        assert told.status == 400
        assert list(told.problems) == [bad.partition("=")[0]]
    assert (await core.ask("GET", "/clients/acme/audit", token="u-uma")).status == 403


@pytest_twisted.ensureDeferred
async def test_an_entry_as_published(core: Core) -> None:
    made = await core.make("targets", TARGET)
    (entry,) = (await core.ask("GET", "/clients/acme/audit")).document["audit"]
    assert entry == {
        "pKey": "acme",
        "sKey": entry["sKey"],
        "userId": "alice",
        "clientId": "acme",
        "parentId": "acme",
        "auditCreatedAt": made["targetCreatedAt"],
        "auditTokenId": "t-alice",
        "auditVia": "POST /clients/{clientId}/targets",
        "auditAction": "create",
        "auditResource": "targets",
        "auditResourceId": made["sKey"],
        "auditBefore": None,
        "auditAfter": {name: value for name, value in made.items() if name != "warnings"},
    }


@pytest.mark.parametrize("route", [each for each in WRITING if each.method == "PUT"], ids=name_of)
@pytest_twisted.ensureDeferred
async def test_no_entry_where_nothing_changes(core: Core, route: Route) -> None:
    """What was read is written back, and so is nothing at all: it stays as it is, time of change included."""
    _, _, path, _ = await asked(core, route)
    before = await read(core, path)
    kept, earlier = dict(core.store.kept), len(core.store.entries)
    core.seconds += 7
    for body in (before, {}):
        told = await core.ask("PUT", path, body)
        assert told.status == 200, told.raw
        assert the_one(told.document) == before
    assert len(core.store.entries) == earlier
    assert core.store.kept == kept


@pytest_twisted.ensureDeferred
async def test_true_is_not_one_even_within_a_millisecond(core: Core) -> None:
    made = await core.make("proxies", await core.make_parts())
    one = evolve(core.directory.proxies[made["sKey"]], additional_data={"a": 1})
    core.directory.put(one)
    assert changed(core.house, one, {"additional_data": {"a": 1}}) is one
    true = changed(core.house, one, {"additional_data": {"a": True}})
    assert true == one
    assert not is_in_force(core.house, true)
    assert is_in_force(core.house, one)
