"""Other people's ids, on every route: all get what the table says, in the same bytes whether an id exists or not.

Belongs here: 401, 403 and 404, made from the table in rrgate/core/access.py. Not: roles (test_escalation.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve, frozen

from rrgate.core.access import Or, Role, Who
from rrgate.core.routes import Route
from rrgate.core.table import ROUTES
from tests.core.doubles import Core
from tests.core.every_id import Ids, elsewhere, made, names_in, path

ROLES = {"u-uma": Role.USER, "u-adam": Role.ADMIN, "u-alice": Role.OWNER}
"""Of whoever shows these tokens, in the client acme."""
NARROWED = {
    "u-alice-in-acme": Role.OWNER,
    "u-alice-as-user": Role.USER,
    "u-alice-as-admin": Role.ADMIN,
    "u-alice-as-admin-in-acme": Role.ADMIN,
    "u-adam-as-owner": Role.ADMIN,
}
"""What their narrowed tokens leave of it."""
STRANGERS = ("u-bob", "u-alice-in-third", "u-nobodys-friend", "u-alice-as-nothing")
"""Tokens for which acme is not there."""

GUARDED = [route for route in ROUTES if route.needs is not Who.ANYBODY]
IN_CLIENT = [route for route in GUARDED if isinstance(route.needs, Role | Or)]
OF_USERS = [route for route in GUARDED if route.needs in (Who.SELF, Who.WHOLE_SELF)]
OF_NOBODY = [route for route in GUARDED if route not in IN_CLIENT and route not in OF_USERS]


def named(routes: list[Route]) -> Any:
    return pytest.mark.parametrize(
        "route", [pytest.param(route, id=f"{route.method} {route.template}") for route in routes]
    )


@frozen
class Peopled:
    """Everything in acme, `mine`, and in other, which is Bob's; and everybody who asks. Alice is no operator here."""

    core: Core
    mine: Ids
    theirs: Ids


@pytest_twisted.async_yield_fixture(scope="module")  # type: ignore[untyped-decorator]
async def peopled() -> AsyncIterator[Peopled]:
    """One for all tests: each shows that nothing was written."""
    core = Core()
    await core.start()
    core.directory.put(evolve(core.directory.users["alice"], operator=False))
    core.add_user("nobodys-friend")
    core.add_user("olga", operator=True)
    core.directory.put(evolve(core.directory.clients["acme"], id="third"))
    core.directory.put_member("alice", "third", ("owner",))
    core.add_token("alice", "u-alice-in-acme", client_id="acme")
    core.add_token("alice", "u-alice-in-third", client_id="third")
    core.add_token("alice", "u-alice-as-user", role="user")
    core.add_token("alice", "u-alice-as-admin", role="admin")
    core.add_token("alice", "u-alice-as-admin-in-acme", role="admin", client_id="acme")
    core.add_token("alice", "u-alice-as-nothing", role="a role of a later version")
    core.add_token("adam", "u-adam-as-owner", role="owner")
    core.add_token("olga", "u-olga-as-owner", role="owner")
    core.add_token("olga", "u-olga-in-acme", client_id="acme")
    core.directory.put_member("nobodys-friend", "other", ("user",))
    theirs = await made(core, "other", "bob", "nobodys-friend")
    core.add_user("zoe")
    core.directory.put_member("zoe", "acme", ("owner",))
    yield Peopled(core, await made(core), theirs)
    await core.stop()


class Watched:
    """That nothing is written, and every answer to a question is the same."""

    def __init__(self, peopled: Peopled, route: Route) -> None:
        self.core, self.route = peopled.core, route
        store = self.core.store
        self.kept, self.entries = dict(store.kept), len(store.entries)
        self.delivered = dict(self.core.deliveries.states)

    async def same(self, status: int, token: str | None, *ids: Ids) -> None:
        answers = set()
        for each in ids:
            for body in ({}, {"nothingKnowsThis": 1}) if self.route.takes_body else (None,):
                told = await self.core.ask(self.route.method, path(self.route, each), body, token=token)
                assert told.status == status, (token, each, told.raw)
                assert told.problems == {}
                answers.add((told.raw, tuple(sorted({**told.headers, "date": ""}.items()))))
        assert len(answers) == 1, token
        assert self.core.store.kept == self.kept
        assert len(self.core.store.entries) == self.entries
        assert (self.core.deliveries.states, self.core.deliveries.asked) == (self.delivered, [])


def mixed(route: Route, mine: Ids, theirs: Ids) -> list[Ids]:
    """`mine`, with one id after the other that is another client's, or nothing's."""
    nothing = elsewhere(mine)
    found = []
    for name in names_in(route)[1:]:
        keys = [key for key in mine if key == name or key.startswith(f"{name} of")]
        keys = ["memberId"] if name == "userId" else keys
        for others in (theirs, nothing):
            found += [mine | {key: others[key] for key in keys}]
    return found


@named(GUARDED)
@pytest_twisted.ensureDeferred
async def test_without_a_token(peopled: Peopled, route: Route) -> None:
    mine, theirs = peopled.mine, peopled.theirs
    await Watched(peopled, route).same(401, None, mine, theirs, elsewhere(mine), *mixed(route, mine, theirs))


@named(IN_CLIENT)
@pytest_twisted.ensureDeferred
async def test_of_a_client_that_is_not_ones_own(peopled: Peopled, route: Route) -> None:
    mine, theirs = peopled.mine, peopled.theirs
    watched = Watched(peopled, route)
    nowhere = [mine, mine | {"clientId": "nowhere"}, elsewhere(mine), theirs | {"clientId": "acme"}]
    for token in STRANGERS:
        await watched.same(404, token, *nowhere)
    for token in (*ROLES, *NARROWED):
        await watched.same(404, token, theirs, mine | {"clientId": "other"}, elsewhere(mine))
    operators = isinstance(route.needs, Or) and route.needs.who is Who.OPERATOR
    for token in ("u-olga", "u-olga-as-owner", "u-olga-in-acme"):
        if operators and token == "u-olga":
            await watched.same(404, token, mine | {"clientId": "nowhere"}, elsewhere(mine))
        else:
            await watched.same(404, token, *nowhere, theirs)


@named(IN_CLIENT)
@pytest_twisted.ensureDeferred
async def test_with_a_role_that_is_too_small(peopled: Peopled, route: Route) -> None:
    mine, theirs = peopled.mine, peopled.theirs
    watched = Watched(peopled, route)
    least = route.needs.role if isinstance(route.needs, Or) else route.needs
    assert isinstance(least, Role)
    small = [token for token, role in {**ROLES, **NARROWED}.items() if role < least]
    # Of those who ask with too small a role none is the member that is named: he might leave.
    others = mine | {"memberId": "zoe"}
    for token in small:
        await watched.same(403, token, others, *mixed(route, others, theirs), elsewhere(mine, clientId="acme"))
    assert bool(small) == (least > Role.USER)


@named(IN_CLIENT)
@pytest_twisted.ensureDeferred
async def test_of_another_client_through_ones_own(peopled: Peopled, route: Route) -> None:
    mine, theirs = peopled.mine, peopled.theirs
    watched = Watched(peopled, route)
    least = route.needs.role if isinstance(route.needs, Or) else route.needs
    for token, role in {**ROLES, **NARROWED}.items():
        if role >= least and len(names_in(route)) > 1:
            # Of what is not there the body is not looked at.
            await watched.same(404, token, *mixed(route, mine, theirs))


@named(OF_USERS)
@pytest_twisted.ensureDeferred
async def test_of_another_user(peopled: Peopled, route: Route) -> None:
    mine, theirs = peopled.mine, peopled.theirs
    watched = Watched(peopled, route)
    for token in (*(each for each in ROLES if each != "u-alice"), *STRANGERS[:1], "u-olga", "u-adam-as-owner"):
        await watched.same(404, token, mine, elsewhere(mine))
    for token in ("u-alice", *(each for each in (*NARROWED, *STRANGERS) if each.startswith("u-alice-"))):
        await watched.same(404, token, theirs, elsewhere(mine), mine | {"userId": "bob"})
    if "tokenId" in names_in(route):
        # Of his own tokens alone is he told.
        ids = [mine | {"tokenId": each} for each in (theirs["tokenId"], "t-bob", "nothing")]
        await watched.same(404, "u-alice", *ids)
    if route.needs is Who.WHOLE_SELF:
        for token in (each for each in (*NARROWED, *STRANGERS) if each.startswith("u-alice-")):
            await watched.same(403, token, mine, mine | {"tokenId": "nothing"})


@named([route for route in OF_NOBODY if route.needs is not Who.ANY_USER])
@pytest_twisted.ensureDeferred
async def test_what_only_whole_tokens_and_operators_do(peopled: Peopled, route: Route) -> None:
    watched = Watched(peopled, route)
    refused = ["u-alice-in-acme", "u-alice-as-user", "u-adam-as-owner", "u-olga-as-owner", "u-olga-in-acme"]
    if route.needs in (Who.CREATOR, Who.OPERATOR):
        refused += ["u-alice", "u-bob"]
    for token in refused:
        await watched.same(403, token, peopled.mine)


@named([route for route in OF_NOBODY if route.needs is Who.ANY_USER and "clients" in route.template])
@pytest_twisted.ensureDeferred
async def test_lists_hold_ones_own_alone(peopled: Peopled, route: Route) -> None:
    for token, names in (
        ("u-alice", ["acme", "third"]),
        ("u-alice-in-acme", ["acme"]),
        ("u-alice-in-third", ["third"]),
        ("u-alice-as-user", ["acme", "third"]),
        ("u-alice-as-nothing", []),
        ("u-bob", ["other"]),
        ("u-olga", []),
    ):
        told = await peopled.core.ask("GET", path(route, {}), token=token)
        assert sorted(each["sKey"] for each in told.document["clients"]) == names, token


@pytest_twisted.ensureDeferred
async def test_what_a_body_names(peopled: Peopled) -> None:
    """An id in a body is no oracle, either: what is another client's is told of as what is not there."""
    mine, theirs = peopled.mine, peopled.theirs
    parts = {
        "proxyName": "x",
        "proxyRegion": "us-east-1",
        "proxyProxyCredentialId": mine["credentialId"],
        "proxyTargetId": mine["targetId"],
        "proxyTargetCredentialId": mine["credentialId"],
    }
    proxies, credential = "/clients/acme/proxies", f"/clients/acme/credentials/{mine['credentialId']}"
    for method, where, body, field, other in (
        ("POST", proxies, parts, "proxyProxyCredentialId", theirs["credentialId"]),
        ("POST", proxies, parts, "proxyTargetId", theirs["targetId"]),
        ("POST", proxies, parts, "proxyTargetCredentialId", theirs["credentialId"]),
        ("PUT", f"{proxies}/{mine['proxyId']}", {}, "proxyProxyCredentialId", theirs["credentialId"]),
        ("PUT", f"{proxies}/{mine['proxyId']}", {}, "proxyTargetId", theirs["targetId"]),
        ("POST", f"{credential}/test", {"path": "/"}, "targetId", theirs["targetId"]),
        ("POST", "/users/alice/tokens", {"tokenName": "x"}, "tokenClientId", "other"),
        ("POST", "/invites/accept", {}, "inviteCode", theirs["inviteCode"][:-1]),
    ):
        answers = set()
        for value in (other, "nothing-has-this-id"):
            answers.add((await peopled.core.ask(method, where, {**body, field: value})).raw)
        assert len(answers) == 1, (method, where, field)
