"""`RunningGateway`: a whole gateway with real sockets on loopback, set up through its Core API (`GatewayClient`).

Belongs here: starting, stopping, making nouns, calling. Does not: any expectation but that making nouns works.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from attrs import frozen
from twisted.internet.defer import Deferred, maybeDeferred

from rrgate.cli.init import FirstUser, create_state
from rrgate.gateway import Gateway
from rrgate.registry import load_registry
from rrgate.settings import load
from tests.callers import Address, Answer, Headers, call, call_at_once, in_thread
from tests.leak_search import LeakSearch

REGION = "us-east-1"
KEY = "caller-key-0001-of-every-test"
"""What callers of `RunningGateway.proxy` show in X-Api-Key, unless a test says otherwise."""
TOKEN = "target-token-0001-of-every-test"
"""What targets are shown as bearer token, unless a test says otherwise."""


@frozen
class MadeProxy:
    """A proxy and its parts, by id."""

    id: str
    client: str
    target: str
    caller_credential: str
    target_credential: str

    @property
    def path(self) -> str:
        """Where it is called."""
        return f"/api/{self.id}"


class GatewayClient:
    """A gateway as seen from outside; everything blocks in threads, so that reactor and caller stay apart."""

    def __init__(
        self, first: FirstUser, address: Address, core_address: tuple[str, int], search: LeakSearch
    ) -> None:
        """`search`: what it is told as secret is looked for when it ends."""
        self.first = first
        self.client = first.client_id
        self.address = address
        self.core_address = core_address
        self.search = search
        search.know("the first user's token", first.token)
        search.watch(address, core_address)

    # The Core API.

    async def ask(self, method: str, path: str, document: object = None, token: str | None = None) -> Answer:
        """A question to the Core API as its first user, whatever comes back."""
        headers = {"Authorization": token or self.first.token}
        body = None
        if document is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(document).encode()
        return await in_thread(call, self.core_address, method, path, headers, body)

    async def make(self, kind: str, document: Mapping[str, Any], client: str | None = None) -> Any:
        """POST a noun; answers it as the Core API does."""
        told = await self.ask("POST", f"/clients/{client or self.client}/{kind}", document)
        assert told.status == 200, told.body
        return told.json[kind][0]

    async def change(self, kind: str, noun_id: str, **changes: Any) -> Any:
        """PUT `changes` of a noun."""
        told = await self.ask("PUT", f"/clients/{self.client}/{kind}/{noun_id}", changes)
        assert told.status == 200, told.body
        return told.json[kind][0]

    async def delete(self, kind: str, noun_id: str) -> None:
        """DELETE a noun, in use or not."""
        force = "?force=true" if kind == "targets" else ""
        told = await self.ask("DELETE", f"/clients/{self.client}/{kind}/{noun_id}{force}")
        assert told.status == 200, told.body

    async def credential(self, side: str, auth_type: str, secret: Mapping[str, Any], **more: Any) -> str:
        """The id of a new credential."""
        made = await self.make(
            "credentials",
            {
                "credentialName": f"{side} {auth_type}",
                "credentialType": side,
                "credentialAuthType": auth_type,
                "credentialRegion": REGION,
                "credentialSecret": dict(secret),
                **more,
            },
        )
        return str(made["sKey"])

    async def target(self, url: str, **more: Any) -> str:
        """The id of a new target."""
        made = await self.make(
            "targets", {"targetName": "target", "targetRegion": REGION, "targetBaseURL": url, **more}
        )
        return str(made["sKey"])

    async def proxy(
        self,
        url: str,
        *,
        caller: tuple[str, Mapping[str, Any]] = ("apiKey", {"key": "X-Api-Key", "value": KEY}),
        towards: tuple[str, Mapping[str, Any]] = ("bearer", {"token": TOKEN}),
        target: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> MadeProxy:
        """A new proxy to `url` with credentials and target of its own. `more`: published settings of the proxy."""
        target_id = await self.target(url, **(target or {}))
        caller_id = await self.credential("proxy", *caller)
        towards_id = await self.credential("target", *towards)
        made = await self.make(
            "proxies",
            {
                "proxyName": "proxy",
                "proxyRegion": REGION,
                "proxyProxyCredentialId": caller_id,
                "proxyTargetId": target_id,
                "proxyTargetCredentialId": towards_id,
                **more,
            },
        )
        return MadeProxy(made["sKey"], self.client, target_id, caller_id, towards_id)

    # The Proxy API.

    async def call(
        self,
        proxy: MadeProxy,
        method: str = "GET",
        path: str = "/",
        headers: Headers = (),
        body: bytes | Iterable[bytes] | None = None,
        *,
        key: str | None = KEY,
    ) -> Answer:
        """A caller's request on a connection of its own; `key` in X-Api-Key unless it is None."""
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        if key is not None:
            pairs.append(("X-Api-Key", key))
        return await in_thread(call, self.address, method, proxy.path + path, pairs, body)

    async def calls_at_once(self, proxy: MadeProxy, headers: Iterable[Mapping[str, str]]) -> list[Answer]:
        """A GET for each of `headers`, all of them under way together; in X-Api-Key is the usual key.

        Unlike many `call`, of which only as many run at once as the reactor has threads.
        """
        pairs = [{"X-Api-Key": KEY, **each} for each in headers]
        return await in_thread(call_at_once, self.address, proxy.path + "/", pairs)

    # The request log.

    async def records(self, proxy: MadeProxy) -> list[Any]:
        """The proxy's records so far, newest first."""
        told = await self.ask("GET", f"/clients/{proxy.client}/proxies/{proxy.id}/requests")
        assert told.status == 200, told.body
        return list(told.json["requests"])

    async def record(self, proxy: MadeProxy, request_id: str) -> Any:
        """One record in detail."""
        told = await self.ask("GET", f"/clients/{proxy.client}/proxies/{proxy.id}/requests/{request_id}")
        assert told.status == 200, told.body
        return told.json["requests"][0]


class RunningGateway(GatewayClient):
    """One in this process; use `start`."""

    def __init__(self, gateway: Gateway, first: FirstUser) -> None:
        listening, core_listening, *_ = (cast(Any, port.getHost()) for port in gateway.ports)
        super().__init__(
            first,
            ("127.0.0.1", listening.port) if hasattr(listening, "port") else listening.name.decode(),
            ("127.0.0.1", core_listening.port),
            LeakSearch.of(gateway.settings.data),
        )
        self.gateway = gateway

    @classmethod
    def start(
        cls, data: Path, *, plugins: Iterable[Any] = (), wall: Callable[[], float] = time.time, **settings: Any
    ) -> RunningGateway:
        """A gateway with new state in `data`. `plugins`: modules or objects with hooks, besides those installed."""
        first = create_state(data)
        return cls(cls.open(data, plugins=plugins, wall=wall, **settings), first)

    @staticmethod
    def open(
        data: Path, *, plugins: Iterable[Any] = (), wall: Callable[[], float] = time.time, **settings: Any
    ) -> Gateway:
        """A started Gateway on the state in `data`; to be stopped by a RunningGateway made of it."""
        from twisted.internet import reactor

        search = LeakSearch.of(data)
        given: dict[str, Any] = {
            "data": data,
            "listen": "tcp:0:interface=127.0.0.1",
            "core_listen": "tcp:0:interface=127.0.0.1",
            "allow_networks": "127.0.0.0/8",
            "journal_interval": 0.02,
            "async_free_disk": 1024 * 1024,  # and so a small ballast
            "block_warning": 0,  # a busy machine can look like a blocked reactor
        }
        gateway = Gateway(load(given | settings, {}, None), reactor, wall=wall, registry=load_registry(plugins))
        search.begin_log()
        try:
            gateway.startService()
        except BaseException:
            search.end_log()
            raise
        return gateway

    def stop(self) -> Deferred[None]:
        """Drain and close. Raises AssertionError if a secret that it was told is anywhere where none may be."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        data = self.gateway.settings.data
        try:
            await self.gateway.journal.flush()
            self.search.look_at_state(data)  # with its WAL, which is gone when it is closed
        finally:
            await maybeDeferred(self.gateway.stopService)
            self.search.end_log()
        self.search.look_at_state(data)
        self.search.end()

    async def records(self, proxy: MadeProxy) -> list[Any]:
        await self.gateway.journal.flush()
        return await super().records(proxy)

    async def record(self, proxy: MadeProxy, request_id: str) -> Any:
        await self.gateway.journal.flush()
        return await super().record(proxy, request_id)
