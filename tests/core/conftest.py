"""A Core API to ask over HTTP: users, tokens, a client of each, made-up plugins, and a store in memory.

Belongs here: fixtures of tests/core/. Does not: the plugins (made_up_plugins.py) or the doubles (doubles.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_twisted

from tests.core.doubles import Core


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def core() -> AsyncIterator[Core]:
    """A running Core API; see `Core`."""
    running = Core()
    await running.start()
    yield running
    await running.stop()
