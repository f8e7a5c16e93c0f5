"""What the queue is asked for, awaited as a request's Task does: a Waiter is for nobody else."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from twisted.internet.defer import Deferred

from rrgate.waiting import run_deferred


def waits(asked: Awaitable[Any]) -> Deferred[Any]:
    """Fires with what was `asked` for."""

    async def awaited() -> Any:
        return await asked

    return run_deferred(awaited())
