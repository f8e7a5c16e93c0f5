"""`Configuration`: what holds for all of a client's proxies: limits, plan, billing, regions, networks, logging.

Belongs here: its fields, and which limit holds where several are set. Does not: who may write which (core/access.py),
or carrying it out: limits and budget are plugins' work, networks the guard's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from attrs import frozen

from rrgate.model.published import asks, each_of, published
from rrgate.model.values import between, one_of, region, size
from rrgate.settings.networks import Network, allowed_network

PLANS: Final[Mapping[str, int | None]] = {"basic": 100, "team": 1000, "business": None, "unlimited": None}
"""Requests a minute that a plan allows a client; None: any number."""

Opened = tuple[Network, int | None]

MOST_ENTRIES: Final = 100
MOST_REQUESTS: Final = 1_000_000_000_000
LONGEST_RETENTION: Final = 3650
"""Days."""

_limit = between(1, MOST_REQUESTS)


@asks(maxItems=MOST_ENTRIES)
def _regions(value: Sequence[str]) -> tuple[str, ...]:
    if len(value) > MOST_ENTRIES:
        raise ValueError(f"must be at most {MOST_ENTRIES} regions")
    return tuple(dict.fromkeys(each_of(value, region)))


@asks(maxItems=MOST_ENTRIES)
def opened_networks(value: Sequence[str]) -> tuple[str, ...]:
    """Networks, each with the one port that is meant or for all, as `allow_networks` has them, in one spelling."""
    if len(value) > MOST_ENTRIES:
        raise ValueError(f"must be at most {MOST_ENTRIES} networks")
    return tuple(dict.fromkeys(each_of(value, _opened_network)))


def _opened_network(value: str) -> str:
    try:
        if "%" in value:
            raise ValueError
        return str(allowed_network(value))
    except ValueError:
        raise ValueError(
            "must be a network such as 10.1.0.0/16, with no bits set behind its mask, or an address; perhaps with a "
            "port: 10.1.0.0/16:443, [fd00::/8]:443"
        ) from None


@lru_cache(maxsize=1000)
def opened(networks: tuple[str, ...]) -> tuple[Opened, ...]:
    """What such entries open: each network with the one port that is meant, or None for all."""
    return tuple((entry.network, entry.port) for entry in map(allowed_network, networks))


@frozen(kw_only=True)
class Configuration:
    """As it was set; null where something else decides. What holds in the end is told by the properties."""

    limit_per_minute: int | None = published(
        "limits.requestsPerMinute",
        default=None,
        check=_limit,
        by_plugin=True,
        help="Requests a minute of all its proxies together; at most, and if null, what the ceiling says.",
    )
    limit_per_day: int | None = published(
        "limits.requestsPerDay",
        default=None,
        check=_limit,
        by_plugin=True,
        help="The same for a day.",
    )
    plan: str = published(
        "plan",
        default="unlimited",
        check=one_of(*PLANS),
        by_plugin=True,
        help="`basic` (100 requests a minute), `team` (1,000), `business` or `unlimited` (any number).",
    )
    suspended: bool = published(
        "billing.suspended", default=False, by_plugin=True, help="Whether its proxies answer 402, whatever it has left."
    )
    monthly_request_budget: int | None = published(
        "billing.monthlyRequestBudget",
        default=None,
        check=between(0, MOST_REQUESTS),
        by_plugin=True,
        help="Requests of a calendar month; any number if null.",
    )
    ceiling_per_minute: int | None = published(
        "ceilings.requestsPerMinute",
        default=None,
        check=_limit,
        by_plugin=True,
        help="What `limits` can say at most; if null, what the plan says.",
    )
    ceiling_per_day: int | None = published(
        "ceilings.requestsPerDay",
        default=None,
        check=_limit,
        by_plugin=True,
        help="The same for a day; any number if null.",
    )
    allowed_regions: tuple[str, ...] = published(
        "allowedRegions", default=(), check=_regions, help="Where it may create resources; everywhere if empty."
    )
    allowed_networks: tuple[str, ...] = published(
        "allowedNetworks",
        default=(),
        check=opened_networks,
        help="Networks that may be dialled for it besides the setting `allow_networks`: `network` or `network:port`.",
    )
    max_response_bytes: int | None = published(
        "maxResponseBytes",
        default=None,
        check=size,
        by_plugin=True,
        help="Bound on a response of any of its proxies, head included; at most, and where a proxy sets none. 6 MiB "
        "for those if null.",
    )
    log_bodies: bool = published(
        "logBodies", default=False, help="Whether its request log holds bodies, for admins and owners."
    )
    log_retention_days: int | None = published(
        "logRetentionDays",
        default=None,
        check=between(1, LONGEST_RETENTION),
        help="Days for which its request log is kept; at most, and if null, the setting `log_retention_days`.",
    )

    @property
    def most_per_minute(self) -> int | None:
        """What the operator allows at most; None: any number."""
        return PLANS[self.plan] if self.ceiling_per_minute is None else self.ceiling_per_minute

    @property
    def most_per_day(self) -> int | None:
        """The same for a day."""
        return self.ceiling_per_day

    @property
    def requests_per_minute(self) -> int | None:
        """The limit that holds for the client; None: none."""
        return _least(self.limit_per_minute, self.most_per_minute)

    @property
    def requests_per_day(self) -> int | None:
        """The same for a day."""
        return _least(self.limit_per_day, self.most_per_day)

    def retention_days(self, gateway: int) -> int:
        """For how many days the request log is kept, where the setting `log_retention_days` is `gateway`."""
        return gateway if self.log_retention_days is None else min(gateway, self.log_retention_days)

    def may_lie_in(self, wanted: str) -> bool:
        """Whether the client may create something in the region `wanted`."""
        return not self.allowed_regions or wanted in self.allowed_regions


def _least(*limits: int | None) -> int | None:
    return min((each for each in limits if each is not None), default=None)
