"""Opening a listener from a Twisted endpoint string, and what its address is called.

Belongs here: endpoint strings. Does not: what is served there.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.python.failure import Failure

from rrgate.settings import Settings, SettingsError
from rrgate.wire.gone_peers import notice_gone

BACKLOG = 1024
"""Connections that may wait to be accepted, where the endpoint does not say: with Twisted's 50, of a thousand callers
that come at once most wait a second for their system to try again."""

_EVERYWHERE: Final = ("0.0.0.0", "::")
"""Addresses that are none."""


def listen_now(reactor: Any, endpoint: str, factory: IProtocolFactory) -> IListeningPort:
    """Listen at `endpoint`; callers that are gone are noticed. Raises CannotListenError for a taken port, SettingsError
    for an endpoint that there cannot be, and whatever else listening raises.
    """
    result: list[Any] = []
    try:
        opened = serverFromString(reactor, _with_backlog(endpoint))
    except Exception as error:  # each kind reads its own arguments, and files that they name
        raise SettingsError([f"{endpoint!r} is no endpoint to listen at: {error or type(error).__name__}"]) from error
    opened.listen(factory).addBoth(result.append)
    if not result:
        kind = endpoint.partition(":")[0]
        raise SettingsError([f"an endpoint of the kind {kind!r} does not listen at once; rrgate needs one that does"])
    if isinstance(result[0], Failure):
        result[0].raiseException()
    port: IListeningPort = result[0]
    notice_gone(port)
    return port


def _with_backlog(endpoint: str) -> str:
    first, *others = _parts(endpoint)
    if first not in ("tcp", "tcp6", "ssl", "unix") or any(part.startswith("backlog=") for part in others):
        return endpoint
    return f"{endpoint}:backlog={BACKLOG}"


def bound_host(endpoint: str, port: IListeningPort | None = None) -> str:
    """The `interface` in an endpoint string, or else the address that its `port` is bound to, if it is open, as where
    something else has bound it; `""` where it listens everywhere or not on TCP."""
    for part in _parts(endpoint):
        name, mark, value = part.partition("=")
        if mark and name == "interface" and value not in _EVERYWHERE:
            return value
    address = "" if port is None else str(getattr(port.getHost(), "host", ""))
    return "" if address in _EVERYWHERE else address.partition("%")[0]


def _parts(endpoint: str) -> list[str]:
    """The parts between the colons that no backslash escapes."""
    parts, escaped = [""], False
    for letter in endpoint:
        if letter == ":" and not escaped:
            parts.append("")
        elif letter != "\\" or escaped:
            parts[-1] += letter
        escaped = letter == "\\" and not escaped
    return parts


def speaks_proxy(endpoint: str) -> bool:
    """Whether a proxy in front tells there who calls, by the PROXY protocol: `haproxy:tcp:…`."""
    return _parts(endpoint)[0] == "haproxy"


def url_of(port: IListeningPort, endpoint: str) -> str:
    """The URL under which a listener is reached from its own machine, or `""` if it is not on TCP."""
    address: Any = port.getHost()
    if not hasattr(address, "port"):
        return ""
    host = bound_host(endpoint, port) or "localhost"
    scheme = "https" if endpoint.removeprefix("haproxy:").startswith("ssl:") else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{address.port}"


def names_served(settings: Settings, endpoint: str, port: IListeningPort | None = None) -> set[str]:
    """The names that the listener at `endpoint` serves: those configured, or else where it can be reached. `port`: its,
    once it is open."""
    if settings.hosts:
        return set(settings.hosts)
    urls = (settings.public_url, settings.core_public_url)
    return {"localhost", bound_host(endpoint, port), *(host_of(url) for url in urls)} - {""}


def host_of(url: str) -> str:
    """The host of a URL, `""` if there is none."""
    return urlsplit(url).hostname or ""
