"""A gateway that is killed while it renews a token, and two gateways that renew the same one.

Belongs here: whole processes, and a provider that replaces refresh tokens at every use. Does not: what one process
does with a provider's answers (tests/plugins/test_oauth2.py).
"""

from __future__ import annotations

import json
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults

from rrgate.cli.init import FirstUser, create_state
from tests.callers import Answer, in_thread
from tests.processes.twistd import Twistd
from tests.running_gateway import GatewayClient, MadeProxy
from tests.targets import Connection, Target

FIRST = "refresh-token-0000-of-the-killed"


class Provider(Target):
    """Takes each refresh token once, or, if it is `lenient`, the last two; using an older one ends the grant.

    `slow`: seconds until its answer, when the grant has gone over.
    """

    def __init__(self, *, lenient: bool = False, life: int = 3600, slow: float = 0) -> None:
        self.lenient, self.life, self.slow = lenient, life, slow
        self.asked = 0
        self.over = False
        self.given = [FIRST]
        self.answered = threading.Event()
        self._lock = threading.Lock()
        super().__init__(self._serve_tokens)

    def _serve_tokens(self, connection: Connection) -> None:
        while (request := connection.request()) is not None:
            with self._lock:
                self.asked += 1
                (shown,) = parse_qs(request.body.decode())["refresh_token"]
                good = self.given[-2:] if self.lenient else self.given[-1:]
                self.over = self.over or shown not in good
                if not self.over:
                    self.given.append(f"refresh-token-{self.asked:04}-of-the-killed")
                document = {"access_token": f"access-token-{self.asked:04}-of-the-killed", "token_type": "Bearer"}
                document |= {"expires_in": self.life, "refresh_token": self.given[-1]}
            self.answered.set()
            time.sleep(self.slow)
            if self.over:
                connection.answer(b'{"error": "invalid_grant"}', "400 Bad Request")
            else:
                connection.answer(json.dumps(document).encode())


class Api(Target):
    """Keeps what it was shown."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        super().__init__(self._serve_api)

    def _serve_api(self, connection: Connection) -> None:
        while (request := connection.request()) is not None:
            self.shown += request.every("Authorization")
            connection.answer(b"served")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def first(data: Path) -> FirstUser:
    return create_state(data)


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as running:
        yield running


async def made(client: GatewayClient, provider: Provider, api: Api) -> MadeProxy:
    for number in range(1, 50):
        for kind in ("access", "refresh"):
            client.search.know(f"a provider's {kind} token", f"{kind}-token-{number:04}-of-the-killed")
    secret = {
        "grantType": "refresh_token",
        "tokenUrl": provider.url,
        "clientId": "app",
        "clientSecret": "client-secret-of-the-killed",
        "refreshToken": FIRST,
    }
    return await client.proxy(api.url, towards=("oauth2", secret))


async def needs_authorization(client: GatewayClient, proxy: MadeProxy) -> bool:
    told = await client.ask("GET", f"/clients/{client.client}/credentials/{proxy.target_credential}")
    return bool(told.json["credentials"][0]["credentialNeedsAuthorization"])


async def killed_before_the_commit(data: Path, first: FirstUser, provider: Provider, api: Api) -> MadeProxy:
    """The provider has answered, and the disk has nothing of it."""
    with Twistd(data).ready() as gateway:
        client = gateway.client(first)
        proxy = await made(client, provider, api)
        # Whoever else holds the database keeps the gateway from its commit.
        other = sqlite3.connect(data / "rrgate.db", isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        try:
            calling = Deferred.fromCoroutine(client.call(proxy))
            calling.addErrback(lambda failure: None)
            assert await in_thread(provider.answered.wait, 20)
            await in_thread(time.sleep, 0.3)  # for what must not happen
            assert not api.shown, "it was used before it was on disk"
            gateway.process.send_signal(signal.SIGKILL)
            assert await in_thread(gateway.ended) == -signal.SIGKILL
            await calling
        finally:
            other.execute("ROLLBACK")
            other.close()
    assert provider.asked == 1
    return proxy


@pytest_twisted.ensureDeferred
async def test_killed_before_the_commit_it_needs_authorization_and_asks_no_more(
    data: Path, first: FirstUser, api: Api
) -> None:
    with Provider() as provider:
        proxy = await killed_before_the_commit(data, first, provider, api)
        for _ in range(2):
            with Twistd(data).ready() as gateway:
                client = gateway.client(first)
                for _ in range(3):
                    answer = await client.call(proxy)
                    assert (answer.status, answer.code) == (502, "target-credential-failed")
                assert await needs_authorization(client, proxy)
        assert (provider.asked, api.shown) == (2, [])


@pytest_twisted.ensureDeferred
async def test_killed_before_the_commit_it_goes_on_where_the_provider_lets_it(
    data: Path, first: FirstUser, api: Api
) -> None:
    with Provider(lenient=True) as provider:
        proxy = await killed_before_the_commit(data, first, provider, api)
        with Twistd(data).ready() as gateway:
            client = gateway.client(first)
            assert (await client.call(proxy)).status == 200
            assert not await needs_authorization(client, proxy)
        assert (provider.asked, provider.over) == (2, False)


@pytest_twisted.ensureDeferred
async def test_killed_after_the_commit_it_has_what_is_valid(data: Path, first: FirstUser, api: Api) -> None:
    with Provider(life=2) as provider:
        with Twistd(data).ready() as gateway:
            client = gateway.client(first)
            proxy = await made(client, provider, api)
            assert (await client.call(proxy)).status == 200
            gateway.process.send_signal(signal.SIGKILL)
            assert await in_thread(gateway.ended) == -signal.SIGKILL
        with Twistd(data).ready() as gateway:
            client = gateway.client(first)
            assert (await client.call(proxy)).status == 200
            # By now the first access token is over, and the refresh token that came with it is taken.
            await in_thread(time.sleep, 2)
            assert (await client.call(proxy)).status == 200
            assert not await needs_authorization(client, proxy)
        assert not provider.over


@pytest_twisted.ensureDeferred
async def test_one_that_is_stopped_meanwhile_keeps_what_it_is_given(data: Path, first: FirstUser, api: Api) -> None:
    with Provider(life=3) as provider:
        with Twistd(data).ready() as gateway:
            client = gateway.client(first)
            proxy = await made(client, provider, api)
            assert (await client.call(proxy)).status == 200
            provider.slow = 1
            provider.answered.clear()
            # In the last fifth of its life the next one is fetched, and nobody waits for it.
            deadline = time.monotonic() + 20
            while not provider.answered.is_set():
                assert time.monotonic() < deadline
                assert (await client.call(proxy)).status == 200
                await in_thread(provider.answered.wait, 0.05)
            gateway.terminate()
            assert await in_thread(gateway.ended) == 0
        assert provider.asked == 2
        provider.slow = 0
        with Twistd(data).ready() as gateway:
            assert (await gateway.client(first).call(proxy)).status == 200
        assert not provider.over


@pytest_twisted.ensureDeferred
async def test_two_gateways_on_one_state_renew_one_after_the_other(data: Path, first: FirstUser, api: Api) -> None:
    with Provider(life=1) as provider:
        with Twistd(data).ready() as gateway:
            proxy = await made(gateway.client(first), provider, api)
        with Twistd(data).ready() as one, Twistd(data).ready() as other:
            clients = [one.client(first), other.client(first)]

            async def calls(client: GatewayClient) -> list[Answer]:
                answers = []
                for _ in range(15):
                    answers.append(await client.call(proxy))
                    await in_thread(time.sleep, 0.2)
                return answers

            found: list[Any] = await gatherResults([Deferred.fromCoroutine(calls(client)) for client in clients])
        assert {answer.status for answers in found for answer in answers} == {200}
        # Each refresh token was shown once: else the provider would have ended it all.
        assert not provider.over
        assert 3 <= provider.asked <= 20
