"""A gateway for each module of tests/gateway/, and httpbin for all of them.

Belongs here: fixtures of tests/gateway/. Does not: how a gateway is started (tests/running_gateway.py).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import pytest_twisted

from tests.real_parts import missing
from tests.running_gateway import RunningGateway

ROOT = Path(__file__).parents[2]


@pytest_twisted.async_yield_fixture(scope="module")  # type: ignore[untyped-decorator]
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningGateway]:
    """One gateway that the tests of a module share; each makes proxies of its own."""
    running = RunningGateway.start(tmp_path_factory.mktemp("gateway") / "state")
    yield running
    await running.stop()


@pytest.fixture(scope="session")
def httpbin() -> Iterator[str]:
    """The URL of a running httpbin."""
    if find_spec("httpbin") is None:
        missing("httpbin", "install it with: pip install httpbin")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.gateway.httpbin_process"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    port = int(process.stdout.readline())
    yield f"http://127.0.0.1:{port}"
    process.stdin.close()
    process.wait(10)
    process.stdout.close()
