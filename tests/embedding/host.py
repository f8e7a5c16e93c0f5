"""`Host`: a host's service in this process, with a gateway as a child that is mounted in the host's own site.

Belongs here: starting, stopping, calling. Does not: any expectation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import maybeDeferred
from twisted.web.server import Site

from rrgate.cli.init import FirstUser, create_state
from rrgate.gateway import Gateway
from rrgate.resource import GatewayResource
from rrgate.settings import Settings
from tests.callers import Answer, call, in_thread
from tests.embedding.parts import Folder, Plain
from tests.leak_search import LeakSearch
from tests.running_gateway import KEY, GatewayClient, MadeProxy


class Host(GatewayClient):
    """Its site has a page at `/own` and the gateway at `/gate`; but for the Core API the gateway listens nowhere."""

    def __init__(self, data: Path, first: FirstUser | None = None, **settings: Any) -> None:
        from twisted.internet import reactor

        self.first = first or create_state(data)
        given: dict[str, Any] = {
            "listen": "",
            "core_listen": "tcp:0:interface=127.0.0.1",
            "public_url": "http://127.0.0.1/gate",
            "allow_networks": ["127.0.0.0/8"],
            "journal_interval": 0.02,
        }
        self.gateway = Gateway(Settings(data=data, **(given | settings)), reactor)
        self.service = MultiService()
        self.gateway.setServiceParent(self.service)
        root = Folder()
        root.putChild(b"own", Plain())
        root.putChild(b"gate", GatewayResource(self.gateway))
        listening: Any = reactor
        self.site = listening.listenTCP(0, Site(root), interface="127.0.0.1")

    def start(self) -> Host:
        """Start the service. Raises what the gateway raises."""
        search = LeakSearch.of(self.gateway.settings.data)
        search.begin_log()
        try:
            self.service.startService()
        except BaseException:
            search.end_log()
            raise
        core: Any = self.gateway.ports[-1].getHost()
        super().__init__(self.first, ("127.0.0.1", self.site.getHost().port), ("127.0.0.1", core.port), search)
        return self

    async def stop_service(self) -> None:
        """The service alone: the site is the host's, and stays."""
        try:
            await maybeDeferred(self.service.stopService)
        finally:
            search = LeakSearch.of(self.gateway.settings.data)
            search.end_log()
        search.look_at_state(self.gateway.settings.data)

    async def stop(self) -> None:
        """All of it. Raises AssertionError if a secret that it was told is anywhere where none may be."""
        await self.stop_service()
        await self.site.stopListening()
        self.search.end()

    async def through_site(
        self, proxy: MadeProxy, method: str = "GET", path: str = "/", *, key: str = KEY, body: bytes | None = None
    ) -> Answer:
        """A request to the mounted gateway."""
        return await in_thread(call, self.address, method, f"/gate{proxy.path}{path}", {"X-Api-Key": key}, body)

    async def told(self, proxy: MadeProxy) -> list[Any]:
        """The proxy's records, once they are written."""
        await self.gateway.journal.flush()
        return await self.records(proxy)
