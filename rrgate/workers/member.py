"""`Member`: one worker: its gateway, what that asks of its node, and what the parent tells it.

Belongs here: what follows from each message. Does not: the process (main.py), the end that nobody notices
(retiring.py).

Messages are obeyed one after the other, each to its end, so that whoever is told to serve has in force all that it was
told before.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from rrgate.core.site import CoreSite
from rrgate.gateway import Gateway
from rrgate.node import Taken
from rrgate.reactor import GatewayReactor
from rrgate.settings import Settings
from rrgate.waiting import run_deferred
from rrgate.workers.changing import Changing
from rrgate.workers.channel import Message
from rrgate.workers.following import Follower
from rrgate.workers.metrics import together
from rrgate.workers.retiring import Retirement
from rrgate.workers.sharing import Shares, adopt_fairly
from rrgate.workers.sockets import adopt_paused

WAKE: Final = 0.02
"""Seconds in which one word of new work in the queue is enough."""

_log = Logger("rrgate.workers")


class Member:
    """One worker's; it is the `Node` of its gateway. All on the reactor's thread."""

    def __init__(
        self,
        settings: Settings,
        reactor: Any,
        make: Callable[[Settings, Any, Member], Gateway],
        send: Callable[..., None],
        sockets: Mapping[str, int],
        shares: Shares,
        end: Callable[[], None],
        fail: Callable[[str], None],
    ) -> None:
        """`make`: makes the gateway. `sockets`: descriptors by endpoint, which are closed when they are listened on.
        `end`: ends the process, with all done; `fail`: at once, so that another takes its place.
        """
        self._settings = settings
        self._reactor = reactor
        self._send = send
        self._sockets = sockets
        self._shares = shares
        self._end = end
        self._fail = fail
        self._slot = -1
        self._ports: dict[str, Any] = {}
        self._core: CoreSite | None = None
        self._leads = False
        self._serves = False
        self._ending = False
        self._waking: Any = None
        self._questions: dict[int, Deferred[Any]] = {}
        self._numbers = count(1)
        self._gateway = make(settings, reactor, self)

    # What the gateway asks (`Node`).

    def listen(
        self, endpoint: str, factory: IProtocolFactory, listen_now: Callable[[Any, str, Any], IListeningPort]
    ) -> IListeningPort:
        if isinstance(factory, CoreSite):
            self._core = factory
        fairly = endpoint == self._settings.listen and isinstance(self._reactor, GatewayReactor)

        def adopt(descriptor: int, family: socket.AddressFamily, made: Any) -> Any:
            if fairly and family in (socket.AF_INET, socket.AF_INET6):
                return adopt_fairly(self._reactor, descriptor, family, made, self._shares, self._slot)
            return self._reactor.adoptStreamPort(descriptor, family, made)

        descriptor = self._sockets[endpoint]
        port = adopt_paused(self._reactor, endpoint, factory, descriptor, adopt, listen_now)
        # The port has its own. With this one the socket would listen on, and nobody accept, until this process ends.
        os.close(descriptor)
        self._ports[endpoint] = port
        return port

    def leads(self) -> bool:
        return self._leads

    def may_deliver(self) -> bool:
        return self._serves

    def ask_leader(self, credential_id: str, secret_version: int, needed: bool) -> None:
        self._send("authorization", credential=credential_id, version=secret_version, needed=needed)

    def wakes(self, wake: Callable[[], None]) -> Callable[[], None]:
        def tell() -> None:
            wake()
            self._wake_others()

        return tell

    def taken(self, taken: Taken, wake: Callable[[], None]) -> Taken:
        def tell(proxy_id: str, seconds: float) -> None:
            taken(proxy_id, seconds)
            self._wake_others()

        return tell

    async def figures(self, own: Callable[[], bytes]) -> bytes:
        number = next(self._numbers)
        answer: Deferred[Any] = Deferred()
        self._questions[number] = answer
        self._send("gather", id=number)
        return together(await answer)

    def _wake_others(self) -> None:
        if self._waking is None and not self._gateway.delivery.worker.delivers:
            self._waking = self._reactor.callLater(WAKE, self._wake_now)

    def _wake_now(self) -> None:
        self._waking = None
        self._send("wake")

    # What the parent says.

    def take(self, message: Message) -> None:
        """Do what it says. Raises what keeps this worker from going on: it must end then."""
        match message["say"]:
            case "open":
                self._open(message["slot"])
            case "serve":
                self._serve()
            case "lead":
                self._lead()
            case "go" | "done":
                self._changing.heard(message["id"])
            case "refresh":
                self._follower.refresh(message["nouns"])
                self._send("refreshed", id=message["id"])
            case "wake":
                self._gateway.delivery.worker.wake()
            case "authorization":
                self._show_authorization(message)
            case "figures":
                self._send("figures", id=message["id"], text=self._gateway.metrics.text().decode())
            case "gathered":
                self._questions.pop(message["id"]).callback(message["texts"])
            case "retire":
                self.retire()
            case "stop":
                self.stop()

    def _open(self, slot: int) -> None:
        self._slot = slot
        gateway = self._gateway
        gateway.startService()
        secrets = gateway.store.secrets
        self._follower = Follower(self._settings.data, gateway.directory, secrets)
        self._changing = Changing(self._send, secrets)
        gateway.store.everywhere = self._changing.change
        self._send("ready")

    def _serve(self) -> None:
        if self._ending:
            return
        self._serves = True
        self._shares.opens(self._slot)
        self._ports[self._settings.listen].startReading()
        self._send("serving")

    def _lead(self) -> None:
        if self._ending:
            self._send("released")
            return
        self._leads = True
        run_deferred(self._open_core()).addErrback(self._cannot_lead)

    def _cannot_lead(self, failure: Failure) -> None:
        _log.failure("this worker cannot lead", failure)
        self._fail("rrgate: a worker could not lead")

    async def _open_core(self) -> None:
        # A look of TokenWatch may have been under way while the one before made a change.
        self._gateway.directory.replace_people(*await self._gateway.store.load_people())
        # Before anything is changed: a client's data key must not be made by two workers.
        clients = tuple(self._gateway.directory.clients.values())
        unkeyed = [client for client in clients if not self._gateway.store.secrets.has_key(client.id)]
        if unkeyed:
            await self._gateway.store.save(*unkeyed)
        for endpoint, port in self._ports.items():
            if endpoint != self._settings.listen and not self._ending:
                port.startReading()

    def _show_authorization(self, message: Message) -> None:
        credential = self._gateway.directory.credentials.get(message["credential"])
        if credential is not None and credential.secret_version == message["version"] and self._leads:
            run_deferred(self._gateway.show_authorization(credential, message["needed"])).addErrback(
                lambda failure: _log.failure("whether a credential needs authorization could not be shown", failure)
            )

    # The end.

    def retire(self) -> None:
        """End so that nobody notices."""
        self._close(gently=True)

    def stop(self) -> None:
        """Drain, and end."""
        self._close(gently=False)

    def end_alone(self) -> None:
        """End without having been told to by the parent: somebody has sent this process SIGTERM."""
        if not self._ending:
            self._send("ending")
        self.retire()

    def orphaned(self) -> None:
        """The parent is no more: drain, and end."""
        if self._slot >= 0:
            self._changing.lost()
        for question in self._questions.values():
            question.cancel()
        self.stop()

    def _close(self, *, gently: bool) -> None:
        if not self._serves and not self._ending:
            self._ending = True
            self._end()
            return
        if self._ending and gently:
            return
        if not self._ending:
            self._ending = True
            self._shares.closes(self._slot)
            retirement = self._retirement = Retirement(
                self._gateway, self._reactor, self._ports[self._settings.listen], self._core if self._leads else None
            )
            if not gently:
                retirement.hurry()
            run_deferred(self._close_down(retirement)).addBoth(self._closed)
        elif not gently:
            self._retirement.hurry()

    async def _close_down(self, retirement: Retirement) -> None:
        await retirement.linger()
        if self._leads:
            for endpoint, port in self._ports.items():
                if endpoint != self._settings.listen:
                    port.stopReading()
            await retirement.end_core()
            await self._changing.retire()
            self._leads = False
            self._send("released")
        if self._waking is not None:
            self._waking.cancel()
            self._wake_now()
        await self._gateway.stopService()
        self._follower.close()

    def _closed(self, result: Any) -> None:
        if result is not None:
            _log.failure("a worker did not end in order", result)
        self._end()
