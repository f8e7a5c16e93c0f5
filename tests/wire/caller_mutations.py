"""Takes one check after the other out of whence a request comes, and who may come from there: does a test notice?

    python -m tests.wire.caller_mutations [word]      (from the root; only those that hold `word`; some minutes)

Belongs here: which checks there are, as replacements of text, and what must notice: `X-Forwarded-For`, the PROXY
protocol, `proxyAllowedNetworks`, callers who show no credential. Does not: the tests themselves, addresses that are
dialled (address_mutations.py).
"""

# ruff: noqa: E501 - a mutation is read best on a line

from __future__ import annotations

import sys

from tests.mutating import Mutation, run

CALLERS = "tests/wire/test_callers.py"
IN_FRONT = "tests/gateway/test_proxy_protocol.py"
NOBODY = "tests/gateway/test_anonymous.py"
NOTICES = {
    "rrgate/wire/callers.py": [CALLERS, "tests/core/test_attempts.py", IN_FRONT],
    "rrgate/wire/announced.py": [IN_FRONT],
    "rrgate/wire/listener.py": [IN_FRONT],
    "rrgate/wire/caller_transport.py": [CALLERS],
    "rrgate/wire/server.py": [CALLERS],
    "rrgate/opened_core.py": [IN_FRONT],
    "rrgate/core/site.py": ["tests/core/test_attempts.py"],
    "rrgate/resource.py": ["tests/embedding/test_resource.py"],
    "plugins/allowed_networks.py": [NOBODY, IN_FRONT],
    "plugins/anonymous_callers.py": [NOBODY],
}

CHECKS: dict[str, list[tuple[str, str]]] = {
    "rrgate/wire/callers.py": [
        ('return host[7:] if host.startswith("::ffff:") and "." in host else host', "return host"),
        ('if host.startswith("::ffff:") and "." in host', 'if host.startswith("::ffff:")'),
        ('getattr(address, "host", UNIX)', 'getattr(address, "host", "127.0.0.1")'),
        ('    if text.startswith("["):', "    if False:"),
        ('    elif text.count(":") == 1:', "    elif False:"),
        ('    elif text.count(":") == 1:', '    elif ":" in text:'),
        ('str(getattr(address, "ipv4_mapped", None) or address)', "str(address)"),
        ("    address = ip_address(text)\n    return str", "    address: Any = text\n    return str"),
        ("self._unix = UNIX_SOCKETS in networks", "self._unix = True"),
        ("self._unix = UNIX_SOCKETS in networks", "self._unix = False"),
        ("        if host == UNIX:\n            return self._unix\n", ""),
        ("        except ValueError:\n            return False\n", "        except ValueError:\n            return True\n"),
        ('mapped = getattr(address, "ipv4_mapped", None) or address', "mapped = address"),
        ("any(mapped in network for network in self._networks if network.version == mapped.version)", "bool(self._networks)"),
        ("any(mapped in network for", "all(mapped in network for"),
        ("        peer = spelled(peer)\n        if not", "        if not"),
        ("        if not self(peer):\n            return peer\n", ""),
        ('folded == b"x-forwarded-for" and b"_" not in name', 'folded == b"x-forwarded-for"'),
        ('folded == b"x-forwarded-for" and b"_" not in name', 'name == b"X-Forwarded-For"'),
        ("for entry in reversed(listed):", "for entry in listed:"),
        ("for entry in reversed(listed):", "for entry in listed[-1:]:"),
        ("                return UNKNOWN\n            caller", "                return peer\n            caller"),
        ("                return UNKNOWN\n            caller", "                continue\n            caller"),
        ("            if not self(host):\n                break\n", ""),
        ("            if not self(host):\n                break\n", "            break\n"),
        ("if (entry := part.strip())]", "if [entry := part.strip()]]"),
        ('said != peer and hasattr(said, "host")', 'hasattr(said, "host")'),
        ('said != peer and hasattr(said, "host")', "said != peer"),
        ("if named and trusted(_host(peer)) else UNKNOWN", "if named else UNKNOWN"),
        ("if named and trusted(_host(peer)) else UNKNOWN", "if trusted(_host(peer)) else UNKNOWN"),
        ("trusted(_host(peer)) else UNKNOWN", "trusted(_host(peer)) else _host(peer)"),
    ],
    "rrgate/wire/announced.py": [
        ("            self._peer = announced_host(self.transport, trusted)\n", ""),
        ("            self._peer_trusted = trusted(self._peer)\n", ""),
        ("self._peer_trusted = trusted(self._peer)", "self._peer_trusted = True"),
        ("self._peer_trusted = trusted(self._peer)", "self._peer_trusted = False"),
    ],
    "rrgate/wire/listener.py": [
        ("AnnouncedConnection if speaks_proxy(settings.listen) else CallerConnection", "CallerConnection"),
    ],
    "rrgate/wire/caller_transport.py": [
        ("listener.trusted(self._peer)", "True"),
        ("listener.trusted(self._peer)", "False"),
    ],
    "rrgate/wire/server.py": [
        ("listener.trusted.caller(self._peer, head.fields) if self._peer_trusted else self._peer", "listener.trusted.caller(self._peer, head.fields)"),
        ("listener.trusted.caller(self._peer, head.fields) if self._peer_trusted else self._peer", "self._peer"),
    ],
    "rrgate/opened_core.py": [
        ("partial(announced_host, trusted=trusted) if speaks_proxy(settings.core_listen) else peer_host", "peer_host"),
        ("address_of=trusted.told_of,", "address_of=lambda peer, forwarded: peer,"),
    ],
    "rrgate/core/site.py": [
        ('house.address_of(self.channel.peer, self._values(b"X-Forwarded-For"))', "self.channel.peer"),
    ],
    "rrgate/resource.py": [
        ("entrance.trusted.caller(peer, head.fields) if entrance.trusted(peer) else peer", "entrance.trusted.caller(peer, head.fields)"),
        ("entrance.trusted.caller(peer, head.fields) if entrance.trusted(peer) else peer", "peer"),
    ],
    "plugins/allowed_networks.py": [
        ('_LOOPBACK = ("127.0.0.0/8", "::1/128")', '_LOOPBACK = ("0.0.0.0/0", "::/0")'),
        *(
            (f'    b"{name}",\n', "")
            for name in (
                "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "X-Client-IP",
                "True-Client-IP", "CF-Connecting-IP", "Via",
            )
        ),
        ("        if parts.proxy.allowed_networks:\n", "        if False:\n"),
        ("AllowedNetworksConfig(direct=True) if parts.anonymous else None", "None"),
        ("AllowedNetworksConfig(direct=True) if parts.anonymous else None", "AllowedNetworksConfig(direct=True)"),
        ("AllowedNetworksConfig(direct=True) if", "AllowedNetworksConfig() if"),
        ("address is None or not any(", "address is not None and not any("),
        ("address is None or not any(address in network for network in self._networks)", "address is None"),
        ("if self.config.direct and any(", "if any("),
    ],
    "plugins/anonymous_callers.py": [
        ("NoConfig() if parts.anonymous else None", "None"),
        ("NoConfig() if parts.anonymous else None", "NoConfig()"),
        ('        if not _OWN_SITE.issuperset(site.lower() for site in ex.headers(b"Sec-Fetch-Site")):', "        if False:"),
        ('site.lower() for site in ex.headers(b"Sec-Fetch-Site")', 'site for site in ex.headers(b"Sec-Fetch-Site")'),
        ('site.lower() for site in ex.headers(b"Sec-Fetch-Site")', 'site.lower() for site in ex.headers(b"Sec-Fetch-Site")[:1]'),
        ('frozenset({b"same-origin", b"none"})', 'frozenset({b"same-origin", b"none", b"same-site"})'),
        ('frozenset({b"same-origin", b"none"})', 'frozenset({b"none"})'),
        ('frozenset({b"same-origin", b"none"})', 'frozenset({b"same-origin"})'),
        ("            if not own.issuperset(", "            if False and not own.issuperset("),
        ("origin.lower() for origin in origins", "origin.lower() for origin in origins[:1]"),
        ("origin.lower() for origin in origins", "origin for origin in origins"),
        ('(ex.header(b"Host") or b"").lower()', '(ex.header(b"Host") or b"")'),
        ("host.removesuffix(port)", "host"),
        ('(b"https", b":443")', ""),
        ("        ex.warnings.append(WARNING)", "        pass"),
    ],
}  # fmt: skip

MUTATIONS: list[Mutation] = [(file, old, new) for file, rows in CHECKS.items() for old, new in rows]


if __name__ == "__main__":
    sys.exit(run(MUTATIONS, NOTICES, sys.argv[1:]))
