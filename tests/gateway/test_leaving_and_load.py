"""Callers who leave, bodies larger than memory should hold, a thousand slow ones beside a fast one, clocks that jump.

Belongs here: what many or long requests do to a gateway and to each other. Does not: how fast it is (bench/).
"""

from __future__ import annotations

import gc
import select
import socket
import statistics
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import pytest_twisted

from rrgate.cli.init import create_state
from tests.callers import Caller, in_thread
from tests.processes.twistd import Twistd
from tests.real_parts import many_files, missing
from tests.running_gateway import KEY, GatewayClient, MadeProxy, RunningGateway
from tests.targets import Connection, Target

MEGABYTE = 1024 * 1024
HEADERS = {"X-Api-Key": KEY}


# Callers who leave.


def before_the_head(caller: Caller, path: str, reached: Event) -> None:
    caller.send("GET", path, HEADERS)
    reached.wait(5)


def in_the_body(caller: Caller, path: str, reached: Event) -> None:
    caller.send("GET", path, HEADERS)
    assert caller.begun().read1(1)


def in_the_upload(caller: Caller, path: str, reached: Event) -> None:
    head = f"PUT {path} HTTP/1.1\r\nHost: {caller.host}\r\nX-Api-Key: {KEY}\r\nContent-Length: 99999999\r\n\r\n"
    caller.socket.sendall(head.encode() + bytes(1000))
    reached.wait(5)


@pytest.mark.parametrize("by", ["close", "reset"])
@pytest.mark.parametrize("leave", [before_the_head, in_the_body, in_the_upload])
@pytest_twisted.ensureDeferred
async def test_who_leaves_ends_the_targets_work(
    gateway: RunningGateway, leave: Callable[[Caller, str, Event], None], by: str
) -> None:
    reached, over = Event(), Event()

    def serve(connection: Connection) -> None:
        assert connection.head() is not None
        reached.set()
        if leave is in_the_body:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        if connection.closed_by_peer():
            over.set()

    def go(path: str) -> None:
        caller = Caller(gateway.address)
        leave(caller, path, reached)
        if by == "reset":
            caller.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        caller.close()

    with Target(serve) as target:
        proxy = await gateway.proxy(target.url)
        await in_thread(go, proxy.path)
        assert await in_thread(over.wait, 2)
        assert target.connections == 1
    assert gateway.gateway.listener.in_flight == 0


@pytest_twisted.ensureDeferred
async def test_who_leaves_early_leaves_nothing_behind(gateway: RunningGateway) -> None:
    """Connections, requests and timers are let go, however many callers come and go."""
    from rrgate.wire.client import TargetConnection

    def serve(connection: Connection) -> None:
        while connection.request():
            connection.closed_by_peer()

    def come_and_go(path: str) -> None:
        for _ in range(100):
            with Caller(gateway.address) as caller:
                caller.send("GET", path, HEADERS)

    def busy() -> list[Any]:
        gc.collect()
        return [each for each in gc.get_objects() if type(each) is TargetConnection and each._busy]

    of_other_tests = {id(each) for each in busy()}
    with Target(serve) as target:
        proxy = await gateway.proxy(target.url)
        await in_thread(come_and_go, proxy.path)
        for _ in range(100):
            if not gateway.gateway.listener.connections:
                break
            await in_thread(time.sleep, 0.02)
        listener = gateway.gateway.listener
        assert (len(listener.connections), listener.in_flight) == (0, 0)
        left = [each for each in busy() if id(each) not in of_other_tests]
        for _ in range(100):  # an aborted connection is gone a turn of the reactor later than its caller
            left = [each for each in left if each._busy]
            if not left:
                break
            await in_thread(time.sleep, 0.02)
        assert left == []


# Bodies larger than what may be held.

SIZE = 100 * MEGABYTE
MOST_GROWTH = 16 * MEGABYTE
PIECE = bytes(256 * 1024)


def serve_large(connection: Connection) -> None:
    """GET: 100 MB, by length or in chunks. PUT: reads it all, then says how much."""
    while (head := connection.head()) is not None:
        if head.method == "GET" and head.path == "/chunked":
            connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(SIZE // len(PIECE)):
                connection.send(b"%x\r\n%b\r\n" % (len(PIECE), PIECE))
            connection.send(b"0\r\n\r\n")
        elif head.method == "GET":
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
            for _ in range(SIZE // len(PIECE)):
                connection.send(PIECE)
        else:
            size, chunked = 0, bool(head.every("Transfer-Encoding"))
            while chunked and (length := int(connection.file.readline(), 16)):
                size += len(connection.file.read(length + 2)) - 2
            if chunked:
                connection.file.readline()
            while not chunked and size < SIZE:
                size += len(connection.file.read1(MEGABYTE))
            connection.answer(str(size).encode())


@pytest_twisted.async_yield_fixture(scope="module")  # type: ignore[untyped-decorator]
async def process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Twistd, GatewayClient]]:
    """A gateway process that has warmed up."""
    if not Path("/proc/self/status").exists():
        missing("/proc", "run this on Linux")
    data = tmp_path_factory.mktemp("process") / "state"
    first = create_state(data)
    with Twistd(data, anew=True) as twistd:
        await in_thread(twistd.ready)
        yield twistd, twistd.client(first)


@pytest.mark.parametrize("slowly", [False, True])
@pytest.mark.parametrize("path", ["/by-length", "/chunked"])
@pytest_twisted.ensureDeferred
async def test_a_large_download_is_not_held(
    process: tuple[Twistd, GatewayClient], path: str, slowly: bool
) -> None:
    twistd, client = process

    def download(proxy: MadeProxy) -> tuple[int, int]:
        size = peak = 0
        with Caller(client.address) as caller:
            caller.send("GET", proxy.path + path, HEADERS)
            body = caller.begun()
            while part := body.read1(MEGABYTE):
                before, size = size, size + len(part)
                if before // (4 * MEGABYTE) != size // (4 * MEGABYTE):
                    peak = max(peak, twistd.memory())
                    # The target is always faster than such a reader.
                    time.sleep(0.02 if slowly else 0)
        return size, peak

    with Target(serve_large) as target:
        proxy = await client.proxy(target.url, proxyMaxResponseBytes=2 * SIZE)
        before = twistd.memory()
        size, peak = await in_thread(download, proxy)
    assert size == SIZE
    assert peak - before < MOST_GROWTH


@pytest.mark.parametrize("chunked", [False, True])
@pytest_twisted.ensureDeferred
async def test_a_large_upload_is_not_held(process: tuple[Twistd, GatewayClient], chunked: bool) -> None:
    twistd, client = process

    def upload(proxy: MadeProxy) -> tuple[bytes, int]:
        peak = 0
        with Caller(client.address) as caller:
            framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {SIZE}"
            head = f"PUT {proxy.path} HTTP/1.1\r\nHost: {caller.host}\r\nX-Api-Key: {KEY}\r\n{framing}\r\n\r\n"
            caller.socket.sendall(head.encode())
            for number in range(SIZE // len(PIECE)):
                caller.socket.sendall(b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if chunked else PIECE)
                if number % 16 == 0:
                    peak = max(peak, twistd.memory())
            caller.socket.sendall(b"0\r\n\r\n" if chunked else b"")
            return caller.answer().body, peak

    with Target(serve_large) as target:
        proxy = await client.proxy(target.url, proxyMaxRequestBytes=2 * SIZE)
        before = twistd.memory()
        told, peak = await in_thread(upload, proxy)
    assert told == str(SIZE).encode()
    assert peak - before < MOST_GROWTH


# A thousand slow ones.

SLOW = 1000


class SlowTarget:
    """One thread for all connections: takes heads and answers `/fast` at once; `/large` with more than buffers hold.

    What is sent to `/upload` is left unread.
    """

    BODY = bytes(3 * MEGABYTE // 2)

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
        # Inherited by what it accepts: less to fill before somebody has to wait.
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        self._listening.setblocking(False)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.begun = 0
        self._over = False
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over = True
        self._thread.join()

    def _run(self) -> None:
        poll = select.epoll()
        poll.register(self._listening, select.EPOLLIN)
        known: dict[int, socket.socket] = {}
        left: dict[int, memoryview] = {}
        while not self._over:
            for number, event in poll.poll(0.05):
                if number == self._listening.fileno():
                    taken, _ = self._listening.accept()
                    taken.setblocking(False)
                    known[taken.fileno()] = taken
                    poll.register(taken, select.EPOLLIN)
                    continue
                connection = known[number]
                try:
                    if event & select.EPOLLIN:
                        head = connection.recv(1000)
                        if not head:
                            raise ConnectionResetError
                        if b"/fast" in head:
                            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                            continue
                        self.begun += 1
                        if b"/upload" in head:
                            poll.unregister(connection)
                            continue
                        whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(self.BODY) + self.BODY
                        left[number] = memoryview(whole)
                        poll.modify(connection, select.EPOLLOUT)
                    elif number in left:
                        left[number] = left[number][connection.send(left[number]) :]
                        if not left[number]:
                            poll.modify(connection, select.EPOLLIN)
                except (BlockingIOError, OSError):
                    poll.unregister(connection)
                    known.pop(number).close()
        for connection in known.values():
            connection.close()
        poll.close()
        self._listening.close()


@pytest.mark.parametrize("kind", ["readers", "writers"])
@pytest_twisted.ensureDeferred
async def test_a_thousand_slow_ones_do_not_slow_a_fast_one(tmp_path: Path, kind: str) -> None:
    def median(path: str) -> float:
        times = []
        with Caller(client.address) as caller:
            for _ in range(200):
                begun = time.perf_counter()
                assert caller.call("GET", f"{path}/fast", HEADERS).status == 200
                times.append(time.perf_counter() - begun)
        return statistics.median(times)

    def slow_ones(path: str) -> list[socket.socket]:
        opened = []
        for _ in range(SLOW):
            caller = socket.socket()
            # Small, so that it is the gateway that has to wait.
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            caller.connect(client.address)
            caller.setblocking(False)
            length = "" if kind == "readers" else f"Content-Length: {10 * MEGABYTE}\r\n"
            what = "GET" if kind == "readers" else "PUT"
            where = "large" if kind == "readers" else "upload"
            head = f"{what} {path}/{where} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Api-Key: {KEY}\r\n{length}\r\n"
            caller.send(head.encode() + (b"" if kind == "readers" else b"a little"))
            opened.append(caller)
        return opened

    def trickle(callers: list[socket.socket], over: Event) -> None:
        while not over.is_set():
            for caller in callers[::10]:
                try:
                    if kind == "readers":
                        caller.recv(100)
                    else:
                        caller.send(b"x")
                except BlockingIOError:
                    pass
            time.sleep(0.05)

    def all_begun(target: SlowTarget) -> bool:
        deadline = time.monotonic() + 30
        while target.begun < SLOW and time.monotonic() < deadline:
            time.sleep(0.02)
        return target.begun == SLOW

    first = create_state(tmp_path / "state")
    with many_files(4 * SLOW + 500):  # three sockets a slow caller
        target = SlowTarget()
        with Twistd(tmp_path / "state", anew=True) as twistd:
            await in_thread(twistd.ready)
            client = twistd.client(first)
            proxy = await client.proxy(target.url)
            alone = await in_thread(median, proxy.path)
            before = twistd.memory()
            begun = time.monotonic()
            callers = await in_thread(slow_ones, proxy.path)
            try:
                assert time.monotonic() - begun < 5
                assert await in_thread(all_begun, target)
                over = Event()
                trickling = in_thread(trickle, callers, over)
                beside = await in_thread(median, proxy.path)
                over.set()
                await trickling
                # Each may hold a head, two reads and what its socket did not take; not its whole body.
                assert twistd.memory() - before < SLOW * MEGABYTE // 2
            finally:
                for caller in callers:
                    caller.close()
        target.stop()
    assert beside < 5 * alone + 0.005


# Clocks that jump.


@pytest.mark.parametrize("step", [3600.0, -3600.0])
@pytest_twisted.ensureDeferred
async def test_clock_steps_fire_no_timeout_early_and_lose_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    """The wall clock is stepped by an hour while requests are under way in every phase that has a timeout."""
    real = time.time
    ahead = 0.0
    monkeypatch.setattr(time, "time", lambda: real() + ahead)
    gateway = RunningGateway.start(
        tmp_path / "state", wall=lambda: real() + ahead, head_timeout=0.6, body_timeout=0.6, keep_alive_timeout=2.0
    )
    answering = Event()

    def serve(connection: Connection) -> None:
        while (head := connection.request()) is not None:
            if head.path == "/never":
                connection.closed_by_peer()
                return
            if head.path == "/slow":
                answering.wait(5)
            connection.answer(b"ok")

    def timed(ask: Callable[[Caller], int]) -> tuple[int, float]:
        with Caller(gateway.address) as caller:
            begun = time.monotonic()
            return ask(caller), time.monotonic() - begun

    def begin_head(caller: Caller) -> int:
        caller.socket.sendall(b"GET /api")
        return caller.answer().status

    def begin_body(caller: Caller) -> int:
        head = f"PUT {proxy.path}/p HTTP/1.1\r\nHost: {caller.host}\r\nX-Api-Key: {KEY}\r\nContent-Length: 9\r\n\r\n"
        caller.socket.sendall(head.encode())
        return caller.answer().status

    def load(path: str) -> set[int]:
        with Caller(gateway.address) as caller:
            return {caller.call("GET", path, HEADERS).status for _ in range(200)}

    try:
        with Target(serve) as target:
            proxy = await gateway.proxy(target.url, target={"targetTimeout": 1})
            kept = Caller(gateway.address)
            assert await in_thread(lambda: kept.call("GET", f"{proxy.path}/p", HEADERS).status) == 200
            never = in_thread(timed, lambda caller: caller.call("GET", f"{proxy.path}/never", HEADERS).status)
            slow = in_thread(timed, lambda caller: caller.call("GET", f"{proxy.path}/slow", HEADERS).status)
            head, body = in_thread(timed, begin_head), in_thread(timed, begin_body)
            loaded = in_thread(load, f"{proxy.path}/p")
            await in_thread(time.sleep, 0.2)
            ahead = step
            await in_thread(time.sleep, 0.2)
            answering.set()
            status, seconds = await slow
            assert (status, seconds < 0.9) == (200, True)
            assert await loaded == {200}
            # An idle connection was not closed by the step either.
            assert await in_thread(lambda: kept.call("GET", f"{proxy.path}/p", HEADERS).status) == 200
            for asked, expected, least in ((head, 408, 0.6), (body, 408, 0.6), (never, 504, 1.0)):
                status, seconds = await asked
                assert status == expected
                assert least * 0.95 < seconds < least + 1.0
            kept.close()
            # Stamps tell the wall's time, durations do not.
            records = await gateway.records(proxy)
            assert all(0 <= record["proxyData"]["duration"] < 3 for record in records)
            stamps = {round((record["processedAt"] / 1000 - real()) / step) for record in records}
            assert stamps == {0, 1}
    finally:
        await gateway.stop()
