"""Counts in a process of its own until it is killed or has had enough: `hammering.py DIRECTORY NOW MODE`.

Belongs here: what such a process does. Does not: any expectation (test_processes.py).

It writes `+` for each request that is let through by both limits, `-` for each that is not. MODE `dies` kills it
between the first and the second row of a count; `holds` stops it inside the lock.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from rrgate.counters import Counters, memory, open_memory
from rrgate.counting_values import Limit, Quota, Window

MINUTE_LIMIT = 100
EVERY_SECOND = 30
"""Of every second request, so many in an hour."""


def quotas(counters: Counters) -> tuple[Quota, Quota]:
    """The limit of all, and the one of every second request."""
    wide = Quota(counters.counter("test", "wide"), (Limit(Window.MINUTE, MINUTE_LIMIT),))
    return wide, Quota(counters.counter("test", "narrow"), (Limit(Window.HOUR, EVERY_SECOND),))


def main() -> None:
    directory, now, mode = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    counters = Counters(open_memory(directory, now), lambda: now)
    wide, narrow = quotas(counters)
    put: Any = memory._put
    written = 0

    def put_and_die(*row: object) -> None:
        nonlocal written
        put(*row)
        written += 1
        if written == 2:
            os.kill(os.getpid(), signal.SIGKILL if mode == "dies" else signal.SIGSTOP)

    if mode in ("dies", "holds"):
        counters.take([wide])
        memory._put, written = put_and_die, 0
        counters.take([narrow, wide])
        raise AssertionError("still here")
    sys.stdin.readline()
    refused = 0
    number = 0
    while refused < 2000:
        number += 1
        said = counters.take([narrow, wide] if number % 2 else [wide])
        through = said is None or not said.refused
        refused = 0 if through else refused + 1
        os.write(1, b"+" if through else b"-")


if __name__ == "__main__":
    main()
