"""From settings to a `Plan`: what the parent must know of them, and no more.

Belongs here: which settings are the node's. Does not: reading settings (service.py), starting by them (supervisor.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rrgate.settings import Settings
from rrgate.workers.crew import Plan


def plan_of(settings: Settings, config: bytes | None) -> Plan:
    """The plan of `settings`, which stood in a file with this content."""
    return plan_told(what_to_tell(settings), config)


def what_to_tell(settings: Settings) -> Mapping[str, Any]:
    """What a process that only looks says of them."""
    endpoints = [each for each in (settings.listen, settings.core_listen, settings.metrics_listen) if each]
    return {"workers": settings.workers, "endpoints": endpoints, "drain_timeout": settings.drain_timeout}


def plan_told(told: Mapping[str, Any], config: bytes | None) -> Plan:
    """The plan of what it has said. Raises ValueError if there are to be no workers."""
    if not told["workers"]:
        raise ValueError("workers is 0: to serve from one process, stop the gateway and start it again")
    return Plan(told["workers"], tuple(told["endpoints"]), told["drain_timeout"], config)
