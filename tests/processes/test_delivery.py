"""What was answered 202 is delivered or accounted for, whatever becomes of the process that took it.

Belongs here: whole processes, one of which is killed, and what is on disk. Does not: states, waits (tests/delivery/).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import pytest_twisted

from rrgate.cli.init import create_state
from tests.callers import Answer, call, in_thread
from tests.processes.twistd import Twistd
from tests.running_gateway import KEY, GatewayClient, MadeProxy
from tests.targets import Connection, Target

BODY = b"what-nobody-should-find-on-disk-0001"


class Slow(Target):
    """Keeps what it is asked, and answers once it may."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.may = Event()
        super().__init__(self._serve_slowly)

    def _serve_slowly(self, connection: Connection) -> None:
        while (request := connection.request()) is not None:
            self.asked.append((request.method, request.path, request.every("Idempotency-Key")[0]))
            assert request.body == (BODY if request.method == "POST" else b"")
            self.may.wait(30)
            connection.answer(b"done")


async def until(true: Callable[[], bool]) -> None:
    def wait() -> None:
        deadline = time.monotonic() + 30
        while not true():
            assert time.monotonic() < deadline, "it never came"
            time.sleep(0.02)

    await in_thread(wait)


async def ask(client: GatewayClient, proxy: MadeProxy, method: str, path: str, *more: tuple[str, str]) -> Answer:
    body = BODY if method == "POST" else None
    return await in_thread(call, client.address, method, f"/async/{proxy.id}{path}", [("X-Api-Key", KEY), *more], body)


async def ended(client: GatewayClient, proxy: MadeProxy, request_id: str) -> Any:
    for _ in range(300):
        told = await ask(client, proxy, "GET", f"/.requests/{request_id}")
        assert told.status == 200, told.body
        if told.json["endedAt"] is not None:
            return told.json
        await in_thread(time.sleep, 0.05)
    raise AssertionError(f"it did not end: {told.json}")


async def all_processed(client: GatewayClient, proxy: MadeProxy, count: int) -> dict[str, int]:
    """The statuses in the log, by request, once it tells the end of so many."""
    for _ in range(300):
        records = await client.records(proxy)
        if sum(record["processed"] for record in records) == count:
            return {record["sKey"]: record["proxyData"]["status"] for record in records}
        await in_thread(time.sleep, 0.05)
    raise AssertionError(f"the log does not tell their end: {records}")


@pytest.mark.parametrize("takes_over", [False, True], ids=["restarted", "taken over"])
@pytest_twisted.ensureDeferred
async def test_a_killed_gateway_loses_nothing_and_repeats_only_what_is_safe(tmp_path: Path, takes_over: bool) -> None:
    first = create_state(tmp_path / "state")
    with Slow() as target:
        one = Twistd(tmp_path / "state", "--set=async_in_flight_per_target=3").ready()
        other = None
        try:
            client = one.client(first)
            client.search.know("a body", BODY.decode())
            proxy = await client.proxy(target.url)
            other = Twistd(tmp_path / "state").ready() if takes_over else None
            requests = [
                ("GET", "/safe", ()),
                ("POST", "/keyed", (("Idempotency-Key", "its-own"),)),
                ("POST", "/unsafe", ()),
                ("POST", "/not-begun", ()),
            ]
            ids: dict[str, str] = {}
            for method, path, more in requests:
                told = await ask(client, proxy, method, path, *more)
                assert told.status == 202, told.body
                ids[path] = told.json["requestId"]
                wanted = min(len(ids), 3)
                await until(lambda wanted=wanted: len(target.asked) == wanted)  # type: ignore[misc]
        finally:
            one.process.kill()
            one.process.wait()
        target.may.set()
        again = other or Twistd(tmp_path / "state").ready()
        with again:
            client = again.client(first)
            states = {path: (await ended(client, proxy, ids[path]))["status"] for path in ids}
            assert states == {
                "/safe": "succeeded",
                "/keyed": "succeeded",
                "/unsafe": "unknown",
                "/not-begun": "succeeded",
            }
            logged = await all_processed(client, proxy, len(ids))
            assert logged == {ids[path]: 502 if states[path] == "unknown" else 200 for path in ids}
    times = {path: sum(asked == path for _, asked, _ in target.asked) for path in ids}
    assert times == {"/safe": 2, "/keyed": 2, "/unsafe": 1, "/not-begun": 1}
    keys = {path: {key for _, asked, key in target.asked if asked == path} for path in ids}
    assert keys == {path: {"its-own" if path == "/keyed" else ids[path]} for path in ids}, "the same at each attempt"
    with closing(sqlite3.connect(tmp_path / "state" / "queue.db")) as queue:
        assert queue.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest_twisted.ensureDeferred
async def test_one_that_is_told_to_stop_lets_attempts_end(tmp_path: Path) -> None:
    first = create_state(tmp_path / "state")
    with Slow() as target, Twistd(tmp_path / "state").ready() as gateway:
        client = gateway.client(first)
        proxy = await client.proxy(target.url)
        assert (await ask(client, proxy, "POST", "/work")).status == 202
        await until(lambda: len(target.asked) == 1)
        gateway.terminate()
        await until(lambda: not gateway.takes_connections())
        target.may.set()
        assert await in_thread(gateway.ended) == 0
        with closing(sqlite3.connect(tmp_path / "state" / "queue.db")) as queue:
            assert queue.execute("SELECT state FROM requests").fetchall() == [("succeeded",)]


@pytest.mark.parametrize("takes_over", [False, True], ids=["restarted", "taken over"])
@pytest_twisted.ensureDeferred
async def test_what_a_killed_gateway_took_is_logged_and_counted_once(tmp_path: Path, takes_over: bool) -> None:
    first = create_state(tmp_path / "state")
    one = Twistd(tmp_path / "state").ready()
    other = None
    try:
        client = one.client(first)
        proxy = await client.proxy("http://127.0.0.1:1")
        later = ("requestrocket-delay", "3600")
        await ask(client, proxy, "GET", "/", later)
        await in_thread(time.sleep, 1.5)  # the log has this one
        other = Twistd(tmp_path / "state").ready() if takes_over else None
        taken = {(await ask(client, proxy, "GET", "/", later)).json["requestId"] for _ in range(20)}
    finally:
        one.process.kill()
        one.process.wait()
    with other or Twistd(tmp_path / "state").ready() as again:
        client = again.client(first)
        for _ in range(100):
            records = await client.records(proxy)
            if taken <= {record["sKey"] for record in records}:
                break
            await in_thread(time.sleep, 0.1)
        assert len(records) == 1 + len(taken), "each has one"
        assert {(each["proxyData"]["status"], each["processed"]) for each in records} == {(202, False)}
        told = await client.ask("GET", f"/clients/{client.client}/proxies/{proxy.id}/telemetry?interval=month")
        (month,) = told.json["telemetry"]
        assert month["codeCountMap"] == {"202:proxy": 1 + len(taken)}
    with Twistd(tmp_path / "state").ready() as again:
        client = again.client(first)
        told = await client.ask("GET", f"/clients/{client.client}/proxies/{proxy.id}/telemetry?interval=month")
        (month,) = told.json["telemetry"]
        assert month["codeCountMap"] == {"202:proxy": 1 + len(taken)}, "and not once more"
        again.terminate()
        assert again.ended() == 0
    with closing(sqlite3.connect(tmp_path / "state" / "queue.db")) as queue:
        assert queue.execute("SELECT * FROM takers").fetchall() == [], "who ends in order leaves nothing to look for"
