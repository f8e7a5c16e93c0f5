"""Limits on requests: of a proxy, of its client over all proxies, and the client's budget (gateway-api.md 9).

Belongs here: which limits a proxy has. Its rooms: answers.py (what callers and the operator are told).

All limits of a request are one question to the counters, so that one of them that refuses uses nothing of another up.
The plugin stands behind all that may refuse a request for other reasons: those are not counted.
"""

from __future__ import annotations

from attrs import field, frozen

from rrgate.api import Client, Exchange, Kind, Limit, Parts, Plugin, PluginContext, Proxy, Quota, Reply, Window
from rrgate_plugins.limits.answers import Telling, suspended

__all__ = ["Limits", "LimitsConfig"]


@frozen
class LimitsConfig:
    """Limits on the requests of a proxy, and on those of all proxies of its client."""

    proxy_id: str
    client_id: str
    suspended: bool = False
    of_proxy: tuple[Limit, ...] = field(default=())
    of_client: tuple[Limit, ...] = field(default=())
    budget: int | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing is limited."""
        return not (self.suspended or self.of_proxy or self.of_client or self.budget is not None)


class Limits(Plugin):
    """Lets pass what all limits have room for."""

    name = "limits"
    kind = Kind.METER
    Config = LimitsConfig
    serves = frozenset({"proxyMaxRequestsPerMinute", "proxyMaxRequestsPerDay"})

    def __init__(self, config: LimitsConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        counters = context.counters
        quotas = []
        if config.of_proxy and not config.suspended:
            quotas.append(Quota(counters.counter("proxy", config.proxy_id), config.of_proxy, name="proxy"))
        of_client = config.of_client
        if config.budget is not None:
            of_client += (Limit(Window.MONTH, config.budget),)
        if of_client and not config.suspended:
            quotas.append(Quota(counters.counter("client", config.client_id), of_client, name="client"))
        self._quotas = tuple(quotas)
        self._take = counters.take
        self._telling = Telling(config.proxy_id, config.client_id, context.tell)

    @classmethod
    def for_proxy(cls, parts: Parts) -> LimitsConfig | None:
        """None where nothing is limited, so that such a proxy pays nothing for it."""
        configuration = parts.client.configuration
        config = LimitsConfig(
            proxy_id=parts.proxy.id,
            client_id=parts.client.id,
            suspended=configuration.suspended,
            of_proxy=_of_proxy(parts.proxy),
            of_client=_of_client(parts.client),
            budget=configuration.monthly_request_budget,
        )
        return None if config.idle else config

    def authorize(self, ex: Exchange) -> Reply | None:
        """Count it where there is room for it, or tell where there is none."""
        if not self._quotas:
            return suspended()
        taken = self._take(self._quotas)
        return None if taken is None else self._telling.tell(ex, taken)


def _of_proxy(proxy: Proxy) -> tuple[Limit, ...]:
    return _limits(proxy.max_requests_per_minute, proxy.max_requests_per_day)


def _of_client(client: Client) -> tuple[Limit, ...]:
    return _limits(client.configuration.requests_per_minute, client.configuration.requests_per_day)


def _limits(minute: int | None, day: int | None) -> tuple[Limit, ...]:
    both = ((Window.MINUTE, minute), (Window.DAY, day))
    return tuple(Limit(window, most) for window, most in both if most is not None)
