"""What the Async API costs: `python -m bench.delivery [--rounds N] [--seconds S]`. Prints one table.

Belongs here: the CPU of a durable accept and of a delivery, beside a proxied request in the same run; accepts a second
beside the same gateway with the commit left out. Does not: many that wait (backlog.py), kills (rrgate/torture/).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path

from attrs import evolve
from rich.console import Console
from rich.table import Table

from bench import load, nginx, parts
from bench.load import Load
from bench.parts import CALLER_KEY, TARGET_TOKEN, Core, Part

POST = """
local body = string.rep("x", 800)
wrk.method = "POST"
wrk.body = body
wrk.headers["Content-Type"] = "application/json"
wrk.headers["X-API-Key"] = "KEY"
"""
LATER = POST + 'wrk.headers["requestrocket-delay"] = "604800"\n'
ROOM = ("async_queued_per_proxy=100000000", "async_queued_per_client=100000000", "async_queued=100000000")
NO_COMMIT = """
import rrgate.delivery.commits as commits
from contextlib import contextmanager
@contextmanager
def left_out(database):
    if not database.conn.in_transaction:
        database.conn.execute("BEGIN IMMEDIATE")
    yield database.conn
commits.transaction = left_out
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.delivery", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rrgate-bench") as name:
        folder = Path(name)
        target = nginx.start_target(folder)
        started = [target]
        try:
            ways, core = _ways(folder, target, "rrgate", "")
            without = _ways(folder, target, "no-commit", NO_COMMIT)[0]["accepted"]
            started += [ways["proxied"], without]
            _measure(ways, core, without, folder, given.rounds, given.seconds)
        finally:
            for part in reversed(started):
                part.stop()


def _ways(folder: Path, target: Part, name: str, before: str) -> tuple[dict[str, Part], Core]:
    process, port, core = parts.start_gateway(folder, target, name, settings=ROOM, before=before)
    caller = core.credential("proxy", "apiKey", {"key": "X-API-Key", "value": CALLER_KEY, "addToHeader": True})
    towards = core.credential("target", "bearer", {"token": TARGET_TOKEN})
    where = core.target(f"http://127.0.0.1:{target.port}")
    open_one, closed = core.proxy(caller, where, towards), core.proxy(caller, where, towards)
    core.make(f"proxies/{closed}/rules", effect="deny", path="^/rows")
    headers = {"X-API-Key": CALLER_KEY}
    proxied = Part("proxied", process, port, f"/api/{open_one}/rows", headers)
    return {
        "proxied": proxied,
        "refused": evolve(proxied, name="refused", path=f"/api/{closed}/rows"),
        "accepted": evolve(proxied, name="accepted", path=f"/async/{open_one}/rows"),
    }, core


def _metric(core: Core, name: str) -> float:
    address = core.base.partition("/clients/")[0] + "/metrics"
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {core.token}"})
    with urllib.request.urlopen(request) as answer:
        lines = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if line[:1] != "#")
    return float(lines[f"rrgate_async_{name}"])


def _drained(core: Core) -> None:
    """Wait until nothing is under way that is due."""
    quiet = 0
    while quiet < 2:
        time.sleep(0.5)
        quiet = 0 if _metric(core, "attempts_in_flight") + _metric(core, "oldest_seconds") else quiet + 1


def _measure(ways: dict[str, Part], core: Core, without: Part, folder: Path, rounds: int, seconds: int) -> None:
    process = ways["proxied"].process.pid
    rows: dict[str, list[tuple[float, ...]]] = {}
    for connections in (32, 256, 1):
        post, later = Load(connections, seconds, POST), Load(connections, seconds, LATER)
        for _ in range(rounds):
            proxied = load.run(ways["proxied"], post, folder)
            refused = load.run(ways["refused"], evolve(post, refused=True), folder)
            commits = _metric(core, "commits_total")
            accepted = load.run(ways["accepted"], later, folder)
            commits = _metric(core, "commits_total") - commits
            bare = load.run(without, later, folder)
            while True:
                before = load.cpu_of(process)
                both = load.run(ways["accepted"], post, folder)
                _drained(core)
                if both.tries == 1:  # else what is delivered is of all of them
                    break
            delivered = (load.cpu_of(process) - before) / both.requests * 1e6 - accepted.cpu
            rows.setdefault(f"{connections} callers", []).append(
                (
                    proxied.cpu,
                    refused.cpu,
                    accepted.cpu,
                    accepted.cpu / refused.cpu,
                    delivered,
                    delivered / proxied.cpu,
                    accepted.requests / seconds,
                    accepted.requests / bare.requests,
                    commits / accepted.requests,
                )
            )
    table = Table(title="Async API, POST of 800 bytes; CPU in µs; median of the rounds")
    for heading in (
        "", "proxied", "refused by a rule", "accepted", "÷ refused", "delivered", "÷ proxied",
        "accepts a second", "÷ without the commit", "commits an accept",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    for name, each in rows.items():
        table.add_row(name, *(f"{statistics.median(column):.4g}" for column in zip(*each, strict=True)))
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
