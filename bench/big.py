"""100 MB down and up: CPU beside nginx's with big buffers, and what the gateway's memory grows by.

`python -m bench.big [--rounds N] [--megabytes N]`. The goals: at most 3 × nginx's CPU, at most 8 MB of growth.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable, Sequence

from bench import crowd
from bench.load import precise_cpu_of, rss_of, tree
from bench.parts import Part

_PIECE = bytes(256 * 1024)
_TAKEN = bytearray(1024 * 1024)
MEGABYTE = 1024 * 1024


def down(part: Part, size: int) -> None:
    """Take `size` bytes."""
    with crowd.connect(part) as caller:
        caller.sendall(crowd.head(part, f"/down/{size}"))
        status, rest = crowd.take(caller)
        assert status == 200, f"{part.name} answered {status}"
        got = len(rest)
        while got < size:
            count = caller.recv_into(_TAKEN)
            assert count, f"{part.name} broke off after {got} bytes"
            got += count


def up(part: Part, size: int) -> None:
    """Send `size` bytes."""
    with crowd.connect(part) as caller:
        caller.sendall(crowd.head(part, "/up", "PUT", f"Content-Length: {size}"))
        left = size
        while left:
            caller.sendall(_PIECE[:left])
            left -= min(left, len(_PIECE))
        assert crowd.take(caller)[0] == 200, part.name


class _Peak:
    """The most that is resident in `part` meanwhile, in MB."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self.most = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> _Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.is_set():
            self.most = max(self.most, rss_of(self._part.process.pid))
            time.sleep(0.01)


def measure(part: Part, move: Callable[[Part, int], None], size: int) -> tuple[float, float, float]:
    """(CPU seconds, most that was resident, in MB, seconds)."""
    cpu, begun = _cpu(part), time.monotonic()
    with _Peak(part) as peak:
        move(part, size)
    return _cpu(part) - cpu, peak.most, time.monotonic() - begun


def _cpu(part: Part) -> float:
    return sum(map(precise_cpu_of, tree(part.process.pid)))


def _told(values: Sequence[float], digits: int) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.big", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=100)
    given = parser.parse_args()
    size = given.megabytes * MEGABYTE
    nginx = "proxy_max_temp_file_size 0; proxy_request_buffering off; client_body_buffer_size 64k;"
    print("| | CPU ms per 100 MB | × nginx | MB a second | growth MB |\n| --- | --- | --- | --- | --- |")
    with crowd.gateways(nginx=nginx) as (_, bare, rrgate):
        for part in (bare, rrgate):
            for _ in range(200):
                up(part, 1000)
                down(part, 1000)
        small = {part.name: rss_of(part.process.pid) for part in (bare, rrgate)}
        for move in (down, up):
            results: dict[str, list[tuple[float, float, float]]] = {bare.name: [], rrgate.name: []}
            for _ in range(given.rounds):
                for part in (bare, rrgate):
                    results[part.name].append(measure(part, move, size))
            for name, mine in results.items():
                ratios = [each[0] / other[0] for each, other in zip(mine, results[bare.name], strict=True)]
                cpu = [each[0] * 1e5 / given.megabytes for each in mine]
                rate = statistics.median(given.megabytes / each[2] for each in mine)
                growth = max(each[1] for each in mine) - small[name]
                print(f"| {name}, {move.__name__} | {_told(cpu, 0)} | {_told(ratios, 2)} | {rate:.0f} | {growth:.1f} |")


if __name__ == "__main__":
    main()
