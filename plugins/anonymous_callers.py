"""Guards proxies that ask callers for no credential: no other site's page may use them, and its answers warn.

A browser lends whoever's page it shows its place in the network, so that loopback alone keeps no page out. It tells
where a request is from in `Sec-Fetch-Site` (Fetch Metadata) and `Origin` (Fetch 3.2); other clients send neither. The
name in `Host` is one of the gateway's own when it gets here, so a name that was rebound to our address is not let in.
"""

from __future__ import annotations

from rrgate.api import Denied, Exchange, Kind, NoConfig, Parts, Plugin

WARNING = "This proxy asks for no credential: whoever reaches it may use it"

_OWN_SITE = frozenset({b"same-origin", b"none"})
_DEFAULT_PORTS = ((b"http", b":80"), (b"https", b":443"))


class AnonymousCallers(Plugin):
    """Refuses requests that pages of other sites make."""

    name = "anonymous-callers"
    kind = Kind.GATE
    Config = NoConfig
    pure = True

    @classmethod
    def for_proxy(cls, parts: Parts) -> NoConfig | None:
        return NoConfig() if parts.anonymous else None

    def authenticate(self, ex: Exchange) -> Denied | None:
        if not _OWN_SITE.issuperset(site.lower() for site in ex.headers(b"Sec-Fetch-Site")):
            return _refused("Sec-Fetch-Site")
        origins = ex.headers(b"Origin")
        if origins:
            host = (ex.header(b"Host") or b"").lower()
            own = {scheme + b"://" + host.removesuffix(port) for scheme, port in _DEFAULT_PORTS}
            if not own.issuperset(origin.lower() for origin in origins):
                return _refused("Origin")
        return None

    def authorize(self, ex: Exchange) -> None:
        # Not sooner: the 401 of a credential that is switched off has to look like that of one that is deleted.
        ex.warnings.append(WARNING)


def _refused(header: str) -> Denied:
    return Denied(
        f"{header} names another site",
        status=403,
        message=f"This proxy asks for no credential, and so takes no requests of other sites' pages ({header})",
    )
