"""The published pages' complete setup, with the plugins that rrgate brings.

Belongs here: bodies copied from the published pages. Does not: requests through the gateway.
"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from attrs import evolve

from rrgate.registry import load_registry
from tests.core.doubles import CALLER, TARGET, TOWARDS, Core


@pytest_twisted.ensureDeferred
async def test_complete_setup(core: Core) -> None:
    core._port.factory.house = evolve(core.house, registry=load_registry())
    caller = await core.make("credentials", CALLER)
    towards = await core.make("credentials", TOWARDS)
    target = await core.make("targets", TARGET)
    proxy = await core.make(
        "proxies",
        {
            "proxyName": "Stripe Proxy",
            "proxyRegion": "us-east-1",
            "proxyProxyCredentialId": caller["sKey"],
            "proxyTargetId": target["sKey"],
            "proxyTargetCredentialId": towards["sKey"],
            "proxyActive": True,
            "proxyDefaultRuleEffect": "allow",
            "proxyAlias": "payment-gateway",
            "proxyAdditionalHeaders": {},
            "proxyAdditionalQueryParams": {},
            "proxyAdditionalData": {},
        },
    )
    assert proxy["proxyURL"].endswith(f"/api/{proxy['sKey']}")


@pytest.mark.parametrize(
    ("change", "start"),
    [
        ({"proxyAdditionalHeaders": {"Transfer-Encoding": "x"}}, "proxyAdditionalHeaders"),
        ({"proxyAdditionalHeaders": {"X-A": "a\r\nb"}}, "proxyAdditionalHeaders"),
        ({"proxyAdditionalHeaders": {"X A": "b"}}, "proxyAdditionalHeaders"),
        ({"proxyAdditionalHeaders": {"requestrocket-x": "b"}}, "proxyAdditionalHeaders"),
        ({"proxyAdditionalQueryParams": {"": "b"}}, "proxyAdditionalQueryParams"),
        ({"proxyStreaming": "never", "proxyMaxResponseBytes": 1 << 30}, "proxyMaxResponseBytes"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_settings_that_cannot_work_are_refused_when_saved(core: Core, change: Any, start: str) -> None:
    parts = await core.make_parts()
    core._port.factory.house = evolve(core.house, registry=load_registry())
    told = await core.ask("POST", "/clients/acme/proxies", {**parts, **change})
    assert told.status == 400
    assert all(field.startswith(start) for field in told.problems)
