"""What is particular to signed requests: everything that is signed counts, and bodies have a bound.

Belongs here: whole requests through a gateway in memory. Does not: what every plugin promises (test_contract.py).
"""

from __future__ import annotations

from typing import Any

import pytest
from rrgate_hmac.plugin import Hmac
from rrgate_hmac.signing import authorization, digest_of, read, signature_of

from rrgate.testing import MemoryGateway

CONFIG = {"key": "orders-app", "secret": "a-secret-of-the-sample", "maxBodyBytes": 10}
BODY = b"ten bytes."


class Signer:
    """A gateway that wants signatures, and a caller that signs."""

    def __init__(self) -> None:
        self.gateway = MemoryGateway([Hmac])
        self.proxy = self.gateway.proxy(caller=("signed", CONFIG))

    def call(self, body: bytes | list[bytes] = BODY, *, sent: Any = None, **changed: bytes) -> tuple[int, str]:
        """Sign `body`, and the rest as it is sent unless it is `changed`; the status and the gateway's message."""
        parts: dict[str, Any] = {"method": b"POST", "target": f"/api/{self.proxy.id}/a%2Fb?c=d&e".encode()}
        whole = body if isinstance(body, bytes) else b"".join(body)
        parts |= {"date": int(self.gateway.clock.wall()), "body": whole, **changed}
        value = authorization(b"orders-app", b"a-secret-of-the-sample", **parts)
        headers = {"Authorization": value.decode()}
        answer = self.gateway.call("POST", self.proxy, "/a%2Fb?c=d&e", headers, body if sent is None else sent).answer
        return answer.status, answer["requestrocket-proxy-message"]


def test_a_signed_request() -> None:
    signer = Signer()
    assert signer.call() == (200, "Proxy authentication successful")
    received = signer.gateway.target.last
    assert (received.path, received.query, received.body) == ("/a%2Fb", "c=d&e", BODY)
    assert received["Authorization"] == ""
    assert signer.gateway.requests[0].identity.subject == "orders-app"


HERE = "/api/{}/a%2Fb?c=d&e"


@pytest.mark.parametrize(
    "target",
    [
        "/api/another/a%2Fb?c=d&e",
        "/a%2Fb?c=d&e",
        "/api/{}/a/b?c=d&e",
        "/api/{}/a%2fb?c=d&e",
        "/api/{}/a%2Fb",
        "/api/{}/a%2Fb?",
        "/api/{}/a%2Fb?c=d",
        "/api/{}/a%2Fb?e&c=d",
        "/api/{}/a%2Fb?c=d&e&",
        "/api/{}/a%2Fb?c=%64&e",
    ],
)
def test_every_byte_of_the_request_line_counts(target: str) -> None:
    signer = Signer()
    assert signer.call(target=HERE.format(signer.proxy.id).encode())[0] == 200
    assert signer.call(target=target.format(signer.proxy.id).encode()) == (401, "Invalid proxy credential")
    assert signer.call(method=b"PUT") == (401, "Invalid proxy credential")
    assert len(signer.gateway.target.received) == 1


def test_what_is_signed_ends_with_the_window() -> None:
    """Within it a request that was seen can be repeated; README.md says so."""
    signer = Signer()
    date: Any = int(signer.gateway.clock.wall()) + 300
    assert [signer.call(date=date)[0] for _ in range(2)] == [200, 200]
    signer.gateway.clock.advance(600)
    assert signer.call(date=date)[0] == 200
    signer.gateway.clock.advance(1)
    assert signer.call(date=date)[0] == 401
    assert signer.gateway.requests[-1].denied_reason == "the date is outside of the window"


def test_a_query_that_is_empty_is_not_one_that_is_not_there() -> None:
    signer = Signer()
    with_mark = f"/api/{signer.proxy.id}/?".encode()
    for signed, sent, status in ((with_mark, "/?", 200), (with_mark[:-1], "/?", 401), (with_mark, "/", 401)):
        date = int(signer.gateway.clock.wall())
        value = authorization(b"orders-app", b"a-secret-of-the-sample", b"GET", signed, date, b"")
        headers = {"Authorization": value.decode()}
        assert signer.gateway.call("GET", signer.proxy, sent, headers).answer.status == status


def test_bodies() -> None:
    signer = Signer()
    assert signer.call(b"")[0] == 200
    assert signer.call([b"in ", b"pieces"])[0] == 200
    assert signer.gateway.target.last.body == b"in pieces"
    assert signer.call(sent=b"another.")[0] == 401
    assert signer.call(b"eleven byte")[0] == 413
    assert signer.call([b"eleven ", b"byte"])[0] == 413
    assert len(signer.gateway.target.received) == 2


def test_a_stranger_is_not_waited_for() -> None:
    signer = Signer()
    headers = {"Authorization": "HMAC-SHA256 key=x", "Content-Length": "10"}
    assert signer.gateway.call("POST", signer.proxy, "/", headers).answer.status == 401


def test_requests_to_targets_are_signed_as_they_are_sent() -> None:
    gateway = MemoryGateway([Hmac])
    proxy = gateway.proxy(
        towards=("signed", CONFIG), url="https://target.test/v1", proxyAdditionalQueryParams={"added": "1"}
    )
    assert gateway.call("PUT", proxy, "/a?b=c", {"Authorization": "Bearer of-the-caller"}, BODY).answer.status == 200
    received = gateway.target.last
    (value,) = received.every("Authorization")
    signed = read(value.encode())
    assert signed is not None
    assert (signed.key, signed.date, signed.body) == (b"orders-app", int(gateway.clock.wall()), digest_of(BODY))
    assert received.query == "b=c&added=1"
    right = signature_of(b"a-secret-of-the-sample", b"PUT", b"/v1/a?b=c&added=1", signed.date, signed.body)
    assert signed.signature == right


def test_a_body_that_is_too_long_to_be_signed() -> None:
    gateway = MemoryGateway([Hmac])
    proxy = gateway.proxy(towards=("signed", CONFIG))
    assert gateway.call("PUT", proxy, "/", (), b"eleven byte").answer.status == 413
    assert gateway.target.connections == 0
