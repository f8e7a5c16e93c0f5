"""One target hangs with 500 requests on it: what another proxy's callers notice.

`python -m bench.hanging [--requests N] [--rounds N] [--seconds S]`: rounds without and with it in turns, of nginx, of
rrgate, and of rrgate with room for a few more than hang, where only the share of a proxy keeps places for others. The
goal: the 99th percentile of the others less than doubled.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import crowd, load, two
from bench.load import Load, Round
from bench.nginx import start_target
from bench.origin import start_origin
from bench.parts import Part


@contextmanager
def _hanging(part: Part, count: int) -> Iterator[list[socket.socket]]:
    """So many requests that will not be answered by their target."""
    callers = []
    request = crowd.head(part, "/hang")
    for _ in range(count):
        caller = crowd.connect(part)
        caller.sendall(request)
        callers.append(caller)
    time.sleep(0.5)
    yield callers
    for caller in callers:
        caller.close()
    time.sleep(0.5)


def _refused(callers: list[socket.socket]) -> int:
    """How many have been answered, which can only be 503."""
    count = 0
    for caller in callers:
        caller.setblocking(False)
        try:
            count += caller.recv(1000).startswith(b"HTTP/1.1 503")
        except BlockingIOError:
            continue
    return count


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.hanging", description=__doc__)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    given = parser.parse_args()
    crowd.room_for_many()
    work, room = Load(32, given.seconds), given.requests + 50
    print("| | hanging | 503 of those | CPU µs a request | p50 ms | p99 ms | p99 × without |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    started: list[Part] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            target, origin = start_target(folder), start_origin()
            started += (target, origin)
            pairs = [
                two.bare(folder, target, origin),
                two.rrgate(folder, target, origin, "rrgate"),
                two.rrgate(folder, target, origin, f"room for {room}", f"max_in_flight={room}"),
            ]
            started += (pair[0] for pair in pairs)
            for fast, hang in pairs:
                load.run(fast, Load(32, 1), folder)
                without: list[Round] = []
                beside: list[Round] = []
                refused = 0
                for _ in range(given.rounds):
                    without.append(load.run(fast, work, folder))
                    with _hanging(hang, given.requests) as callers:
                        beside.append(load.run(fast, work, folder))
                        refused = _refused(callers)
                ratio = statistics.median(b.p99 / w.p99 for b, w in zip(beside, without, strict=True))
                for count, of, said in ((0, without, ""), (given.requests, beside, f"{ratio:.2f}")):
                    figures = [statistics.median(getattr(each, what) for each in of) for what in ("cpu", "p50", "p99")]
                    told = " | ".join(f"{figure:.1f}" for figure in figures)
                    print(f"| {fast.name} | {count} | {refused if count else ''} | {told} | {said} |", flush=True)
        finally:
            for part in reversed(started):
                part.stop()


if __name__ == "__main__":
    main()
