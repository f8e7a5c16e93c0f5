"""/…/authorize and /oauth2/… with a made-up provider: who may, until when, and in which browser.

Belongs here: the routes and what they remember. Does not: a real provider (tests/gateway/test_oauth2_code.py).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_twisted
import treq
from attrs import evolve, frozen

from rrgate.core.authorization import end_temporary
from rrgate.core.under_way import MOST_OF_A_CLIENT
from tests.core.doubles import CALLER, TOWARDS, Core


@frozen
class Page:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def cookie(self) -> str:
        return self.headers.get("set-cookie", "").partition(";")[0]

    @property
    def state(self) -> str:
        return self.headers["location"].partition("state=")[2]


async def browse(core: Core, where: str, cookie: str = "", method: str = "GET") -> Page:
    """What a browser gets, which follows nothing by itself."""
    response = await treq.request(
        method,
        f"http://127.0.0.1:{core.port}{where}",
        headers={"Cookie": cookie} if cookie else {},
        allow_redirects=False,
        persistent=False,
    )
    fields = {name.decode().lower(): values[-1].decode() for name, values in response.headers.getAllRawHeaders()}
    return Page(response.code, fields, await response.text())


async def made(core: Core) -> str:
    """A credential for which a person is asked."""
    credential_id = str((await core.make("credentials", TOWARDS))["sKey"])
    credential = core.directory.credentials[credential_id]
    core.directory.put(evolve(credential, needs_authorization=True, temporary=True))
    core.authorizing.asked.add(credential_id)
    return credential_id


async def link(core: Core, credential_id: str, token: str = "u-alice") -> Any:
    return await core.ask("POST", f"/clients/acme/credentials/{credential_id}/authorize", token=token)


async def path_of(core: Core, credential_id: str) -> str:
    told = await link(core, credential_id)
    assert told.status == 200, told.raw
    url: str = told.document["authorize"]["url"]
    assert url.startswith("https://core.test/oauth2/start/")
    return url.removeprefix("https://core.test")


async def sent(core: Core, credential_id: str) -> Page:
    page = await browse(core, await path_of(core, credential_id))
    assert page.status == 303
    return page


def back(page: Page, **parameters: str) -> str:
    return f"/oauth2/callback?{urlencode({'state': page.state, **parameters})}"


@pytest_twisted.ensureDeferred
async def test_there_and_back(core: Core) -> None:
    credential = await made(core)
    page = await sent(core, credential)
    assert page.headers["location"].startswith("https://login.test/auth?state=")
    assert len(page.state) >= 43
    end = await browse(core, back(page, code="abc", more="x"), page.cookie)
    assert (end.status, end.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in end.headers["content-security-policy"]
    assert end.headers["referrer-policy"] == "no-referrer"
    assert end.headers["cache-control"] == "no-store"
    assert "Max-Age=0" in end.headers["set-cookie"]
    parameters = {"state": page.state, "code": "abc", "more": "x"}
    assert core.authorizing.brought == [
        (credential, "https://core.test/oauth2/callback", parameters, f"kept for {credential}")
    ]
    authorized = core.directory.credentials[credential]
    assert (authorized.needs_authorization, authorized.temporary) == (False, False)
    assert [(entry.action, entry.user_id) for entry in core.store.entries[:3]] == [
        ("authorize", "alice"),
        ("change", "alice"),
        ("authorize", "alice"),
    ]


@pytest_twisted.ensureDeferred
async def test_who_may_ask(core: Core) -> None:
    credential = await made(core)
    caller = (await core.make("credentials", CALLER))["sKey"]
    other = (await core.make("credentials", TOWARDS))["sKey"]
    assert (await link(core, credential, token="u-bob")).status in (403, 404)
    assert (await link(core, credential, token="u-nobody")).status == 401
    assert (await link(core, "nothing")).status == 404
    for each in (caller, other):
        told = await link(core, each)
        assert (told.status, list(told.problems)) == (400, ["credentialSecret"])


@pytest.mark.parametrize("url", ["", "http://core.test", "http://10.0.0.1:8081"])
@pytest_twisted.ensureDeferred
async def test_where_no_browser_could_come_back(core: Core, url: str) -> None:
    object.__setattr__(core.house, "core_public_url", url)
    told = await link(core, await made(core))
    assert (told.status, list(told.problems)) == (409, ["core_public_url"])


@pytest.mark.parametrize("url", ["http://localhost:8081", "http://127.0.0.1:8081", "https://core.test/below"])
@pytest_twisted.ensureDeferred
async def test_where_one_can(core: Core, url: str) -> None:
    object.__setattr__(core.house, "core_public_url", url)
    told = await link(core, await made(core))
    assert told.document["authorize"]["url"].startswith(f"{url}/oauth2/start/")


@pytest.mark.parametrize(("seconds", "status"), [(599, 303), (600, 400), (-599, 303), (-601, 400)])
@pytest_twisted.ensureDeferred
async def test_a_link_is_good_for_ten_minutes(core: Core, seconds: float, status: int) -> None:
    path = await path_of(core, await made(core))
    core.seconds += seconds
    assert (await browse(core, path)).status == status


@pytest.mark.parametrize(("seconds", "status"), [(599, 200), (600, 400)])
@pytest_twisted.ensureDeferred
async def test_so_is_the_way_back(core: Core, seconds: float, status: int) -> None:
    page = await sent(core, await made(core))
    core.seconds += seconds
    assert (await browse(core, back(page, code="abc"), page.cookie)).status == status


def changed_secret(core: Core, credential: str) -> None:
    core.directory.put(evolve(core.directory.credentials[credential], secret_version=2))


def deleted(core: Core, credential: str) -> None:
    core.directory.drop(core.directory.credentials[credential])


def no_admin(core: Core, credential: str) -> None:
    core.directory.put_member("alice", "acme", ("user",))


def no_member(core: Core, credential: str) -> None:
    core.directory.put_member("alice", "acme", ())


def no_token(core: Core, credential: str) -> None:
    core.directory.replace_people(core.directory.users.values(), ())


CHANGES = [changed_secret, deleted, no_admin, no_member, no_token]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest_twisted.ensureDeferred
async def test_what_changed_before_the_link_was_followed(core: Core, change: Any) -> None:
    credential = await made(core)
    path = await path_of(core, credential)
    change(core, credential)
    assert (await browse(core, path)).status == 400


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest_twisted.ensureDeferred
async def test_what_changed_before_the_browser_came_back(core: Core, change: Any) -> None:
    credential = await made(core)
    page = await sent(core, credential)
    change(core, credential)
    assert (await browse(core, back(page, code="abc"), page.cookie)).status == 400
    assert not core.authorizing.brought


ODD = ["", "code=abc", "state=", "state=%FF&code=abc", "&" * 60, "state=x&code=" + "a" * 13_000, "%00", "state[]=x"]


@pytest.mark.parametrize("query", ODD, ids=lambda query: query[:12] or "nothing")
@pytest_twisted.ensureDeferred
async def test_odd_callbacks(core: Core, query: str) -> None:
    page = await sent(core, await made(core))
    end = await browse(core, f"/oauth2/callback?{query}", page.cookie)
    assert (end.status, end.headers["content-type"]) == (400, "text/html; charset=utf-8")
    assert (await browse(core, back(page, code="abc"), page.cookie)).status == 200


@pytest_twisted.ensureDeferred
async def test_a_parameter_that_is_there_twice_is_none(core: Core) -> None:
    page = await sent(core, await made(core))
    for twice in ("&code=a&code=b", "&code=a&iss=x&iss=y", f"&code=a&state={page.state}"):
        assert (await browse(core, f"/oauth2/callback?state={page.state}{twice}", page.cookie)).status == 400
    assert not core.authorizing.brought
    assert (await browse(core, back(page, code="abc"), page.cookie)).status == 200


@pytest_twisted.ensureDeferred
async def test_two_in_one_browser_do_not_meet(core: Core) -> None:
    first, second = await made(core), await made(core)
    one, other = await sent(core, first), await sent(core, second)
    cookies = f"{one.cookie}; {other.cookie}"
    for page in (other, one):
        assert (await browse(core, back(page, code="abc"), cookies)).status == 200
    assert [brought[0] for brought in core.authorizing.brought] == [second, first]


@pytest_twisted.ensureDeferred
async def test_a_refusal_ends_it_and_changes_nothing(core: Core) -> None:
    credential = await made(core)
    page = await sent(core, credential)
    core.authorizing.refuses = True
    assert (await browse(core, back(page, code="abc"), page.cookie)).status == 400
    core.authorizing.refuses = False
    assert (await browse(core, back(page, code="abc"), page.cookie)).status == 400
    assert core.directory.credentials[credential].temporary
    core.authorizing.refuses = True
    assert (await browse(core, await path_of(core, credential))).status == 400


@pytest_twisted.ensureDeferred
async def test_links_are_not_without_end(core: Core) -> None:
    credential = await made(core)
    for _ in range(MOST_OF_A_CLIENT):
        assert (await link(core, credential)).status == 200
    told = await link(core, credential)
    assert (told.status, told.headers["retry-after"]) == (429, "60")
    core.seconds += 600
    assert (await link(core, credential)).status == 200


@pytest.mark.parametrize(("hours", "temporary", "gone"), [(23.9, True, False), (24, True, True), (1000, False, False)])
@pytest_twisted.ensureDeferred
async def test_what_nobody_authorizes_is_removed_after_a_day(
    core: Core, hours: float, temporary: bool, gone: bool
) -> None:
    credential = await made(core)
    await core.make_rule("credentials", credential)
    core.directory.put(evolve(core.directory.credentials[credential], temporary=temporary))
    core.seconds += hours * 3600
    await end_temporary(core.house)
    assert (credential not in core.directory.credentials) is gone
    assert (not core.directory.rules) is gone
    if gone:
        entry = core.store.entries[0]
        assert (entry.action, entry.noun_id, entry.user_id, entry.via) == (
            "delete",
            credential,
            "",
            "credentialTemporary",
        )
