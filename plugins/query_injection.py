"""`proxyAdditionalQueryParams`: parameters sent with every request of a proxy, in place of the caller's of that name.

They are percent-encoded here, once; the rest of the query passes byte for byte.
"""

from __future__ import annotations

from urllib.parse import quote

from attrs import field, frozen

from rrgate.api import ConfigError, Exchange, Kind, Parts, Plugin, PluginContext, Problem

_SETTING = "proxyAdditionalQueryParams"


@frozen
class QueryInjectionConfig:
    """Parameters by name, not yet encoded."""

    parameters: dict[str, str] = field(
        factory=dict,
        repr=lambda parameters: f"<{len(parameters)} parameters>",
        eq=lambda parameters: tuple(parameters.items()),
    )


class QueryInjection(Plugin):
    """Writes a proxy's additional query parameters."""

    name = "query-injection"
    kind = Kind.QUERY
    Config = QueryInjectionConfig
    serves = frozenset({_SETTING})
    pure = True
    by_config = True

    def __init__(self, config: QueryInjectionConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        self._parameters = tuple(
            (quote(name, safe="").encode(), quote(value, safe="").encode()) for name, value in config.parameters.items()
        )

    @classmethod
    def for_proxy(cls, parts: Parts) -> QueryInjectionConfig | None:
        proxy = parts.proxy
        if not proxy.additional_query_params:
            return None
        problems = []
        for name, value in proxy.additional_query_params.items():
            if not name:
                problems.append(Problem(_SETTING, "has a parameter without a name"))
            if any(letter in name + value for letter in "\r\n\0"):
                problems.append(Problem(f"{_SETTING}.{name!a}", "must not hold CR, LF or NUL"))
        if problems:
            raise ConfigError(*problems)
        return QueryInjectionConfig(dict(proxy.additional_query_params))

    def prepare(self, ex: Exchange) -> None:
        request = ex.to_target
        for name, value in self._parameters:
            request.set_query(name, value)
