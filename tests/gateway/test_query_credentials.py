"""`credentialInQuery`: of one credential, that callers show it in headers alone; at once, and for both of its secrets.

Belongs here: that field through a real gateway. Does not: the setting `query_credentials` by itself
(tests/plugins/test_static_auth.py).
"""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest
import pytest_twisted

from rrgate.model.times import format_milliseconds
from tests.callers import Answer
from tests.gateway.test_rotation import AUTH_TYPES, UNTIL
from tests.running_gateway import MadeProxy, RunningGateway
from tests.targets import Target, echo


async def in_query(gateway: RunningGateway, proxy: MadeProxy, pair: tuple[str, str]) -> Answer:
    name, value = pair
    return await gateway.call(proxy, "GET", f"/?a=1&{quote(name)}={quote(value)}", key=None)


@pytest.mark.parametrize("auth_type", AUTH_TYPES)
@pytest_twisted.ensureDeferred
async def test_a_credential_is_read_from_headers_alone(gateway: RunningGateway, auth_type: str) -> None:
    caller, secret, old, new = AUTH_TYPES[auth_type]
    with Target(echo) as target:
        proxy = await gateway.proxy(target.url, caller=caller)
        for allowed in (True, False, True):
            await gateway.change("credentials", proxy.caller_credential, credentialInQuery=allowed)
            assert (await in_query(gateway, proxy, old)).status == (200 if allowed else 401)
            assert (await gateway.call(proxy, "GET", "/", [old], key=None)).status == 200
        until = format_milliseconds(int((time.time() + 3600) * 1000))
        change = {"credentialSecret": secret, UNTIL: until, "credentialInQuery": False}
        await gateway.change("credentials", proxy.caller_credential, **change)
        for pair in (old, new):
            assert (await in_query(gateway, proxy, pair)).status == 401
            answer = await gateway.call(proxy, "GET", f"/?{quote(pair[0])}=wrong&a=1", [pair], key=None)
            assert (answer.status, b"wrong" in answer.body) == (200, False), "it is cut all the same"
