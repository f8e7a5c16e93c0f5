"""The reactor of `twistd rrgate`: epoll, with a clock that only goes forward, lean dispatch and eager transports.

How bytes are written is in transports.py; which reactor a process uses is decided in service.py. Nothing else of the
gateway needs this reactor: it runs on every reactor of Twisted's, only slower, and at the mercy of clock steps.
"""

from __future__ import annotations

import socket
import time
from types import FrameType
from typing import Any, Final

from twisted.internet import error
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST, installReactor
from twisted.internet.protocol import ClientFactory
from twisted.python import log

from rrgate.transports import EagerConnector, EagerPort, EagerServer, EagerTransport, adopt_connection, adopt_port

PRIVATE_NAMES: Final = (
    "twisted.internet.epollreactor.EPollReactor.doPoll",
    "twisted.internet.epollreactor.EPollReactor.__init__",
    "twisted.internet.posixbase._PollLikeMixin._doReadOrWrite",
    "twisted.internet.posixbase._DisconnectSelectableMixin._disconnectSelectable",
    "twisted.internet.posixbase.PosixReactorBase.listenTCP",
    "twisted.internet.posixbase.PosixReactorBase.connectTCP",
    "twisted.internet.posixbase.PosixReactorBase.adoptStreamPort",
    "twisted.internet.posixbase.PosixReactorBase.adoptStreamConnection",
    "twisted.internet.base.ReactorBase.callLater",
    "twisted.internet.base.ReactorBase.sigTerm",
    "twisted.internet.base.ReactorBase.timeout",
    "twisted.internet.base.ReactorBase.runUntilCurrent",
    "twisted.python.log.callWithLogger",
)
"""What this file overrides or relies on; `tests/reactor/test_private_names.py` fails when Twisted changes one of it."""

_POLL_IN: Final = EPollReactor._POLL_IN
_POLL_OUT: Final = EPollReactor._POLL_OUT
_POLL_DISCONNECTED: Final = EPollReactor._POLL_DISCONNECTED
ROUND: Final = 64
"""Events that are served before what was written to their connections is sent: the first must not wait for too many.
With 16, the half of what holding back saves was gone."""
_INTERNET: Final = (socket.AF_INET, socket.AF_INET6)


class GatewayReactor(EPollReactor):
    """Twisted's epoll reactor with four differences, each invisible to protocols.

    - `seconds()` is `time.monotonic()`: stepping the wall clock neither fires nor freezes a timer. It is no date.
    - No log context is made for a readiness event. An exception is still logged under its transport's name, and still
      disconnects that transport and no other.
    - TCP connections, made or accepted, send what they can at once, or when the round is over that they were written to
      in (`rrgate.transports`).
    - A process that SIGTERM told to stop, and that did, exits with 0; stock Twisted makes it die of the signal.
    """

    seconds = staticmethod(time.monotonic)
    held: list[EagerTransport] | None = None
    """Transports that hold back what is written until the end of this round; None while nothing is held back."""

    def doPoll(self, timeout: float | None) -> None:
        """Wait up to `timeout` seconds (None: until something happens) and dispatch what is ready."""
        ready = self._poller.poll(-1 if timeout is None else timeout, len(self._selectables))
        if len(ready) < 2:
            self._dispatch(ready)
            return
        self.held = []
        try:
            for start in range(0, len(ready), ROUND):
                self._dispatch(ready[start : start + ROUND])
                self._flush(self.held)
        finally:
            self._let_out()

    def runUntilCurrent(self) -> None:
        """Call what other threads have asked for, and what is due; hold back as in a round: one commit answers many."""
        if not self.threadCallQueue:
            super().runUntilCurrent()
            return
        self.held = []
        try:
            super().runUntilCurrent()
        finally:
            self._let_out()

    def _let_out(self) -> None:
        held, self.held = self.held, None
        self._flush(held or [])

    def _dispatch(self, ready: list[tuple[int, int]]) -> None:
        selectables = self._selectables
        dispatch = self._doReadOrWrite
        for fd, event in ready:
            selectable = selectables.get(fd)
            if selectable is None:  # closed by an earlier one of this round
                continue
            try:
                dispatch(selectable, fd, event)
            except KeyboardInterrupt:
                raise
            except BaseException:  # noqa: BLE001  # out of a connectionLost; the loop and the others go on
                log.err(system=_log_name(selectable))

    def _flush(self, held: list[EagerTransport]) -> None:
        transports = held[:]
        held.clear()
        for transport in transports:
            try:
                transport.flush()
            except Exception:  # noqa: BLE001  # out of a producer that is paused; as in _dispatch
                log.err(system=_log_name(transport))

    doIteration = doPoll

    def _doReadOrWrite(self, selectable: Any, fd: int, event: int) -> None:
        why: Any = None
        in_read = False
        if event & _POLL_DISCONNECTED and not event & _POLL_IN:
            # Nothing left to read. Whoever was reading sees a clean end, whoever only wrote has lost the connection.
            in_read = fd in self._reads
            why = CONNECTION_DONE if in_read else CONNECTION_LOST
        else:
            try:
                if selectable.fileno() == -1:
                    why = error.ConnectionFdescWentAway("File descriptor lost")
                else:
                    if event & _POLL_IN:
                        why = selectable.doRead()
                        in_read = True
                    if not why and event & _POLL_OUT:
                        why = selectable.doWrite()
                        in_read = False
            except BaseException as problem:  # noqa: BLE001  # as the stock reactor: log it and disconnect
                why = problem
                log.err(system=_log_name(selectable))
        if why:
            self._disconnectSelectable(selectable, why, in_read)

    def sigTerm(self, number: int, frame: FrameType | None = None) -> None:
        """Stop in order; called by Twisted when SIGTERM comes."""
        super().sigTerm(number, frame)
        self._exitSignal = None

    def listenTCP(self, port: Any, factory: IProtocolFactory, backlog: int = 50, interface: str = "") -> EagerPort:
        """As `IReactorTCP.listenTCP`; connections send at once. Raises CannotListenError."""
        listening = EagerPort(port, factory, backlog, interface, self)
        listening.startListening()
        return listening

    def connectTCP(
        self, host: str, port: int, factory: ClientFactory[Any], timeout: float = 30.0, bindAddress: Any = None
    ) -> EagerConnector:
        """As `IReactorTCP.connectTCP`; the connection sends at once. `timeout` in seconds."""
        connector = EagerConnector(host, port, factory, timeout, bindAddress, self)
        connector.connect()
        return connector

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: Any, factory: IProtocolFactory) -> Any:
        """As `IReactorSocket.adoptStreamPort`; connections of TCP ports send at once."""
        if addressFamily in _INTERNET:
            return adopt_port(self, fileDescriptor, addressFamily, factory)
        return super().adoptStreamPort(fileDescriptor, addressFamily, factory)

    def adoptStreamConnection(
        self, fileDescriptor: int, addressFamily: Any, factory: IProtocolFactory
    ) -> EagerServer | Any:
        """As `IReactorSocket.adoptStreamConnection`; TCP connections send at once."""
        if addressFamily in _INTERNET:
            return adopt_connection(self, fileDescriptor, addressFamily, factory)
        return super().adoptStreamConnection(fileDescriptor, addressFamily, factory)


def _log_name(selectable: Any) -> str:
    try:
        return str(selectable.logPrefix())
    except Exception:  # noqa: BLE001  # a broken name must not hide the problem that is being logged
        return "(buggy logPrefix method)"


def install() -> GatewayReactor:
    """Make a GatewayReactor the process's reactor and answer it.

    Raises ReactorAlreadyInstalledError when a reactor is installed already.
    """
    reactor = GatewayReactor()
    installReactor(reactor)
    return reactor
