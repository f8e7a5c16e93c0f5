"""The journal: writes everything in order and in batches, sheds when it must, survives a failing disk.

Belongs here: journal.py over a log that is a list, and once over SQLite. Does not: rows (store/test_request_log.py).
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import defer, task
from twisted.logger import globalLogPublisher

from rrgate import journal as journal_module
from rrgate.body import Body
from rrgate.countries import Countries
from rrgate.exchange import Exchange
from rrgate.journal import Journal
from rrgate.kept_bodies import keep_bodies
from rrgate.messages import Identity
from rrgate.record_view import published
from rrgate.store import LogRow, RequestLog
from rrgate.store.counts import Tallied
from tests.maxmind_file import maxmind_file
from tests.test_body_log import Nowhere
from tests.test_tally import routed


class ListLog:
    """A log in memory that fails as it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.failures: list[Exception] = []
        self.gate = threading.Event()
        self.gate.set()
        self.tidied: list[int] = []
        self.tidy_answers: list[float | Exception] = []
        self.counted = 0
        self.tries = 0

    def append(self, rows: Sequence[LogRow], tallied: Sequence[Tallied] = (), bodies: object = ()) -> None:
        self.gate.wait(5)
        self.tries += 1
        if self.failures:
            raise self.failures.pop(0)
        if rows:
            self.batches.append([row.request_id for row in rows])
        self.counted += sum(entry[2] for each in tallied for entry in each if entry[0] == "p1")

    def tidy(self, now: int) -> float:
        self.tidied.append(now)
        answer = self.tidy_answers.pop(0) if self.tidy_answers else 60.0
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def ids(self) -> list[str]:
        return [request_id for batch in self.batches for request_id in batch]


def exchange(number: int = 0) -> Exchange:
    ex = Exchange(
        f"r{number}",
        b"GET",
        b"/",
        [],
        Body.of(b""),
        0,
        False,
        "",
        1.0,
        2.0,
        None,  # type: ignore[arg-type]
    )
    ex.final_status = 200
    ex.route = ROUTE
    return ex


ROUTE = routed("p1", "c1")


def journal(log: Any, **settings: Any) -> Journal:
    from twisted.internet import reactor

    return Journal(log, **{"reactor": reactor, "batch": 10, "interval": 0.01, **settings})


async def until(holds: Callable[[], bool]) -> None:
    from twisted.internet import reactor

    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        await task.deferLater(reactor, 0.005)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "RETRY_SECONDS", 0.01)


@pytest_twisted.ensureDeferred
async def test_everything_is_written_in_order_and_batches() -> None:
    log = ListLog()
    made = journal(log)
    for number in range(95):
        made.put(exchange(number))
    await made.flush()
    assert log.ids == [f"r{number}" for number in range(95)]
    assert max(len(batch) for batch in log.batches) == 10
    assert (made.written, made.shed, made.lag) == (95, 0, 0)
    made.put(exchange(95))
    await made.close()
    assert log.ids[-1] == "r95"


@pytest_twisted.ensureDeferred
async def test_a_batch_is_encoded_in_slices_while_it_gathers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "SLICE", 4)
    log = ListLog()
    made = journal(log, interval=5)
    await until(lambda: made._idle)
    for number in range(8):
        made.put(exchange(number))
    await until(lambda: made._in_hand == 8)
    assert (made.lag, log.tries) == (8, 0)
    for number in range(8, 25):
        made.put(exchange(number))
    await until(lambda: made.written == 20)
    await until(lambda: made._in_hand == 4)
    assert made.lag == 5
    await made.flush()
    assert log.ids == [f"r{number}" for number in range(25)]
    assert [len(batch) for batch in log.batches] == [10, 10, 5]
    await made.close()


@pytest_twisted.ensureDeferred
async def test_a_single_row_does_not_wait_for_others() -> None:
    log = ListLog()
    made = journal(log)
    await until(lambda: made._idle)
    made.put(exchange(1))
    await until(lambda: log.ids == ["r1"])
    await made.close()


@pytest_twisted.ensureDeferred
async def test_over_the_limit_rows_are_shed_and_counted() -> None:
    log = ListLog()
    log.gate.clear()
    told: list[str] = []
    made = journal(log, queue_limit=20, on_trouble=told.append)
    for number in range(10):
        made.put(exchange(number))
    await until(lambda: made._in_hand == 10)
    started = time.monotonic()
    for number in range(10, 60):
        made.put(exchange(number))
    assert time.monotonic() - started < 1
    assert made.shed == 30
    assert made.lag == 30
    log.gate.set()
    await made.flush()
    assert log.ids == [f"r{number}" for number in range(30)]
    await until(lambda: bool(told))
    assert "the queue was full" in told[0]
    assert "30 were given up" in told[0]
    await made.close()


@pytest_twisted.ensureDeferred
async def test_a_failing_disk_is_reported_once_and_retried() -> None:
    log = ListLog()
    log.failures = [sqlite3.OperationalError("database or disk is full") for _ in range(5)]
    told: list[str] = []
    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    made = journal(log, on_trouble=told.append)
    made.put(exchange(1))
    await made.flush()
    await made.close()
    globalLogPublisher.removeObserver(events.append)
    assert log.ids == ["r1"]
    assert log.tries == 6
    assert len(told) == 1
    assert "database or disk is full" in told[0]
    assert [event["trouble"] for event in events if "trouble" in event] == told
    assert (made.written, made.shed) == (1, 0)


@pytest_twisted.ensureDeferred
async def test_of_a_damaged_file_it_is_told_what_to_do() -> None:
    log = ListLog()
    damaged = sqlite3.DatabaseError("database disk image is malformed")
    damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT_INDEX
    for failing in (log.failures, log.tidy_answers):
        failing.append(damaged)
        told: list[str] = []
        made = journal(log, on_trouble=told.append)
        made.put(exchange(1))
        await until(lambda told=told: bool(told))  # type: ignore[misc]
        await made.close()
        assert "end every gateway of this state and move log.db aside" in told[0]


@pytest_twisted.ensureDeferred
async def test_what_is_never_taken_is_given_up_without_its_text() -> None:
    log = ListLog()
    log.failures = [UnicodeEncodeError("utf-8", "hush", 0, 1, "hush")]
    told: list[str] = []
    made = journal(log, on_trouble=told.append)
    made.put(exchange(1))
    await made.flush()
    made.put(exchange(2))
    await made.close()
    assert log.ids == ["r2"]
    assert (made.written, made.shed) == (1, 1)
    assert "UnicodeEncodeError" in told[0]
    assert "hush" not in told[0]


@pytest_twisted.ensureDeferred
async def test_one_odd_request_does_not_take_the_others_with_it() -> None:
    log = ListLog()
    made = journal(log)
    odd = exchange(1)
    odd.message = object()  # type: ignore[assignment]
    made.put(odd)
    made.put(exchange(2))
    made.put(None)  # type: ignore[arg-type]
    await made.close()
    assert log.ids == ["r2"]
    assert (made.written, made.shed) == (1, 2)


@pytest_twisted.ensureDeferred
async def test_closing_ends_even_when_the_disk_never_answers() -> None:
    log = ListLog()
    log.failures = [OSError("gone") for _ in range(1000)]
    made = journal(log)
    for number in range(25):
        made.put(exchange(number))
    flushed, first, second = made.flush(), made.close(), made.close()
    await defer.gatherResults([flushed, first, second])
    await made.close()
    await made.flush()
    assert made.shed == 25
    made.put(exchange(99))
    assert made.shed == 26
    made._thread.join(10)
    assert not made._thread.is_alive()


@pytest_twisted.ensureDeferred
async def test_the_log_is_tidied_up_when_it_asks_for_it() -> None:
    log = ListLog()
    log.tidy_answers = [0.0, 0.01, sqlite3.OperationalError("locked"), 0.0]
    made = journal(log, wall=lambda: 3.0)
    await until(lambda: len(log.tidied) == 5)
    made.put(exchange(1))
    await until(lambda: log.ids == ["r1"])
    await made.close()
    assert log.tidied == [3000] * 5


@pytest_twisted.ensureDeferred
async def test_telemetry_is_not_shed() -> None:
    log = ListLog()
    log.gate.clear()
    made = journal(log, queue_limit=20)
    for number in range(10):
        made.put(exchange(number))
    await until(lambda: made._in_hand == 10)
    for number in range(10, 60):
        made.put(exchange(number))
    log.gate.set()
    await made.close()
    assert (len(log.ids), made.shed, log.counted) == (30, 30, 60)


@pytest_twisted.ensureDeferred
async def test_telemetry_outlives_rows_that_are_never_taken() -> None:
    log = ListLog()
    log.failures = [sqlite3.IntegrityError("no")]
    made = journal(log)
    made.put(exchange(1))
    odd = exchange(2)
    odd.message = object()  # type: ignore[assignment]
    made.put(odd)
    await made.flush()
    assert (log.ids, log.counted, made.shed) == ([], 2, 2)
    log.failures = [sqlite3.IntegrityError("no"), sqlite3.IntegrityError("nor that")]
    made.put(exchange(3))
    await made.flush()
    assert (log.ids, log.counted, made.shed) == ([], 2, 3)
    log.failures = [OSError("full")]
    made.put(exchange(4))
    await made.close()
    assert (log.ids, log.counted, made.shed) == (["r4"], 3, 3)


@pytest.mark.parametrize("room", [100, 0])
@pytest_twisted.ensureDeferred
async def test_an_attempt_is_counted_and_has_no_row_to_be_shed(room: int) -> None:
    counted: list[Tallied] = []
    log = ListLog()
    append = log.append

    def sees(rows: Sequence[LogRow], tallied: Sequence[Tallied] = (), bodies: object = ()) -> None:
        counted.extend(tallied)
        append(rows, tallied)

    log.append = sees  # type: ignore[method-assign]
    made = journal(log, queue_limit=room)
    ex = exchange()
    ex.story, ex.sent_at, ex.target_status = "attempt", 1.5, 503
    made.put(ex)
    await made.close()
    assert (log.ids, made.written, made.shed) == ([], 0, 0)
    assert sorted(entry[:2] for each in counted for entry in each) == [["c1", 0], ["p1", 0]]


@pytest_twisted.ensureDeferred
async def test_bodies_of_what_has_no_row_are_not_another_requests() -> None:
    bodies: list[str] = []
    log = ListLog()
    log.append = lambda rows, tallied=(), kept=(): bodies.extend(each.request_id for each in kept)  # type: ignore[method-assign]
    made = journal(log, seal=lambda client_id, request_id, plain: plain)
    for number, story in enumerate(("whole", "attempt")):
        ex = exchange(number)
        ex.story, ex.identity = story, Identity("s", "k")  # type: ignore[assignment]
        ex.kept, ex.door = keep_bodies(ex.request_body, Nowhere(), False)
        made.put(ex)
    await made.close()
    assert bodies == ["r0"]


@pytest_twisted.ensureDeferred
async def test_countries_are_looked_up_where_the_log_is_written(tmp_path: Path) -> None:
    file = tmp_path / "countries.mmdb"
    file.write_bytes(maxmind_file({"203.0.113.0/24": {"country": {"iso_code": "NZ"}}}))
    rows: list[LogRow] = []
    log = ListLog()
    log.append = lambda new, tallied=(), bodies=(): rows.extend(new)  # type: ignore[method-assign]
    made = journal(log, countries=Countries(file))
    for address in ("203.0.113.7", "198.51.100.1"):
        ex = exchange()
        ex.caller_address = address
        assert made.shown(ex)["country"] == ("NZ" if address == "203.0.113.7" else "ZZ")
        made.put(ex)
    await made.close()
    assert [published(row)[0]["country"] for row in rows] == ["NZ", "ZZ"]
    assert "203.0.113" not in "".join(row.facts for row in rows)


@pytest_twisted.ensureDeferred
async def test_through_to_the_disk(tmp_path: Path) -> None:
    from twisted.internet import reactor

    log = RequestLog.open(tmp_path, reactor, published)  # type: ignore[arg-type]
    made = journal(log, wall=lambda: 100.0)
    for number in range(3):
        made.put(exchange(number))
    await made.close()
    page = await log.list("p1")
    assert [record["sKey"] for record in page.requests] == ["r2", "r1", "r0"]
    shown = await log.detail("p1", "r1")
    assert shown is not None
    assert shown["statusCode"] == 200
    await log.close()
