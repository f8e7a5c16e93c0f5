"""What tests need of the machine besides this project; a test without it skips, or fails where that is not allowed.

Belongs here: saying that a part is missing. Does not: the parts.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest


def missing(part: str, how_to_get_it: str) -> NoReturn:
    """Skip this test, or fail it when RRGATE_REQUIRE_REAL_PARTS is set: then everything must be there."""
    reason = f"{part} is not here; {how_to_get_it}"
    if os.environ.get("RRGATE_REQUIRE_REAL_PARTS"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def many_files(needed: int) -> Iterator[None]:
    """Room for so many open files, here and in processes started meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        missing(f"room for {needed} open files", f"raise `ulimit -Hn`, which is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
