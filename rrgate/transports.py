"""TCP transports that send what they can at once, or at the end of the round of the reactor in which it was written.

Twisted buffers every write until its reactor reports the socket writable: one more trip a message.
Here stands every use of a private name of Twisted's transports, and nothing of HTTP, TLS or addresses.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from typing import Any, Final, TypeVar

from twisted.internet import main, tcp, unix
from twisted.internet.interfaces import IListeningPort, IProtocol, IProtocolFactory, IReactorFDSet

PRIVATE_NAMES: Final = (
    "twisted.internet.abstract.FileDescriptor.doWrite",
    "twisted.internet.abstract.FileDescriptor._isSendBufferFull",
    "twisted.internet.abstract.FileDescriptor._maybePauseProducer",
    "twisted.internet.abstract.FileDescriptor.write",
    "twisted.internet.abstract.FileDescriptor.writeSequence",
    "twisted.internet.abstract._ConsumerMixin",
    "twisted.internet._newtls.ConnectionMixin",
    "twisted.internet._newtls.startTLS",
    "twisted.internet.tcp._AbortingMixin",
    "twisted.internet.tcp.Connection._dataReceived",
    "twisted.internet.tcp.Connection.doRead",
    "twisted.internet.tcp.Connection.writeSomeData",
    "twisted.internet.tcp.BaseClient.createInternetSocket",
    "twisted.internet.tcp.Server.__init__",
    "twisted.internet.tcp.Server._fromConnectedSocket",
    "twisted.internet.tcp.Port.doRead",
    "twisted.internet.tcp.Port._fromListeningDescriptor",
    "twisted.internet.tcp.Connector._makeTransport",
    "twisted.internet.tcp._SocketCloser",
    "twisted.internet.unix.Port._fromListeningDescriptor",
    "twisted.internet.unix.Port.startListening",
    "twisted.internet.unix.Port.connectionLost",
)
"""What this file overrides or relies on; `tests/reactor/test_private_names.py` fails when Twisted changes one of it."""

_TRY_LATER: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS})

HELD_BYTES: Final = 16 * 1024
"""What one connection holds back to the end of a round; more is sent at once, so that back-pressure is felt at once."""
ACCEPTED_AT_ONCE: Final = 32
"""Connections accepted before others have their turn: 3 ms. Twisted's own number grows by 20 each time."""


class EagerTransport(tcp.Connection):
    """`write` and `writeSequence` that send before they buffer; everything else is Twisted's.

    Order, back-pressure, half-close and disconnecting are as with the stock transport: whatever cannot leave at once
    goes the stock way. A write never calls `connectionLost`: an error is left for the reactor to find.

    While the reactor serves several connections in one round, what is written is held until the round is over: each
    send wakes the peer, which on a busy machine takes the processor at once, and with it what this process had in the
    caches. Held back, 32 connections on one core cost a tenth less CPU a request; a round of one event holds nothing.
    """

    _send_failed = False
    _held = b""

    def write(self, data: bytes) -> None:
        """Send `data`, now as far as the socket takes it, and the rest when it can.

        Raises TypeError when `data` is no bytes. Dropped when the connection is gone, as everywhere in Twisted.
        """
        if (
            self.TLS  # what follows startTLS must pass through TLS
            or self._tempDataLen  # what waits goes first
            or self.dataBuffer
            or not self.connected
            or self._writeDisconnecting
            or self._aborting
            or (self.producer is not None and not self.streamingProducer)  # doWrite is what pulls from it
            or type(data) is not bytes
            or not data
        ):
            self.flush()
            tcp.Connection.write(self, data)
            return
        held: list[EagerTransport] | None = self.reactor.held  # type: ignore[attr-defined]  # it is a GatewayReactor
        if held is not None:
            if len(self._held) + len(data) <= HELD_BYTES:
                if not self._held:
                    held.append(self)
                self._held += data
                return
            self.flush()
            if self.dataBuffer:
                tcp.Connection.write(self, data)
                return
        self._send(data)

    def flush(self) -> None:
        """Send what is held. The reactor calls it at the end of a round; so does whatever must not come before it."""
        if self._held:
            data, self._held = self._held, b""
            if self.connected and not self._aborting:
                self._send(data)

    def _send(self, data: bytes) -> None:
        size = len(data)
        try:
            sent = self.socket.send(data if size <= self.SEND_LIMIT else memoryview(data)[: self.SEND_LIMIT])
        except OSError as problem:
            self._send_failed = problem.errno not in _TRY_LATER
            tcp.Connection.write(self, data)
            return
        if sent == size:
            return
        self.dataBuffer = data
        self.offset = sent
        if self.producer is not None:
            self.producerPaused = True
            self.producer.pauseProducing()  # type: ignore[attr-defined]  # a streaming one, seen above
        self.startWriting()

    def _isSendBufferFull(self) -> bool:
        # The kernel's buffer keeps the peer busy. What does not fit there is not to be added to.
        return bool(self.dataBuffer or self._tempDataLen)

    # What must not overtake what is held. A connection that is asked to close does so in a later round.

    def startTLS(self, ctx: Any, normal: bool = True) -> None:
        self.flush()
        super().startTLS(ctx, normal)

    def connectionLost(self, reason: Any) -> None:
        self.flush()
        super().connectionLost(reason)

    def writeSomeData(self, data: Any) -> Any:
        """Send what is buffered; nothing where nothing is.

        Stock Twisted sends the empty string when a connection becomes writable. On one whose peer has answered and gone
        that fails, and the answer, which waits to be read, is lost with the connection.
        """
        return tcp.Connection.writeSomeData(self, data) if data else 0

    def writeSequence(self, iovec: Any) -> None:
        """Send several pieces as one. Raises TypeError when one of them is no bytes."""
        if self.TLS or any(type(piece) is not bytes for piece in iovec):
            tcp.Connection.writeSequence(self, iovec)
        else:
            self.write(b"".join(iovec))

    def _dataReceived(self, data: bytes | None) -> Any:
        if not data:
            # The failed send took the socket's error away, so a reset now reads like a clean end. It is none.
            return main.CONNECTION_LOST if self._send_failed else main.CONNECTION_DONE
        self.protocol.dataReceived(data)
        return None


class EagerServer(EagerTransport, tcp.Server):
    """The accepted side of a TCP connection; sends at once, TCP_NODELAY set."""

    def __init__(
        self,
        sock: socket.socket,
        protocol: IProtocol,
        client: tuple[object, ...],
        server: tcp.Port,
        sessionno: int,
        reactor: IReactorFDSet,
    ) -> None:
        super().__init__(sock, protocol, client, server, sessionno, reactor)
        self.setTcpNoDelay(True)


class EagerClient(EagerTransport, tcp.Client):
    """The connecting side of a TCP connection; sends at once, TCP_NODELAY set."""

    def createInternetSocket(self) -> socket.socket:
        skt: socket.socket = super().createInternetSocket()
        skt.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return skt


class EagerPort(tcp.Port):
    """A listening TCP port, IPv4 or IPv6, whose connections are `EagerServer`s."""

    transport: type[EagerServer] = EagerServer

    def doRead(self) -> None:
        """Accept some of those who wait."""
        self.numberAccepts = min(self.numberAccepts, ACCEPTED_AT_ONCE)
        super().doRead()


class EagerConnector(tcp.Connector):
    """A TCP connector, IPv4 or IPv6, whose connection is an `EagerClient`."""

    def _makeTransport(self) -> EagerClient:
        return EagerClient(self.host, self.port, self.bindAddress, self, self.reactor)

    def connectionLost(self, reason: Any) -> None:
        """The connection is over, and is not held by what it holds itself."""
        self.transport = None
        super().connectionLost(reason)


P = TypeVar("P", bound=EagerPort)


class _AdoptedUnixPort(unix.Port):
    """A Unix socket that others listen on too: its path and mode are theirs as well, and stay as they are."""

    _shouldShutdown = False

    def startListening(self) -> None:
        name = self._bindPath
        if name[:1] not in (b"\0", b""):
            self.mode = stat.S_IMODE(os.stat(name).st_mode)
        super().startListening()

    def connectionLost(self, reason: Any) -> None:
        tcp.Port.connectionLost(self, reason)


def adopt_port(
    reactor: Any,
    descriptor: int,
    family: socket.AddressFamily,
    factory: IProtocolFactory,
    kind: type[P] = EagerPort,  # type: ignore[assignment]  # mypy takes no default for a type variable
) -> P:
    """Listen on a TCP socket that something else has bound (socket activation). `descriptor` is duplicated.

    Raises OSError when `descriptor` is no such socket.
    """
    port: P = kind._fromListeningDescriptor(reactor, descriptor, family, factory)
    port.startListening()
    return port


def adopt_unix_port(reactor: Any, descriptor: int, factory: IProtocolFactory) -> IListeningPort:
    """The same for a Unix socket, which is left in its place when this ends to listen."""
    port: IListeningPort = _AdoptedUnixPort._fromListeningDescriptor(reactor, descriptor, factory)
    port.startListening()
    return port


def adopt_connection(
    reactor: Any, descriptor: int, family: socket.AddressFamily, factory: IProtocolFactory
) -> EagerServer | None:
    """Serve a TCP connection that something else has accepted. `descriptor` is duplicated.

    Answers None when `factory` builds no protocol for it. Raises OSError when `descriptor` is no such socket.
    """
    server: EagerServer | None = EagerServer._fromConnectedSocket(descriptor, family, factory, reactor)
    return server
