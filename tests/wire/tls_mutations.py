"""Takes one piece after the other out of TLS to targets and shows that a test notices; run by hand, not by pytest.

    python -m tests.wire.tls_mutations [word]      (from the root; half a minute)

Belongs here: the pieces, as replacements of text. Does not: the tests that notice (test_tls.py, test_trust.py).
"""

# ruff: noqa: E501 - a mutation is read best on a line

from __future__ import annotations

import sys

from tests.mutating import Mutation, run

TLS, TRUST = "rrgate/wire/tls.py", "rrgate/wire/trust.py"
TESTS = ["tests/wire/test_tls.py", "tests/wire/test_trust.py"]

CHECKS: dict[str, list[tuple[str, str]]] = {
    TRUST: [
        ("    context.hostname_checks_common_name = False\n", ""),
        ("    context.check_hostname = True\n    context.verify_mode = ssl.CERT_REQUIRED\n", "    context.check_hostname = False\n    context.verify_mode = ssl.CERT_REQUIRED\n"),
        ("    context.check_hostname = True\n    context.verify_mode = ssl.CERT_REQUIRED\n", "    context.check_hostname = False\n    context.verify_mode = ssl.CERT_NONE\n"),
        ("@SECLEVEL=2:", "@SECLEVEL=0:"),
        ("ssl.TLSVersion.TLSv1_2", "ssl.TLSVersion.TLSv1"),
        ("key = endpoint.ca_bundle, endpoint.client_certificate", "key = endpoint.ca_bundle, None"),
        ("key = endpoint.ca_bundle, endpoint.client_certificate", "key = None, endpoint.client_certificate"),
        ("        _trust_alone(context, ca_bundle)\n", "        _trust_alone(context, ca_bundle)\n        context.load_verify_locations(SYSTEM_BUNDLES[0])\n"),
        ("            del self._contexts[next(iter(self._contexts))]\n", "            pass\n"),
        ("self._contexts.pop(key, None)", "self._contexts.get(key)"),
        ("    if found.cafile is None and found.capath is None:", "    if True:"),
        ("    if found.cafile is None and found.capath is None:", "    if False:"),
        ("        return idna.encode(host)", "        return host.encode()"),
    ],
    TLS: [
        ("        elif not self._parted and reason.check(ConnectionDone):\n            reason = Failure(CONNECTION_LOST)\n", ""),
        ("            self._parted = True\n", ""),
        ("            self._parted = True\n            self._say_farewell()\n", "            self._parted = True\n"),
        ("            self._hold(data[sent:])", "            pass"),
        ("        if data and not self._over:", "        if False:"),
        ("if not incoming.pending and not tls.pending():", "if True:"),
        ("            self._say_farewell()\n            self._over = True\n        self.transport.abort", "            self._over = True\n        self.transport.abort"),
        ("                self._unsent += unsent[number + 1 :]\n", ""),
        ("            self._producer.resumeProducing()\n", "            pass\n"),
        ("            self._producer.pauseProducing()\n", "            pass\n"),
        ("        if self._outgoing.pending:\n            self._flush()\n        if data", "        if data"),
        ("        if self._over or (self._disconnecting and self._producer is None):", "        if self._over:"),
        ("        self._reason = Failure(error)\n        self._flush()\n", "        self._reason = Failure(error)\n"),
        ("        self._reason = Failure(error)\n", ""),
        ("        if not self._ready and not self._unsent:\n            self.abortConnection()\n            return\n", ""),
        ("        if not self._unsent and self._producer is None:\n            self._close()", "        self._close()"),
        ("        if not self._over:\n            self._shake_hands()", "        self._shake_hands()"),
        ("'it is for another name' if other else error.verify_message", "error.verify_message"),
    ],
}

MUTATIONS: list[Mutation] = [(file, old, new) for file, rows in CHECKS.items() for old, new in rows]


if __name__ == "__main__":
    sys.exit(run(MUTATIONS, {TLS: TESTS, TRUST: TESTS}, sys.argv[1:]))
