"""Users and their tokens over HTTP.

Belongs here: /users/me, /users/{userId}, …/tokens. Does not: other people's (test_other_peoples_ids.py), POST /users
(test_invites.py).
"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted

from rrgate.core.tokens import MOST_TOKENS
from tests.core.doubles import TARGET, Core

ALICE = {
    "pKey": "alice",
    "sKey": "alice",
    "userId": "alice",
    "parentId": "alice",
    "userFirstName": None,
    "userLastName": None,
    "userEmail": None,
    "userPhone": None,
    "userBio": None,
    "userOperator": True,
    "userCreatedAt": "1970-01-01T00:00:00.001Z",
    "userUpdatedAt": "1970-01-01T00:00:00.001Z",
}
TOKENS = "/users/alice/tokens"


@pytest_twisted.ensureDeferred
async def test_who_one_is(core: Core) -> None:
    for where in ("/users/me", "/users/alice", "/api/users/me"):
        told = await core.ask("GET", where)
        assert told.document == {"users": [ALICE], "message": "Success"}
    for where in ("/users/bob", "/users/nobody"):
        assert (await core.ask("GET", where)).status == 404


@pytest_twisted.ensureDeferred
async def test_what_one_says_of_oneself(core: Core) -> None:
    said = {
        "userFirstName": "Älice",
        "userLastName": "O'Hara",
        "userEmail": "not even an address",
        "userPhone": "+64 1",
        "userBio": "First line.\nSecond line.",
    }
    core.seconds += 1
    told = await core.ask("PUT", "/users/alice", said)
    assert told.document["users"] == [ALICE | said | {"userUpdatedAt": "2025-12-12T05:26:58.621Z"}]
    assert (await core.ask("GET", "/users/me")).document == told.document
    told = await core.ask("PUT", "/users/alice", {**told.document["users"][0], "userBio": None})
    assert told.document["users"][0]["userBio"] is None


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"userOperator": False}, ["userOperator"]),
        ({"userId": "bob", "sKey": "bob", "pKey": "bob"}, ["userId", "sKey", "pKey"]),
        ({"userFirstName": "", "userLastName": " ", "userEmail": 5}, ["userFirstName", "userLastName", "userEmail"]),
        ({"userPhone": "1\r2", "userBio": "x" * 2001}, ["userPhone", "userBio"]),
        ({"userBio": "\x1b[2J", "userRoles": ["owner"]}, ["userBio", "userRoles"]),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_one_may_not_say(core: Core, body: Any, fields: list[str]) -> None:
    told = await core.ask("PUT", "/users/alice", body)
    assert told.status == 400
    assert sorted(told.problems) == sorted(fields)
    assert core.store.kept == {}


@pytest_twisted.ensureDeferred
async def test_a_token_from_its_making_to_its_end(core: Core) -> None:
    core.seconds += 1
    told = await core.ask("POST", TOKENS, {"tokenName": "laptop", "userId": "bob", "clientId": "other"})
    assert told.status == 200
    (token,) = told.document["tokens"]
    text = token.pop("userToken")
    assert text.startswith("u-")
    assert len(text) == 45
    assert token == {
        "pKey": "alice",
        "sKey": token["sKey"],
        "userId": "alice",
        "parentId": "alice",
        "tokenName": "laptop",
        "tokenExpiresAt": None,
        "tokenClientId": None,
        "tokenRole": None,
        "tokenCreatedAt": "2025-12-12T05:26:58.621Z",
    }
    told = await core.ask("GET", TOKENS, token=text)
    assert token in told.document["tokens"]
    assert text.encode() not in told.raw
    assert text not in repr(core.store.kept)
    assert text not in repr(core.store.entries)
    assert (await core.ask("DELETE", f"{TOKENS}/{token['sKey']}", token=text)).status == 200
    assert (await core.ask("GET", "/users/me", token=text)).status == 401
    assert (await core.ask("DELETE", f"{TOKENS}/{token['sKey']}")).status == 404
    # Nobody but its user ends it.
    assert (await core.ask("DELETE", f"{TOKENS}/t-bob")).status == 404
    assert (await core.ask("GET", "/users/me", token="u-bob")).status == 200


@pytest_twisted.ensureDeferred
async def test_a_token_ends_by_time(core: Core) -> None:
    told = await core.ask("POST", TOKENS, {"tokenName": "x", "tokenExpiresAt": "2025-12-12T05:26:58.621Z"})
    text = told.document["tokens"][0]["userToken"]
    assert (await core.ask("GET", "/users/me", token=text)).status == 200
    core.seconds += 1
    assert (await core.ask("GET", "/users/me", token=text)).status == 401


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["tokenName"]),
        (
            {"tokenName": "", "tokenRole": "operator", "tokenClientId": "other"},
            ["tokenName", "tokenRole", "tokenClientId"],
        ),
        ({"tokenName": "x", "tokenClientId": "nothing"}, ["tokenClientId"]),
        ({"tokenName": "x", "tokenClientId": 5}, ["tokenClientId"]),
        ({"tokenName": "x", "tokenExpiresAt": "2025-12-12T05:26:57Z"}, ["tokenExpiresAt"]),
        ({"tokenName": "x", "tokenExpiresAt": "2025-12-12T05:26:57.621Z"}, ["tokenExpiresAt"]),
        ({"tokenName": "x", "tokenExpiresAt": 5, "tokenRole": "Owner"}, ["tokenExpiresAt", "tokenRole"]),
        ({"tokenName": "x", "userToken": "u-mine", "sKey": "y"}, ["userToken", "sKey"]),
        ({"tokenName": "x", "tokenHash": "y"}, ["tokenHash"]),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_a_token_may_not_be(core: Core, body: Any, fields: list[str]) -> None:
    told = await core.ask("POST", TOKENS, body)
    assert told.status == 400
    assert sorted(told.problems) == sorted(fields)
    assert core.store.kept == {}


@pytest_twisted.ensureDeferred
async def test_a_narrowed_token_does_no_more_than_its_role_in_its_client(core: Core) -> None:
    core.directory.put_member("alice", "other", ("user",))

    async def token(**narrowed: str) -> str:
        told = await core.ask("POST", TOKENS, {"tokenName": "x", **narrowed})
        text: str = told.document["tokens"][0]["userToken"]
        return text

    async def statuses(text: str) -> dict[str, int]:
        found = {}
        plan = {"plan": "team" if core.directory.clients["acme"].configuration.plan != "team" else "basic"}
        for name, method, where, body in (
            ("list", "GET", "/clients", None),
            ("read acme", "GET", "/clients/acme", None),
            ("read other", "GET", "/clients/other", None),
            ("make", "POST", "/clients/acme/targets", TARGET),
            ("rename", "PUT", "/clients/acme", {"clientName": "Renamed"}),
            ("own", "POST", "/clients", {"clientName": "New"}),
            ("plan", "PUT", "/clients/acme/configuration", plan),
            ("plan of another", "PUT", "/clients/other/configuration", plan),
            ("token", "POST", TOKENS, {"tokenName": "y"}),
            ("name", "PUT", "/users/alice", {"userFirstName": "A"}),
            ("me", "GET", "/users/me", None),
        ):
            found[name] = (await core.ask(method, where, body, token=text)).status
        return found

    whole = {"list": 200, "read acme": 200, "read other": 200, "make": 200, "rename": 200, "own": 200, "plan": 200}
    whole |= {"plan of another": 200, "token": 200, "name": 200, "me": 200}
    narrowed = whole | {"own": 403, "plan": 403, "plan of another": 403, "token": 403, "name": 403}
    confined = narrowed | {"read other": 404, "plan of another": 404}
    assert await statuses("u-alice") == whole
    assert await statuses(await token(tokenRole="owner")) == narrowed
    assert await statuses(await token(tokenRole="admin")) == narrowed | {"rename": 403}
    assert await statuses(await token(tokenRole="user")) == narrowed | {"rename": 403, "make": 403}
    assert await statuses(await token(tokenClientId="acme")) == confined
    small = confined | {"rename": 403, "make": 403}
    assert await statuses(await token(tokenClientId="acme", tokenRole="user")) == small
    # A role is a bound, and gives nothing.
    core.directory.put_member("alice", "acme", ("user",))
    assert (await core.ask("PUT", "/clients/acme", {}, token=await token(tokenRole="owner"))).status == 403


@pytest_twisted.ensureDeferred
async def test_there_is_a_most(core: Core) -> None:
    for number in range(MOST_TOKENS - 1):
        core.add_token("alice", f"u-alice-{number}")
    told = await core.ask("POST", TOKENS, {"tokenName": "x"})
    assert told.status == 409
    assert "100 tokens" in told.document["message"]
    assert (await core.ask("POST", "/users/bob/tokens", {"tokenName": "x"}, token="u-bob")).status == 200


@pytest_twisted.ensureDeferred
async def test_of_as_many_tokens_as_there_can_be_the_first_that_has_expired_makes_room(core: Core) -> None:
    ends = ["2025-12-12T05:26:59.621Z", "2025-12-12T05:26:58.621Z"]
    made = []
    for end in ends + [None] * (MOST_TOKENS - len(ends) - 1):
        told = await core.ask("POST", TOKENS, {"tokenName": "x", "tokenExpiresAt": end})
        made.append(told.document["tokens"][0]["sKey"])

    async def another() -> int:
        return (await core.ask("POST", TOKENS, {"tokenName": "another"})).status

    async def left() -> set[str]:
        return {each["sKey"] for each in (await core.ask("GET", TOKENS)).document["tokens"]}

    assert await another() == 409
    core.seconds += 2
    assert await another() == 200
    assert set(made) - await left() == {made[1]}
    assert await another() == 200
    assert set(made) - await left() == {made[0], made[1]}
    assert {entry.noun_id for entry in core.store.entries if entry.action == "delete"} == {made[0], made[1]}
    assert await another() == 409
