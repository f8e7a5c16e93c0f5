"""The code flow with a real OpenID provider: a browser is sent there, logs in by its form, consents, and comes back.

Belongs here: whole gateways, npm's oidc-provider, and who attacks the way between them. Does not: each check of the
callback alone (tests/core/test_authorize.py).
"""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from html import unescape
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

import pytest
import pytest_twisted
from attrs import frozen

from tests.callers import Answer, call, in_thread
from tests.openid.running_provider import WEB, RunningProvider
from tests.running_gateway import MadeProxy, RunningGateway
from tests.targets import closed_port

CORE_PORT = closed_port()
CORE = f"http://127.0.0.1:{CORE_PORT}"


@pytest.fixture(scope="module")
def provider() -> Iterator[RunningProvider]:
    running = RunningProvider(redirectUris=[f"{CORE}/oauth2/callback"])
    yield running
    running.stop()


@pytest_twisted.async_yield_fixture(scope="module")  # type: ignore[untyped-decorator]
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningGateway]:
    running = RunningGateway.start(
        tmp_path_factory.mktemp("gateway") / "state",
        core_listen=f"tcp:{CORE_PORT}:interface=127.0.0.1",
        core_public_url=CORE,
    )
    yield running
    await running.stop()


class _Stays(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not back to the gateway."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        return None if newurl.startswith(CORE) else super().redirect_request(req, fp, code, msg, headers, newurl)


class Browser:
    """One person's. What the gateway sets is kept apart: the standard library's jar sends no `Secure` cookie here."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()), _Stays())
        self.cookies: dict[str, str] = {}

    async def gateway(self, gateway: RunningGateway, url: str) -> Answer:
        """A page of the gateway's."""
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        parts = urlsplit(url)
        where = urlunsplit(("", "", parts.path, parts.query, ""))
        answer = await in_thread(call, gateway.core_address, "GET", where, headers, None)
        for field in answer.every("Set-Cookie"):
            name, _, value = field.partition(";")[0].partition("=")
            gateway.search.know("a cookie of an authorization", value)
            self.cookies[name] = value
        return answer

    def log_in(self, url: str, account: str = "ann") -> str:
        """Log in by the provider's forms, and consent; the URL that it sends this browser back to."""
        body: bytes | None = None
        for _ in range(8):
            try:
                with self._opener.open(url, body, timeout=20) as page:
                    text, url = page.read().decode(), page.url
            except urllib.error.HTTPError as answer:
                with answer:
                    return str(answer.headers["Location"])
            action = re.search(r'<form[^>]* action="([^"]+)"', text)
            assert action, text
            hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text)
            fields = {**dict(hidden), "login": account, "password": "anything"}
            url, body = unescape(action[1]), urlencode(fields).encode()
        raise AssertionError("the provider does not come to an end")


async def credential(gateway: RunningGateway, provider: RunningProvider, **changes: Any) -> MadeProxy:
    secret = {
        "grantType": "authorization_code",
        "tokenUrl": provider.token_url,
        "authorizationUrl": provider.authorization_url,
        "scope": "openid offline_access api:read",
        "issuer": provider.issuer,
        "authorizationParams": {"prompt": "consent"},
        **WEB,
        **changes,
    }
    return await gateway.proxy(provider.resource, towards=("oauth2", secret))


async def link_for(gateway: RunningGateway, proxy: MadeProxy) -> str:
    told = await gateway.ask("POST", f"/clients/{gateway.client}/credentials/{proxy.target_credential}/authorize")
    assert told.status == 200, told.body
    return str(told.json["authorize"]["url"])


async def about(gateway: RunningGateway, proxy: MadeProxy) -> tuple[bool, bool]:
    """(needs authorization, temporary)."""
    told = await gateway.ask("GET", f"/clients/{gateway.client}/credentials/{proxy.target_credential}")
    document = told.json["credentials"][0]
    return document["credentialNeedsAuthorization"], document["credentialTemporary"]


def parameters_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


def with_parameters(url: str, **changes: str | None) -> str:
    parts = urlsplit(url)
    parameters = {**parameters_of(url), **changes}
    query = urlencode({name: value for name, value in parameters.items() if value is not None})
    return urlunsplit(parts._replace(query=query))


@frozen
class Flow:
    """One that has come back from the provider, and not yet to the gateway."""

    proxy: MadeProxy
    browser: Browser
    back: str


async def gone_through(gateway: RunningGateway, provider: RunningProvider, **changes: Any) -> Flow:
    proxy = await credential(gateway, provider, **changes)
    browser = Browser()
    sent = await browser.gateway(gateway, await link_for(gateway, proxy))
    assert sent.status == 303, sent.body
    back = await in_thread(browser.log_in, sent["Location"])
    for name in ("code", "state"):
        gateway.search.know(f"the {name} of an authorization", parameters_of(back)[name])
    return Flow(proxy, browser, back)


@pytest_twisted.ensureDeferred
async def test_from_the_link_to_the_target(gateway: RunningGateway, provider: RunningProvider) -> None:
    proxy = await credential(gateway, provider)
    listed = f"/clients/{gateway.client}/credentials"
    assert await about(gateway, proxy) == (True, True)
    for query, there in (("", False), ("?includeTemporary=false", False), ("?includeTemporary=true", True)):
        told = await gateway.ask("GET", listed + query)
        assert (proxy.target_credential in {each["sKey"] for each in told.json["credentials"]}) is there
    answer = await gateway.call(proxy)
    assert (answer.status, answer.code) == (502, "target-credential-failed")

    browser = Browser()
    sent = await browser.gateway(gateway, await link_for(gateway, proxy))
    assert sent.status == 303
    asked = parse_qs(urlsplit(sent["Location"]).query)
    assert asked["response_type"] == ["code"]
    assert asked["redirect_uri"] == [f"{CORE}/oauth2/callback"]
    assert asked["code_challenge_method"] == ["S256"]
    ((cookie, attributes),) = [field.split("; ", 1) for field in sent.every("Set-Cookie")]
    assert cookie.startswith("__Host-")
    assert attributes == "Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600"

    back = await in_thread(browser.log_in, sent["Location"])
    assert parameters_of(back).keys() == {"code", "state", "iss"}
    page = await browser.gateway(gateway, back)
    assert (page.status, page["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"Authorized" in page.body
    assert await about(gateway, proxy) == (False, False)

    answer = await gateway.call(proxy)
    assert (answer.status, answer.json["active"], answer.json["sub"]) == (200, True, "ann")
    # And on, with refresh tokens that are replaced.
    provider.revoke_all()
    answer = await gateway.call(proxy)
    assert (answer.status, answer.json["active"]) == (200, True)

    told = await gateway.ask("GET", f"/clients/{gateway.client}/audit?resourceId={proxy.target_credential}")
    said = [(each["auditAction"], each["auditVia"], each["userId"]) for each in told.json["audit"]]
    route = "POST /clients/{clientId}/credentials/{credentialId}/authorize"
    user = gateway.first.user_id
    assert said[:3] == [
        ("authorize", "GET /oauth2/callback", user),
        ("change", "GET /oauth2/callback", user),
        ("authorize", route, user),
    ]


async def with_a_foreign_state(gateway: RunningGateway, provider: RunningProvider, flow: Flow) -> Answer:
    return await flow.browser.gateway(gateway, with_parameters(flow.back, state="x" * 43))


async def without_a_state(gateway: RunningGateway, provider: RunningProvider, flow: Flow) -> Answer:
    return await flow.browser.gateway(gateway, with_parameters(flow.back, state=None))


async def with_two_states(gateway: RunningGateway, provider: RunningProvider, flow: Flow) -> Answer:
    return await flow.browser.gateway(gateway, f"{flow.back}&state={'x' * 43}")


async def in_another_browser(gateway: RunningGateway, provider: RunningProvider, flow: Flow) -> Answer:
    return await Browser().gateway(gateway, flow.back)


async def with_another_users_cookie(gateway: RunningGateway, provider: RunningProvider, flow: Flow) -> Answer:
    other = await gone_through(gateway, provider)
    (mine,), (theirs,) = flow.browser.cookies, other.browser.cookies.values()
    browser = Browser()
    browser.cookies = {mine: theirs, **other.browser.cookies}
    return await browser.gateway(gateway, flow.back)


async def with_another_flows_state(gateway: RunningGateway, provider: RunningProvider, flow: Flow) -> Answer:
    """A code of one's own, put under the state of somebody who is logged in: the browser is not his."""
    other = await gone_through(gateway, provider)
    return await flow.browser.gateway(
        gateway, with_parameters(flow.back, state=parameters_of(other.back)["state"])
    )


async def with_html_for_an_error(gateway: RunningGateway, provider: RunningProvider, flow: Flow) -> Answer:
    return await flow.browser.gateway(
        gateway,
        with_parameters(
            flow.back,
            code=None,
            error="<script>alert(1)</script>",
            error_description="<h1>planted-by-the-provider</h1>",
            error_uri="https://evil.test/planted-by-the-provider",
        ),
    )


async def with_another_issuer(gateway: RunningGateway, provider: RunningProvider, flow: Flow) -> Answer:
    return await flow.browser.gateway(gateway, with_parameters(flow.back, iss="https://evil.test"))


async def without_an_issuer(gateway: RunningGateway, provider: RunningProvider, flow: Flow) -> Answer:
    return await flow.browser.gateway(gateway, with_parameters(flow.back, iss=None))


async def with_a_made_up_code(gateway: RunningGateway, provider: RunningProvider, flow: Flow) -> Answer:
    return await flow.browser.gateway(gateway, with_parameters(flow.back, code="planted-code-that-is-none"))


async def with_a_code_of_another_flow(gateway: RunningGateway, provider: RunningProvider, flow: Flow) -> Answer:
    """PKCE: a code that somebody else's browser was given is worth nothing here."""
    other = await gone_through(gateway, provider)
    return await flow.browser.gateway(gateway, with_parameters(flow.back, code=parameters_of(other.back)["code"]))


async def without_a_code(gateway: RunningGateway, provider: RunningProvider, flow: Flow) -> Answer:
    return await flow.browser.gateway(gateway, with_parameters(flow.back, code=None))


Attack = Callable[[RunningGateway, RunningProvider, Flow], Awaitable[Answer]]
KEEPS_THE_FLOW: list[Attack] = [
    with_a_foreign_state,
    without_a_state,
    with_two_states,
    in_another_browser,
    with_another_users_cookie,
    with_another_flows_state,
]
"""Who is not known at all leaves the flow of him who is as it was."""
ENDS_THE_FLOW: list[Attack] = [
    with_html_for_an_error,
    with_another_issuer,
    without_an_issuer,
    with_a_made_up_code,
    with_a_code_of_another_flow,
    without_a_code,
]


@pytest.mark.parametrize("attack", [*KEEPS_THE_FLOW, *ENDS_THE_FLOW], ids=lambda attack: attack.__name__)
@pytest_twisted.ensureDeferred
async def test_attacks(gateway: RunningGateway, provider: RunningProvider, attack: Attack) -> None:
    flow = await gone_through(gateway, provider)
    page = await attack(gateway, provider, flow)
    assert (page.status, page["Content-Type"]) == (400, "text/html; charset=utf-8")
    assert "Location" not in page
    told = f"{page.headers} {page.body!r}"
    for theirs in ("planted", "<script", "evil"):
        assert theirs not in told
    assert await about(gateway, flow.proxy) == (True, True)
    assert (await gateway.call(flow.proxy)).status == 502
    again = await flow.browser.gateway(gateway, flow.back)
    assert again.status == (200 if attack in KEEPS_THE_FLOW else 400)


@pytest_twisted.ensureDeferred
async def test_a_callback_works_once(gateway: RunningGateway, provider: RunningProvider) -> None:
    flow = await gone_through(gateway, provider)
    cookies = dict(flow.browser.cookies)
    assert (await flow.browser.gateway(gateway, flow.back)).status == 200
    flow.browser.cookies = cookies
    assert (await flow.browser.gateway(gateway, flow.back)).status == 400
    assert (await gateway.call(flow.proxy)).status == 200


@pytest_twisted.ensureDeferred
async def test_a_link_works_once(gateway: RunningGateway, provider: RunningProvider) -> None:
    proxy = await credential(gateway, provider)
    link = await link_for(gateway, proxy)
    where = urlsplit(link).path
    # Whoever only looks what is behind it does not use it up.
    assert (await in_thread(call, gateway.core_address, "HEAD", where, {}, None)).status == 405
    assert (await Browser().gateway(gateway, link)).status == 303
    assert (await Browser().gateway(gateway, link)).status == 400
    assert (await Browser().gateway(gateway, link[:-1])).status == 400


@pytest_twisted.ensureDeferred
async def test_a_new_secret_meanwhile_ends_it(gateway: RunningGateway, provider: RunningProvider) -> None:
    flow = await gone_through(gateway, provider)
    secret = {
        "grantType": "authorization_code",
        "tokenUrl": provider.token_url,
        "authorizationUrl": provider.authorization_url,
        **WEB,
    }
    await gateway.change(
        "credentials", flow.proxy.target_credential, credentialAuthType="oauth2", credentialSecret=secret
    )
    assert (await flow.browser.gateway(gateway, flow.back)).status == 400
    assert await about(gateway, flow.proxy) == (True, True)


@pytest_twisted.ensureDeferred
async def test_a_restart_keeps_what_was_authorized(tmp_path: Path, provider: RunningProvider) -> None:
    port = closed_port()
    listen = {"core_listen": f"tcp:{port}:interface=127.0.0.1", "core_public_url": CORE}
    first = RunningGateway.start(tmp_path / "state", **listen)
    flow = await gone_through(first, provider)
    assert (await flow.browser.gateway(first, flow.back)).status == 200
    before = provider.token_requests()
    await first.stop()
    second = RunningGateway(RunningGateway.open(tmp_path / "state", **listen), first.first)
    try:
        assert (await second.call(flow.proxy)).status == 200
        assert provider.token_requests() == before
    finally:
        await second.stop()
