"""Targets that ask for a client certificate in the TLS handshake, over real sockets.

Belongs here: what they are shown, and when a connection is kept. Does not: what is refused when one is saved
(tests/core/test_client_certificates.py).
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from tests.certificates import Authority
from tests.running_gateway import RunningGateway
from tests.targets import Connection, Target

SERVERS, CLIENTS = Authority("whose servers are"), Authority("whose clients are")
BETWEEN = Authority("between", CLIENTS)
STRANGER = Authority("another")


def tell(connection: Connection) -> None:
    """Answers each request with whose certificate it was shown."""
    peer: Any = connection.socket
    while connection.request() is not None:
        subject = dict(pair for ((pair,)) in (peer.getpeercert() or {}).get("subject", ()))
        connection.answer(str(subject.get("commonName", "nobody")).encode())


def context(place: Path, asks: ssl.VerifyMode) -> ssl.SSLContext:
    made = SERVERS.server_context("localhost", place)
    made.verify_mode = asks
    made.load_verify_locations(cadata=CLIENTS.pem)
    return made


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    with Target(tell, tls=context(tmp_path, ssl.CERT_REQUIRED)) as running:
        yield running


def shown(pem: str | None) -> dict[str, Any]:
    return {"targetCABundle": SERVERS.pem, "targetClientCertificate": pem}


@pytest.mark.parametrize(
    "key",
    [None, rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()],
    ids=["P-256", "RSA", "Ed25519"],
)
@pytest_twisted.ensureDeferred
async def test_it_is_shown(gateway: RunningGateway, target: Target, key: Any) -> None:
    proxy = await gateway.proxy(target.url, target=shown(CLIENTS.client("the gateway", key=key)))
    for _ in range(2):
        answer = await gateway.call(proxy, "POST", "/", body=b"x")
        assert (answer.status, answer.body) == (200, b"the gateway")
    assert target.connections == 1


@pytest_twisted.ensureDeferred
async def test_what_leads_to_its_authority_is_shown_too(gateway: RunningGateway, target: Target) -> None:
    pem = BETWEEN.client("the gateway")
    for chain, status in ((BETWEEN.pem, 200), ("", 502)):
        answer = await gateway.call(await gateway.proxy(target.url, target=shown(pem + chain)))
        assert answer.status == status


@pytest.mark.parametrize("wrong", [None, STRANGER.client("the gateway"), CLIENTS.client("the gateway", hours=-1)])
@pytest_twisted.ensureDeferred
async def test_without_one_that_it_takes_there_is_no_answer(
    gateway: RunningGateway, target: Target, wrong: str | None
) -> None:
    answer = await gateway.call(await gateway.proxy(target.url, target=shown(wrong)))
    assert (answer.status, answer.code) == (502, "target-unreachable")


@pytest_twisted.ensureDeferred
async def test_a_change_is_shown_on_the_next_request_and_never_shared(
    gateway: RunningGateway, tmp_path: Path
) -> None:
    with Target(tell, tls=context(tmp_path, ssl.CERT_OPTIONAL)) as target:
        first = await gateway.proxy(target.url, target=shown(CLIENTS.client("one")))
        other = await gateway.proxy(target.url, target=shown(CLIENTS.client("other")))
        nobody = await gateway.proxy(target.url, target=shown(None))
        for _ in range(2):
            for proxy, name in ((first, b"one"), (other, b"other"), (nobody, b"nobody")):
                assert (await gateway.call(proxy)).body == name
        assert target.connections == 3
        for pem, name in ((CLIENTS.client("two"), b"two"), (None, b"nobody")):
            await gateway.change("targets", first.target, targetClientCertificate=pem)
            assert (await gateway.call(first)).body == name
        # The name alone changes nothing.
        await gateway.change("targets", other.target, targetName="renamed")
        assert (await gateway.call(other)).body == b"other"
        assert target.connections == 5


@pytest_twisted.ensureDeferred
async def test_a_test_of_the_target_shows_it(gateway: RunningGateway, target: Target) -> None:
    for pem, status in ((CLIENTS.client("the gateway"), 200), (None, None)):
        made = await gateway.target(target.url, targetTestPath="/", **shown(pem))
        told = await gateway.ask("POST", f"/clients/{gateway.client}/targets/{made}/test")
        assert (told.status, told.json["test"]["status"]) == (200, status), told.body


@pytest_twisted.ensureDeferred
async def test_it_survives_a_restart(tmp_path: Path, target: Target) -> None:
    gateway = RunningGateway.start(tmp_path / "state")
    proxy = await gateway.proxy(target.url, target=shown(CLIENTS.client("the gateway")))
    await gateway.stop()
    again = RunningGateway(RunningGateway.open(tmp_path / "state"), gateway.first)
    try:
        assert (await again.call(proxy)).body == b"the gateway"
    finally:
        await again.stop()
