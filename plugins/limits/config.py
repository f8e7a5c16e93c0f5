"""Which limits and meters a proxy has.

Belongs here: reading them off its parts. Does not: carrying them out.
"""

from __future__ import annotations

from attrs import field, frozen

from rrgate.api import Limit, Meter, Parts, Window


@frozen
class LimitsConfig:
    """Limits on the requests of a proxy, on those of all proxies of its client, and on what its meters count."""

    proxy_id: str
    client_id: str
    suspended: bool = False
    of_proxy: tuple[Limit, ...] = ()
    of_client: tuple[Limit, ...] = ()
    budget: int | None = None
    meters: tuple[Meter, ...] = field(default=(), repr=lambda meters: f"<{len(meters)} meters>")

    @classmethod
    def of(cls, parts: Parts) -> LimitsConfig:
        """Those of a proxy."""
        proxy, configuration = parts.proxy, parts.client.configuration
        return cls(
            proxy_id=proxy.id,
            client_id=parts.client.id,
            suspended=configuration.suspended,
            of_proxy=limits_of(minute=proxy.max_requests_per_minute, day=proxy.max_requests_per_day),
            of_client=limits_of(minute=configuration.requests_per_minute, day=configuration.requests_per_day),
            budget=configuration.monthly_request_budget,
            meters=parts.meters,
        )

    @property
    def idle(self) -> bool:
        """Whether nothing is limited or counted."""
        return not (self.suspended or self.of_proxy or self.of_client or self.meters) and self.budget is None


@frozen
class MetersConfig:
    """Meters of values of answers."""

    meters: tuple[Meter, ...] = field(default=(), repr=lambda meters: f"<{len(meters)} meters>")


def limits_of(
    *, minute: float | None = None, hour: float | None = None, day: float | None = None, month: float | None = None
) -> tuple[Limit, ...]:
    """A limit for each window that has one."""
    all_of_them = ((Window.MINUTE, minute), (Window.HOUR, hour), (Window.DAY, day), (Window.MONTH, month))
    return tuple(Limit(window, most) for window, most in all_of_them if most is not None)
