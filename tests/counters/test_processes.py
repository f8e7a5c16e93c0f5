"""Several processes counting in the same limits, some of which are killed: exactly what the limits say is let through.

Belongs here: whole processes. Does not: what one process makes of limits (test_counters.py).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rrgate.counters import Counters, mutex, open_memory
from rrgate.counting_values import CountersError, Counts
from tests.counters.hammering import EVERY_SECOND, MINUTE_LIMIT, quotas

NOW = 1_773_146_000.0
ROOT = Path(__file__).parents[2]


@pytest.fixture
def counters(tmp_path: Path) -> Iterator[Counters]:
    made = Counters(open_memory(tmp_path, NOW), lambda: NOW)
    yield made
    made.close()


def started(data: Path, mode: str = "counts") -> subprocess.Popen[bytes]:
    """One more process."""
    command = [sys.executable, "-m", "tests.counters.hammering", str(data), str(NOW), mode]
    pipe = subprocess.PIPE
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=ROOT, env=environ, stdin=pipe, stdout=pipe, bufsize=0)


def go(*processes: subprocess.Popen[bytes]) -> None:
    """They count from now on, all at once."""
    for each in processes:
        assert each.stdin is not None
        each.stdin.write(b"\n")


def passed(process: subprocess.Popen[bytes]) -> int:
    """How many requests it has let through, by its own account, once it has ended."""
    said, _ = process.communicate(timeout=60)
    return said.count(b"+")


def test_processes_that_count_at_one_time_let_exactly_as_many_through(tmp_path: Path, counters: Counters) -> None:
    processes = [started(tmp_path) for _ in range(3)]
    go(*processes)
    assert sum(passed(each) for each in processes) == MINUTE_LIMIT
    assert [each.returncode for each in processes] == [0, 0, 0]
    wide, narrow = (each.counter.read().minute for each in quotas(counters))
    assert wide == MINUTE_LIMIT
    assert 0 < narrow <= EVERY_SECOND


def test_neither_processes_that_are_killed_let_more_through(tmp_path: Path, counters: Counters) -> None:
    through = 0
    wide, _ = quotas(counters)
    for place in range(1, 9):
        process = started(tmp_path)
        go(process)
        assert process.stdout is not None
        # Killed in the midst of it: what it was about is counted at most, and never let through twice.
        through += process.stdout.read(place * 3).count(b"+")
        process.kill()
        through += passed(process)
    last = started(tmp_path)
    go(last)
    through += passed(last)
    assert MINUTE_LIMIT - 8 <= through <= MINUTE_LIMIT
    assert wide.counter.read().minute == MINUTE_LIMIT


def test_what_a_process_has_half_done_when_it_is_killed_is_undone(tmp_path: Path, counters: Counters) -> None:
    process = started(tmp_path, "dies")
    assert process.wait(30) == -signal.SIGKILL
    wide, narrow = quotas(counters)
    # It held the lock, and had written one row and the other.
    assert wide.counter.read() == Counts(1, 1, 1, 1)
    assert narrow.counter.read() == Counts()
    assert counters.take([wide, narrow]) is None
    assert wide.counter.read() == Counts(2, 2, 2, 2)


def test_so_it_is_for_the_next_who_opens_the_file(tmp_path: Path) -> None:
    process = started(tmp_path, "dies")
    assert process.wait(30) == -signal.SIGKILL
    counters = Counters(open_memory(tmp_path, NOW), lambda: NOW)
    wide, narrow = quotas(counters)
    assert (wide.counter.read().day, narrow.counter.read().day) == (1, 0)
    counters.close()


def test_one_that_is_stopped_inside_the_lock_lets_nobody_pass_for_nothing(
    tmp_path: Path, counters: Counters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mutex, "_PATIENCE", 0.05)
    process = started(tmp_path, "holds")
    wide, narrow = quotas(counters)
    try:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        with pytest.raises(CountersError):
            counters.take([wide])
    finally:
        process.kill()
        process.wait()
    assert counters.take([wide, narrow]) is None
    assert wide.counter.read() == Counts(2, 2, 2, 2)
