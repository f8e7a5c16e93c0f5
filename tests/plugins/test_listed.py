"""Plugins that a proxy lists, of kinds and with methods that few have: what holds for them all the same.

Belongs here: a gateway in memory with made-up plugins. Does not: their secrets and the Core API
(tests/gateway/test_proxy_plugins.py, tests/core/test_listing_plugins.py).
"""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve, frozen

from rrgate.api import Consumes, Denied, Exchange, Identity, Kind, NoConfig, Parts, Plugin, secret
from rrgate.model import Proxy
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


@frozen
class StampConfig:
    stamp: str = secret("What is written.", default="")


class Stamp(Plugin):
    """Writes a secret; does not begin with that of nobody."""

    name = "stamp"
    listed = True
    Config = StampConfig

    def __init__(self, config: Any, context: Any) -> None:
        super().__init__(config, context)
        if config.stamp == "of-nobody":
            raise LookupError(config.stamp)

    def prepare(self, ex: Exchange) -> None:
        ex.to_target.set_header(b"X-Stamp", self.config.stamp.encode())


SECRET = {"stamp": "s3cr3t-of-the-stamp"}


@pytest.mark.parametrize(
    ("configuration", "status"), [(SECRET, 500), ({}, 200)], ids=["with a secret", "without"]
)
@pytest.mark.parametrize("how", ["the target moves", "the host is another", "there is no host"])
def test_secrets_are_sent_to_no_other_host_whatever_was_saved(configuration: Any, status: int, how: str) -> None:
    gateway = MemoryGateway([Stamp])
    proxy = gateway.proxy(proxyPlugins=[{"name": "stamp", "configuration": configuration}])
    assert gateway.call("GET", proxy, "/").answer.status == 200
    sent = len(gateway.target.bytes)
    if how == "the target moves":
        target = gateway.directory.targets[proxy.target_id]
        gateway.directory.put(evolve(target, base_url="https://other.test"))
    else:
        gateway.directory.put(evolve(proxy, plugins_host="other.test" if how == "the host is another" else None))
    assert gateway.call("GET", proxy, "/").answer.status == status
    assert status == 200 or len(gateway.target.bytes) == sent
    assert ["for another host: give them again" in each.message for each in gateway.events] == [True] * (status == 500)


def damaged(proxy: Proxy) -> Proxy:
    return evolve(proxy, sealed_plugins=b"{}")


def of_nobody(proxy: Proxy) -> Proxy:
    return evolve(proxy, sealed_plugins=b'{"stamp": "eyJzdGFtcCI6Im9mLW5vYm9keSJ9"}')


def off_the_list(proxy: Proxy) -> Proxy:
    return evolve(proxy, plugins=(evolve(proxy.plugins[0], name="stmap", fingerprint=None),))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (damaged, "the configuration of 'stamp' cannot be unsealed (KeyError in "),
        (of_nobody, "plugin 'stamp' cannot work on proxy {id} (LookupError in test_listed.py, line "),
        (off_the_list, "is no plugin that proxies may list here; there are stamp (plugin 'stmap' cannot work on"),
    ],
)
def test_the_operator_is_told_which_one_does_not_work(changed: Any, says: str) -> None:
    gateway = MemoryGateway([Stamp])
    proxy = gateway.proxy(proxyPlugins=[{"name": "stamp", "configuration": SECRET}])
    gateway.directory.put(changed(proxy))
    assert gateway.call("GET", proxy, "/").answer.status == 500
    (event,) = gateway.events
    assert says.format(id=proxy.id) in event.message
    assert not gateway.target.bytes


def test_requests_with_different_secrets_share_no_connection() -> None:
    gateway = MemoryGateway([Stamp])
    keys = {}
    for name, configuration in (("one", SECRET), ("other", {"stamp": "another-s3cr3t"}), ("none", {}), ("nothing", {})):
        first = gateway.proxy(proxyPlugins=[{"name": "stamp", "configuration": configuration}])
        # To the same target, with the same credential.
        proxy = evolve(first, target_id=next(iter(gateway.directory.targets)), target_credential_id="")
        gateway.directory.put(proxy)
        found = gateway.directory.find(f"/{proxy.id}".encode())
        assert found is not None
        keys[name] = found[0].pool_key
    assert keys["none"] == keys["nothing"]
    assert len(set(keys.values())) == 3
