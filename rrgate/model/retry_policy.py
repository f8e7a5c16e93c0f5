"""`RetryPolicy`: when an asynchronous request of a proxy is tried again.

Belongs here: its fields, their bounds and defaults. Does not: deciding by them (a plugin).
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from rrgate.model.published import WrongParts

TRANSIENT: Final = (408, 429, 500, 502, 503, 504, 507, 509, *range(520, 527), 530, 598, 599)
"""Statuses that another attempt may change."""

MOST_RETRIES: Final = 10
LONGEST_WINDOW: Final = 900.0


@frozen(kw_only=True)
class RetryPolicy:
    """`proxyRetryPolicy`. `base`, `cap`, `window`: seconds. `statuses`: of those from 400 on; any other is final."""

    base: float = 1.0
    factor: float = 2.0
    cap: float = 180.0
    max_retries: int = MOST_RETRIES
    window: float = LONGEST_WINDOW
    statuses: tuple[int, ...] = TRANSIENT

    @property
    def longest_waits(self) -> tuple[float, ...]:
        """Seconds: the longest wait after each attempt; each is anything from nothing to this, by chance."""
        return tuple(min(self.cap, self.base * self.factor**done) for done in range(self.max_retries))


def retry_policy(policy: RetryPolicy | None) -> RetryPolicy | None:
    """A check: every value within its bounds."""
    if policy is None:
        return None
    wrong: dict[str, str] = {}
    for name, value, least, most in (
        ("base", policy.base, 0.01, LONGEST_WINDOW),
        ("factor", policy.factor, 1.0, 10.0),
        ("cap", policy.cap, 0.01, LONGEST_WINDOW),
        ("maxRetries", policy.max_retries, 0, MOST_RETRIES),
        ("window", policy.window, 2.0, LONGEST_WINDOW),
    ):
        if not least <= value <= most:
            wrong[name] = f"must be from {least:g} to {most:g}"
    for place, status in enumerate(policy.statuses):
        if not 400 <= status <= 599:
            wrong[f"statuses.{place}"] = "must be a number from 400 to 599"
    if wrong:
        raise WrongParts(wrong)
    return policy
