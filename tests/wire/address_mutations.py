"""Takes one check after the other out of what keeps forbidden addresses from being dialled: does a test notice?

    python -m tests.wire.address_mutations [word]      (from the root; only those that hold `word`; some minutes)

Belongs here: which checks there are, as replacements of text, and what must notice. Does not: the tests themselves.
"""

# ruff: noqa: E501 - a mutation is read best on a line

from __future__ import annotations

import re
import sys

from tests.mutating import ROOT, Mutation, run

SOCKETS = "tests/gateway/test_forbidden_addresses.py"
GUARD = "rrgate/wire/guard.py"
NOTICES = {
    GUARD: ["tests/wire/test_guard.py", SOCKETS],
    "rrgate/wire/dialer.py": ["tests/wire/test_dialer.py", SOCKETS],
    "rrgate/outside_way.py": [SOCKETS, "tests/plugins/test_outside.py"],
    "rrgate/outside.py": [SOCKETS, "tests/plugins/test_outside.py"],
    "rrgate/model/urls.py": [SOCKETS],
    "rrgate/gateway.py": [SOCKETS],
}

CHECKS: dict[str, list[tuple[str, str]]] = {
    GUARD: [
        ("        except ValueError:\n            return False\n        reached", "        except ValueError:\n            return True\n        reached"),
        ("        if any(each in _METADATA or self._is_own(each, port) for each in reached):\n            return False\n", ""),
        ("each in _METADATA or self._is_own(each, port)", "self._is_own(each, port)"),
        ("each in _METADATA or self._is_own(each, port)", "each in _METADATA"),
        ("self._is_own(each, port) for each in reached", "self._is_own(each, port) for each in reached[:1]"),
        ("return all(_is_opened(opened, each, port) for each in forbidden)", "return True"),
        ("for each in reached if _forbidden(each)]", "for each in reached[:1] if _forbidden(each)]"),
        ("return all(_is_opened", "return any(_is_opened"),
        ("(meant is None or meant == port)", "True"),
        ("self._opened_for(tenant)", 'self._opened_for("")'),
        ("        if (address, port) in self._own:\n            return True\n", ""),
        ("and is_local(address)", "and False"),
        ("(None if address.is_unspecified else address, port)", "(address, port)"),
        ("        if int(address) > 1:", "        if False:"),
        ("        if address in _TEREDO:", "        if False:"),
        ("& 0xFFFFFFFF) ^ 0xFFFFFFFF))", "& 0xFFFFFFFF)))"),
        ("            reached.append(IPv4Address((int(address) >> 64) & 0xFFFFFFFF))\n", ""),
        ("(*reached, *ends)", "tuple(reached)"),
        ('"127.0.0.1" if each.version == 4 else "::1"', '"::1"'),
        ('"127.0.0.1" if each.version == 4 else "::1"', '"127.0.0.1"'),
    ],
    "rrgate/wire/dialer.py": [
        ("[address for address in addresses if self._guard.allows(address, endpoint.port, tenant)]", "addresses"),
        ("in enumerate(allowed):", "in enumerate(addresses):"),
        ("await self._dial(address, ", "await self._dial(endpoint.host, "),
        ("        if secret and not endpoint.tls:", "        if False:"),
        ("[address for address in allowed if self._guard.is_loopback(address)]", "allowed"),
    ],
    "rrgate/outside_way.py": [
        ("[address for address in addresses if reach.guard.allows(address, port, self._tenant)]", "addresses"),
        ("        if not tls:", "        if False:"),
        ("reach.guard.is_open(address, port, self._tenant)", "True"),
        ("        for address in allowed:\n", "        for address in addresses:\n"),
        ("TCP4ClientEndpoint(reach.reactor, address, port", "TCP4ClientEndpoint(reach.reactor, host, port"),
    ],
    "rrgate/outside.py": [
        ("allow_redirects=False", "allow_redirects=True"),
        ('right = right and "@" not in parts.netloc and', "right = right and"),
    ],
    "rrgate/model/urls.py": [
        ("    if _NUMERIC.match(labels[-1]):", "    if False:"),
        ("(0x[0-9a-f]*|[0-9]+)", "(0x[0-9a-f]*)"),
        ("(0x[0-9a-f]*|[0-9]+)", "([0-9]+)"),
        ('not bracket or "%" in host', "not bracket"),
        ("    check_authority(authority)\n    _check_path", "    _check_path"),
        ("not all(_LABEL.match(label) for label in labels)", "False"),
    ],
    "rrgate/gateway.py": [
        ("            self.guard.never_dial(address.host, address.port)", "            pass"),
        ("        if hasattr(address, \"host\"):", "        if len(self.ports) < 2:"),
    ],
}


def rows_of_the_guard() -> list[tuple[str, str]]:
    """Each row of its tables, taken away, but `::`: who connects there comes to loopback, which another row forbids."""
    source = (ROOT / GUARD).read_text()
    tables = source[source.index("_FORBIDDEN: Final") : source.index("class AddressForbidden")]
    return [(row, "") for row in re.findall(r"^ +(?:\"[0-9a-f:./]+\"|\(IPv6Network.*\)),\n", tables, re.MULTILINE) if "::/128" not in row]


MUTATIONS: list[Mutation] = [
    (file, old, new)
    for file, rows in {**CHECKS, GUARD: [*CHECKS[GUARD], *rows_of_the_guard()]}.items()
    for old, new in rows
]


if __name__ == "__main__":
    sys.exit(run(MUTATIONS, NOTICES, sys.argv[1:]))
