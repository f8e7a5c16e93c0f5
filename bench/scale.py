"""A gateway with 10,000 proxies, 100,000 credentials and 50,000 rules: `python -m bench.scale`.

Belongs here: how long it takes to start, to take a change, to answer a page of a list, and what a request costs when
each goes to another proxy. Does not: making that state (many.py), asking (asked.py), one round of load
(load.py).

Beside every time of the wall stands the CPU that the gateway took for it, since the machine has other work too; and
beside changes, what the disk takes for one row.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from attrs import asdict, evolve
from rich.console import Console
from rich.table import Table

from bench import load, nginx
from bench.asked import CHANGES, KEY, Core, Started, changes, disk, lists, start, timed
from bench.load import Load
from bench.many import TARGETS, Many, fill
from bench.parts import Missing, Part
from rrgate.cli.init import FirstUser, create_state

PAIRS = 7
CONNECTIONS = 32


def round_robin(file: Path, proxies: Sequence[str]) -> str:
    """Lua that asks one after the other; `file` is where it finds them."""
    file.write_text("".join(f"/api/{proxy}/rows\n" for proxy in proxies))
    return f"""
local paths, n = {{}}, 0
for path in io.lines("{file}") do paths[#paths + 1] = path end
request = function()
  n = n % #paths + 1
  return wrk.format("GET", paths[n], {{["X-API-Key"] = "KEY"}})
end
"""


def main() -> int:
    """Measure, print, and say what was missing."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--starts", type=int, default=5)
    for name, number in asdict(Many()).items():
        parser.add_argument(f"--{name}", type=int, default=number)
    given = parser.parse_args()
    console = Console(width=140)
    with tempfile.TemporaryDirectory(prog := "rrgate-bench") as name:
        folder = Path(name)
        running: list[Part | Started] = []
        try:
            running.append(target := nginx.start_target(folder))
            url = f"http://127.0.0.1:{target.port}"
            small, _, few = made(folder / "small", url, Many(TARGETS, 2 * TARGETS, 0))
            large, first, many = made(folder / "large", url, Many(given.proxies, given.credentials, given.rules))
            console.print(_starts(given.starts, target, {"one of 100 proxies": (small, few), "this": (large, many)}))
            running.append(started := start(large, target, many[0]))
            core = Core(started, first)
            # wrk makes its requests in the same way for both: how long that takes says when the gateway has its turn.
            one = Part("one", started.process, started.port, f"/api/{many[0]}/rows", KEY)
            single = evolve(one, script=round_robin(folder / "one", many[:1] * len(many)))
            every = evolve(one, name="each to another", script=round_robin(folder / "each", many))
            load.verify(single)
            for proxy in many:
                assert core.status(proxy) == 200
            console.print(f"RSS once every proxy has been used: {load.rss_of(started.process.pid):.0f} MB")
            _pairs(console, single, every, folder, given.pairs, given.seconds)
            console.print(_lists(core, many))
            console.print(_changes(core, many, folder))
        except Missing as missing:
            print(f"{prog}: {missing}", file=sys.stderr)
            return 1
        finally:
            for part in reversed(running):
                part.stop()
    return 0


def made(data: Path, target: str, many: Many) -> tuple[Path, FirstUser, list[str]]:
    """A new state, its first user, its proxies."""
    first = create_state(data)
    return data, first, fill(data, first.client_id, first.user_id, target, many)


def _starts(number: int, target: Part, states: dict[str, tuple[Path, list[str]]]) -> Table:
    taken: dict[str, list[Started]] = {name: [] for name in states}
    for _ in range(number):
        for name, (data, proxies) in states.items():
            taken[name].append(started := start(data, target, proxies[len(proxies) // 2]))
            started.stop()
    table = _table("Start to the first answer; median (least–most)", "the state", "wall, s", "CPU, s", "RSS, MB")
    for name, each in taken.items():
        table.add_row(
            name,
            spread([one.wall for one in each], 2),
            spread([one.cpu for one in each], 2),
            spread([one.rss for one in each], 0),
        )
    return table


def _pairs(console: Console, single: Part, every: Part, folder: Path, number: int, seconds: int) -> None:
    rounds = []
    for turn in range(number + 1):
        order = (every, single) if turn % 2 else (single, every)
        cost = {each.name: load.run(each, Load(CONNECTIONS, seconds), folder) for each in order}
        rounds.append((cost[single.name].cpu, cost[every.name].cpu))
    del rounds[0]  # warming up
    table = _table("CPU a request, median (least–most)", "requests go", "µs", "× one proxy")
    table.add_row("to one proxy", spread([one for one, _ in rounds], 1), "1.00")
    table.add_row(
        "each to another", spread([many for _, many in rounds], 1), spread([many / one for one, many in rounds], 2)
    )
    console.print(table)


def _lists(core: Core, proxies: Sequence[str]) -> Table:
    table = _table("Reading the Core API, ms", *_TIMES)
    for name, path in lists(core, proxies).items():
        taken: list[tuple[float, float]] = []
        for _ in range(20):
            timed(core, partial(core, "GET", path), taken)
        table.add_row(name, *_times(taken))
    return table


def _changes(core: Core, proxies: Sequence[str], folder: Path) -> Table:
    table = _table("Changes until they are answered, ms; then each was in force", *_TIMES)
    table.add_row("4 KB made durable", *_times(disk(folder)))
    for name, change in changes(core, proxies).items():
        taken: list[tuple[float, float]] = []
        for number in range(min(CHANGES, TARGETS)):
            in_force = timed(core, partial(change, number), taken)
            assert in_force(), f"{name} is not in force"
        table.add_row(name, *_times(taken))
    return table


_TIMES = ("", "wall, median", "95 %", "most", "CPU, median", "95 %")


def _times(taken: Sequence[tuple[float, float]]) -> list[str]:
    wall, cpu = (sorted(each[place] for each in taken) for place in (0, 1))
    at = len(taken) * 95 // 100
    return [f"{each:.1f}" for each in (statistics.median(wall), wall[at], wall[-1], statistics.median(cpu), cpu[at])]


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title)
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left")
    return table


def spread(values: Sequence[float], digits: int) -> str:
    """median (min–max)."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


if __name__ == "__main__":
    raise SystemExit(main())
