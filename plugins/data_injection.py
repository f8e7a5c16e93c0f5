"""`proxyAdditionalData`: data merged into the bodies of POST, PUT and PATCH requests of a proxy, ours win.

An empty body becomes the data as JSON. A multipart body passes as it is with a warning, or is refused with
`proxyAdditionalDataStrict`. What cannot be merged is answered 415; merging.py says what can.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from rrgate.api import ConfigError, Exchange, Kind, Parts, Plugin, PluginContext, Problem, Reply
from rrgate_plugins.merging import AdditionalData

_SETTING = "proxyAdditionalData"


@frozen
class DataInjectionConfig:
    """A JSON object, and whether a body that it cannot be merged into is refused even if it is multipart."""

    data: Mapping[str, Any] = field(factory=dict, repr=lambda data: f"<{len(data)} members>")
    strict: bool = False


class DataInjection(Plugin):
    """Merges a proxy's additional data."""

    name = "data-injection"
    kind = Kind.DATA
    Config = DataInjectionConfig
    serves = frozenset({_SETTING, "proxyAdditionalDataStrict"})
    pure = True

    def __init__(self, config: DataInjectionConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        self._data = AdditionalData(config.data)
        self._strict = config.strict

    @classmethod
    def for_proxy(cls, parts: Parts) -> DataInjectionConfig | None:
        proxy = parts.proxy
        if not proxy.additional_data:
            return None
        try:
            AdditionalData(proxy.additional_data)
        except (TypeError, ValueError):
            # From None: the text may hold a value.
            raise ConfigError(Problem(_SETTING, "must be a JSON object")) from None
        return DataInjectionConfig(proxy.additional_data, proxy.additional_data_strict)

    def body_needed(self, ex: Exchange) -> int | None:
        return self._data.body_needed(ex)

    def prepare(self, ex: Exchange) -> Reply | None:
        return self._data.merge(ex, strict=self._strict)
