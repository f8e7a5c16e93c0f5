"""A gateway of twistd's that crashes leaves no core file, in which secrets would be, unless its operator says it may.

Belongs here: the limit, which the processes that it starts inherit. Does not: crashes (processes/).
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from rrgate.cli.init import create_state
from rrgate.service import Options, makeService


@pytest.fixture
def allowed() -> Iterator[int]:
    """Bytes of a core file that the system allows whoever starts the gateway."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    some = 4096 if hard == resource.RLIM_INFINITY else min(4096, hard)
    resource.setrlimit(resource.RLIMIT_CORE, (some, hard))
    yield some
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


@pytest.mark.parametrize("workers", ["0", "1"])
@pytest.mark.parametrize("may", ["false", "true"])
def test_there_is_none_unless_it_may_be(tmp_path: Path, allowed: int, may: str, workers: str) -> None:
    create_state(tmp_path / "state")
    options = Options()
    options.parseOptions([f"--data={tmp_path}/state", f"--workers={workers}", f"--set=core_files={may}"])
    makeService(options)
    assert resource.getrlimit(resource.RLIMIT_CORE)[0] == (allowed if may == "true" else 0)
