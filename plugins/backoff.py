"""`proxyRetryPolicy`: when an asynchronous request is tried again: exponential backoff with full jitter.

A target that says `Retry-After` is believed (RFC 9110 10.2.3): there is no attempt before that. How long all attempts
may take, and where a long wait ends, is decided by the core.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from rrgate.api import Exchange, Kind, Parts, Plugin, RetryPolicy, retry_after


class Backoff(Plugin):
    """The retry policy of a proxy that brings none of its own."""

    name = "backoff"
    kind = Kind.RETRY
    Config = RetryPolicy
    serves = frozenset({"proxyRetryPolicy"})
    pure = True
    by_config = True
    random: Callable[[], float] = staticmethod(random.random)
    """From 0 to 1."""

    @classmethod
    def for_proxy(cls, parts: Parts) -> RetryPolicy:
        return parts.proxy.retry_policy or RetryPolicy()

    def next_attempt(self, ex: Exchange, attempt: int) -> float | None:
        policy: RetryPolicy = self.config
        if attempt > policy.max_retries:
            return None
        # An answer of ours stands where the target gave none, or none that was whole: 502, 504.
        if ex.final_status not in policy.statuses and ex.code not in ("target-unreachable", "target-timeout"):
            return None
        longest = min(policy.cap, policy.base * policy.factor ** (attempt - 1))
        return max(longest * self.random(), self._told(ex))

    def _told(self, ex: Exchange) -> float:
        """For how many seconds the target wants to be left alone."""
        told = None if ex.response is None else ex.response.header(b"Retry-After")
        return retry_after(told, self.context.wall())
