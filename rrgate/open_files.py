"""How many files this process may have open, and how many callers that is room for.

Belongs here: the limit of the system, and what of it is for what. Does not: turning callers away (wire/crowd.py).
"""

from __future__ import annotations

import resource
from contextlib import suppress
from typing import Final

from rrgate.settings import Settings

OURS: Final = 256
"""What is open beside connections: databases, listeners, look-ups of names, calls of plugins to servers of theirs."""


def needed(settings: Settings) -> int:
    """Files open at most: each request and each WebSocket has a connection to a target beside its caller's."""
    return settings.max_connections + settings.max_in_flight + settings.max_websockets + OURS


def allowed() -> int:
    """Files that this process may have open now."""
    return _number(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def possible() -> int:
    """Files that it may have open once it asks."""
    return _number(resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def ask_for(files: int) -> int:
    """Have as many as possible up to `files`, or as many as there are if that is more; how many these are now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _number(soft) < files:
        # Refused where the system allows nobody as many as our own limit says, or a sandbox forbids the call.
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(files, _number(hard)), hard))
    return allowed()


def room_for_callers(settings: Settings, files: int | None = None) -> int:
    """Connections of callers that `files`, or those allowed now, are enough for: all but what targets get, which is at
    most a third."""
    files = allowed() if files is None else files
    for_targets = min(settings.max_in_flight + settings.max_websockets, files // 3)
    return min(settings.max_connections, max(1, files - for_targets - OURS))


def shortage(settings: Settings, files: int) -> str:
    """What to say where `files` are too few, or nothing."""
    room = room_for_callers(settings, files)
    if room == settings.max_connections:
        return ""
    return (
        f"{files} files may be open, which is room for {room} connections of callers; max_connections is "
        f"{settings.max_connections}"
    )


def _number(limit: int) -> int:
    return 1 << 30 if limit == resource.RLIM_INFINITY else limit
