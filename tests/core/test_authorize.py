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
from rrgate.core.under_way import MOST_IN_ALL, MOST_OF_A_CLIENT, Asked
from rrgate.model import Rule
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
    assert page.headers["referrer-policy"] == "no-referrer"
    cookie, _, attributes = page.headers["set-cookie"].partition("; ")
    assert cookie.startswith("__Host-")
    assert attributes == "Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600"
    end = await browse(core, back(page, code="abc", more="x"), page.cookie)
    assert (end.status, end.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert end.headers["content-security-policy"] == (
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
    assert end.headers["x-frame-options"] == "DENY"
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
    # An auth type of both sides is asked for towards targets alone.
    core.authorizing.asked.add(caller)
    for each in (caller, other):
        told = await link(core, each)
        assert (told.status, list(told.problems)) == (400, ["credentialSecret"])


@pytest_twisted.ensureDeferred
async def test_whoever_asks_says_nothing_more(core: Core) -> None:
    path = f"/clients/acme/credentials/{await made(core)}/authorize"
    told = await core.ask("POST", path, {"redirectUri": "https://evil.test"})
    assert (told.status, list(told.problems)) == (400, ["redirectUri"])


@pytest.mark.parametrize(
    ("url", "told_of"), [("", "is not set"), ("http://core.test", "https"), ("http://10.0.0.1:8081", "https")]
)
@pytest_twisted.ensureDeferred
async def test_where_no_browser_could_come_back(core: Core, url: str, told_of: str) -> None:
    object.__setattr__(core.house, "core_public_url", url)
    told = await link(core, await made(core))
    assert (told.status, list(told.problems)) == (409, ["core_public_url"])
    assert told_of in told.problems["core_public_url"]


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


@pytest_twisted.ensureDeferred
async def test_a_link_works_once(core: Core) -> None:
    path = await path_of(core, await made(core))
    assert [(await browse(core, path)).status for _ in range(2)] == [303, 400]


@pytest_twisted.ensureDeferred
async def test_whoever_looks_what_is_behind_an_address_uses_nothing_up(core: Core) -> None:
    path = await path_of(core, await made(core))
    looked = await browse(core, path, method="HEAD")
    assert (looked.status, looked.headers["allow"]) == (405, "GET")
    page = await browse(core, path)
    assert (await browse(core, back(page, code="abc"), page.cookie, method="HEAD")).status == 405
    assert not core.authorizing.brought
    assert (await browse(core, back(page, code="abc"), page.cookie)).status == 200


@pytest_twisted.ensureDeferred
async def test_only_the_browser_that_was_sent_comes_back(core: Core) -> None:
    page, other = await sent(core, await made(core)), await sent(core, await made(core))
    name, _, value = page.cookie.partition("=")
    assert len(value) >= 43
    theirs = other.cookie.partition("=")[2]
    for cookie in ("", f"{name}=", other.cookie, f"{name}={theirs}"):
        assert (await browse(core, back(page, code="abc"), cookie)).status == 400
    assert not core.authorizing.brought
    assert (await browse(core, back(page, code="abc"), page.cookie)).status == 200


@pytest.mark.parametrize(("seconds", "status"), [(599, 200), (600, 400), (-599, 200), (-601, 400)])
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


def expired_token(core: Core, credential: str) -> None:
    tokens = [evolve(each, expires_at=core.house.now()) for each in core.directory.token_by_hash.values()]
    core.directory.replace_people(core.directory.users.values(), tokens)


CHANGES = [changed_secret, deleted, no_admin, no_member, no_token, expired_token]


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
    end = await browse(core, back(page, code="abc"), page.cookie)
    assert end.status == 400
    assert "Max-Age=0" in end.headers["set-cookie"]
    assert not core.authorizing.brought


@pytest.mark.parametrize("change", [changed_secret, deleted], ids=lambda change: change.__name__)
@pytest_twisted.ensureDeferred
async def test_what_changes_while_the_provider_is_asked(
    core: Core, change: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was authorized as it was then, and neither shown to be as it is now nor said to be."""
    credential = await made(core)
    page = await sent(core, credential)

    async def finish(*brought: Any) -> None:
        change(core, credential)

    monkeypatch.setattr(core.authorizing, "finish", finish)
    end = await browse(core, back(page, code="abc"), page.cookie)
    assert (end.status, "Nothing was changed" in end.text) == (400, True)
    now = core.directory.credentials.get(credential)
    assert now is None or (now.needs_authorization, now.secret_version) == (True, 2)


ODD = ["", "code=abc", "state=", "state=%FF&code=abc", "&" * 60, "state=x&code=" + "a" * 13_000, "%00", "state[]=x"]


@pytest.mark.parametrize("query", ODD, ids=lambda query: query[:12] or "nothing")
@pytest_twisted.ensureDeferred
async def test_odd_callbacks(core: Core, query: str) -> None:
    page = await sent(core, await made(core))
    end = await browse(core, f"/oauth2/callback?{query}", page.cookie)
    assert (end.status, end.headers["content-type"]) == (400, "text/html; charset=utf-8")
    assert (await browse(core, back(page, code="abc"), page.cookie)).status == 200


@pytest.mark.parametrize(
    "more",
    ["&code=" + "a" * 13_000, "&code=%FF", "&code=a" + "".join(f"&p{number}=1" for number in range(49))],
    ids=["long", "no UTF-8", "many"],
)
@pytest_twisted.ensureDeferred
async def test_odd_callbacks_of_the_right_browser(core: Core, more: str) -> None:
    page = await sent(core, await made(core))
    assert (await browse(core, f"/oauth2/callback?state={page.state}{more}", page.cookie)).status == 400
    assert not core.authorizing.brought


@pytest_twisted.ensureDeferred
async def test_a_parameter_that_is_there_twice_is_none(core: Core) -> None:
    page = await sent(core, await made(core))
    for twice in ("&code=a&code=b", "&code=a&code=", "&code=a&iss=x&iss=y", f"&code=a&state={page.state}"):
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
    end = await browse(core, back(page, code="abc"), page.cookie)
    assert end.status == 400
    assert "Max-Age=0" in end.headers["set-cookie"]
    core.authorizing.refuses = False
    assert (await browse(core, back(page, code="abc"), page.cookie)).status == 400
    assert core.directory.credentials[credential].temporary
    core.authorizing.refuses = True
    assert (await browse(core, await path_of(core, credential))).status == 400


@pytest.mark.parametrize("followed", [False, True])
@pytest_twisted.ensureDeferred
async def test_links_are_not_without_end(core: Core, followed: bool) -> None:
    credential = await made(core)
    for _ in range(MOST_OF_A_CLIENT):
        path = await path_of(core, credential)
        if followed:
            assert (await browse(core, path)).status == 303
    told = await link(core, credential)
    assert (told.status, told.headers["retry-after"]) == (429, "60")
    # Another client's are another matter.
    theirs = (await core.make("credentials", TOWARDS, client="other", token="u-bob"))["sKey"]
    core.authorizing.asked.add(theirs)
    path = f"/clients/other/credentials/{theirs}/authorize"
    assert (await core.ask("POST", path, token="u-bob")).status == 200
    core.seconds += 600
    assert (await link(core, credential)).status == 200


@pytest_twisted.ensureDeferred
async def test_neither_are_those_of_all_clients_together(core: Core) -> None:
    credential = await made(core)
    for number in range(MOST_IN_ALL):
        core.house.under_way.link(Asked(f"client {number}", "c", 1, "u", b"", "t"))
    assert (await link(core, credential)).status == 429


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
    assert (not any(kind is Rule for kind, _ in core.store.kept)) is gone
    if gone:
        entry = core.store.entries[0]
        assert (entry.action, entry.noun_id, entry.user_id, entry.via) == (
            "delete",
            credential,
            "",
            "credentialTemporary",
        )
