"""Hosts: the one spelling in which they are compared and dialled, and `credentialAllowedHosts`.

Belongs here: what host a URL leads to, and whether a list of hosts names it. Does not: the form of URLs (urls.py), who
checks it when (core/binding.py, wire/pool.py).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import idna
from attrs import frozen

from rrgate.model.published import asks, each_of
from rrgate.model.urls import check_authority

MOST_HOSTS: Final = 50
HTTPS: Final = 443


@frozen
class Address:
    """Where a URL leads: `host` in lower case, in ASCII, without brackets and trailing dot; IPv6 at its shortest."""

    tls: bool
    host: str
    port: int

    @property
    def authority(self) -> str:
        """How `Host` names it: without its port where that is the scheme's own."""
        return _joined(self.host, None if self.port == _own_port(self.tls) else self.port)

    @property
    def entry(self) -> str:
        """How `credentialAllowedHosts` names it: without its port for https on 443."""
        return _joined(self.host, None if self.tls and self.port == HTTPS else self.port)


def address_of(base_url: str) -> Address:
    """Where a target's URL, judged when it was saved, leads."""
    url = urlsplit(base_url)
    tls = url.scheme.lower() == "https"
    return Address(tls, _spelled(url.hostname or ""), url.port or _own_port(tls))


def allows(entries: Sequence[str], address: Address) -> bool:
    """Whether one of `entries`, as `allowed_hosts` answers them, names `address`.

    An entry without a port stands for https on 443: that a secret may go to a host over plain http is another thing to
    allow, and is said as `host:80`. `*.` stands for one label.
    """
    for entry in entries:
        name, port = _split(entry)
        if (address.port != port) if port else not (address.tls and address.port == HTTPS):
            continue
        if name == address.host or (name.startswith("*.") and name[2:] == address.host.partition(".")[2]):
            return True
    return False


@asks(minItems=1, maxItems=MOST_HOSTS)
def allowed_hosts(value: Sequence[str]) -> tuple[str, ...]:
    """A list of `host`, `host:port`, `*.name` or `*.name:port`, each once and in order."""
    if not 1 <= len(value) <= MOST_HOSTS:
        raise ValueError(f"must name 1 to {MOST_HOSTS} hosts, or be null")
    return _entries(value)


@asks(maxItems=MOST_HOSTS)
def callback_hosts(value: Sequence[str]) -> tuple[str, ...]:
    """The same, which may be empty: `proxyCallbackHosts`."""
    if len(value) > MOST_HOSTS:
        raise ValueError(f"must name at most {MOST_HOSTS} hosts")
    return _entries(value)


def _entries(value: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(set(each_of(value, _entry))))


def _entry(text: str) -> str:
    if any(sign in text for sign in "/?#@ ") or not text.isprintable():
        raise ValueError("must be a host, perhaps with a port, and nothing else: no scheme, no path")
    starred = text.startswith("*.")
    rest = text[2:] if starred else text
    if rest.count(":") > 1 and not rest.startswith("["):
        raise ValueError("must have an IPv6 address in brackets")
    if "*" in rest:
        raise ValueError("must have its * as the whole of the first label, once")
    check_authority(rest)
    name, port = _split(rest)
    name = _spelled(name)
    if starred and _is_address(name):
        raise ValueError("must have no * before an address")
    if starred and "." not in name:
        # Anybody may have a name there. Which others are like that (`co.uk`) only a list that changes would tell.
        raise ValueError("must have two labels or more behind its *")
    return ("*." if starred else "") + _joined(name, port)


def _joined(host: str, port: int | None) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def _split(entry: str) -> tuple[str, int | None]:
    """(host without brackets, port if there is one)."""
    if entry.startswith("["):
        name, _, port = entry[1:].partition("]")
        port = port[1:]
    else:
        name, _, port = entry.partition(":")
    return name, int(port) if port else None


def _spelled(host: str) -> str:
    if not host.isascii():
        host = idna.encode(host, uts46=True).decode("ascii")
    host = host.lower().rstrip(".")
    return ipaddress.IPv6Address(host).compressed if ":" in host else host


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        # The end of an IPv4 address is one, too: `*.2.3.4`.
        return host.rpartition(".")[2].isdigit()
    return True


def _own_port(tls: bool) -> int:
    return HTTPS if tls else 80
