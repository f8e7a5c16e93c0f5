"""A thousand callers who send their heads or bodies, or take their answers, byte by byte: what others notice.

`python -m bench.slow [--connections N] [--rounds N] [--seconds S]`; needs slowhttptest (Debian). The slow ones show the
right key, so that their bodies are waited for. The goal: others unharmed.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import crowd, load, two
from bench.load import Load, Round, cpu_of, rss_of
from bench.nginx import start_target
from bench.origin import start_origin
from bench.parts import CALLER_KEY, Missing, Part

_KINDS = {
    "heads": ("-H", "/"),
    "bodies": ("-B", "/up"),
    "readers": ("-X", "/down/3000000"),
}


@contextmanager
def _slow(part: Part, kind: str, count: int, seconds: int) -> Iterator[None]:
    """So many callers, who all are there when this begins, and have had what they take at once."""
    program = shutil.which("slowhttptest")
    if program is None:
        raise Missing("slowhttptest is not installed (Debian: slowhttptest)")
    mode, path = _KINDS[kind]
    url = f"http://127.0.0.1:{part.port}{part.path}{path}?{two.KEY}={CALLER_KEY}"
    command = [program, mode, "-c", str(count), "-r", "500", "-i", "1", "-l", str(seconds + 60), "-u", url]
    command += ["-s", "1000000", "-x", "10", "-n", "1", "-z", "100", "-w", "512", "-y", "1024", "-p", "20", "-v", "0"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(count / 500 + 1)
        _settle(part)
        yield
    finally:
        process.terminate()
        process.wait()
        time.sleep(1)


def _settle(part: Part) -> None:
    """Return when `part` has nothing to do, within 20 seconds."""
    for _ in range(40):
        before = cpu_of(part.process.pid)
        time.sleep(0.5)
        if cpu_of(part.process.pid) - before < 0.05:
            return


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.slow", description=__doc__)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    given = parser.parse_args()
    crowd.room_for_many()
    work = Load(32, given.seconds)
    print(f"{given.connections} slow ones of each kind")
    print("| | slow | CPU µs a request | p50 ms | p99 ms | p99 × without | KB a slow one |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    started: list[Part] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            target, origin = start_target(folder), start_origin(pinned=False)
            started += (target, origin)
            pairs = [two.bare(folder, target, origin), two.rrgate(folder, target, origin, "rrgate")]
            started += (pair[0] for pair in pairs)
            for fast, slow in pairs:
                load.run(fast, Load(32, 1), folder)
                for kind in _KINDS:
                    _rows(fast, slow, kind, work, folder, given)
        except Missing as missing:
            print(f"bench.slow: {missing}", file=sys.stderr)
            return 1
        finally:
            for part in reversed(started):
                part.stop()
    return 0


def _rows(fast: Part, slow: Part, kind: str, work: Load, folder: Path, given: argparse.Namespace) -> None:
    without: list[Round] = []
    beside: list[Round] = []
    grown = 0.0
    for _ in range(given.rounds):
        without.append(load.run(fast, work, folder))
        before = rss_of(fast.process.pid)
        with _slow(slow, kind, given.connections, given.seconds):
            beside.append(load.run(fast, work, folder))
            grown = max(grown, rss_of(fast.process.pid) - before)
    ratio = statistics.median(b.p99 / w.p99 for b, w in zip(beside, without, strict=True))
    for of, said in ((without, ""), (beside, f"{ratio:.2f} | {grown * 1000 / given.connections:.1f}")):
        figures = [statistics.median(getattr(each, what) for each in of) for what in ("cpu", "p50", "p99")]
        told = " | ".join(f"{figure:.1f}" for figure in figures)
        print(f"| {fast.name} | {kind if said else 'none'} | {told} | {said or ' | '} |", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
