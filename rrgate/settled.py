"""`Settled`: what stays is put where the garbage collector does not look, or it goes through all of it at once.

Belongs here: when it is put aside, and when it is looked at nevertheless. Does not: whose process this is (service.py).

With 10,000 proxies in use a full collection takes half a second in which nobody is answered, and under load there was
one every dozen seconds. Python has to look at nothing that requests, connections and Routes leave: they go with their
last reference (tests/gateway/test_garbage.py). For what does not, of a plugin or a library, all is looked at again
whenever the process has grown.

The young are looked through less often too. What requests leave until their batch of the log is written is no garbage,
but more of it than Python's 700, so that all of it was looked through again and again: 2 µs a request with one proxy,
8 with 10,000.
"""

from __future__ import annotations

import gc
import resource
from collections.abc import Callable
from typing import Any, Final

FULL: Final = 2
"""The collector's oldest generation: a collection of it looks at everything that is not frozen."""
YOUNG: Final = 10_000
"""So many more containers made than gone are looked through for garbage. A batch of the log's takes some 8,000."""
GROWN: Final = 1.5
"""So many times as large as at the last look, the process is looked through again."""


def peak() -> int:
    """The most memory that this process has had resident, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class Settled:
    """One a process, which must be the gateway's alone: what is frozen is everybody's. See `gc.freeze`."""

    def __init__(self, collector: Any = gc, peak: Callable[[], int] = peak) -> None:
        self._collector = collector
        self._peak = peak
        self._look_at = 0.0

    def begin(self) -> None:
        """All that is there now stays; from now on, so does whatever a full collection leaves."""
        _, *older = self._collector.get_threshold()
        self._collector.set_threshold(YOUNG, *older)
        self._collector.freeze()
        self._looked()
        self._collector.callbacks.append(self._collected)

    def _collected(self, phase: str, told: dict[str, int]) -> None:
        """Called by the collector on whichever thread it has run, once before and once behind it."""
        if phase != "stop" or told["generation"] != FULL:
            return
        if self._peak() < self._look_at:
            self._collector.freeze()
        else:
            self._collector.unfreeze()  # for the next one
            self._looked()

    def _looked(self) -> None:
        self._look_at = self._peak() * GROWN
