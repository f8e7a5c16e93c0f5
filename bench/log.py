"""How fast a long request log is read, and what removing of it costs traffic: `python -m bench.log [--rows N]`.

Belongs here: the questions, and the rounds of traffic. Does not: what is in the log (history.py), traffic (steady.py).
It needs about 1.1 GB and half a minute for each million rows; nginx for the traffic. A state that is kept (`--state`)
is asked again by the next run that names it; what was removed of it stays removed.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

from attrs import asdict, frozen
from rich.console import Console
from rich.table import Table

from bench import load, nginx, parts, steady
from bench.history import DAYS, fill
from bench.parts import CALLER_KEY, TARGET_TOKEN, Core, Missing, Part
from bench.steady import Steadily

TIMES = 50
"""Each question is asked so often."""
FOREVER = "log_retention_days=3650"


def main() -> int:
    """Fill, ask, remove, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.log", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--removed", type=int, default=1_000_000, help="rows that are removed under traffic")
    parser.add_argument("--rate", type=int, default=500, help="requests a second meanwhile")
    parser.add_argument("--seconds", type=int, default=20, help="of a round")
    parser.add_argument("--pairs", type=int, default=60, help="of rounds at most: a million rows take half an hour")
    parser.add_argument("--folder", type=Path, help="where the state is made; a temporary folder otherwise")
    parser.add_argument("--state", type=Path, help="a folder whose state is kept, and used if it is there already")
    parser.add_argument("--only-ask", action="store_true", help="no traffic, and nothing is removed")
    parser.add_argument("--only-remove", action="store_true", help="no questions")
    given = parser.parse_args()
    console = Console(width=120)
    with tempfile.TemporaryDirectory(prog := "rrgate-bench-log", dir=given.folder) as name:
        folder = Path(name) if given.state is None else given.state
        started: list[Part] = []
        try:
            made = _made(folder, given.rows, console)
            target = nginx.start_target(folder, made.target_port)
            started.append(target)

            def start(setting: str) -> tuple[Part, Core]:
                again = Core(made.base, made.token)
                process, port, now = parts.start_gateway(folder, target, "log", settings=(setting,), again=again)
                part = Part("log", process, port, f"/api/{made.proxy}/rows", {"X-API-Key": CALLER_KEY})
                started.append(part)
                return part, now

            if not given.only_remove:
                part, now = start(FOREVER)
                console.print(_asked(part, now, made))
                started.pop().stop()
            if not given.only_ask:
                days = max(1, DAYS - 1 - -(-DAYS * min(given.removed, given.rows) // given.rows))
                rounds: dict[str, list[Steadily]] = {FOREVER: [], f"log_retention_days={days}": []}
                first, gone = _oldest(folder), 0
                for turn in range(given.pairs):
                    for setting in (list(rounds), list(reversed(rounds)))[turn % 2]:
                        part, _ = start(setting)
                        steady.run(part, given.rate, 2)
                        rounds[setting].append(steady.run(part, given.rate, given.seconds))
                        started.pop().stop()
                    gone = _oldest(folder) - first
                    if gone >= given.removed:
                        break
                console.print(_steadily(dict(zip(("nothing is removed", "removing"), rounds.values(), strict=True))))
                console.print(f"{gone:,} rows were removed meanwhile; {given.rate} requests a second")
        except Missing as missing:
            print(f"{prog}: {missing}", file=sys.stderr)
            return 1
        finally:
            for each in reversed(started):
                each.stop()
    return 0


@frozen
class Made:
    """What a state was made with: a busy proxy, one that is called seldom, and one never called. `some`: ids of
    requests of the busy one."""

    base: str
    token: str
    target_port: int
    proxy: str
    rare: str
    unused: str
    some: Sequence[str]
    rows: int


def _made(folder: Path, rows: int, console: Console) -> Made:
    """The state in `folder`, filled now unless that was done before."""
    told = folder / "made.json"
    if told.exists():
        made = Made(**json.loads(told.read_text()))
    else:
        folder.mkdir(exist_ok=True)
        target = nginx.start_target(folder)
        process, port, core = parts.start_gateway(folder, target, "log", settings=(FOREVER,))
        caller = core.credential("proxy", "apiKey", {"key": "X-API-Key", "value": CALLER_KEY})
        towards = core.credential("target", "bearer", {"token": TARGET_TOKEN})
        where = core.target(f"http://127.0.0.1:{target.port}")
        proxy, rare, unused = (core.proxy(caller, where, towards) for _ in range(3))
        Part("log", process, port, "", {}).stop()
        target.stop()
        began = time.monotonic()
        some = fill(folder / "log", core.base.rpartition("/")[2], proxy, rare, rows)
        console.print(f"filled in {time.monotonic() - began:.0f} s")
        made = Made(core.base, core.token, target.port, proxy, rare, unused, some, rows)
        told.write_text(json.dumps(asdict(made)))
    size = sum(each.stat().st_size for each in (folder / "log").glob("log.db*"))
    console.print(f"{made.rows:,} rows: {size / 1e9:.1f} GB")
    return made


def _questions(made: Made) -> dict[str, list[str]]:
    """By name, paths below the client, each asked in turn."""

    def at(days: float) -> str:
        return quote((datetime.now(UTC) - timedelta(days=days)).isoformat())

    proxy, some = made.proxy, made.some[len(made.some) // 2 :]  # an earlier run may have removed older ones
    requests = f"/proxies/{proxy}/requests"
    days = (1, 17.3, 44, 80)
    found = {
        "list, the newest 100": [f"{requests}?limit=100"],
        "list, 100 in the middle": [f"{requests}?limit=100&processedBefore={at(each)}" for each in days],
        "list, 100 of a proxy called seldom": [f"/proxies/{made.rare}/requests?limit=100"],
        "list of one never called": [f"/proxies/{made.unused}/requests?limit=100"],
        "status=200 of the one called seldom": [f"/proxies/{made.rare}/requests?limit=100&status=200"],
        "list, 1000 (no limit given), asked again": [requests],
        "list, 1000, others each time": [
            f"{requests}?processedBefore={at(1 + 1.7 * each)}" for each in range(TIMES + 1)
        ],
        "detail": [f"{requests}/{each}" for each in some[:: max(1, len(some) // TIMES)]],
        "status=504 (1 in 1000)": [f"{requests}?limit=100&status=504&processedBefore={at(each)}" for each in days],
        "status=503 (none)": [f"{requests}?limit=100&status=503"],
        "status=200": [f"{requests}?limit=100&status=200&processedBefore={at(each)}" for each in days],
        "method=DELETE (1 in 100)": [f"{requests}?limit=100&method=DELETE&processedBefore={at(each)}" for each in days],
        "method=PATCH (none)": [f"{requests}?limit=100&method=PATCH"],
        "state=failed": [f"{requests}?limit=100&state=failed&processedBefore={at(each)}" for each in days],
    }
    for interval in ("minute", "hour", "day", "month"):
        found[f"telemetry, 100 by {interval}"] = [
            f"/proxies/{proxy}/telemetry?interval={interval}",
            f"/telemetry?interval={interval}",
        ]
    found["telemetry, 1000 by minute"] = [f"/proxies/{proxy}/telemetry?interval=minute&limit=1000"]
    return found


def _asked(part: Part, core: Core, made: Made) -> Table:
    """The second time is the CPU of the gateway's process, all threads of it."""
    table = Table(title="Asked over HTTP, on one connection")
    for heading in ("question", "median ms", "most ms", "CPU ms", "objects"):
        table.add_column(heading, justify="left" if heading == "question" else "right")
    parsed = urlsplit(core.base)
    assert parsed.hostname is not None
    connection = http.client.HTTPConnection(parsed.hostname, parsed.port)
    for name, paths in _questions(made).items():
        took, cpu, content = [], [], b""
        for number in range(TIMES + 1):
            before, began = load.precise_cpu_of(part.process.pid), time.perf_counter()
            connection.request("GET", parsed.path + paths[number % len(paths)], headers={"Authorization": core.token})
            answer = connection.getresponse()
            content = answer.read()
            took.append((time.perf_counter() - began) * 1000)
            cpu.append((load.precise_cpu_of(part.process.pid) - before) * 1000)
            assert answer.status == 200, content
        del took[0], cpu[0]
        objects = content.count(b'"pKey"')
        spent = f"{statistics.median(cpu):.1f}"
        table.add_row(name, f"{statistics.median(took):.1f}", f"{max(took):.1f}", spent, str(objects))
    connection.close()
    return table


def _steadily(rounds: dict[str, list[Steadily]]) -> Table:
    """Medians, with the least and most; the last column is the median of the pairs' ratios."""
    table = Table(title=f"Traffic, {len(next(iter(rounds.values())))} rounds of each in turns, ms")
    for heading in ("", "p50", "p99", "most", "CPU, µs a request", "p99, × without"):
        table.add_column(heading, justify="right" if heading else "left")
    without = next(iter(rounds.values()))
    for name, those in rounds.items():
        columns = [[each.p50 for each in those], [each.p99 for each in those], [each.most for each in those]]
        columns.append([each.cpu / each.requests * 1e6 for each in those])
        columns.append([each.p99 / other.p99 for each, other in zip(those, without, strict=True)])
        shown = [f"{statistics.median(each):.2f} ({min(each):.1f}–{max(each):.1f})" for each in columns]
        table.add_row(name, *shown)
    return table


def _oldest(folder: Path) -> int:
    """The first row that is left."""
    with contextlib.closing(sqlite3.connect(folder / "log" / "log.db")) as log:
        oldest: int = log.execute("SELECT min(id) FROM requests").fetchone()[0]
        return oldest


if __name__ == "__main__":
    raise SystemExit(main())
