"""`proxyAdditionalHeaders`: headers sent with every request of a proxy, in place of the caller's of the same name.

Names may not frame the message, belong to a connection, or be the gateway's own; values hold no CR, LF or NUL.
"""

from __future__ import annotations

from attrs import field, frozen

from rrgate.api import (
    NOT_INJECTABLE,
    ConfigError,
    Exchange,
    Kind,
    Parts,
    Plugin,
    PluginContext,
    Problem,
    fold,
    is_token,
)

_SETTING = "proxyAdditionalHeaders"


@frozen
class HeaderInjectionConfig:
    """Headers by name."""

    headers: dict[str, str] = field(
        factory=dict, repr=lambda headers: f"<{len(headers)} headers>", eq=lambda headers: tuple(headers.items())
    )


class HeaderInjection(Plugin):
    """Writes a proxy's additional headers."""

    name = "header-injection"
    kind = Kind.HEADERS
    Config = HeaderInjectionConfig
    serves = frozenset({_SETTING})
    pure = True
    by_config = True

    def __init__(self, config: HeaderInjectionConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        self._headers = tuple((name.encode(), value.encode("latin-1")) for name, value in config.headers.items())

    @classmethod
    def for_proxy(cls, parts: Parts) -> HeaderInjectionConfig | None:
        proxy = parts.proxy
        if not proxy.additional_headers:
            return None
        problems = []
        seen: dict[bytes, str] = {}
        for name, value in proxy.additional_headers.items():
            where = f"{_SETTING}.{name}"
            folded = fold(name.encode("utf-8", "replace"))
            if not is_token(name.encode("utf-8", "replace")):
                problems.append(Problem(where, "is no header name (RFC 9110 5.6.2)"))
            elif folded in NOT_INJECTABLE or folded.startswith(b"requestrocket-"):
                problems.append(Problem(where, "is written by the gateway itself and cannot be set"))
            elif folded in seen:
                problems.append(Problem(where, f"is the same name as {seen[folded]}"))
            seen[folded] = name
            if any(letter in value for letter in "\r\n\0"):
                problems.append(Problem(where, "must not hold CR, LF or NUL"))
            elif any(ord(letter) > 0xFF or (ord(letter) < 0x20 and letter != "\t") for letter in value):
                problems.append(Problem(where, "must hold visible Latin-1 characters"))
        if problems:
            raise ConfigError(*problems)
        return HeaderInjectionConfig(dict(proxy.additional_headers))

    def prepare(self, ex: Exchange) -> None:
        request = ex.to_target
        for name, value in self._headers:
            request.set_header(name, value)
