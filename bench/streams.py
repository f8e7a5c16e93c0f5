"""2,000 event streams with an event a second each: how late the events come, and what one costs.

`python -m bench.streams [--streams N] [--seconds S]`. The goal: 95 of 100 events within 100 ms.
"""

from __future__ import annotations

import argparse
import time

from bench import crowd
from bench.load import precise_cpu_of, rss_of, tree
from bench.parts import Part


def measure(part: Part, count: int, seconds: float) -> str:
    """A row of the table."""
    start = rss_of(part.process.pid)
    request = crowd.head(part, "/events", "GET", "Accept: text/event-stream")
    callers, statuses = [], set()
    begun = time.monotonic()
    for _ in range(count):
        caller = crowd.connect(part)
        caller.sendall(request)
        callers.append(caller)
    for caller in callers:
        statuses.add(crowd.take(caller)[0])
    assert statuses == {200}, f"{part.name} answered {statuses}"
    opening = time.monotonic() - begun
    late: list[float] = []

    def heard(data: bytes) -> None:
        now = time.monotonic()
        events = (line for line in data.split(b"\n") if line.startswith(b"data: "))
        late.extend((now - float(line[6:])) * 1000 for line in events)

    settled = time.monotonic() + 2
    closed = crowd.listen_to(callers, heard, lambda: time.monotonic() > settled)
    late.clear()
    cpu, until = _cpu(part), time.monotonic() + seconds
    closed += crowd.listen_to(callers, heard, lambda: time.monotonic() > until)
    cpu = _cpu(part) - cpu
    rss = (rss_of(part.process.pid) - start) * 1000 / count
    for caller in callers:
        caller.close()
    assert not closed, f"{part.name} closed {closed} streams"
    figures = " | ".join(f"{crowd.percentile(late, share):.1f}" for share in (0.5, 0.95, 0.99, 1))
    return (
        f"| {part.name} | {len(late) / seconds:.0f} | {figures} | {cpu / len(late) * 1e6:.0f} | {rss:.1f} "
        f"| {opening * 1000:.0f} |"
    )


def _cpu(part: Part) -> float:
    return sum(map(precise_cpu_of, tree(part.process.pid)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.streams", description=__doc__)
    parser.add_argument("--streams", type=int, default=2000)
    parser.add_argument("--seconds", type=int, default=10)
    given = parser.parse_args()
    print("| | events a second | p50 ms late | p95 | p99 | most | CPU µs an event | KB a stream | ms to open all |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    with crowd.gateways() as (_, bare, rrgate):
        for part in (bare, rrgate):
            print(measure(part, given.streams, given.seconds), flush=True)
            time.sleep(2)


if __name__ == "__main__":
    main()
