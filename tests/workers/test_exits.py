"""A process that must not go on ends, with a status that says so, also where nothing can be written any more.

Belongs here: the last lines of a process. Does not: why it ends (test_supervisor.py).
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import Any

import pytest

from rrgate.workers.main import _Worker
from rrgate.workers.service import _end_with_failure


class FullDisk:
    """Where output goes that cannot be written."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def worker_ends(why: str) -> None:
    worker: Any = object.__new__(_Worker)
    worker._fail(why)


@pytest.mark.parametrize("end", [worker_ends, _end_with_failure])
def test_it_ends_although_the_disk_of_its_log_is_full(
    monkeypatch: pytest.MonkeyPatch, end: Callable[[str], None]
) -> None:
    statuses: list[int] = []

    def leave(status: int) -> None:
        statuses.append(status)
        raise SystemExit(status)

    with monkeypatch.context() as patched:
        patched.setattr(os, "_exit", leave)
        for stream in ("stdout", "stderr"):
            patched.setattr(sys, stream, FullDisk())
        with pytest.raises(SystemExit):
            end("it cannot go on")
    assert statuses == [1]
