"""10,000 connections that have asked once and then say nothing: what each keeps in memory, and what others notice.

`python -m bench.idle [--connections N]`. The goal: at most 10 KB each.
"""

from __future__ import annotations

import argparse
import time

from bench import crowd
from bench.load import precise_cpu_of, rss_of, tree
from bench.parts import Part


def _cpu(part: Part) -> float:
    return sum(map(precise_cpu_of, tree(part.process.pid)))


def times(part: Part, count: int = 500) -> list[float]:
    """Milliseconds that each of `count` requests takes, one after the other on one connection."""
    found = []
    with crowd.connect(part) as caller:
        request = crowd.head(part, "/")
        for _ in range(count):
            begun = time.perf_counter()
            assert crowd.ask(caller, request) == 200, part.name
            found.append((time.perf_counter() - begun) * 1000)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description=__doc__)
    parser.add_argument("--connections", type=int, default=10_000)
    given = parser.parse_args()
    count = min(given.connections, crowd.room_for_many() - 500)
    print(f"{count} connections")
    print("| | KB each | CPU ms a second, all idle | p50 ms before | p50 ms beside | µs to open one and ask |")
    print("| --- | --- | --- | --- | --- | --- |")
    with crowd.gateways(settings=("keep_alive_timeout=600",)) as (_, bare, rrgate):
        for part in (bare, rrgate):
            before = times(part)
            start = rss_of(part.process.pid)
            begun = time.monotonic()
            request = crowd.head(part, "/")
            callers = []
            for _ in range(count):
                caller = crowd.connect(part)
                assert crowd.ask(caller, request) == 200, part.name
                callers.append(caller)
            opening = (time.monotonic() - begun) / count * 1e6
            time.sleep(3)
            each = (rss_of(part.process.pid) - start) * 1000 / count
            cpu = _cpu(part)
            time.sleep(5)
            idle = (_cpu(part) - cpu) * 1000 / 5
            beside = times(part)
            half = crowd.percentile
            print(
                f"| {part.name} | {each:.1f} | {idle:.1f} | {half(before, 0.5):.2f} | {half(beside, 0.5):.2f} "
                f"| {opening:.0f} |",
                flush=True,
            )
            for caller in callers:
                caller.close()


if __name__ == "__main__":
    main()
