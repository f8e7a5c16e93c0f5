"""`proxyAttemptHeader`: tells the target the number of each attempt at an asynchronous request, in a header."""

from __future__ import annotations

from rrgate.api import Exchange, Kind, NoConfig, Parts, Plugin, PluginContext


class AttemptHeader(Plugin):
    """Counts from 1."""

    name = "attempt-header"
    kind = Kind.HEADERS
    serves = frozenset({"proxyAttemptHeader"})
    pure = True

    def __init__(self, config: NoConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        self._header = f"{context.prefix}attempt".encode()

    @classmethod
    def for_proxy(cls, parts: Parts) -> NoConfig | None:
        return NoConfig() if parts.proxy.attempt_header else None

    def prepare(self, ex: Exchange) -> None:
        if ex.is_async:
            ex.to_target.set_header(self._header, b"%d" % ex.attempt)
