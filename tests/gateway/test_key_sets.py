"""Key sets of callers' tokens through a whole gateway and real sockets: who is asked for them, how often, who never.

Belongs here: the guarded way to `jwksUri`. Does not: when sets are fetched (tests/plugins/jwt/test_remote_keys.py).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults

from rrgate.testing import operator_log
from tests.callers import Answer
from tests.plugins.jwt.signing import CLAIMS, ec_jwk, ec_key, es, key_set, token
from tests.running_gateway import MadeProxy, RunningGateway
from tests.targets import Connection, Target, echo


class Issuer(Target):
    """Serves a key set, and keeps the requests for it."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.keys: Mapping[str, Any] = key_set(ec_jwk(kid="first"))
        self.status = "200 OK"
        self.more: tuple[str, ...] = ("Content-Type: application/json", "Set-Cookie: a=b")
        self.pause = 0.0
        super().__init__(self._serve_keys)

    def _serve_keys(self, connection: Connection) -> None:
        while (seen := connection.request()) is not None:
            self.seen.append(seen)
            time.sleep(self.pause)
            connection.answer(json.dumps(self.keys).encode(), self.status, *self.more)

    def token(self, kid: str = "first", **claims: Any) -> str:
        """One that is signed with a key of that name, `first` with the one that the set has at first."""
        key = ec_key("P-256", "ours" if kid == "first" else kid)
        said = {**CLAIMS, "exp": time.time() + 600, **claims}
        return token({"alg": "ES256", "kid": kid}, said, es(key=key)).decode()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer() as running:
        yield running


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with Target(echo) as running:
        yield running


async def proxy_of(gateway: RunningGateway, target: Target, url: str) -> MadeProxy:
    return await gateway.proxy(target.url, caller=("jwtVerify", {"jwksUri": url, "audience": "us"}))


async def ask(gateway: RunningGateway, proxy: MadeProxy, shown: str) -> Answer:
    return await gateway.call(proxy, "GET", "/", {"Authorization": f"Bearer {shown}"}, key=None)


@pytest_twisted.ensureDeferred
async def test_a_hundred_requests_at_once_on_a_cold_set_fetch_it_once(
    gateway: RunningGateway, target: Target, issuer: Issuer
) -> None:
    issuer.pause = 0.3
    proxies = [await proxy_of(gateway, target, f"{issuer.url}/keys") for _ in range(2)]
    shown = [{"Authorization": f"Bearer {issuer.token(jti=place)}"} for place in range(100)]
    asked = [Deferred.fromCoroutine(gateway.calls_at_once(proxies[place], shown[place::2])) for place in range(2)]
    answers = [answer for each in await gatherResults(asked) for answer in each]
    assert [answer.status for answer in answers] == [200] * 100
    (seen,) = issuer.seen
    assert seen.line == "GET /keys HTTP/1.1"
    assert {name.lower() for name, _ in seen.headers} == {
        "host", "user-agent", "accept", "accept-encoding", "connection"
    }  # fmt: skip


@pytest_twisted.ensureDeferred
async def test_a_key_that_was_not_there_is_refused_and_not_asked_for_again_at_once(
    gateway: RunningGateway, target: Target, issuer: Issuer
) -> None:
    proxy = await proxy_of(gateway, target, issuer.url)
    assert (await ask(gateway, proxy, issuer.token())).status == 200
    issuer.keys = key_set(ec_jwk(key=ec_key("P-256", "second"), kid="second"))
    for place in range(5):
        assert (await ask(gateway, proxy, issuer.token("second", jti=place))).status == 401
    assert len(issuer.seen) == 1


@pytest_twisted.ensureDeferred
async def test_no_redirect_is_followed(gateway: RunningGateway, target: Target, issuer: Issuer) -> None:
    with Issuer() as other:
        issuer.status, issuer.more = "302 Found", (f"Location: {other.url}/keys",)
        proxy = await proxy_of(gateway, target, issuer.url)
        answer = await ask(gateway, proxy, issuer.token())
        assert (answer.status, answer.code, answer["Retry-After"]) == (503, "unavailable", "5")
        assert not other.seen
    assert len(issuer.seen) == 1


CLOSED = {
    "private": "https://10.1.2.3/keys",
    "cloud metadata": "http://169.254.169.254/latest/meta-data/",
    "mapped": "https://[::ffff:10.1.2.3]/keys",
    "NAT64": "https://[64:ff9b::a9fe:a9fe]/keys",
    "6to4": "https://[2002:a9fe:a9fe::1]/keys",
    "unspecified": "https://0.0.0.0/keys",
    "IPv6 loopback": "https://[::1]/keys",
    "link-local": "https://[fe80::1]/keys",
    "decimal": "https://167838211/keys",
    "octal": "https://012.01.02.03/keys",
    "hex": "https://0xa010203/keys",
    "short": "https://10.1/keys",
    "trailing dot": "https://10.1.2.3./keys",
}
OURS = ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.0.0.1."]


NOT_DIALLED = ("may not be dialled", "does not resolve")


async def refused(gateway: RunningGateway, target: Target, issuer: Issuer, url: str) -> None:
    """Nothing is dialled there; the operator is told so, and neither the path nor the token."""
    proxy = await proxy_of(gateway, target, url)
    shown = issuer.token()
    with operator_log() as log:
        answer = await ask(gateway, proxy, shown)
    assert (answer.status, answer.code) == (503, "unavailable")
    assert "keys-unreachable" in log.text
    assert shown not in log.text
    path = urlsplit(url).path
    assert not path or path not in log.text
    assert any(text in log.text for text in NOT_DIALLED), log.text


@pytest.mark.parametrize("url", CLOSED.values(), ids=CLOSED)
@pytest_twisted.ensureDeferred
async def test_addresses_that_are_not_dialled(
    gateway: RunningGateway, target: Target, issuer: Issuer, url: str
) -> None:
    await refused(gateway, target, issuer, url)


@pytest.mark.parametrize("host", OURS)
@pytest_twisted.ensureDeferred
async def test_our_own_listeners_are_not_dialled(
    gateway: RunningGateway, target: Target, issuer: Issuer, host: str
) -> None:
    await refused(gateway, target, issuer, f"http://{host}:{gateway.core_address[1]}/auth-types")
