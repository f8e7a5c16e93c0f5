"""`rrgate torture`, a small one: gateways that are killed under load lose nothing, and double nothing.

Belongs here: a few kills. Does not: many (.ci/run), what is judged how (tests/torture/).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from rrgate.torture.process import CALLER_KEY
from tests.leak_search import LeakSearch
from tests.processes.twistd import BIN

KILLS = 5


def test_killed_gateways_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    data = tmp_path / "state"
    search = LeakSearch.of(data)
    search.know("a caller's key", CALLER_KEY)
    search.know("a request's body", "body of 7 body of 7")
    done = subprocess.run(
        [BIN / "rrgate", "torture", f"--kills={KILLS}", f"--data={data}", "--duration=2", "--json"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["problems"] == []
    assert (told["kills"], told["lost"], told["doubled"], told["unlogged"]) == (KILLS, 0, 0, 0)
    assert told["refused"] == {}
    assert told["accepted"] > 0
    assert told["calledBack"] > 0
    assert told["accepted"] <= sum(told["states"].values()) <= told["accepted"] + told["unanswered"]
    search.look_at_state(data)
    search.add("the log", data.with_suffix(".log").read_text())
    search.end()


def test_told_to_end_it_leaves_no_gateway_and_no_state(tmp_path: Path) -> None:
    with subprocess.Popen(
        [BIN / "rrgate", "torture", "--kills=1000", "--rate=1"],
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"kill 1 of 1000\n"
        process.terminate()
        assert process.wait(20) == 128 + signal.SIGTERM
    assert _with(str(tmp_path)) == []
    assert [*tmp_path.iterdir()] == []


def _with(text: str) -> list[str]:
    """Command lines of processes that name it."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            lines.append(path.read_text())
    return [line for line in lines if text in line]
