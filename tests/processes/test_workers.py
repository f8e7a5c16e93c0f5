"""`twistd -n rrgate --workers 2` under load: changes, limits, deaths and SIGHUP, as callers and users meet them.

Belongs here: whole processes. Does not: what the parent decides (tests/workers/). One gateway serves the whole file; no
test
waits for a time, but for what is to happen.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPException
from pathlib import Path
from threading import Event, Thread

import pytest
import pytest_twisted

from rrgate.cli.init import FirstUser, create_state
from tests.callers import Address, Caller, in_thread
from tests.processes.twistd import Twistd
from tests.running_gateway import KEY, GatewayClient, MadeProxy
from tests.targets import Connection, Target, echo

SHOWN = {"X-Api-Key": KEY}
PATIENCE = 120.0
"""Seconds after which something hangs, however busy the machine is."""

PACE = 0.002
"""Seconds between two requests on a connection: those who start have to get a processor too."""


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def parent_of(pid: int) -> int:
    """Of a process that lives; 0 of one that does not, reaped or not yet."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return 0
    return 0 if state in "ZX" else int(parent)


class Node(Twistd):
    """A gateway with workers."""

    first: FirstUser

    def children(self) -> set[int]:
        """The processes that it has started and that live."""
        everybody = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
        return {pid for pid in everybody if parent_of(pid) == self.process.pid}

    def serving(self) -> set[int]:
        """The workers that serve."""
        told = {int(pid) for pid in re.findall(r"\(process (\d+)\) serves", self.output())}
        return told & self.children()

    def leads(self) -> int:
        """The worker with the Core API."""
        return int(re.findall(r"\(process (\d+)\) leads", self.output())[-1])

    def hang_up(self) -> None:
        """SIGHUP, and wait until other workers serve, and the spare one is there."""
        before = self.serving()
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(self.serving() - before) == 2)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("workers")
    first = create_state(folder / "state")
    settings = folder / "rrgate.toml"
    settings.write_text("workers = 2\n")
    with Node(folder / "state", f"--config={settings}", anew=True) as node:
        node.first = first
        wait_until(lambda: len(node.serving()) == 2 or node.process.poll() is not None)
        node.ready()
        yield node
        children = node.children()
        node.terminate()
        assert node.ended(PATIENCE) == 0, node.output()
        assert not any(map(parent_of, children))
        assert "Traceback" not in node.output()


@pytest.fixture
def client(node: Node) -> GatewayClient:
    return node.client(node.first)


class Load:
    """Calls a proxy on so many kept connections until it is told to stop."""

    def __init__(self, address: Address, proxy: MadeProxy, connections: int = 8) -> None:
        self._answered: list[int] = []
        self.failed: list[str] = []
        self.over = Event()
        self._call = (address, proxy.path)
        self._threads = [Thread(target=self._run) for _ in range(connections)]

    @property
    def answered(self) -> Counter[int]:
        """How many there were of each status."""
        return Counter(self._answered)

    def _run(self) -> None:
        while not self.over.is_set():
            try:
                with Caller(self._call[0]) as caller:
                    closing = False
                    while not closing and not self.over.wait(PACE):
                        answer = caller.call("GET", self._call[1], SHOWN)
                        self._answered.append(answer.status)
                        closing = answer.every("Connection") == ["close"]
            except (OSError, HTTPException) as error:
                self.failed.append(repr(error))

    @contextmanager
    def going_on(self) -> Iterator[Load]:
        for thread in self._threads:
            thread.start()
        try:
            self.more()
            yield self
            self.more()
        finally:
            self.over.set()
            for thread in self._threads:
                thread.join()

    def more(self, number: int = 50) -> None:
        """Wait until so many more are answered."""
        wanted = len(self._answered) + number
        wait_until(lambda: len(self._answered) >= wanted)


async def connections_by_worker(client: GatewayClient) -> dict[str, int]:
    text = (await client.ask("GET", "/metrics")).body.decode()
    found = re.findall(r'^rrgate_caller_connections\{worker="(\d+)"\} (\d+)', text, re.MULTILINE)
    return {worker: int(number) for worker, number in found}


@pytest_twisted.ensureDeferred
async def test_connections_are_shared_out_and_changes_are_in_force_in_all_workers(client: GatewayClient) -> None:
    with Target(echo) as target, ExitStack() as opened:
        proxy = await client.proxy(target.url)
        callers = [opened.enter_context(Caller(client.address)) for _ in range(16)]

        def statuses() -> Counter[int]:
            return Counter(caller.call("GET", proxy.path, SHOWN).status for caller in callers)

        assert await in_thread(statuses) == {200: 16}
        shared = await connections_by_worker(client)
        assert len(shared) == 2
        assert all(shared.values()), "each of them is asked below"
        for _ in range(5):
            await client.change("credentials", proxy.caller_credential, credentialActive=False)
            assert set(await in_thread(statuses)) == {401}
            await client.change("credentials", proxy.caller_credential, credentialActive=True)
            assert await in_thread(statuses) == {200: 16}
        await client.delete("proxies", proxy.id)
        assert await in_thread(statuses) == {404: 16}


@pytest_twisted.ensureDeferred
async def test_a_new_client_works_in_all_workers(client: GatewayClient) -> None:
    made = await client.ask("POST", "/clients", {"clientName": "another"})
    assert made.status == 200, made.body
    other = GatewayClient(client.first, client.address, client.core_address, client.search)
    other.client = made.json["clients"][0]["sKey"]
    with Target(echo) as target, ExitStack() as opened:
        proxy = await other.proxy(target.url)
        callers = [opened.enter_context(Caller(client.address)) for _ in range(16)]
        answers = await in_thread(lambda: [caller.call("GET", proxy.path, SHOWN) for caller in callers])
        assert {answer.status for answer in answers} == {200}


@pytest_twisted.ensureDeferred
async def test_a_limit_is_exact_over_all_workers(client: GatewayClient) -> None:
    asked: list[str] = []

    def serve(connection: Connection) -> None:
        while (request := connection.request()) is not None:
            asked.append(request.path)
            connection.answer(b"ok")

    def hammer(load: Load) -> None:
        with load.going_on():
            wait_until(lambda: load.answered[429] >= 100)

    with Target(serve) as target:
        day = -1
        while day != int(time.time() // 86400):  # else another day's were let through too
            day = int(time.time() // 86400)
            asked.clear()
            proxy = await client.proxy(target.url, proxyMaxRequestsPerDay=60)
            load = Load(client.address, proxy)
            await in_thread(hammer, load)
        assert load.answered[200] == len(asked) == 60


@pytest_twisted.ensureDeferred
async def test_sighup_puts_new_workers_in_their_place_and_nobody_notices(node: Node, client: GatewayClient) -> None:
    with Target(echo) as target:
        proxy = await client.proxy(target.url)
        load = Load(client.address, proxy)
        before = node.serving()

        def change() -> None:
            with load.going_on():
                node.hang_up()
                load.more()
                wait_until(lambda: not node.serving() & before)

        users: Counter[int] = Counter()
        changing = in_thread(change)
        while not changing.called:
            users[(await client.ask("GET", "/clients")).status] += 1
        await changing
        assert load.failed == []
        assert set(load.answered) == {200}
        assert set(users) == {200}
        # Who leads now makes changes, and the others take them over.
        await client.change("credentials", proxy.caller_credential, credentialActive=False)
        assert (await client.call(proxy)).status == 401


@pytest_twisted.ensureDeferred
async def test_wrong_settings_at_sighup_are_told_and_change_nothing(node: Node, client: GatewayClient) -> None:
    settings = node.data.with_name("rrgate.toml")
    before = node.serving()
    right = settings.read_text()
    settings.write_text("workers = 2\ndrain_timout = 3\n")
    node.process.send_signal(signal.SIGHUP)
    await in_thread(wait_until, lambda: "did you mean drain_timeout?" in node.output())
    settings.write_text(right)
    assert node.serving() == before
    assert (await client.ask("GET", "/readyz")).status == 200


@pytest_twisted.ensureDeferred
async def test_a_worker_that_is_killed_takes_only_what_it_had_and_is_replaced(
    node: Node, client: GatewayClient
) -> None:
    with Target(echo) as target:
        proxy = await client.proxy(target.url)
        for _ in range(2):  # of two, one leads: both are killed, one after the other
            load = Load(client.address, proxy)
            killed = min(node.serving())

            def kill(load: Load = load, killed: int = killed) -> None:
                with load.going_on():
                    before = node.serving()
                    os.kill(killed, signal.SIGKILL)
                    wait_until(lambda: len(node.serving() - before) == 1)

            await in_thread(kill)
            # What it was sent at that moment, and no more than one request a connection.
            assert len(load.failed) <= 8, load.failed
            assert set(load.answered) == {200}
            await client.change("proxies", proxy.id, proxyActive=False)
            assert (await client.call(proxy)).status == 503
            await client.change("proxies", proxy.id, proxyActive=True)


@pytest_twisted.ensureDeferred
async def test_one_that_does_not_confirm_a_change_is_killed_before_the_answer(
    node: Node, client: GatewayClient
) -> None:
    with Target(echo) as target:
        proxy = await client.proxy(target.url)
        (stopped,) = node.serving() - {node.leads()}
        os.kill(stopped, signal.SIGSTOP)
        try:
            changed = await client.ask(
                "PUT", f"/clients/{client.client}/proxies/{proxy.id}", {"proxyActive": False}
            )
            assert changed.status == 200, changed.body
            assert stopped not in node.children()
            assert (await client.call(proxy)).status == 503
        finally:
            if stopped in node.children():
                os.kill(stopped, signal.SIGKILL)
        await in_thread(wait_until, lambda: len(node.serving()) == 2)


# Ends and starts.


def test_a_start_that_fails_ends_with_a_status(tmp_path: Path) -> None:
    create_state(tmp_path / "state")
    key = tmp_path / "state" / "master.key"
    key.chmod(0o644)
    with Twistd(tmp_path / "state", "--workers=1") as gateway:
        assert gateway.ended(PATIENCE) == 1, gateway.output()
        key.chmod(0o600)
        assert "rrgate cannot start" in gateway.output()
        assert "Traceback" not in gateway.output()


@pytest_twisted.ensureDeferred
async def test_workers_end_with_their_parent_and_leave_its_port_at_once(tmp_path: Path) -> None:
    asked, may_end = Event(), Event()
    statuses: list[int] = []

    def serve(connection: Connection) -> None:
        while connection.request() is not None:
            connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            asked.set()
            while not may_end.wait(0.1):
                connection.send(b"1\r\n.\r\n")
            connection.send(b"0\r\n\r\n")

    first = create_state(tmp_path / "state")
    with Target(serve) as target, Node(tmp_path / "state", "--workers=1", f"--set=drain_timeout={PATIENCE}") as node:
        await in_thread(wait_until, node.serving)
        client = node.client(first)
        proxy = await client.proxy(target.url)

        def call() -> None:
            with Caller(client.address) as caller:
                statuses.append(caller.call("GET", proxy.path, SHOWN).status)

        calling = in_thread(call)
        await in_thread(asked.wait, PATIENCE)
        workers = node.children()
        node.process.kill()
        await in_thread(wait_until, lambda: not node.takes_connections())
        may_end.set()
        await calling
        assert statuses == [200], "what was begun has ended"
        await in_thread(wait_until, lambda: not any(map(parent_of, workers)))
