"""`TlsConnection`: TLS between a TCP transport and a protocol, towards targets, by the standard library's `ssl`.

Belongs here: the handshake, what is read and written, and how such a connection ends. Does not: whom to trust
(trust.py), dialling (dialer.py), TLS towards callers, which is Twisted's.

Twisted's own way (pyOpenSSL, each call through cffi, an exception for each time that nothing is left to read, and
writes held back for another turn of the reactor) takes 23 µs of a request on a kept connection, and that turn; this
takes 4.
"""

from __future__ import annotations

import ssl
from typing import Any, Final

from twisted.internet.error import ConnectionClosed, ConnectionDone
from twisted.internet.interfaces import IAddress, ITransport
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

RECORD: Final = 16 * 1024
"""Bytes that one record may carry (RFC 8446 5.1)."""


@implementer(ITransport)
class TlsConnection(Protocol):
    """The protocol of a TCP transport, and the transport of `inner`, which is told `handshakeCompleted`.

    The end of TCP without the peer's farewell (close_notify, RFC 8446 6.1) is a ConnectionLost: whatever an answer was
    cut off by, it does not look whole.
    """

    transport: Any

    def __init__(self, inner: Any, context: ssl.SSLContext, name: str) -> None:
        """`inner`: an IHandshakeListener. `name`: whom the peer's certificate must be for."""
        self._inner: Any = inner
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._ready = False
        """The handshake is over."""
        self._over = False
        """Nothing goes through TLS any more."""
        self._parted = False
        """The peer has said farewell."""
        self._reason: Failure | None = None
        self._unsent: list[bytes] = []
        """What TLS does not take before something is read: during a handshake, also a second one (TLS 1.2)."""
        self._producer: Any = None
        self._disconnecting = False

    # TCP's side.

    def connectionMade(self) -> None:
        self._inner.makeConnection(self)
        if not self._over:
            self._shake_hands()

    def dataReceived(self, data: bytes) -> None:
        if self._over:
            return
        self._incoming.write(data)
        if not self._ready:
            self._shake_hands()
            if not self._ready:
                return
        if self._unsent:
            self._send_unsent()
        if not self._over:
            self._read()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._reason is not None:
            reason = self._reason
        elif not self._parted and reason.check(ConnectionDone):
            reason = Failure(CONNECTION_LOST)
        self._over = True
        self._unsent.clear()
        inner, self._inner = self._inner, None
        inner.connectionLost(reason)

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            self._fail(error)
        else:
            self._ready = True
            # What is written now leaves together with the handshake's last words.
            self._inner.handshakeCompleted()
            if not self._over:
                self._flush()

    def _read(self) -> None:
        """Hand on all that has come whole, as one piece, and then its end if that has come too."""
        tls, incoming = self._tls, self._incoming
        data, ended, error = b"", False, None
        try:
            while True:
                piece = tls.read(RECORD)
                if not piece:
                    ended = True
                    break
                data = data + piece if data else piece
                # Asking for more where nothing is costs an exception. OpenSSL reads no record ahead.
                if not incoming.pending and not tls.pending():
                    break
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            ended = True
        except ssl.SSLError as problem:
            error = problem
        if self._outgoing.pending:
            self._flush()
        if data and not self._over:
            self._inner.dataReceived(data)
        if self._over:
            return
        if ended:
            self._parted = True
            self._say_farewell()
            self._over = True
            self.transport.loseConnection()
        elif error is not None:
            self._fail(error)

    def _flush(self) -> None:
        if self._outgoing.pending:
            self.transport.write(self._outgoing.read())

    def _fail(self, error: ssl.SSLError) -> None:
        """TLS cannot go on; the peer is told why, as far as TLS tells it."""
        self._over = True
        self._reason = Failure(error)
        self._flush()
        self.transport.loseConnection()

    def _say_farewell(self) -> bool:
        """Whether the peer has said so too."""
        try:
            self._tls.unwrap()
        except ssl.SSLError:  # it has not; or there was no handshake
            done = False
        else:
            done = True
        self._flush()
        return done

    # The inner protocol's side (`ITransport`, as far as it is used).

    @property
    def socket(self) -> Any:
        """TCP's; an AttributeError when that is gone."""
        return self.transport.socket

    def getPeer(self) -> IAddress:
        """TCP's."""
        peer: IAddress = self.transport.getPeer()
        return peer

    def getHost(self) -> IAddress:
        """TCP's."""
        host: IAddress = self.transport.getHost()
        return host

    def write(self, data: bytes) -> None:
        """Send `data`, as soon as TLS takes it. Dropped when the connection is gone, as everywhere in Twisted."""
        if self._over or (self._disconnecting and self._producer is None):
            return
        if self._unsent or not self._ready:
            self._hold(data)
        else:
            self._encrypt(data)

    def writeSequence(self, data: Any) -> None:
        """Send several pieces as one."""
        self.write(b"".join(data))

    def _encrypt(self, data: bytes) -> None:
        sent = 0
        try:
            if len(data) <= RECORD:
                if data:
                    self._tls.write(data)
            else:
                view = memoryview(data)
                while sent < len(data):
                    sent += self._tls.write(view[sent : sent + RECORD])
        except ssl.SSLWantReadError:
            self._hold(data[sent:])
        except ssl.SSLError as error:
            self._fail(error)
            return
        self._flush()

    def _hold(self, data: bytes) -> None:
        self._unsent.append(data)
        if self._producer is not None:
            self._producer.pauseProducing()

    def _send_unsent(self) -> None:
        unsent, self._unsent = self._unsent, []
        for number, data in enumerate(unsent):
            self._encrypt(data)
            if self._over:
                return
            if self._unsent:
                self._unsent += unsent[number + 1 :]
                return
        if self._producer is not None:
            self._producer.resumeProducing()
        elif self._disconnecting:
            self._close()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """As `IConsumer.registerProducer`, of those alone that push."""
        assert streaming
        if self._over:
            producer.stopProducing()
            return
        self.transport.registerProducer(producer, True)
        self._producer = producer

    def unregisterProducer(self) -> None:
        """As `IConsumer.unregisterProducer`."""
        if self._producer is None:
            return
        self._producer = None
        self.transport.unregisterProducer()
        if self._disconnecting and not self._over and not self._unsent:
            self._close()

    def pauseProducing(self) -> None:
        """Read no more; what has been read is handed on already."""
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Read again."""
        self.transport.resumeProducing()

    def loseConnection(self) -> None:
        """Say farewell when all is sent, and close when the peer has said so too; how long that may take is not told
        here."""
        if self._over or self._disconnecting:
            return
        if not self._ready and not self._unsent:
            self.abortConnection()
            return
        self._disconnecting = True
        if not self._unsent and self._producer is None:
            self._close()

    def _close(self) -> None:
        if self._say_farewell():
            self._over = True
            self.transport.loseConnection()

    def abortConnection(self) -> None:
        """Close now: nothing is handed on any more."""
        self._disconnecting = True
        if not self._over:
            self._say_farewell()
            self._over = True
        self.transport.abortConnection()


_OF_ANOTHER = frozenset((62, 63, 64))
"""X509_V_ERR_HOSTNAME_MISMATCH and its like, whose text in `ssl` has the name in it."""


def reason_of(error: BaseException | None) -> str:
    """What OpenSSL says of a failed handshake, in its own fixed words, without names or addresses."""
    if isinstance(error, ssl.SSLCertVerificationError):
        other = error.verify_code in _OF_ANOTHER
        return f"certificate verify failed: {'it is for another name' if other else error.verify_message}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return "the connection was closed" if isinstance(error, ConnectionClosed) else type(error).__name__
