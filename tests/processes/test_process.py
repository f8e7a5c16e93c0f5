"""`twistd -n rrgate` as an operator meets it: starts that fail, ends in order, ends by force, and what is left.

Belongs here: the life of the process. Does not: what a request is answered (tests/gateway/).
"""

from __future__ import annotations

import json
import signal
import socket
import ssl
import time
from pathlib import Path
from threading import Event

import pytest
import pytest_twisted
from attrs import evolve

from rrgate.cli.init import FirstUser, create_state
from tests.callers import Answer, Caller, in_thread
from tests.certificates import Authority
from tests.processes.twistd import Twistd, rrgate
from tests.running_gateway import KEY
from tests.targets import Connection, Target, closed_port, echo


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def first(data: Path) -> FirstUser:
    return create_state(data)


# Starts that fail: one line that says what to do, and a status.


def test_without_state_it_names_the_command_that_makes_it(data: Path) -> None:
    with Twistd(data, anew=True) as gateway:
        assert gateway.ended() != 0
        assert f"rrgate init --data {data}" in gateway.output()
        assert "Traceback" not in gateway.output()


@pytest.mark.usefixtures("first")
def test_a_gateway_of_its_own_has_listeners(data: Path) -> None:
    with Twistd(data, "--core-listen=", environ={"RRGATE_LISTEN": ""}) as gateway:
        assert gateway.ended() != 0
        assert "core_listen is empty: only an embedding service can do without it" in gateway.output()


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("which", ["--listen", "--core-listen"])
def test_a_taken_port_stops_the_start(data: Path, which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Twistd(data, f"{which}=tcp:{port}:interface=127.0.0.1") as gateway:
            assert gateway.ended() != 0
            assert str(port) in gateway.output()
            assert "Address already in use" in gateway.output()
            assert "Traceback" not in gateway.output()


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize(
    ("arguments", "environ", "told"),
    [
        (["--set", "drain-timout=3"], {}, ["--set drain_timout: no such setting; did you mean drain_timeout?"]),
        ([], {"RRGATE_JOURNAL_BATCHES": "3"}, ["RRGATE_JOURNAL_BATCHES", "RRGATE_JOURNAL_BATCH"]),
        (["--set", "drain_timeout=soon", "--set", "regions=EU!"], {}, ["--set drain_timeout: 'soon'", "--set regions"]),
        (["--set", "drain_timeout"], {}, ["NAME=VALUE"]),
        (["--config", "/nowhere/rrgate.toml"], {}, ["/nowhere/rrgate.toml"]),
        (["--listen", "ssl:0:certKey=/nowhere/gw.pem:privateKey=/nowhere/gw.pem"], {}, ["is wrong", "/nowhere/gw.pem"]),
    ],
)
def test_a_wrong_setting_stops_the_start_with_what_would_be_right(
    data: Path, arguments: list[str], environ: dict[str, str], told: list[str]
) -> None:
    with Twistd(data, *arguments, environ=environ) as gateway:
        assert gateway.ended() != 0
        output = gateway.output()
        assert all(word in output for word in told), output
        assert "Traceback" not in output


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize(("name", "workers"), [("log.db", []), ("delivery.lock", ["--workers=1"])])
def test_a_file_that_cannot_be_opened_stops_the_start_and_is_named(data: Path, name: str, workers: list[str]) -> None:
    path = data / name
    path.symlink_to(path)  # as another user's file, which root could open
    with Twistd(data, *workers) as gateway:
        assert gateway.ended() != 0
        output = gateway.output()
        assert f"rrgate cannot start: {path}: " in output
        assert "look at the file, its owner and its disk" in output
        assert "rrgate/store/" not in output, "no line of a traceback"


# Ends in order.


@pytest_twisted.ensureDeferred
async def test_sigterm_lets_a_request_in_flight_finish_and_logs_it(data: Path, first: FirstUser) -> None:
    reached, go_on = Event(), Event()

    def serve(connection: Connection) -> None:
        connection.request()
        reached.set()
        go_on.wait(10)
        connection.answer(b"finished")

    with Target(serve) as target, Twistd(data, anew=True).ready() as gateway:
        client = gateway.client(first)
        proxy = await client.proxy(target.url)
        idle = Caller(client.address)
        asked = in_thread(
            lambda: Caller(client.address).call("POST", proxy.path, {"X-Api-Key": KEY}, b"x"),
        )
        assert await in_thread(reached.wait, 5)
        gateway.terminate()
        # An idle connection is closed, new ones are refused, and the one at work is not disturbed.
        assert await in_thread(idle.rest) == b""
        assert not gateway.takes_connections()
        await in_thread(time.sleep, 0.1)
        assert gateway.process.poll() is None
        go_on.set()
        answer: Answer = await asked
        assert (answer.status, answer.body) == (200, b"finished")
        assert answer["Connection"] == "close"
        assert gateway.ended() == 0, gateway.output()
    with Twistd(data).ready() as again:
        (record,) = await again.client(first).records(proxy)
        assert record["sKey"] == answer["requestrocket-request-id"]
        assert record["proxyData"]["status"] == 200
        again.terminate()
        assert again.ended() == 0


@pytest.mark.parametrize("over_tls", [False, True])
@pytest_twisted.ensureDeferred
async def test_sigterm_lets_a_slow_reader_have_the_rest(
    data: Path, first: FirstUser, tmp_path: Path, over_tls: bool
) -> None:
    """The gateway was done with the request, but the caller had not taken its answer yet."""
    size = 40 * 1024 * 1024  # more than the buffers of both sockets
    authority = Authority("a private CA")
    certificate, key = authority.server("localhost", tmp_path)
    trusting = ssl.create_default_context(cadata=authority.pem)
    tls = trusting if over_tls else None
    port = closed_port()
    arguments = [f"--listen=ssl:{port}:interface=127.0.0.1:certKey={certificate}:privateKey={key}"] if over_tls else []

    def serve(connection: Connection) -> None:
        while connection.request():
            # Without a length: held to its end, and then answered in one piece.
            connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            connection.send(b"%x\r\n%b\r\n0\r\n\r\n" % (size, bytes(size)))

    def read_slowly(path: str) -> bytes:
        with Caller(client.address, tls=tls) as caller, Caller(client.address, tls=tls):
            caller.send("GET", path, {"X-Api-Key": KEY})
            body = caller.begun()
            gateway.terminate()
            time.sleep(0.5)
            assert gateway.process.poll() is None
            return body.read()

    with Target(serve) as target, Twistd(data, *arguments, anew=True) as gateway:
        if over_tls:
            gateway.port = port
        gateway.ready(tls)
        client = gateway.client(first)
        proxy = await client.proxy(target.url, proxyStreaming="never", proxyMaxResponseBytes=64 * 1024 * 1024)
        assert len(await in_thread(read_slowly, proxy.path)) == size
        assert gateway.ended(2) == 0, gateway.output()


@pytest_twisted.ensureDeferred
async def test_a_request_that_does_not_finish_in_time_is_broken_off(data: Path, first: FirstUser) -> None:
    reached, cut = Event(), Event()

    def serve(connection: Connection) -> None:
        connection.request()
        reached.set()
        if connection.closed_by_peer():
            cut.set()

    def ask(path: str) -> object:
        with Caller(client.address) as caller:
            try:
                return caller.call("GET", path, {"X-Api-Key": KEY})
            except OSError as error:
                return error

    with Target(serve) as target, Twistd(data, "--set", "drain_timeout=0.5").ready() as gateway:
        client = gateway.client(first)
        proxy = await client.proxy(target.url)
        asked = in_thread(ask, proxy.path)
        assert await in_thread(reached.wait, 5)
        begun = time.monotonic()
        gateway.terminate()
        outcome = await asked
        assert isinstance(outcome, OSError)
        assert gateway.ended() == 0, gateway.output()
        assert 0.4 < time.monotonic() - begun < 5
        assert await in_thread(cut.wait, 5)
        assert "1 requests did not end in time" in gateway.output()
    with Twistd(data).ready() as again:
        (record,) = await again.client(first).records(proxy)
        assert record["proxyData"]["status"] == 499


# Ends by force.


@pytest_twisted.ensureDeferred
async def test_sigkill_loses_at_most_the_last_batch(data: Path, first: FirstUser) -> None:
    def ask(count: int) -> list[str]:
        with Caller(client.address) as caller:
            return [
                caller.call("GET", proxy.path, {"X-Api-Key": KEY})["requestrocket-request-id"] for _ in range(count)
            ]

    with Target(echo) as target:
        with Twistd(data, "--set", "journal_interval=0.2").ready() as gateway:
            client = gateway.client(first)
            proxy = await client.proxy(target.url)
            early = await in_thread(ask, 100)
            await in_thread(time.sleep, 0.5)
            late = await in_thread(ask, 50)
            gateway.process.send_signal(signal.SIGKILL)
            assert gateway.ended() == -signal.SIGKILL
        with Twistd(data).ready() as again:
            client = again.client(first)
            kept = {record["sKey"] for record in await client.records(proxy)}
            assert set(early) <= kept <= set(early + late)
            # Configuration that was answered is there, and all goes on.
            assert len(await in_thread(ask, 3)) == 3
            again.terminate()
            assert again.ended() == 0


# Around it.


def test_a_second_gateway_on_a_state_says_what_it_does_not_know(data: Path, first: FirstUser) -> None:
    """Whoever is refused by the one, since a credential was deleted there, the other lets in."""
    warning = f"another gateway works on {data}: what is changed through one of them"
    with Twistd(data) as alone:
        alone.ready()
        with Twistd(data) as second:
            second.ready()
            assert warning in second.output()
    with Twistd(data) as again:
        again.ready()
        assert again.output().count(warning) == 1, "it is alone again: what is there the second has said"


@pytest_twisted.ensureDeferred
async def test_it_runs_on_twisteds_own_reactor(data: Path, first: FirstUser) -> None:
    with Target(echo) as target, Twistd(data, reactor="epoll", anew=True).ready() as gateway:
        client = gateway.client(first)
        proxy = await client.proxy(target.url)
        body = b"x" * 1_000_000
        answer = await client.call(proxy, "POST", "/p", body=body)
        assert (answer.status, len(answer.json["body"])) == (200, len(body))
        gateway.terminate()
        # Stock reactors end by the signal that stopped them.
        assert gateway.ended() in (0, -signal.SIGTERM), gateway.output()
    with Twistd(data).ready() as again:
        assert [record["proxyData"]["status"] for record in await again.client(first).records(proxy)] == [200]


@pytest_twisted.ensureDeferred
async def test_tokens_made_and_revoked_beside_it_are_in_force_within_two_seconds(
    data: Path, first: FirstUser
) -> None:
    async def status_becomes(status: int, token: str) -> bool:
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            told = await client.ask("GET", f"/clients/{first.client_id}", token=token)
            if told.status == status:
                return True
            await in_thread(time.sleep, 0.05)
        return False

    with Twistd(data).ready() as gateway:
        client = gateway.client(first)
        made = json.loads(await in_thread(rrgate, "token", "new", "--data", data, "--json"))
        assert await status_becomes(200, made["userToken"])
        await in_thread(rrgate, "token", "revoke", "--data", data, made["tokenId"])
        assert await status_becomes(401, made["userToken"])
        assert (await client.ask("GET", "/clients")).status == 200
        client = gateway.client(evolve(first, token="u-nobody"))
        assert (await client.ask("GET", "/clients")).status == 401
