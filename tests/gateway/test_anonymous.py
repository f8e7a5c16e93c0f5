"""Proxies that ask callers for no credential: only where the operator allows it, and never for other sites' pages.

Belongs here: `none` on the caller's side, what guards it, and `proxyAllowedNetworks` for any proxy. Does not: the
other auth types (test_auth_matrix.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from rrgate.testing import MemoryGateway
from tests.running_gateway import KEY, REGION, TOKEN, RunningGateway
from tests.targets import Target, echo

NOBODY: tuple[str, dict[str, Any]] = ("none", {})
WARNING = "This proxy asks for no credential: whoever reaches it may use it"
ELSEWHERE = "203.0.113.5"

Sent = list[tuple[str, str]]


@pytest_twisted.async_yield_fixture(scope="module")  # type: ignore[untyped-decorator]
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningGateway]:
    """Its operator allows such proxies, and trusts a reverse proxy on loopback: `X-Forwarded-For` is who calls."""
    data = tmp_path_factory.mktemp("gateway") / "state"
    running = RunningGateway.start(data, allow_anonymous_proxies=True, trusted_proxies=["127.0.0.1/32"])
    yield running
    await running.stop()


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with Target(echo) as running:
        yield running


@pytest.mark.parametrize(
    "sent",
    [
        [],
        [("Sec-Fetch-Site", "none")],
        [("Sec-Fetch-Site", "same-origin")],
        [("Sec-Fetch-Site", "Same-Origin"), ("Origin", "http://HOST")],
        [("Origin", "http://HOST")],
        [("Origin", "https://HOST")],
        [("Authorization", "Bearer out-of-habit")],
    ],
)
@pytest_twisted.ensureDeferred
async def test_who_shows_nothing_is_let_in(gateway: RunningGateway, target: Target, sent: Sent) -> None:
    proxy = await gateway.proxy(target.url, caller=NOBODY)
    host = "{}:{}".format(*gateway.address)
    sent = [(name, value.replace("HOST", host)) for name, value in sent]
    answer = await gateway.call(proxy, "GET", "/x?Authorization=habit&page=1", sent, key=None)
    assert (answer.status, answer.code) == (200, "proxy-access-granted")
    assert answer["requestrocket-proxy-warning"] == WARNING
    arrived = answer.json
    assert arrived["line"] == "GET /x?page=1 HTTP/1.1"
    # The target's credential, and nothing that a caller shows out of habit.
    assert [value for name, value in arrived["headers"] if name == "Authorization"] == [f"Bearer {TOKEN}"]
    record = await gateway.record(proxy, answer["requestrocket-request-id"])
    assert record["credentialId"] == proxy.caller_credential
    assert record["validationData"]["proxyAuthenticated"] is True


@pytest.mark.parametrize(
    "sent",
    [
        [("Sec-Fetch-Site", "cross-site")],
        [("Sec-Fetch-Site", "same-site")],
        [("Sec-Fetch-Site", "")],
        [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")],
        [("Sec_Fetch_Site", "cross-site")],
        [("Origin", "https://evil.test")],
        [("Origin", "null")],
        [("Origin", "")],
        [("Origin", "http://127.0.0.1")],
        [("Origin", "http://HOST.evil.test")],
        [("Origin", "http://HOST"), ("Origin", "https://evil.test")],
        [("Origin", "https://evil.test"), ("Sec-Fetch-Site", "same-origin")],
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest_twisted.ensureDeferred
async def test_another_sites_page_is_refused(gateway: RunningGateway, target: Target, sent: Sent, method: str) -> None:
    proxy = await gateway.proxy(target.url, caller=NOBODY)
    before = target.connections
    host = "{}:{}".format(*gateway.address)
    sent = [(name, value.replace("HOST", host)) for name, value in sent]
    answer = await gateway.call(proxy, method, "/x", sent, key=None)
    assert (answer.status, answer.code) == (403, "proxy-access-denied")
    assert "WWW-Authenticate" not in answer
    assert target.connections == before
    record = await gateway.record(proxy, answer["requestrocket-request-id"])
    assert record["proxyData"]["status"] == 403
    assert record["validationData"]["proxyAuthenticated"] is False


@pytest.mark.parametrize(
    ("host", "origin", "passes"),
    [
        ("localhost", "http://localhost", True),
        ("LocalHost", "http://localhost", True),
        ("localhost", "HTTP://LOCALHOST", True),
        # A browser leaves out the port that the scheme has.
        ("localhost:80", "http://localhost", True),
        ("localhost:443", "https://localhost", True),
        ("localhost:80", "https://localhost", False),
        ("localhost:8080", "http://localhost:8080", True),
        ("localhost:8080", "http://localhost", False),
        ("localhost", "http://localhost:8080", False),
    ],
)
def test_whose_page_it_is_that_asks(host: str, origin: str, passes: bool) -> None:
    memory = MemoryGateway(allow_anonymous_proxies=True)
    proxy = memory.proxy(caller=NOBODY, proxyAllowedNetworks=["0.0.0.0/0"])
    headers = [("Host", host), ("Origin", origin)]
    assert memory.call("GET", proxy, "/", headers).answer.status == (200 if passes else 403)


LOOPBACK = ["127.0.0.0/8", "::1"]

NETWORKS: list[tuple[list[str], Sent, bool]] = [
    # (proxyAllowedNetworks, what is sent, whether it passes); without X-Forwarded-For the caller is 127.0.0.1
    ([], [], True),
    ([], [("X-Forwarded-For", ELSEWHERE)], False),
    ([], [("X-Forwarded-For", "127.0.0.1")], False),  # passed on: direct callers only
    ([], [("Forwarded", "for=127.0.0.1")], False),
    ([], [("X-Real-IP", "127.0.0.1")], False),
    ([], [("X_Forwarded_For", "127.0.0.1")], False),
    ([], [("X-Forwarded-Proto", "https")], False),
    ([], [("X-Forwarded-Host", "gateway.test")], False),
    ([], [("X-Client-IP", "127.0.0.1")], False),
    ([], [("True-Client-IP", "127.0.0.1")], False),
    ([], [("CF-Connecting-IP", "127.0.0.1")], False),
    ([], [("Via", "1.1 nginx")], False),
    (LOOPBACK, [("X-Forwarded-For", "127.0.0.1")], True),
    (LOOPBACK, [("X-Forwarded-For", "::1")], True),
    (LOOPBACK, [("X-Forwarded-For", ELSEWHERE)], False),
    (LOOPBACK, [("X-Forwarded-For", "unknown")], False),
    (LOOPBACK, [("X-Forwarded-For", f"{ELSEWHERE}, unknown")], False),
    (LOOPBACK, [("X-Forwarded-For", f"127.0.0.1, {ELSEWHERE}")], False),
    (LOOPBACK, [("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-For", ELSEWHERE)], False),
    (LOOPBACK, [("X-Forwarded-For", "::ffff:127.0.0.1")], True),
    (LOOPBACK, [("X-Forwarded-For", "[::1]:5678")], True),
    (LOOPBACK, [("X-Forwarded-For", "::127.0.0.1")], False),
    (LOOPBACK, [("X-Forwarded-For", "64:ff9b::127.0.0.1")], False),
    (["::/0"], [("X-Forwarded-For", ELSEWHERE)], False),
    (["::ffff:0:0/96"], [("X-Forwarded-For", ELSEWHERE)], False),
    (["fe80::/10"], [("X-Forwarded-For", "fe80::1%eth0")], True),
    (["203.0.113.0/24"], [("X-Forwarded-For", ELSEWHERE)], True),
    (["203.0.113.0/24"], [("X-Forwarded-For", f"::ffff:{ELSEWHERE}")], True),
    (["203.0.113.0/24"], [("X-Forwarded-For", f"127.0.0.1, {ELSEWHERE}")], True),
    (["203.0.113.0/24"], [("X-Forwarded-For", f"{ELSEWHERE}, 198.51.100.1")], False),
    (["203.0.113.0/24"], [("X-Forwarded-For", "2001:db8::1")], False),
    (["203.0.113.0/24"], [], False),
    (["198.51.100.1", "2001:db8::/32"], [("X-Forwarded-For", "2001:db8::1")], True),
]


@pytest.mark.parametrize(("networks", "sent", "passes"), NETWORKS)
@pytest_twisted.ensureDeferred
async def test_where_callers_without_a_credential_may_come_from(
    gateway: RunningGateway, target: Target, networks: list[str], sent: Sent, passes: bool
) -> None:
    proxy = await gateway.proxy(target.url, caller=NOBODY, proxyAllowedNetworks=networks)
    answer = await gateway.call(proxy, "GET", "/", sent, key=None)
    assert (answer.status, answer.code) == ((200, "proxy-access-granted") if passes else (403, "proxy-access-denied"))
    assert answer.every("requestrocket-proxy-warning") == ([WARNING] if passes else [])


@pytest.mark.parametrize(("networks", "sent", "passes"), [each for each in NETWORKS if each[0]])
@pytest_twisted.ensureDeferred
async def test_where_callers_with_a_credential_may_come_from(
    gateway: RunningGateway, target: Target, networks: list[str], sent: Sent, passes: bool
) -> None:
    proxy = await gateway.proxy(target.url, proxyAllowedNetworks=networks)
    answer = await gateway.call(proxy, "GET", "/", sent)
    assert answer.status == (200 if passes else 403)
    # Who comes from elsewhere is not told whether its credential is right.
    assert (await gateway.call(proxy, "GET", "/", sent, key="wrong")).status == (401 if passes else 403)
    assert "requestrocket-proxy-warning" not in answer


@pytest_twisted.ensureDeferred
async def test_without_networks_callers_with_a_credential_come_from_anywhere(
    gateway: RunningGateway, target: Target
) -> None:
    proxy = await gateway.proxy(target.url)
    sent = [("X-Forwarded-For", ELSEWHERE), ("Origin", "https://evil.test"), ("Sec-Fetch-Site", "cross-site")]
    assert (await gateway.call(proxy, "GET", "/", sent)).status == 200


@pytest.mark.parametrize("change", [{"credentialActive": False}, {"credentialExpiresAt": "2001-01-01T00:00:00Z"}, None])
@pytest_twisted.ensureDeferred
async def test_it_is_switched_off_like_any_other(gateway: RunningGateway, target: Target, change: Any) -> None:
    proxy = await gateway.proxy(target.url, caller=NOBODY)
    assert (await gateway.call(proxy, key=None)).status == 200
    if change is None:
        await gateway.delete("credentials", proxy.caller_credential)
    else:
        await gateway.change("credentials", proxy.caller_credential, **change)
    assert (await gateway.call(proxy, key=None)).status == 401


@pytest_twisted.ensureDeferred
async def test_what_callers_may_send_on_is_said_by_pass_headers(gateway: RunningGateway, target: Target) -> None:
    proxy = await gateway.proxy(target.url, caller=NOBODY, towards=("none", {}), proxyPassHeaders=["Authorization"])
    answer = await gateway.call(
        proxy, "GET", "/?authorization=q", [("Authorization", "Bearer for-the-target")], key=None
    )
    assert ["Authorization", "Bearer for-the-target"] in answer.json["headers"]
    assert answer.json["line"] == "GET / HTTP/1.1"


@pytest.mark.parametrize(
    "networks", ["127.0.0.1", [5], ["127.0.0.1/8"], ["localhost"], ["fe80::1%eth0"], ["::1/129"], ["::"] * 101]
)
@pytest_twisted.ensureDeferred
async def test_networks_that_are_none_are_refused(gateway: RunningGateway, target: Target, networks: Any) -> None:
    proxy = await gateway.proxy(target.url)
    told = await gateway.ask("PUT", f"/clients/{gateway.client}/proxies/{proxy.id}", {"proxyAllowedNetworks": networks})
    assert told.status == 400
    assert {each["field"].partition(".")[0] for each in told.json["details"]} == {"proxyAllowedNetworks"}


@pytest_twisted.ensureDeferred
async def test_without_the_operator_there_is_none(tmp_path: Path, target: Target) -> None:
    first = RunningGateway.start(tmp_path / "state", allow_anonymous_proxies=True)
    proxy = await first.proxy(target.url, caller=NOBODY)
    assert (await first.call(proxy, key=None)).status == 200
    await first.stop()
    # The same state under a gateway that has the setting at its default.
    again = RunningGateway(RunningGateway.open(tmp_path / "state"), first.first)
    try:
        before = target.connections
        for headers in ([], [("Authorization", "x")], [("X-Api-Key", KEY)]):
            answer = await again.call(proxy, "GET", "/", headers, key=None)
            assert (answer.status, answer.code) == (401, "proxy-access-denied")
        assert target.connections == before
        credential = {
            "credentialName": "nobody",
            "credentialType": "proxy",
            "credentialAuthType": "none",
            "credentialRegion": REGION,
            "credentialSecret": {},
        }
        where = f"/clients/{again.client}"
        asked: list[tuple[str, str, Any, str]] = [
            ("POST", "credentials", credential, "credentialAuthType"),
            ("PUT", f"credentials/{proxy.caller_credential}", {"credentialSecret": {}}, "credentialAuthType"),
            ("PUT", f"proxies/{(await again.proxy(target.url)).id}",
             {"proxyProxyCredentialId": proxy.caller_credential}, "proxyProxyCredentialId"),
        ]  # fmt: skip
        for method, path, document, field in asked:
            told = await again.ask(method, f"{where}/{path}", document)
            assert told.status == 400
            (problem,) = told.json["details"]
            assert problem["field"] == field
            assert "allow_anonymous_proxies" in problem["problem"]
        # Towards targets it is as it was, and what is there can be switched off and deleted.
        assert (
            await again.ask("POST", f"{where}/credentials", credential | {"credentialType": "target"})
        ).status == 200
        await again.change("proxies", proxy.id, proxyActive=False)
        await again.change("credentials", proxy.caller_credential, credentialActive=False)
        await again.delete("credentials", proxy.caller_credential)
    finally:
        await again.stop()
