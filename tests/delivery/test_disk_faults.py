"""A disk that is full or broken for a while: no 202 for what is not on it, nothing sent twice; all goes on by itself.

Belongs here: a whole gateway whose queue lies on a faulty disk. Does not: the disk itself (faulty_disk.py).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import apsw
import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from rrgate.delivery import pausing
from tests.callers import Answer, call, in_thread
from tests.delivery.faulty_disk import FaultyDisk
from tests.running_gateway import KEY, MadeProxy, RunningGateway
from tests.targets import Connection, Target

BODY = b"what-nobody-should-find-on-disk-0003"


class Counting(Target):
    """Answers 200; `arrived`: how often each path came. `on_arrival` is called before the answer."""

    def __init__(self) -> None:
        self.arrived: Counter[str] = Counter()
        self.on_arrival = lambda: None
        super().__init__(self._serve_counting)

    def _serve_counting(self, connection: Connection) -> None:
        while (request := connection.request()) is not None:
            self.arrived[request.path] += 1
            self.on_arrival()
            connection.answer(b"done")


class Bench:
    """A gateway, its disk, its target and a proxy."""

    def __init__(self, gateway: RunningGateway, disk: FaultyDisk, target: Counting, proxy: MadeProxy) -> None:
        self.gateway, self.disk, self.target, self.proxy = gateway, disk, target, proxy

    async def send(self, path: str) -> Answer:
        headers = [("X-Api-Key", KEY)]
        return await in_thread(
            call, self.gateway.address, "POST", f"/async/{self.proxy.id}{path}", headers, BODY
        )

    async def end(self, request_id: str) -> Any:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            where = f"/async/{self.proxy.id}/.requests/{request_id}"
            told = await in_thread(call, self.gateway.address, "GET", where, [("X-Api-Key", KEY)])
            if told.json["endedAt"] is not None:
                return told.json
            await in_thread(time.sleep, 0.01)
        raise AssertionError(f"it did not end: {told.json}")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    disk = FaultyDisk()
    with pytest.MonkeyPatch.context() as patch, Counting() as target:
        patch.setattr("rrgate.opened_delivery.open_migrated", disk.open_migrated)
        patch.setattr("rrgate.opened_delivery.connect", disk.connect)
        patch.setattr(pausing, "AGAIN", 0.02)
        patch.setattr("rrgate.delivery.space.LOOK", 0)
        gateway = RunningGateway.start(tmp_path_factory.mktemp("faulty") / "state")
        gateway.search.know("a body", BODY.decode())
        proxy = pytest_twisted.blockon(Deferred.fromCoroutine(gateway.proxy(target.url)))
        yield Bench(gateway, disk, target, proxy)
        disk.heal()
        pytest_twisted.blockon(gateway.stop())


@pytest.fixture(autouse=True)
def _healed(bench: Bench) -> Iterator[None]:
    bench.disk.refused = 0
    yield
    bench.disk.heal()
    bench.target.on_arrival = lambda: None


FAULTS = [("write", apsw.FullError), ("write", apsw.IOError), ("sync", apsw.IOError)]


@pytest.mark.parametrize(("what", "error"), FAULTS)
@pytest_twisted.ensureDeferred
async def test_what_the_disk_does_not_take_is_not_taken(bench: Bench, what: str, error: type[apsw.Error]) -> None:
    path = f"/refused/{what}/{error.__name__}"
    bench.disk.refuse(lambda asked, number: asked == what, error)
    told = [await bench.send(path) for _ in range(3)]
    assert {(each.status, each["retry-after"]) for each in told} == {(503, "5")}
    assert bench.disk.refused > 0
    bench.disk.heal()
    taken = await bench.send(path)
    assert taken.status == 202
    assert (await bench.end(taken.json["requestId"]))["status"] == "succeeded"
    assert bench.target.arrived[path] == 1


@pytest.mark.parametrize(("what", "error"), FAULTS)
@pytest_twisted.ensureDeferred
async def test_an_answer_that_cannot_be_written_down_is_not_asked_for_again(
    bench: Bench, what: str, error: type[apsw.Error]
) -> None:
    path = f"/answered/{what}/{error.__name__}"
    bench.target.on_arrival = lambda: bench.disk.refuse(lambda asked, number: asked == what, error)
    taken = await bench.send(path)
    assert taken.status == 202
    while bench.disk.refused < 3:
        await in_thread(time.sleep, 0.01)
    bench.disk.heal()
    assert (await bench.end(taken.json["requestId"]))["status"] == "succeeded"
    assert bench.target.arrived[path] == 1


@pytest_twisted.ensureDeferred
async def test_wherever_the_disk_fails_once_it_is_taken_and_sent_once_or_not_at_all(bench: Bench) -> None:
    refused = 0
    for place in range(1, 300):
        path = f"/once/{place}"
        bench.disk.refuse(lambda asked, number, place=place: number == place, apsw.IOError)  # type: ignore[misc]  # `place` is bound
        told = await bench.send(path)
        assert told.status in (202, 503)
        if told.status == 202:
            assert (await bench.end(told.json["requestId"]))["status"] == "succeeded"
        failed = bench.disk.refused
        bench.disk.heal()
        assert bench.target.arrived[path] == (told.status == 202)
        refused += failed
        if told.status == 202 and not failed:
            break
    else:
        raise AssertionError("the sweep did not come to its end")
    assert refused > 5


@pytest_twisted.ensureDeferred
async def test_on_a_full_disk_what_is_under_way_is_written_down_and_nothing_new_is_taken(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    ballast = bench.gateway.gateway.settings.data / "queue.ballast"
    free = [2**40]
    monkeypatch.setattr("os.statvfs", lambda path: SimpleNamespace(f_bavail=free[0], f_frsize=1))
    before = await bench.send("/before")
    assert before.status == 202
    await bench.end(before.json["requestId"])
    assert ballast.exists()

    def fill() -> None:
        free[0] = 0
        bench.disk.refuse(lambda asked, number: asked == "write" and ballast.exists(), apsw.FullError)

    bench.target.on_arrival = fill
    taken = await bench.send("/on-a-full-disk")
    assert taken.status == 202
    assert (await bench.end(taken.json["requestId"]))["status"] == "succeeded"
    assert not ballast.exists()
    refused = await bench.send("/while-full")
    assert (refused.status, refused["retry-after"]) == (503, "30")
    assert "disk" in refused.json["message"]
    bench.target.on_arrival = lambda: None
    bench.disk.heal()
    free[0] = 2**40
    taken = await bench.send("/when-there-is-room")
    assert taken.status == 202
    assert (await bench.end(taken.json["requestId"]))["status"] == "succeeded"
    assert ballast.exists()
