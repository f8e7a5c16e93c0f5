"""The secret that signs callbacks, over HTTP.

Belongs here: making one and replacing it. Does not: signing (tests/delivery/test_callbacks.py), who may
(tests/core/test_every_route.py).
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve

from rrgate.store.secrets import callback_row, previous_callback_row
from tests.core.doubles import Core


async def made(core: Core, where: str) -> Any:
    told = await core.ask("POST", f"{where}/callback-secret")
    assert told.status == 200, told.raw
    return told.document["callbackSecret"]


def present(core: Core, proxy_id: str) -> Any:
    return core.directory.proxies[proxy_id]


@pytest_twisted.ensureDeferred
async def test_it_is_shown_once_and_the_one_before_signs_for_a_day(core: Core) -> None:
    proxy_id = (await core.make("proxies", await core.make_parts()))["sKey"]
    where = f"/clients/acme/proxies/{proxy_id}"
    first = await made(core, where)
    assert set(first) == {"secret", "fingerprint", "previousSecretExpiresAt"}
    assert first["secret"].startswith("whsec_")
    assert len(b64decode(first["secret"].removeprefix("whsec_"), validate=True)) == 32
    assert first["previousSecretExpiresAt"] is None
    second = await made(core, where)
    assert second["secret"] != first["secret"]
    assert second["previousSecretExpiresAt"] == "2025-12-13T05:26:57.621Z"
    proxy = present(core, proxy_id)
    opened = core.store.secrets.opened
    assert opened("acme", callback_row(proxy_id), proxy.sealed_callback_secret) == second["secret"].encode()
    assert (
        opened("acme", previous_callback_row(proxy_id), proxy.previous_sealed_callback_secret)
        == first["secret"].encode()
    )
    third = await made(core, where)
    proxy = present(core, proxy_id)
    before = opened("acme", previous_callback_row(proxy_id), proxy.previous_sealed_callback_secret)
    assert before == second["secret"].encode(), "two at a time, the last ones"
    shown = (await core.ask("GET", where)).document["proxies"][0]
    assert shown["proxyCallbackSecretFingerprint"] == third["fingerprint"]
    assert shown["proxyCallbackPreviousSecretExpiresAt"] == third["previousSecretExpiresAt"]
    told = [await core.ask("GET", each) for each in (where, "/clients/acme/audit", f"{where}/revisions")]
    for secret in (first["secret"], second["secret"], third["secret"]):
        assert not any(secret.encode() in each.raw for each in told)


@pytest_twisted.ensureDeferred
async def test_a_secret_that_cannot_be_opened_any_more_is_replaced_all_the_same(core: Core) -> None:
    proxy_id = (await core.make("proxies", await core.make_parts()))["sKey"]
    where = f"/clients/acme/proxies/{proxy_id}"
    await made(core, where)
    core.directory.put(evolve(present(core, proxy_id), sealed_callback_secret=b"broken"))
    assert (await made(core, where))["previousSecretExpiresAt"] is None
    assert present(core, proxy_id).previous_sealed_callback_secret is None


@pytest_twisted.ensureDeferred
async def test_a_put_keeps_it_and_sets_none_of_it(core: Core) -> None:
    proxy_id = (await core.make("proxies", await core.make_parts()))["sKey"]
    where = f"/clients/acme/proxies/{proxy_id}"
    await made(core, where)
    document = (await core.ask("GET", where)).document["proxies"][0]
    told = await core.ask("PUT", where, {**document, "proxyCallbackHosts": ["Hooks.Example.com", "*.a.test:444"]})
    assert told.document["proxies"][0]["proxyCallbackHosts"] == ["*.a.test:444", "hooks.example.com"]
    assert present(core, proxy_id).sealed_callback_secret is not None
    told = await core.ask("PUT", where, {"proxyCallbackSecretFingerprint": "00000000"})
    assert list(told.problems) == ["proxyCallbackSecretFingerprint"]


@pytest.mark.parametrize("hosts", [["https://a.test"], ["*"], ["a.test/x"], ["a@b.test"], ["*.test"], ["a.test"] * 51])
@pytest_twisted.ensureDeferred
async def test_hosts_that_are_none(core: Core, hosts: list[str]) -> None:
    proxy_id = (await core.make("proxies", await core.make_parts()))["sKey"]
    told = await core.ask("PUT", f"/clients/acme/proxies/{proxy_id}", {"proxyCallbackHosts": hosts})
    assert list(told.problems) == ["proxyCallbackHosts" if len(hosts) > 50 else "proxyCallbackHosts.0"]
