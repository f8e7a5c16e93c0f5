"""What is told of limits that are reached or near: to callers in answers and warnings, to the operator as events.

Belongs here: texts and header fields. Does not: counting (the plugin).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import frozen

from rrgate.api import Event, Exchange, Limit, Reached, Reply, Taken, Window
from rrgate_plugins.limits.config import LimitsConfig

PAYMENT: Final = "Payment Required - Account suspended due to insufficient budget"
APPROACHING: Final = "Approaching rate limit threshold"
LOW_BUDGET: Final = "Low budget - please add a valid payment method to continue using the API"


def suspended() -> Reply:
    """The answer where the client is suspended, or its budget spent."""
    return Reply(402, PAYMENT, "billing-suspended")


def warn(ex: Exchange, taken: Taken) -> None:
    """`ex` is warned of limits that are near."""
    for reached in taken.near:
        warning = LOW_BUDGET if _is_budget(reached) else APPROACHING
        if warning not in ex.warnings:
            ex.warnings.append(warning)


@frozen
class _Whose:
    """Who has a limit, in words, and of what it is one."""

    to_callers: str
    to_operator: str
    id: str
    counted: str = "requests "


class Telling:
    """For one proxy. What is told of a limit and one of its windows is told once to the operator."""

    def __init__(self, config: LimitsConfig, tell: Callable[[Event], object]) -> None:
        """`tell`: the operator."""
        self._whose = {"proxy": _Whose("this proxy", f"proxy {config.proxy_id}", config.proxy_id)}
        self._whose["client"] = _Whose("this client", f"client {config.client_id}", config.client_id)
        for meter in config.meters:
            counted = "requests " if meter.type == "request_count" else ""
            self._whose[meter.id] = _Whose("a meter of this proxy", f"meter {meter.id}", meter.id, counted)
        self._tell = tell
        self._told: dict[tuple[str, Window, bool], int] = {}

    def tell(self, ex: Exchange, taken: Taken) -> Reply | None:
        """The answer where nothing was taken; else `ex` is warned of limits that are near."""
        if not taken.refused:
            for reached in taken.near:
                self._note(reached, full=False)
            warn(ex, taken)
            return None
        for reached in taken.refused:
            self._note(reached, full=True)
        return self.answer(taken)

    def answer(self, taken: Taken) -> Reply:
        """The answer where nothing was taken; nobody is told."""
        if any(_is_budget(reached) for reached in taken.refused):
            return suspended()
        first = taken.refused[0]
        most, window, whose = _number(first.limit.most), _window(first.limit), self._whose[first.quota.name]
        unit = "second" if first.seconds == 1 else "seconds"
        return Reply(
            429,
            f"Rate limit exceeded: {whose.to_callers} has {most} {whose.counted}{window}; "
            f"try again in {first.seconds} {unit}",
            "rate-limited",
            headers=(
                (b"Retry-After", b"%d" % first.seconds),
                (b"X-RateLimit-Limit", most.encode()),
                (b"X-RateLimit-Remaining", b"0"),
            ),
        )

    def _note(self, reached: Reached, *, full: bool) -> None:
        """Tell the operator, the first time in this window."""
        limit = reached.limit
        key = (reached.quota.name, limit.window, full)
        if self._told.get(key) == reached.window:
            return
        self._told[key] = reached.window
        whose = self._whose[reached.quota.name]
        used = f"{_number(reached.used)} of the {_number(limit.most)} {whose.counted}{_window(limit)}"
        who, id = whose.to_operator, whose.id
        if _is_budget(reached):
            text = f"the budget of {who} is spent" if full else f"{used} of the budget of {who} are used"
            self._tell(Event("budget-spent" if full else "budget-approached", text, id))
        else:
            text = f"{who} has reached its limit: {used}" if full else f"{who} is near its limit: {used}"
            self._tell(Event("limit-reached" if full else "limit-approached", text, id, limit.window.value))


def _is_budget(reached: Reached) -> bool:
    return reached.quota.name == "client" and reached.limit.window is Window.MONTH


def _window(limit: Limit) -> str:
    return "an hour" if limit.window is Window.HOUR else f"a {limit.window.value}"


def _number(value: float) -> str:
    """As people write it: without an exponent, and without `.0`."""
    return str(int(value)) if value == int(value) else f"{value:.4f}".rstrip("0")
