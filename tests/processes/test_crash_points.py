"""A gateway that dies before or after each write and each send, and the one that comes after it: the right ends.

Belongs here: each point by its name. Does not: kills at random moments (test_torture.py), states (tests/delivery/).
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from rrgate.cli.init import FirstUser, create_state
from tests.callers import Answer, Caller
from tests.leak_search import search_states
from tests.processes.dying import Dying, Running
from tests.targets import Connection, Target

KEY = "caller-key-0001-of-the-crash-points"
TOKEN = "target-token-0001-of-the-crash-points"
BODY = b"what-nobody-should-find-on-disk-0002"

UNSAFE, SAFE, KEYED = "POST", "GET", "POST with a key"


class Answering(Target):
    """Answers in turn, the last for ever; keeps which attempts came. Kills the process `kills` at the first."""

    def __init__(self) -> None:
        self.begin()
        super().__init__(self._serve_in_turn)

    def begin(self, *statuses: int) -> None:
        self.arrived: list[str] = []
        self.kills = 0
        self._statuses = statuses or (200,)

    def _serve_in_turn(self, connection: Connection) -> None:
        while (request := connection.request()) is not None:
            status = self._statuses[min(len(self.arrived), len(self._statuses) - 1)]
            self.arrived += request.every("requestrocket-attempt")
            if self.kills:
                os.kill(self.kills, signal.SIGKILL)
                self.kills = 0
            connection.answer(b"done", f"{status} Whatever")


@define
class Bench:
    """What all these tests need: made once, because a gateway takes a while to start."""

    dying: Dying
    target: Answering
    first: FirstUser
    template: Path
    proxy_id: str = ""
    data: Path = field(factory=Path)

    def start(self, point: str = "") -> Running:
        return self.dying.start(self.data, point)

    def core(self, running: Running, method: str, path: str, document: object = None) -> Any:
        headers = {"Authorization": self.first.token, "Content-Type": "application/json"}
        body = None if document is None else json.dumps(document).encode()
        with Caller(("127.0.0.1", running.core_port)) as caller:
            answer = caller.call(method, f"/clients/{self.first.client_id}{path}", headers, body)
        assert answer.status == 200, answer
        return answer.json

    def make(self, running: Running, kind: str, document: object) -> str:
        return str(self.core(running, "POST", f"/{kind}", document)[kind][0]["sKey"])

    def ask(self, running: Running, method: str, path: str, key: str = "", delay: int = 0) -> Answer | None:
        """None if it died instead of an answer."""
        headers = [("X-Api-Key", KEY)] + ([("Idempotency-Key", key)] if key else [])
        headers += [("requestrocket-delay", str(delay))] if delay else []
        try:
            with Caller(("127.0.0.1", running.port)) as caller:
                body = BODY if method == "POST" else None
                return caller.call(method, f"/async/{self.proxy_id}{path}", headers, body)
        except (OSError, http.client.HTTPException):
            return None

    def send(self, running: Running, kind: str) -> Answer | None:
        method, _, keyed = kind.partition(" with a ")
        return self.ask(running, method, "/work", "order-7" if keyed else "")

    def taken(self) -> list[str]:
        """Ids of the requests on disk."""
        with closing(sqlite3.connect(f"file:{self.data / 'queue.db'}?mode=ro", uri=True)) as queue:
            return [row[0] for row in queue.execute("SELECT request_id FROM requests")]

    def end(self, running: Running, request_id: str) -> Any:
        """Its status, once it has ended and the log tells it."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            told = self.ask(running, "GET", f"/.requests/{request_id}")
            assert told is not None
            assert told.status == 200, told
            if told.json["endedAt"] is not None:
                break
            time.sleep(0.01)
        return told.json

    def logged(self, running: Running, request_id: str, status: int) -> None:
        """Wait until the log tells this of its end."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            records = self.core(running, "GET", f"/proxies/{self.proxy_id}/requests")["requests"]
            for record in records:
                told = (record["sKey"], record["processed"], record["proxyData"]["status"])
                if told == (request_id, True, status):
                    return
            time.sleep(0.02)
        raise AssertionError(f"the log does not tell its end: {records}")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("crash-points")
    template, log = folder / "state", folder / "log"
    with Answering() as target, Dying(log) as dying:
        bench = Bench(dying, target, create_state(template), template)
        bench.data = template
        running = bench.start()

        def credential(side: str, auth_type: str, secret: object) -> str:
            named = {"credentialName": "c", "credentialType": side, "credentialAuthType": auth_type}
            return bench.make(running, "credentials", {**named, "credentialRegion": "r", "credentialSecret": secret})

        where = {"targetName": "t", "targetRegion": "r", "targetBaseURL": target.url}
        document = {
            "proxyName": "p",
            "proxyRegion": "r",
            "proxyProxyCredentialId": credential("proxy", "apiKey", {"key": "X-Api-Key", "value": KEY}),
            "proxyTargetId": bench.make(running, "targets", where),
            "proxyTargetCredentialId": credential("target", "bearer", {"token": TOKEN}),
            "proxyAttemptHeader": True,
            "proxyRetryPolicy": {"base": 0.02, "cap": 0.02},
        }
        bench.proxy_id = bench.make(running, "proxies", document)
        dying.kill()
        yield bench
    search_states(folder, [KEY, TOKEN, BODY.decode(), bench.first.token], [log.read_text()])


@pytest.fixture
def bench(made: Bench, tmp_path: Path) -> Iterator[Bench]:
    made.data = tmp_path / "state"
    shutil.copytree(made.template, made.data)
    made.target.begin()
    yield made
    made.dying.kill()
    search_states(tmp_path, [KEY, TOKEN, BODY.decode(), made.first.token])


def crash(bench: Bench, point: str, kind: str) -> Answer | None:
    """What a caller is told by a gateway that then dies at `point`."""
    told = bench.send(bench.start(point), kind)
    assert bench.dying.ended() == -9, point
    return told


@pytest.mark.parametrize("kind", [UNSAFE, KEYED])
def test_what_was_not_committed_was_not_taken(bench: Bench, kind: str) -> None:
    assert crash(bench, "add in", kind) is None
    assert bench.taken() == []
    running = bench.start()
    told = bench.send(running, kind)
    assert told is not None
    assert told.status == 202
    assert bench.end(running, told.json["requestId"])["status"] == "succeeded"
    assert bench.target.arrived == ["1"]


def test_a_key_whose_answer_was_lost_leads_to_the_request_that_was_taken(bench: Bench) -> None:
    assert crash(bench, "add after", KEYED) is None
    (request_id,) = bench.taken()
    running = bench.start()
    told = bench.send(running, KEYED)
    assert told is not None
    assert (told.status, told.json["requestId"]) == (202, request_id)
    assert bench.end(running, request_id)["status"] == "succeeded"
    assert bench.target.arrived == ["1"]


@pytest.mark.parametrize(
    ("point", "kind", "answers", "ending"),
    [
        ("add after", UNSAFE, [200], "succeeded after 1"),
        ("begin in", UNSAFE, [200], "succeeded after 1"),
        ("begin after", UNSAFE, [200], "unknown after"),
        ("begin after", SAFE, [200], "succeeded after 2"),
        ("send before", UNSAFE, [200], "unknown after"),
        ("send before", KEYED, [200], "succeeded after 2"),
        ("send after", UNSAFE, [200], "unknown after 1"),
        ("send after", SAFE, [200], "succeeded after 1 2"),
        ("answer in", UNSAFE, [200], "unknown after 1"),
        ("answer in", KEYED, [404], "failed after 1 2"),
        ("answer in", UNSAFE, [503, 200], "unknown after 1"),
        ("answer after", UNSAFE, [200], "succeeded after 1"),
        ("answer after", UNSAFE, [404], "failed after 1"),
        ("answer after", UNSAFE, [503, 200], "succeeded after 1 2"),
        ("log before", UNSAFE, [200], "succeeded after 1"),
        ("log after", UNSAFE, [200], "succeeded after 1"),
        ("told in", UNSAFE, [200], "succeeded after 1"),
    ],
)
def test_it_is_delivered_or_accounted_for(
    bench: Bench, point: str, kind: str, answers: list[int], ending: str
) -> None:
    bench.target.begin(*answers)
    crash(bench, point, kind)
    (request_id,) = bench.taken()
    running = bench.start()
    state = bench.end(running, request_id)["status"]
    assert f"{state} after {' '.join(bench.target.arrived)}".strip() == ending
    bench.logged(running, request_id, {"succeeded": 200, "failed": 404, "unknown": 502}[state])


@pytest.mark.parametrize(("kind", "ending"), [(UNSAFE, "unknown after 1"), (SAFE, "succeeded after 1 2")])
def test_it_dies_while_the_target_works(bench: Bench, kind: str, ending: str) -> None:
    running = bench.start()
    bench.target.kills = running.pid
    bench.send(running, kind)
    assert bench.dying.ended() == -9
    (request_id,) = bench.taken()
    running = bench.start()
    state = bench.end(running, request_id)["status"]
    assert f"{state} after {' '.join(bench.target.arrived)}" == ending


@pytest.mark.parametrize(
    ("point", "kind", "ending"),
    [
        ("recover in", UNSAFE, "unknown after 1"),
        ("recover after", UNSAFE, "unknown after 1"),
        ("recover after", SAFE, "succeeded after 1 2"),
    ],
)
def test_the_one_that_comes_after_it_dies_as_well(bench: Bench, point: str, kind: str, ending: str) -> None:
    crash(bench, "send after", kind)
    (request_id,) = bench.taken()
    bench.start(point)
    assert bench.dying.ended() == -9
    running = bench.start()
    state = bench.end(running, request_id)["status"]
    assert f"{state} after {' '.join(bench.target.arrived)}" == ending


def told_to(bench: Bench, running: Running, request_id: str, action: str) -> None:
    """What a person asks for through the Core API, of a gateway that dies of it."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        bench.core(running, "POST", f"/proxies/{bench.proxy_id}/requests/{request_id}/{action}")
    assert bench.dying.ended() == -9


@pytest.mark.parametrize(("point", "state"), [("cancel in", "queued"), ("cancel after", "cancelled")])
def test_it_dies_of_a_cancellation(bench: Bench, point: str, state: str) -> None:
    running = bench.start(point)
    told = bench.ask(running, "GET", "/work", delay=3600)
    assert told is not None
    request_id = told.json["requestId"]
    told_to(bench, running, request_id, "cancel")
    running = bench.start()
    told = bench.ask(running, "GET", f"/.requests/{request_id}")
    assert told is not None
    assert told.json["status"] == state
    if state == "cancelled":
        bench.logged(running, request_id, 499)


@pytest.mark.parametrize(
    ("point", "ending"), [("replay in", "failed after 1"), ("replay after", "succeeded after 1 2")]
)
def test_it_dies_of_a_replay(bench: Bench, point: str, ending: str) -> None:
    bench.target.begin(404, 200)
    running = bench.start(point)
    bench.send(running, UNSAFE)
    (request_id,) = bench.taken()
    assert bench.end(running, request_id)["status"] == "failed"
    told_to(bench, running, request_id, "replay")
    running = bench.start()
    state = bench.end(running, request_id)["status"]
    assert f"{state} after {' '.join(bench.target.arrived)}" == ending
    bench.logged(running, request_id, {"succeeded": 200, "failed": 404}[state])
