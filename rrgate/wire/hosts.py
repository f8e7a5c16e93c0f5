"""Which names a listener answers to (gateway-api.md 1): anything else is answered 421.

Belongs here: `Host` against the configured names, which is what stops DNS rebinding. Does not: its syntax.
"""

from __future__ import annotations

from collections.abc import Iterable


class HostNames:
    """The names that one listener serves, without regard to case; a name given without a port fits any port."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(_as_sent(name) for name in names if name)
        # The same few values come with every request: one look-up in place of taking the field apart.
        self._seen: dict[bytes, bool] = {}

    def served(self, host: bytes) -> bool:
        """Whether `host`, the value of a Host field, is one of these names."""
        known = self._seen.get(host)
        if known is None:
            lowered = host.lower()
            name = lowered[: lowered.rfind(b":")] if _has_port(lowered) else lowered
            known = lowered in self._names or name.rstrip(b".") in self._names
            if len(self._seen) < 1024:
                self._seen[host] = known
        return known


def _has_port(host: bytes) -> bool:
    return host.rfind(b":") > host.rfind(b"]")


def _as_sent(name: str) -> bytes:
    """`name` as a Host field spells it, in lower case; IPv6 addresses stand in brackets."""
    name = name.rstrip(".").lower()
    if name.count(":") > 1 and not name.startswith("["):
        name = f"[{name}]"
    return name.encode()
