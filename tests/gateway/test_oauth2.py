"""`oauth2` against a real OpenID provider: what reaches the target is a token that the provider calls active.

Belongs here: whole gateways and npm's oidc-provider. Does not: providers that fail (tests/plugins/test_oauth2.py), the
code flow (test_oauth2_code.py).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted

from tests.openid.running_provider import SERVICE, SERVICE_POST, WEB, RunningProvider
from tests.running_gateway import MadeProxy, RunningGateway

REGION = "us-east-1"


@pytest.fixture(scope="module")
def provider() -> Iterator[RunningProvider]:
    running = RunningProvider()
    yield running
    running.stop()


async def proxy_to(gateway: RunningGateway, provider: RunningProvider, **secret: Any) -> MadeProxy:
    return await gateway.proxy(
        provider.resource, towards=("oauth2", {"tokenUrl": provider.token_url, "scope": "api:read", **secret})
    )


CLIENTS = {
    "basic": {**SERVICE, "clientAuthentication": "basic"},
    "post": {**SERVICE_POST, "clientAuthentication": "post"},
}


@pytest.mark.parametrize("how", CLIENTS)
@pytest_twisted.ensureDeferred
async def test_client_credentials(gateway: RunningGateway, provider: RunningProvider, how: str) -> None:
    before = provider.token_requests()
    proxy = await proxy_to(gateway, provider, grantType="client_credentials", **CLIENTS[how])
    for _ in range(3):
        answer = await gateway.call(proxy)
        assert answer.status == 200, answer.body
        assert answer.json["active"] is True
        assert (answer.json["client_id"], answer.json["scope"]) == (CLIENTS[how]["clientId"], "api:read")
    assert provider.token_requests() == before + 1


@pytest_twisted.ensureDeferred
async def test_all_proxies_of_a_credential_share_its_token(gateway: RunningGateway, provider: RunningProvider) -> None:
    before = provider.token_requests()
    proxy = await proxy_to(gateway, provider, grantType="client_credentials", **SERVICE)
    other = await gateway.make(
        "proxies",
        {
            "proxyName": "other",
            "proxyRegion": REGION,
            "proxyProxyCredentialId": proxy.caller_credential,
            "proxyTargetId": proxy.target,
            "proxyTargetCredentialId": proxy.target_credential,
        },
    )
    second = MadeProxy(other["sKey"], proxy.client, proxy.target, proxy.caller_credential, proxy.target_credential)
    assert (await gateway.call(proxy)).status == 200
    # Whatever is compiled anew, the token stays.
    await gateway.change("proxies", proxy.id, proxyName="renamed")
    await gateway.change("credentials", proxy.target_credential, credentialName="renamed")
    assert (await gateway.call(proxy)).status == 200
    assert (await gateway.call(second)).status == 200
    assert provider.token_requests() == before + 1


@pytest_twisted.ensureDeferred
async def test_200_requests_at_once_on_a_cold_token(gateway: RunningGateway, provider: RunningProvider) -> None:
    before = provider.token_requests()
    proxy = await proxy_to(gateway, provider, grantType="client_credentials", **SERVICE)
    answers = await gateway.calls_at_once(proxy, [{}] * 200)
    assert {answer.status for answer in answers} == {200}
    assert provider.token_requests() == before + 1


@pytest.mark.parametrize("body", [None, b'{"amount": 1}'], ids=["no body", "a small body"])
@pytest_twisted.ensureDeferred
async def test_a_revoked_token_is_renewed_and_the_request_repeated(
    gateway: RunningGateway, provider: RunningProvider, body: bytes | None
) -> None:
    proxy = await proxy_to(gateway, provider, grantType="client_credentials", **SERVICE)
    assert (await gateway.call(proxy)).status == 200
    provider.revoke_all()
    before = provider.token_requests()
    answer = await gateway.call(proxy, "GET" if body is None else "POST", body=body)
    assert (answer.status, answer.json["body"]) == (200, (body or b"").decode())
    assert provider.token_requests() == before + 1


@pytest_twisted.ensureDeferred
async def test_a_large_body_is_not_repeated_and_the_next_request_has_another_token(
    gateway: RunningGateway, provider: RunningProvider
) -> None:
    proxy = await proxy_to(gateway, provider, grantType="client_credentials", **SERVICE)
    assert (await gateway.call(proxy)).status == 200
    provider.revoke_all()
    answer = await gateway.call(proxy, "POST", body=b"x" * 70_000)
    assert (answer.status, answer.code) == (401, "proxy-access-granted")
    assert (await gateway.call(proxy)).status == 200


@pytest_twisted.ensureDeferred
async def test_a_credential_is_tested_with_a_token(gateway: RunningGateway, provider: RunningProvider) -> None:
    proxy = await proxy_to(gateway, provider, grantType="client_credentials", **SERVICE)
    told = await gateway.ask(
        "POST",
        f"/clients/{gateway.client}/credentials/{proxy.target_credential}/test",
        {"targetId": proxy.target, "path": "/"},
    )
    assert told.json["test"]["status"] == 200, told.body


@pytest_twisted.ensureDeferred
async def test_refresh_tokens_are_rotated_and_the_next_is_on_disk(
    gateway: RunningGateway, provider: RunningProvider
) -> None:
    first = provider.refresh_token()
    proxy = await proxy_to(gateway, provider, grantType="refresh_token", refreshToken=first, **WEB)
    for _ in range(3):
        answer = await gateway.call(proxy)
        assert (answer.status, answer.json.get("sub")) == (200, "ann"), answer.body
        provider.revoke_all()
        # Else the next 401 would come too soon after this one.
        forget_rejection(gateway, proxy)
    kept = unsealed_state(gateway, proxy)
    assert kept["refreshToken"] not in (None, first)


def forget_rejection(gateway: RunningGateway, proxy: MadeProxy) -> None:
    kept: Any = gateway.gateway.directory._build.__self__._objects.kept[proxy.target_credential]  # type: ignore[attr-defined]
    (plugin,) = kept.values()
    plugin._keeper._rejection_counts_from = 0


def unsealed_state(gateway: RunningGateway, proxy: MadeProxy) -> Any:
    settings, secrets = gateway.gateway.settings, gateway.gateway.store.secrets
    with sqlite3.connect(settings.data / "rrgate.db") as database:
        ((sealed,),) = database.execute(
            "SELECT sealed FROM credential_states WHERE id = ?", (proxy.target_credential,)
        ).fetchall()
    plain = secrets.unseal(proxy.client, f"credentials/{proxy.target_credential}/state", sealed)
    return json.loads(plain.removeprefix(b"1\n"))


@pytest_twisted.ensureDeferred
async def test_a_refresh_token_that_was_used_by_somebody_else_ends_the_grant(
    gateway: RunningGateway, provider: RunningProvider
) -> None:
    first = provider.refresh_token()
    one = await proxy_to(gateway, provider, grantType="refresh_token", refreshToken=first, **WEB)
    assert (await gateway.call(one)).status == 200
    thief = await proxy_to(gateway, provider, grantType="refresh_token", refreshToken=first, **WEB)
    answer = await gateway.call(thief)
    assert (answer.status, answer.code) == (502, "target-credential-failed")
    before = provider.token_requests()
    assert (await gateway.call(thief)).status == 502
    assert provider.token_requests() == before, "it is not asked again what can only be refused"
    told = await gateway.ask("GET", f"/clients/{gateway.client}/credentials/{thief.target_credential}")
    assert told.json["credentials"][0]["credentialNeedsAuthorization"] is True
    # The provider has ended the whole grant: the first credential's token does not serve any more either.
    assert (await gateway.call(one)).status == 401
    assert (await gateway.call(one)).status == 502
    # A new secret begins anew.
    secret = {"grantType": "refresh_token", "tokenUrl": provider.token_url, **WEB}
    await gateway.change(
        "credentials",
        one.target_credential,
        credentialAuthType="oauth2",
        credentialSecret={**secret, "refreshToken": provider.refresh_token()},
    )
    assert (await gateway.call(one)).status == 200
    told = await gateway.ask("GET", f"/clients/{gateway.client}/credentials/{one.target_credential}")
    assert told.json["credentials"][0]["credentialNeedsAuthorization"] is False
