"""Plugins that a proxy lists, of kinds and with methods that few have: what holds for them all the same.

Belongs here: a gateway in memory with made-up plugins. Does not: their secrets and the Core API
(tests/gateway/test_proxy_plugins.py, tests/core/test_listing_plugins.py).
"""

from __future__ import annotations

from typing import Any

import pytest

from rrgate.api import Consumes, Denied, Exchange, Identity, Kind, NoConfig, Parts, Plugin
from rrgate.testing import MemoryGateway

KEY = ("apiKey", {"key": "X-Api-Key", "value": "the-key-of-a-caller"})


class Partners(Plugin):
    """Lets in partners by a header or a parameter of their own, and leaves the others to the proxy's credential."""

    name = "partners"
    listed = True
    kind = Kind.GATE

    def __init__(self, config: Any, context: Any) -> None:
        super().__init__(config, context)
        self.consumes = Consumes(headers={"X-Partner"}, parameters={"partner"})

    def authenticate(self, ex: Exchange) -> Identity | Denied | None:
        shown = ex.presented(b"X-Partner", b"partner")
        if shown is None or isinstance(shown, Denied):
            return shown
        return Identity("a-partner") if shown == b"p4rtner-s3cr3t" else Denied("no partner")


class OfEvery(Partners):
    """The same, asked of every proxy."""

    name = "of-every"
    listed = False

    @classmethod
    def for_proxy(cls, parts: Parts) -> NoConfig:
        return NoConfig()


@pytest.mark.parametrize(
    ("plugins", "settings"), [([Partners], {"proxyPlugins": [{"name": "partners"}]}), ([OfEvery], {})]
)
@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", [("X-Partner", "p4rtner-s3cr3t")], 200),
        ("/?partner=p4rtner-s3cr3t", [], 200),
        ("/?partner=wrong", [], 401),
        ("/", [("X-Api-Key", "the-key-of-a-caller")], 200),
        ("/", [], 401),
    ],
)
def test_what_another_than_an_auth_type_reads_credentials_from_is_cut_too(
    plugins: Any, settings: Any, path: str, headers: Any, status: int
) -> None:
    gateway = MemoryGateway(plugins)
    proxy = gateway.proxy(caller=KEY, **settings)
    call = gateway.call("GET", proxy, path, headers)
    assert call.answer.status == status
    if status == 200:
        assert b"p4rtner" not in gateway.target.bytes
        assert b"the-key-of-a-caller" not in gateway.target.bytes
    assert "p4rtner" not in repr(gateway.records)
