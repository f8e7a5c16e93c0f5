"""Run the bench: `make bench`, or `python -m bench [--rounds N] [--seconds S]`. Prints one table.

Variants are interleaved in every round; min, median and max are over rounds, ratios over pairs of one round.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import load, parts
from bench.load import POST_800, Load, Round
from bench.parts import Missing, Part
from bench.rules import KINDS


def main() -> int:
    """Measure, print, and say what was missing."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--rules", action="store_true", help="beside gateways with 800 rules, of which none matches")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prog := "rrgate-bench") as name:
        folder = Path(name)
        started: list[Part] = []
        try:
            target = parts.start_target(folder)
            started.append(target)
            started.append(parts.start_bare(folder, target))
            started.append(parts.start_rrgate(folder, target))
            if given.rules:
                for kind, checks in KINDS.items():
                    started.append(parts.start_rrgate(folder, target, f"rules: {kind}", rules=checks))
            else:
                started.append(parts.start_rrgate(folder, target, "rrgate, stock reactor", ("--reactor=epoll",)))
                if python := parts.debians_python():
                    started.append(parts.start_rrgate(folder, target, "rrgate, Debian's Python", python=python))
            measured = started[1:]
            for part in measured:
                load.verify(part)
            console = Console(width=140)
            for title, work in (
                ("GET, 1 KB JSON, 32 connections", Load(32, given.seconds)),
                ("POST, 800 bytes, 17 headers, 32 connections", Load(32, given.seconds, POST_800)),
                ("GET, 1 KB JSON, 1 connection", Load(1, max(2, given.seconds // 2))),
            ):
                console.print(_table(title, measured, _rounds(measured, work, folder, given.rounds)))
        except Missing as missing:
            print(f"{prog}: {missing}", file=sys.stderr)
            return 1
        finally:
            for part in reversed(started):
                part.stop()
    return 0


def _rounds(measured: Sequence[Part], work: Load, folder: Path, rounds: int) -> dict[str, list[Round]]:
    results: dict[str, list[Round]] = {part.name: [] for part in measured}
    for part in measured:
        load.run(part, Load(work.connections, 1, work.script), folder)
    for _ in range(rounds):
        for part in measured:
            results[part.name].append(load.run(part, work, folder))
    return results


def _table(title: str, measured: Sequence[Part], results: dict[str, list[Round]]) -> Table:
    table = Table(title=title)
    for heading in ("gateway", "CPU µs a request", "× nginx", "p50 ms", "p99 ms", "RSS MB"):
        table.add_column(heading, justify="left" if heading == "gateway" else "right")
    bare = results[measured[0].name]
    for part in measured:
        mine = results[part.name]
        ratios = [each.cpu / other.cpu for each, other in zip(mine, bare, strict=True)]
        table.add_row(
            part.name,
            _spread([each.cpu for each in mine], 1),
            _spread(ratios, 2),
            _spread([each.p50 for each in mine], 3),
            _spread([each.p99 for each in mine], 2),
            f"{max(each.rss for each in mine):.0f}",
        )
    return table


def _spread(values: Sequence[float], digits: int) -> str:
    """median (min–max)."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


if __name__ == "__main__":
    raise SystemExit(main())
