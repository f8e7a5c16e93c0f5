"""Two workers beside one process: CPU a request, who has how many connections, and how long it takes to replace one.

`python -m bench.workers [--rounds N] [--seconds S] [--each] [--processors LIST]`. All of it shares one processor, as in
the other benches, unless others are named: what two workers win on two is not measured, but what they cost. The goals:
1.1 × the CPU of one process, neither with more than 60 % of the connections, a killed one replaced within a second.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path
from threading import Timer

from attrs import frozen

from bench import load
from bench.load import Load
from bench.nginx import start_target
from bench.parts import CALLER_KEY, PIN, TARGET_TOKEN, Core, Part, start_gateway
from bench.tables import machine, spread

WORKERS = 2
KILLS = 5


@frozen
class Gateway:
    """A gateway and where its figures are."""

    part: Part
    core: Core
    log: Path

    def by_worker(self, name: str) -> dict[str, float]:
        """A figure of each worker, over all its other labels."""
        request = urllib.request.Request(
            f"{self.core.base.partition('/clients/')[0]}/metrics", headers={"Authorization": self.core.token}
        )
        with urllib.request.urlopen(request) as answer:
            text = answer.read().decode()
        found: dict[str, float] = {}
        for worker, value in re.findall(rf'^{name}\{{worker="(\d+)"[^}}]*\}} (\S+)$', text, re.MULTILINE):
            found[worker] = found.get(worker, 0.0) + float(value)
        return found

    def serving(self) -> list[int]:
        """The processes that serve, as they were told of."""
        told = re.findall(r"\(process (\d+)\) serves", self.log.read_text())
        return [int(pid) for pid in told if Path(f"/proc/{pid}").exists()]


def _start(folder: Path, target: Part, workers: int) -> Gateway:
    name = f"{workers} workers" if workers else "one process"
    process, port, core = start_gateway(folder, target, f"w{workers}", settings=[f"workers={workers}"])
    caller = core.credential("proxy", "apiKey", {"key": "X-API-Key", "value": CALLER_KEY, "addToHeader": True})
    towards = core.credential("target", "bearer", {"token": TARGET_TOKEN})
    proxy = core.proxy(caller, core.target(target.url), towards)
    part = Part(name, process, port, f"/api/{proxy}/rows", {"X-API-Key": CALLER_KEY})
    load.verify(part)
    if workers:
        _wait_for_the_spare(process.pid)
    return Gateway(part, core, folder / f"w{workers}.log")


def _largest(numbers: dict[str, float]) -> float:
    return max(numbers.values()) / sum(numbers.values()) * 100


def _wait_for_the_spare(pid: int) -> None:
    """Return when it is there, and has imported what it needs: it does nothing any more."""
    spent = -1.0
    while len(load.tree(pid)) < WORKERS + 2 or load.cpu_of(pid) - spent > 0.1:
        spent = load.cpu_of(pid)
        time.sleep(0.5)


def _replaced(gateway: Gateway) -> float:
    """Seconds from the death of a worker until another serves."""
    _wait_for_the_spare(gateway.part.process.pid)
    before = gateway.serving()
    begun = time.monotonic()
    os.kill(before[0], signal.SIGKILL)
    while not set(gateway.serving()) - set(before):
        time.sleep(0.002)
    return time.monotonic() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.workers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--each", action="store_true", help="so many connections for each worker, not for both")
    parser.add_argument("--processors", default=PIN[2], help="what all of it may run on, as taskset wants it")
    given = parser.parse_args()
    PIN[2] = given.processors
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        target = start_target(folder)
        gateways = [_start(folder, target, workers) for workers in (0, WORKERS)]
        try:
            wanted = {
                gateway.part.name: Load(given.connections * factor, given.seconds)
                for gateway, factor in zip(gateways, (1, WORKERS if given.each else 1), strict=True)
            }
            cpu: dict[str, list[float]] = {gateway.part.name: [] for gateway in gateways}
            connections: list[float] = []
            requests: list[float] = []
            for gateway in gateways:
                load.run(gateway.part, Load(given.connections, 2), folder)
            for _ in range(given.rounds):
                for gateway in gateways:
                    if gateway is gateways[1]:
                        asked = Timer(
                            given.seconds / 2,
                            lambda: connections.append(_largest(gateways[1].by_worker("rrgate_caller_connections"))),
                        )
                        asked.start()
                        before = gateway.by_worker("rrgate_requests_total")
                    cpu[gateway.part.name].append(load.run(gateway.part, wanted[gateway.part.name], folder).cpu)
                after = gateways[1].by_worker("rrgate_requests_total")
                requests.append(_largest({worker: after[worker] - before.get(worker, 0.0) for worker in after}))
            alone, several = cpu.values()
            replaced = [_replaced(gateways[1]) for _ in range(KILLS)]
            rss = [load.rss_of(gateway.part.process.pid) for gateway in gateways]
        finally:
            for gateway in gateways:
                gateway.part.stop()
            target.stop()
    pairs = [two / one for one, two in zip(alone, several, strict=True)]
    how = f"{given.connections} connections{' each' if given.each else ''}, processors {given.processors}"
    print(f"{machine()}; {given.rounds} rounds of {given.seconds} s, {how}\n")
    print("| | one process | two workers |\n| --- | --- | --- |")
    print(f"| CPU µs a request | {spread(alone, 1)} | {spread(several, 1)} |")
    print(f"| × one process, pairs of a round | 1.00 | {spread(pairs, 2)}; least against least "
          f"{min(several) / min(alone):.2f} |")
    print(f"| largest share of connections, % | | {spread(connections, 0)} |")
    print(f"| largest share of requests, % | | {spread(requests, 0)} |")
    print(f"| a killed worker's place taken after, ms | | {spread([each * 1000 for each in replaced], 0)} |")
    print(f"| RSS MB, all processes | {rss[0]:.0f} | {rss[1]:.0f} |")
    print(f"\nMedian pair {statistics.median(pairs):.2f}; the goal is 1.1.")


if __name__ == "__main__":
    main()
