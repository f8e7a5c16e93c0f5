"""examples/embedding/, each program run as it stands, in a process of its own, on reactors of Twisted's and on ours.

Belongs here: what each shows. Does not: the contracts of what they use (tests/embedding/). Each of them is started at
least once as its reader starts it; then as a fork of what has imported the project.
"""

from __future__ import annotations

import ast
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from rrgate.cli.init import FirstUser, create_state
from tests.callers import call, in_thread
from tests.examples.program import FOLDER, Program
from tests.house.sources import within
from tests.leak_search import LeakSearch
from tests.processes.twistd import Twistd
from tests.running_gateway import KEY, TOKEN, GatewayClient, MadeProxy
from tests.targets import Connection, Target, closed_ports, echo


class Shop:
    """A folder with a gateway's state, and the ports that its programs are told to listen on."""

    def __init__(self, place: Path) -> None:
        self.place, self.data = place, place / "data"
        self.first: FirstUser = create_state(self.data)
        self.search = LeakSearch.of(self.data)
        self.port, self.core_port, self.gateway_port = closed_ports(3)

    def run(self, *command: str | Path, anew: bool = True, **environ: str) -> Program:
        given = {
            "RRGATE_DATA": str(self.data),
            "RRGATE_LISTEN": f"tcp:{self.gateway_port}:interface=127.0.0.1",
            "RRGATE_CORE_LISTEN": f"tcp:{self.core_port}:interface=127.0.0.1",
            "RRGATE_ALLOW_NETWORKS": "127.0.0.0/8",
            "SHOP_LISTEN": f"tcp:{self.port}:interface=127.0.0.1",
            "SHOP_URL": f"http://127.0.0.1:{self.port}",
        }
        return Program(self.place, self.search, *command, anew=anew, **(given | environ))

    def client(self) -> GatewayClient:
        """Asks the gateway, at its own listener."""
        return GatewayClient(self.first, ("127.0.0.1", self.gateway_port), ("127.0.0.1", self.core_port), self.search)

    async def page(self, path: str) -> tuple[int, bytes]:
        """(status, body) of a page of the shop's."""
        answer = await in_thread(call, ("127.0.0.1", self.port), "GET", path)
        return answer.status, answer.body


async def written(client: GatewayClient, proxy: MadeProxy, status: int) -> list[Any]:
    """The proxy's records, once one of `status` is among them: they are written a moment after the answer."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        records = await client.records(proxy)
        if any(record["proxyData"]["status"] == status for record in records):
            return records
    raise AssertionError(f"no record of {status}")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


REACTORS = ["", "poll", "select", "asyncio"]


@pytest.mark.parametrize("reactor", REACTORS, ids=lambda name: name or "default")
@pytest_twisted.ensureDeferred
async def test_a_child_of_an_applications_service(shop: Shop, reactor: str) -> None:
    named = ["--reactor", reactor] if reactor else []
    command = ("twistd", *named, "-n", "--pidfile=", "-y", FOLDER / "child.tac")
    with Target(echo) as target, shop.run(*command, anew=not named) as program:
        program.answers_at(shop.core_port, "/readyz")
        assert await shop.page("/") == (200, b"The shop is open.\n")
        client = shop.client()
        proxy = await client.proxy(target.url)
        answer = await client.call(proxy, "PUT", "/a%2Fb?c", body=b"hello")
        assert (answer.status, answer.json["line"], answer.json["body"]) == (200, "PUT /a%2Fb?c HTTP/1.1", "hello")
        assert ["Authorization", f"Bearer {TOKEN}"] in answer.json["headers"]
        assert (await client.call(proxy, key="another")).status == 401
        # twistd ends by the signal that it was sent, once all services have stopped.
        assert program.end() == -signal.SIGTERM
        assert "Server Shut Down" in program.output()


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT], ids=lambda by: by.name)
@pytest_twisted.ensureDeferred
async def test_mounted_beside_a_page(shop: Shop, by: signal.Signals) -> None:
    with Target(echo) as target, shop.run(
        "python", FOLDER / "mounted.py", anew=by == signal.SIGTERM
    ) as program:
        program.answers_at(shop.core_port, "/readyz")
        assert await shop.page("/") == (200, b"The shop is open.\n")
        client = shop.client()
        proxy = await client.proxy(target.url)
        told = (await client.ask("GET", f"/clients/{client.client}/proxies/{proxy.id}")).json["proxies"][0]
        url = f"http://127.0.0.1:{shop.port}/gate/api/{proxy.id}"
        assert told["proxyURL"] == url
        here = ("127.0.0.1", shop.port)
        form = {"X-Api-Key": KEY, "Content-Type": "application/x-www-form-urlencoded"}
        answer = await in_thread(call, here, "POST", f"/gate/api/{proxy.id}/a%2Fb?c", form, b"a=1&b=%%")
        assert (answer.status, answer.json["line"]) == (200, "POST /a%2Fb?c HTTP/1.1")
        assert answer.json["body"] == "a=1&b=%%"
        assert (await shop.page(f"/gate/api/{proxy.id}"))[0] == 401
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", shop.gateway_port), 5)
        assert program.end(by) == 0


@pytest_twisted.ensureDeferred
async def test_what_keeps_it_from_opening_is_told_without_a_traceback(shop: Shop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for environ, said in (
            ({"RRGATE_DATA": "elsewhere"}, f"the shop cannot open: {shop.place}/elsewhere holds no state"),
            ({"RRGATE_LOG_LEVEL": "loud"}, "the shop cannot open: a setting is wrong:"),
            ({"RRGATE_CORE_LISTEN": f"tcp:{port}:interface=127.0.0.1"}, "the shop cannot open: Couldn't listen on 127"),
            ({"SHOP_LISTEN": f"tcp:{port}:interface=127.0.0.1"}, "the shop cannot open: Couldn't listen on 127"),
        ):
            with shop.run("python", FOLDER / "mounted.py", anew=False, **environ) as program:
                assert await in_thread(program.process.wait, 20) == 1
                assert said in program.output()
                assert "Traceback" not in program.output()


@pytest_twisted.ensureDeferred
async def test_called_by_other_code_of_the_process(shop: Shop) -> None:
    reached, left = threading.Event(), threading.Event()

    def orders(connection: Connection) -> None:
        while (request := connection.request()) is not None:
            if request.path == "/orders/slow":
                reached.set()
                if connection.closed_by_peer():
                    left.set()
                return
            assert request.every("Authorization") == [f"Bearer {TOKEN}"]
            connection.answer(request.path.encode())

    with Target(orders) as target:
        with Twistd(shop.data) as operators:
            proxy = await operators.ready().client(shop.first).proxy(target.url)
            operators.terminate()
            operators.ended()
        with shop.run("python", FOLDER / "orders.py", proxy.id) as program:
            program.answers_at(shop.core_port, "/readyz")
            for order, path in (
                ("7", "/orders/7"),
                ("a/b", "/orders/a%2Fb"),
                ("a%2Fb%3Fc", "/orders/a%2Fb%3Fc"),
                ("%C3%A9", "/orders/%C3%A9"),
            ):
                assert await shop.page(f"/orders/{order}") == (200, path.encode()), order
            for order in ("..", "a%2F..%2Fb"):
                assert (await shop.page(f"/orders/{order}"))[0] == 400, "the gateway lets no such path through"
            with socket.create_connection(("127.0.0.1", shop.port), 5) as caller:
                caller.sendall(b"GET /orders/slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert await in_thread(reached.wait, 10)
            assert await in_thread(left.wait, 10), "leaving ends the call"
            client = shop.client()
            told = [record["proxyData"] for record in await written(client, proxy, 200)]
            messages = {record["message"] for record in told if record["status"] == 200}
            assert messages == {"Called by code of this process as 'shop'"}
            target.stop()
            assert (await shop.page("/orders/7"))[0] == 502
            await client.delete("proxies", proxy.id)
            assert (await shop.page("/orders/7"))[0] == 404
            assert program.end() == 0
            assert "not answered" not in program.output()


@pytest_twisted.ensureDeferred
async def test_several_in_one_process(tmp_path: Path) -> None:
    (tmp_path / "gateways").mkdir()
    names, search = ("one", "two"), LeakSearch()
    clients = []
    for name in names:
        first, (port, core_port) = create_state(tmp_path / "gateways" / name), closed_ports(2)
        (tmp_path / "gateways" / f"{name}.toml").write_text(
            f"""data = "{name}"
            listen = "tcp:{port}:interface=127.0.0.1"
            core_listen = "tcp:{core_port}:interface=127.0.0.1"
            header_prefix = "x-{name}-"
            allow_networks = ["127.0.0.0/8"]"""
        )
        clients.append(GatewayClient(first, ("127.0.0.1", port), ("127.0.0.1", core_port), search))
    one, two = clients
    with (
        Target(echo) as target,
        Program(tmp_path, search, "twistd", "-n", "--pidfile=", "-y", FOLDER / "several.tac") as program,
    ):
        proxies = []
        for client in clients:
            program.answers_at(client.core_address[1], "/readyz")
            proxies.append(await client.proxy(target.url))
        for client, proxy, name in zip(clients, proxies, names, strict=True):
            answer = await client.call(proxy)
            assert answer.status == 200
            assert f"x-{name}-proxy-code" in answer
        assert (await one.call(proxies[1])).status == 404
        assert (await one.ask("GET", "/clients", token=two.first.token)).status == 401
        assert program.end() == 0
        assert "reactor class: rrgate.reactor.GatewayReactor" in program.output()


def test_they_use_the_door_for_hosts_alone() -> None:
    for path in FOLDER.iterdir():
        if path.suffix == ".md":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if within(name, "rrgate") and name != "rrgate.embedding"], path
