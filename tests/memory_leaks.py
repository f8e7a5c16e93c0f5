"""Gateways in memory, of `rrgate.testing`: what one was given as secrets, looked for in all that it leaves of a test.

Belongs here: seeing every `MemoryGateway` that a test makes, and where to look. Does not: what is a secret
(leak_search.py). Those of `check_plugin` are left out: it makes secrets of its own, and searches for them.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from twisted.logger import LogEvent, eventAsText, globalLogPublisher

from rrgate.careful_log import CarefulObserver
from rrgate.testing import MemoryGateway
from rrgate.testing.calls import Call
from tests.leak_search import GRANTED, LeakSearch, secrets_of

_SEEN: dict[MemoryGateway, list[Call]] = {}
_LOG: list[str] = []


def watch() -> None:
    """See every gateway in memory from now on."""
    made, asked = MemoryGateway.__init__, MemoryGateway.call

    def init(self: MemoryGateway, *arguments: Any, **more: Any) -> None:
        made(self, *arguments, **more)
        if not sys._getframe(1).f_globals["__name__"].startswith("rrgate.testing."):
            _SEEN[self] = []

    def call(self: MemoryGateway, *arguments: Any, **more: Any) -> Call:
        begun = asked(self, *arguments, **more)
        if self in _SEEN:
            _SEEN[self].append(begun)
        return begun

    MemoryGateway.__init__ = init  # type: ignore[method-assign]
    MemoryGateway.call = call  # type: ignore[method-assign]
    globalLogPublisher.addObserver(CarefulObserver(_logged))


def _logged(event: LogEvent) -> None:
    if _SEEN:
        _LOG.append(eventAsText(event))


def search() -> None:
    """A test is over. Raises AssertionError if a secret is where none may be; it does not say which."""
    seen, log = dict(_SEEN), "\n".join(_LOG)
    _SEEN.clear()
    _LOG.clear()
    for gateway, calls in seen.items():
        looked_for = LeakSearch()
        for credential in gateway.directory.credentials.values():
            secret = json.loads(credential.sealed_secret)
            given = {"credentialAuthType": credential.auth_type, "credentialSecret": secret}
            for name, value in secrets_of(given, gateway.registry):
                looked_for.know(name, value)
        looked_for.add("the log", log)
        looked_for.add("the request log", repr(gateway.records))
        looked_for.add("what an operator is told", repr(gateway.events))
        for call in calls:
            answer = bytes(call.transport.written)
            if GRANTED.encode() not in answer:
                looked_for.add("an answer", answer)
        looked_for.end()
