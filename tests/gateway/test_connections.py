"""TLS on both sides, UNIX sockets, reuse of connections: what carries requests, from end to end.

Belongs here: the kinds of connections. Does not: what is said on them (test_httpbin.py), targets that break the
rules (test_odd_targets.py).
"""

from __future__ import annotations

import socket
import ssl
import time
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted

from tests.callers import Caller, in_thread
from tests.certificates import Authority
from tests.running_gateway import KEY, TOKEN, MadeProxy, RunningGateway
from tests.targets import Connection, Target, echo


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("a private CA")


@pytest_twisted.ensureDeferred
async def test_a_tls_target_is_reached_with_its_ca_bundle_and_only_so(
    gateway: RunningGateway, authority: Authority, tmp_path: Path
) -> None:
    other = Authority("another CA")
    with Target(echo, tls=authority.server_context("localhost", tmp_path)) as target:
        for bundle, status in [
            (authority.pem, 200),
            (other.pem + authority.pem, 200),
            (None, 502),
            (other.pem, 502),
        ]:
            proxy = await gateway.proxy(target.url, target={"targetCABundle": bundle})
            answer = await gateway.call(proxy, "POST", "/p", body=b"hello")
            assert answer.status == status, answer.body
            if status == 200:
                assert answer.json["body"] == "hello"
                assert ["Authorization", f"Bearer {TOKEN}"] in answer.json["headers"]
                assert ["Host", f"localhost:{target.port}"] in answer.json["headers"]
            else:
                assert answer.code == "target-unreachable"
                assert "certificate verify failed" in answer.json["message"]


@pytest_twisted.ensureDeferred
async def test_a_certificate_for_another_name_is_502(
    gateway: RunningGateway, authority: Authority, tmp_path: Path
) -> None:
    for name, base in (("other.test", "localhost"), ("localhost", "127.0.0.1")):
        with Target(echo, tls=authority.server_context(name, tmp_path)) as target:
            proxy = await gateway.proxy(
                f"https://{base}:{target.port}", target={"targetCABundle": authority.pem}
            )
            answer = await gateway.call(proxy)
        assert (answer.status, answer.code) == (502, "target-unreachable")


@pytest_twisted.ensureDeferred
async def test_a_target_that_speaks_no_tls_is_502(gateway: RunningGateway) -> None:
    with Target(lambda connection: connection.send(b"220 mail.test ESMTP\r\n")) as target:
        answer = await gateway.call(await gateway.proxy(f"https://localhost:{target.port}"))
    assert (answer.status, answer.code) == (502, "target-unreachable")


@pytest_twisted.ensureDeferred
async def test_a_large_body_crosses_tls_on_both_sides(tmp_path: Path, authority: Authority) -> None:
    certificate, key = authority.server("localhost", tmp_path)
    trusting = ssl.create_default_context(cadata=authority.pem)
    endpoint = f"ssl:0:interface=127.0.0.1:certKey={certificate}:privateKey={key}"
    gateway = RunningGateway.start(tmp_path / "state", listen=endpoint)
    body = bytes(range(256)) * 8192

    def exchange(proxy: MadeProxy) -> tuple[int, bool, str]:
        with Caller(gateway.address, tls=trusting) as caller:
            caller.host = "localhost"
            headers = {"X-Api-Key": KEY}
            answer = caller.call("POST", proxy.path, headers, body)
            again = caller.call("GET", proxy.path, headers)
            return answer.status, answer.json["body"].encode("latin-1") == body, again.json["line"]

    try:
        assert gateway.gateway.public_url.startswith("https://127.0.0.1:")
        with Target(echo, tls=authority.server_context("localhost", tmp_path)) as target:
            proxy = await gateway.proxy(
                target.url, target={"targetCABundle": authority.pem}, proxyMaxResponseBytes=64 * 1024 * 1024
            )
            assert await in_thread(exchange, proxy) == (200, True, "GET / HTTP/1.1")
            assert target.connections == 1
    finally:
        await gateway.stop()


@pytest_twisted.ensureDeferred
async def test_a_unix_socket_serves_as_tcp_does(tmp_path: Path) -> None:
    gateway = RunningGateway.start(tmp_path / "state", listen=f"unix:{tmp_path}/gateway.sock")
    try:
        with Target(echo) as target:
            proxy = await gateway.proxy(target.url)
            answer = await gateway.call(proxy, "POST", "/p", body=b"x" * 300_000)
            assert (answer.status, len(answer.json["body"])) == (200, 300_000)
            assert (await gateway.call(proxy, key="wrong")).status == 401
            (newest, *_) = await gateway.records(proxy)
            assert newest["proxyData"]["status"] == 401
    finally:
        await gateway.stop()
    assert not (tmp_path / "gateway.sock").exists()


@pytest_twisted.ensureDeferred
async def test_callers_who_come_at_once_need_not_try_again(gateway: RunningGateway) -> None:
    """This blocks the gateway's own thread, so nothing is accepted before the last of them is there."""
    callers = []
    for _ in range(500):
        caller = socket.socket()
        caller.settimeout(0.5)
        assert caller.connect_ex(cast(Any, gateway.address)) == 0
        callers.append(caller)
    for caller in callers:
        caller.close()


# Reuse.


@pytest_twisted.ensureDeferred
async def test_connections_to_a_target_are_used_again(gateway: RunningGateway) -> None:
    with Target(echo) as target:
        proxy = await gateway.proxy(target.url)
        for _ in range(20):
            assert (await gateway.call(proxy, "POST", "/", body=b"x")).status == 200
        assert target.connections == 1


@pytest_twisted.ensureDeferred
async def test_connections_are_not_shared_between_credentials(gateway: RunningGateway) -> None:
    with Target(echo) as target:
        for number in range(3):
            proxy = await gateway.proxy(target.url)
            assert (await gateway.call(proxy)).status == 200
            assert target.connections == number + 1


@pytest.mark.parametrize("says_so", [True, False])
@pytest_twisted.ensureDeferred
async def test_a_target_that_closes_idle_connections_fast_costs_no_caller_a_502(
    gateway: RunningGateway, says_so: bool
) -> None:
    """It closes behind one to three answers, told by `Connection: close` or not, or after some idle milliseconds."""

    def serve(connection: Connection) -> None:
        connection.socket.settimeout(0.05)
        for left in range(target.connections % 3, -1, -1):
            try:
                if connection.request() is None:
                    return
            except TimeoutError:
                return
            if left:
                connection.answer(b"ok")
            else:
                told = "Connection: close\r\n" if says_so else ""
                # The end travels with the answer: were it later, a POST could already be under way to it.
                last = f"HTTP/1.1 200 OK\r\n{told}Content-Length: 2\r\n\r\nok".encode()
                connection.socket.send(last, socket.MSG_MORE)
                connection.socket.shutdown(socket.SHUT_WR)

    def hammer(proxy: MadeProxy) -> list[int]:
        statuses = []
        with Caller(gateway.address) as caller:
            for number in range(300):
                method, body = [("GET", None), ("POST", b"x"), ("PUT", b"x" * 3000), ("DELETE", None)][number % 4]
                statuses.append(caller.call(method, proxy.path, {"X-Api-Key": KEY}, body).status)
                if number % 60 == 0:
                    time.sleep(0.1)
        return statuses

    with Target(serve) as target:
        statuses = await in_thread(hammer, await gateway.proxy(target.url))
        assert statuses == [200] * 300
        assert target.connections > 100


@pytest_twisted.ensureDeferred
async def test_a_pipeline_is_answered_in_order(gateway: RunningGateway) -> None:
    with Target(echo) as target:
        proxy = await gateway.proxy(target.url)

        def pipeline() -> list[str]:
            with Caller(gateway.address) as caller:
                one = f"Host: {caller.host}\r\nX-Api-Key: {KEY}\r\nContent-Length: 3\r\n\r\nabc"
                caller.socket.sendall(
                    "".join(f"POST {proxy.path}/{n} HTTP/1.1\r\n{one}" for n in range(50)).encode()
                )
                return [caller.answer().json["line"] for _ in range(50)]

        lines = await in_thread(pipeline)
    assert lines == [f"POST /{n} HTTP/1.1" for n in range(50)]
