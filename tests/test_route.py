"""What keeps connections to targets apart, and when something has expired.

Belongs here: what a Route says of itself. Does not: how it is compiled (plugins/test_compiling.py), which connection is
taken (wire/test_target_connections.py).
"""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from rrgate.api import Client, Credential, Side, Target
from rrgate.model.proxy_plugin import ProxyPlugin
from rrgate.route import Endpoint, past, pool_key

COMMON: dict[str, Any] = {"user_id": "u1", "name": "n", "created_at": 1, "updated_at": 1}
CLIENT = Client(id="c1", **COMMON)
ENDPOINT = Endpoint(True, "acme.test", 443)
TARGET = Target(id="t1", client_id="c1", region="r", base_url="https://acme.test", **COMMON)
CREDENTIAL = Credential(
    id="k1",
    client_id="c1",
    region="r",
    side=Side.TARGET,
    auth_type="bearer",
    fingerprint="00000000",
    sealed_secret=b"",
    allowed_hosts=("acme.test",),
    **COMMON,
)
PLUGIN = ProxyPlugin("signs", {}, fingerprint="00000001")
PARTS: dict[str, Any] = {
    "endpoint": ENDPOINT,
    "target": TARGET,
    "credential": CREDENTIAL,
    "client": CLIENT,
    "plugins": (PLUGIN,),
}
OPENED = evolve(CLIENT, configuration=evolve(CLIENT.configuration, allowed_networks=("10.0.0.0/8",)))
OTHERS = {
    "another host": {"endpoint": evolve(ENDPOINT, host="acme.example")},
    "another port": {"endpoint": evolve(ENDPOINT, port=8443)},
    "no TLS": {"endpoint": evolve(ENDPOINT, tls=False)},
    "other authorities": {"endpoint": evolve(ENDPOINT, ca_bundle="-----BEGIN CERTIFICATE-----")},
    "another target, perhaps another client's, at the same address": {"target": evolve(TARGET, id="t2")},
    "secrets may go in plain text": {"target": evolve(TARGET, allow_plaintext=True)},
    "no credential": {"credential": None},
    "another credential": {"credential": evolve(CREDENTIAL, id="k2")},
    "another secret": {"credential": evolve(CREDENTIAL, secret_version=2)},
    "other hosts that it may go to": {"credential": evolve(CREDENTIAL, allowed_hosts=None)},
    "another secret of a plugin": {"plugins": (evolve(PLUGIN, fingerprint="00000002"),)},
    "no plugin with a secret": {"plugins": (evolve(PLUGIN, fingerprint=None),)},
    "networks that are opened": {"client": OPENED},
}


@pytest.mark.parametrize("other", OTHERS)
def test_requests_that_differ_in_this_share_no_connection(other: str) -> None:
    assert pool_key(**PARTS | OTHERS[other]) != pool_key(**PARTS)


def test_requests_that_differ_in_nothing_of_it_do() -> None:
    renamed = evolve(TARGET, name="renamed", timeout=99.0, updated_at=2)
    assert pool_key(**PARTS | {"target": renamed, "client": evolve(CLIENT, name="renamed")}) == pool_key(**PARTS)


@pytest.mark.parametrize(("moment", "is_past"), [(None, False), (9.999, True), (10.0, True), (10.001, False)])
def test_what_expires_works_until_its_moment_and_not_at_it(moment: float | None, is_past: bool) -> None:
    assert past(moment, 10.0) is is_past
