"""Scenarios that run eager transports over real sockets, each answering what it saw.

How they are run is in running.py; what must hold is in test_transports.py.
"""

from __future__ import annotations

import hashlib
import random
import socket
import struct
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from zope.interface import implementer

from tests.reactor.certificate import self_signed
from tests.reactor.running import factory_for

MEGABYTE = 1024 * 1024


class Recorder(Protocol):
    """Keeps what came and how it ended."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.lost: list[str] = []
        self.gone: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.got.append(data)

    def connectionLost(self, reason: Any) -> None:
        self.lost.append(reason.type.__name__)
        if not self.gone.called:
            self.gone.callback(None)


def peer_of(port: Any) -> socket.socket:
    """A plain blocking socket connected to a listening port."""
    return socket.create_connection((port.getHost().host, port.getHost().port), timeout=10)


@inlineCallbacks
def accepted(reactor: Any, protocol: Any = Recorder) -> Any:
    """(server protocol, the plain socket on the other end)."""
    factory = factory_for(protocol)
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    raw = peer_of(port)
    server = yield factory.made
    yield port.stopListening()
    return server, raw


@inlineCallbacks
def echo(reactor: Any, interface: str, size: str) -> Any:
    """Random pieces to an echo and back; the client reads only once both sides were pushed back, and then in fits."""
    fullest = [0]

    class Echo(Protocol):
        def connectionMade(self) -> None:
            self.transport.registerProducer(self.transport, True)

        def dataReceived(self, data: bytes) -> None:
            half = len(data) // 2
            self.transport.writeSequence([data[:half], data[half:]])
            fullest[0] = max(fullest[0], len(self.transport.dataBuffer) + self.transport._tempDataLen)

        def connectionLost(self, reason: Any) -> None:
            pass

    class Client(Recorder):
        paused = False
        left = int(size)
        sent = hashlib.sha256()
        received = hashlib.sha256()
        count = 0
        dice = random.Random(7)

        def connectionMade(self) -> None:
            self.transport.registerProducer(self, True)
            self.transport.stopReading()
            self.resumeProducing()

        def resumeProducing(self) -> None:
            self.paused = False
            while self.left and not self.paused:
                piece = self.dice.randbytes(min(self.left, self.dice.choice((1, 100, 5_000, 70_000, 300_000))))
                self.left -= len(piece)
                self.sent.update(piece)
                self.transport.write(piece)

        def pauseProducing(self) -> None:
            self.paused = True

        def stopProducing(self) -> None:
            self.left = 0

        def dataReceived(self, data: bytes) -> None:
            self.received.update(data)
            self.count += len(data)
            if self.count == int(size):
                self.transport.unregisterProducer()
                self.transport.loseConnection()
            elif self.dice.random() < 0.05:
                self.transport.stopReading()
                reactor.callLater(0.002, lambda: self.lost or self.transport.startReading())

    echoes = factory_for(Echo)
    echo_made = echoes.made
    port = reactor.listenTCP(0, echoes, interface=interface)
    endpoint = TCP6ClientEndpoint if ":" in interface else TCP4ClientEndpoint
    client = yield endpoint(reactor, interface, port.getHost().port).connect(factory_for(Client))
    transports = [type(client.transport).__name__, client.transport.getTcpNoDelay(), client.transport.getPeer().host]
    echo = yield echo_made
    while not (client.paused and echo.transport.producerPaused):
        yield deferLater(reactor, 0.005)
    client.transport.startReading()
    yield client.gone
    yield port.stopListening()
    return {
        "sent": client.sent.hexdigest(),
        "received": client.received.hexdigest(),
        "count": client.count,
        "fullest": fullest[0],
        "client": transports,
        "lost": client.lost,
    }


@inlineCallbacks
def at_once(reactor: Any) -> Any:
    """What the peer's socket holds before control is back with the reactor, after each kind of write."""
    server, raw = yield accepted(reactor)
    raw.setblocking(False)
    seen = []
    for write in (
        lambda: server.transport.write(b"one"),
        lambda: server.transport.writeSequence([b"t", b"", b"wo"]),
        lambda: server.transport.write(b""),
    ):
        write()
        try:
            seen.append(raw.recv(100).decode())
        except BlockingIOError:
            seen.append(None)
    wrong = []
    for write, argument in (
        (server.transport.write, "text"),
        (server.transport.write, memoryview(b"a view")),
        (server.transport.writeSequence, [b"a", bytearray(b"b")]),
    ):
        try:
            write(argument)
        except TypeError as problem:
            wrong.append(str(problem))
    server.transport.loseConnection()
    server.transport.write(b"after")
    yield server.gone
    raw.setblocking(True)
    rest = raw.recv(100).decode()
    server.transport.write(b"too late")
    return {"seen": seen, "wrong": wrong, "rest": rest, "server": type(server.transport).__name__}


@inlineCallbacks
def full_socket(reactor: Any) -> Any:
    """Room comes free between two writes, the first of which had to wait; and a write too large for a producer."""
    server, raw = yield accepted(reactor)
    filled = 0
    try:
        while True:
            filled += server.transport.getHandle().send(b"x" * 65536)
    except BlockingIOError:
        pass
    server.transport.write(b"first ")
    while filled:
        filled -= len(raw.recv(min(filled, 65536)))
    server.transport.write(b"second ")
    server.transport.writeSequence([b"third"])
    server.transport.loseConnection()
    order = (yield in_thread(reactor, read_all, raw)).decode()

    class Producer(Recorder):
        calls = ""

        def pauseProducing(self) -> None:
            self.calls += "pause "

        def resumeProducing(self) -> None:
            self.calls += "resume "

        def stopProducing(self) -> None:
            self.calls += "stop "

    server, raw = yield accepted(reactor, Producer)
    server.transport.registerProducer(server, True)
    server.transport.write(b"x" * 16 * MEGABYTE)
    server.calls += "written "
    reader = in_thread(reactor, read_all, raw)
    while "resume" not in server.calls:
        yield deferLater(reactor, 0.005)
    server.transport.unregisterProducer()
    server.transport.loseConnection()
    count, calls = len((yield reader)), server.calls

    server, raw = yield accepted(reactor)
    server.transport.abortConnection()
    server.transport.write(b"after the abort")
    raw.setblocking(False)
    try:
        aborted = raw.recv(100).decode()
    except BlockingIOError:
        aborted = "nothing"
    yield server.gone
    return {"order": order, "count": count, "calls": calls, "aborted": aborted}


@inlineCallbacks
def pull_producer(reactor: Any) -> Any:
    """A producer that writes only when asked must be asked again after each write."""

    class Puller(Recorder):
        left = 50

        def resumeProducing(self) -> None:
            if self.left:
                self.left -= 1
                self.transport.write(b"x" * 1000)
            else:
                self.transport.unregisterProducer()
                self.transport.loseConnection()

        def stopProducing(self) -> None:
            pass

    server, raw = yield accepted(reactor, Puller)
    server.transport.registerProducer(server, False)
    yield server.gone
    count = 0
    while data := raw.recv(65536):
        count += len(data)
    return count


@inlineCallbacks
def start_tls(reactor: Any, plain_size: str) -> Any:
    """Plain text, then startTLS, then a secret, through a relay that sees every byte."""
    options, trust = self_signed()
    plain = b"p" * int(plain_size)
    wire: dict[str, bytes] = {"to_client": b"", "to_server": b""}

    class Server(Recorder):
        def connectionMade(self) -> None:
            self.transport.write(plain)
            self.transport.startTLS(options)
            self.transport.write(b"secret of the server")
            self.transport.writeSequence([b"; ", b"and more"])

    class Client(Recorder):
        secure = False

        def dataReceived(self, data: bytes) -> None:
            super().dataReceived(data)
            if not self.secure and sum(map(len, self.got)) == len(plain):
                self.secure = True
                self.got.clear()
                self.transport.startTLS(trust)
                self.transport.write(b"secret of the client")

    class Relay(Recorder):
        def connectionMade(self) -> None:
            endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", server_port.getHost().port)
            self.other = endpoint.connect(factory_for(lambda: Back(self)))

        def dataReceived(self, data: bytes) -> None:
            wire["to_server"] += data
            self.other.addCallback(lambda back: back.transport.write(data) or back)

    class Back(Recorder):
        def __init__(self, relay: Relay) -> None:
            super().__init__()
            self.relay = relay

        def dataReceived(self, data: bytes) -> None:
            wire["to_client"] += data
            self.relay.transport.write(data)

    servers = factory_for(Server)
    server_made = servers.made
    server_port = reactor.listenTCP(0, servers, interface="127.0.0.1")
    relay_port = reactor.listenTCP(0, factory_for(Relay), interface="127.0.0.1")
    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", relay_port.getHost().port)
    client = yield endpoint.connect(factory_for(Client))
    server = yield server_made
    while not (server.got and b"".join(client.got).endswith(b"more")):
        yield deferLater(reactor, 0.005)
    return {
        "leaked": b"secret" in wire["to_client"] + wire["to_server"],
        "plain_whole": wire["to_client"].startswith(plain),
        "client_got": b"".join(client.got).decode(),
        "server_got": b"".join(server.got).decode(),
    }


@inlineCallbacks
def reset(reactor: Any, first: str) -> Any:
    """The peer resets; the server's next write meets it before the reactor does (`first` bytes then wait unsent)."""
    server, raw = yield accepted(reactor)
    server.transport.write(b"x" * int(first))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()
    server.transport.write(b"y" * 1000)
    server.transport.write(b"z" * 1000)
    inside = list(server.lost)
    yield server.gone
    yield deferLater(reactor, 0.05)
    return {"inside": inside, "lost": server.lost}


@implementer(IHalfCloseableProtocol)
class HalfCloseable(Recorder):
    """Notes the two halves' ends."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[str] = []

    def readConnectionLost(self) -> None:
        self.ends.append("read")

    def writeConnectionLost(self) -> None:
        self.ends.append("write")


@inlineCallbacks
def half_close(reactor: Any) -> Any:
    """The peer stops sending and still gets everything; then the other way round."""
    server, raw = yield accepted(reactor, HalfCloseable)
    raw.shutdown(socket.SHUT_WR)
    while not server.ends:
        yield deferLater(reactor, 0.005)
    server.transport.write(b"a" * 3 * MEGABYTE)
    server.transport.write(b"b")
    server.transport.loseConnection()
    received = yield in_thread(reactor, read_all, raw)
    first = {"ends": server.ends, "count": len(received), "last": received[-1:].decode()}

    server, raw = yield accepted(reactor, HalfCloseable)
    server.transport.write(b"a" * 3 * MEGABYTE)
    server.transport.loseWriteConnection()
    server.transport.write(b"c")  # before the end has left: still goes out, in order
    received = yield in_thread(reactor, read_all, raw)
    server.transport.write(b"after the end: dropped")
    raw.sendall(b"still heard")
    while not server.got:
        yield deferLater(reactor, 0.005)
    raw.close()
    while "read" not in server.ends:
        yield deferLater(reactor, 0.005)
    second = {"ends": server.ends, "count": len(received), "last": received[-1:].decode()}
    return [first, {**second, "got": server.got[0].decode()}]


@inlineCallbacks
def adopted(reactor: Any) -> Any:
    """A port bound by somebody else, as socket activation hands it over, serves eager connections too."""
    bound = socket.create_server(("127.0.0.1", 0))
    bound.setblocking(False)
    factory = factory_for(Recorder)
    port = reactor.adoptStreamPort(bound.fileno(), socket.AF_INET, factory)
    raw = peer_of(port)
    server = yield factory.made
    kinds = [type(server.transport).__name__, server.transport.getTcpNoDelay()]
    yield port.stopListening()

    factory = factory_for(Recorder)
    made = factory.made
    listener = socket.create_server(("127.0.0.1", 0))
    raw2 = socket.create_connection(listener.getsockname())
    conn, _ = listener.accept()
    conn.setblocking(False)
    reactor.adoptStreamConnection(conn.fileno(), socket.AF_INET, factory)
    server2 = yield made
    for open_socket in (raw, raw2, conn, listener, bound):
        open_socket.close()
    return [*kinds, type(server2.transport).__name__]


def read_all(raw: socket.socket) -> bytes:
    """Everything until the end of the connection; blocks."""
    received = bytearray()
    while data := raw.recv(65536):
        received += data
    return bytes(received)


def in_thread(reactor: Any, call: Any, *args: Any) -> Deferred[Any]:
    """Call in the reactor's thread pool."""
    from twisted.internet.threads import deferToThreadPool

    return deferToThreadPool(reactor, reactor.getThreadPool(), call, *args)
