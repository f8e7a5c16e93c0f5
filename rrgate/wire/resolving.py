"""`resolver_of`: the Resolver of a gateway, with threads of its own.

Belongs here: which settings it has. Does not: resolving (resolver.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.python.threadpool import ThreadPool

from rrgate.boot_values import Event
from rrgate.settings import Settings
from rrgate.wire.resolver import Resolver


def resolver_of(
    settings: Settings, reactor: Any, tell: Callable[[Event], object]
) -> tuple[Resolver, Callable[[], None]]:
    """It, and what ends its threads."""
    threads = ThreadPool(0, settings.dns_threads, "rrgate-names")
    threads.start()
    resolver = Resolver(
        reactor,
        threads,
        timeout=settings.dns_timeout,
        keep=settings.dns_cache,
        keep_failure=settings.dns_failure_cache,
        keep_stale=settings.dns_stale,
        tell=tell,
    )
    return resolver, threads.stop
