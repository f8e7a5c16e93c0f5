"""A `jwtVerify` credential in memory, and what it says of a token.

Belongs here: making one and asking it. Does not: any expectation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import Logger

from rrgate.api import Body, Denied, Exchange, Identity, PluginContext, fold
from rrgate.configuring import configure
from rrgate_plugins.jwt_verify import JwtVerify
from tests.plugins.jwt.signing import NOW


def credential(secret: Mapping[str, Any], **context: Any) -> JwtVerify:
    """The plugin object of a credential with this `credentialSecret`."""
    given: Any = {"clock": Clock(), "wall": lambda: NOW, "log": Logger(), "prefix": "requestrocket-", **context}
    return JwtVerify(configure(JwtVerify.Config, secret, "credentialSecret"), PluginContext(**given))


def showing(value: bytes, scheme: bytes = b"Bearer ") -> Exchange:
    """A caller's request."""
    name = b"Authorization"
    fields = [(fold(name), name, scheme + value)]
    nobody: Any = None
    return Exchange("id", b"GET", b"/x", fields, Body(None), 0, False, "127.0.0.1", 0.0, 0.0, nobody)


def said(plugin: JwtVerify, value: bytes) -> str:
    """Nothing if the token is taken, else why it is not."""
    answer = plugin.authenticate(showing(value))
    assert type(answer) in (Identity, Denied), answer
    return answer.reason if isinstance(answer, Denied) else ""
