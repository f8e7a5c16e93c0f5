"""TLS towards targets, in memory, with a server of the standard library as the peer.

Belongs here: TlsConnection: handshake, bytes, ends, back-pressure. Does not: whom it trusts (test_trust.py); TLS over
sockets (tests/gateway/).
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost

from rrgate.testing.transports import MemoryTransport
from rrgate.wire.tls import RECORD, TlsConnection
from rrgate.wire.trust import new_context
from tests.certificates import Authority
from tests.wire.tls_ends import Ends, Inner, Server

AUTHORITY = Authority("ours")
TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
LARGE = bytes(range(256)) * 1000


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return AUTHORITY.server("a.test", tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def ours() -> ssl.SSLContext:
    return new_context(AUTHORITY.pem, None)


@pytest.fixture(params=[TLS_1_2, TLS_1_3], ids=["TLS 1.2", "TLS 1.3"])
def begun(request: Any, files: tuple[Path, Path], ours: ssl.SSLContext) -> Callable[[], Ends]:
    """Makes a connection on which nothing has moved yet."""

    def make() -> Ends:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
        context.maximum_version = request.param
        return Ends(Server(context), ours)

    return make


@pytest.fixture
def ends(begun: Callable[[], Ends]) -> Ends:
    """After the handshake."""
    return begun().move()


# What crosses


@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
def test_bytes_cross_both_ways_however_they_are_cut(begun: Callable[[], Ends], size: int) -> None:
    ends = begun().move(size)
    assert (ends.inner.handshakes, ends.server.ready) == (1, True)
    for question, answer in ((b"GET", b"200"), (b"POST", b"404" * 300)):
        ends.ours.write(question)
        ends.move(size)
        ends.server.say(answer)
        ends.move(size)
    assert (ends.server.received, ends.inner.received) == (b"GETPOST", b"200" + b"404" * 300)
    assert ends.inner.handshakes == 1


def test_what_is_written_is_sent_at_once_and_as_one_piece(ends: Ends) -> None:
    sent: list[int] = []
    ends.tcp.changed = lambda: sent.append(len(ends.tcp.written))
    for data in (b"x", b"x" * RECORD, LARGE):
        before = len(sent)
        ends.ours.write(data)
        assert len(sent) == before + 1
    ends.ours.write(b"")
    ends.ours.writeSequence([b"y", b"z"])
    assert ends.move().server.received == b"x" + b"x" * RECORD + LARGE + b"yz"


def test_what_has_come_is_handed_on_as_one_piece(ends: Ends) -> None:
    ends.server.say(b"a")
    for start in range(0, len(LARGE), RECORD):
        ends.server.say(LARGE[start : start + RECORD])
    assert ends.move().inner.pieces == [b"a" + LARGE]


def test_nothing_is_said_before_the_handshake_is_over(begun: Callable[[], Ends]) -> None:
    ends = begun()
    ends.ours.write(b"secret")
    ends.ours.write(LARGE)
    assert b"secret" not in ends.tcp.written
    assert ends.move().server.received == b"secret" + LARGE


def test_what_is_written_when_the_handshake_is_over_leaves_with_its_end(begun: Callable[[], Ends]) -> None:
    ends = begun()
    sent: list[int] = []
    ends.inner.handshakeCompleted = lambda: ends.ours.write(b"GET")  # type: ignore[method-assign]
    ends.tcp.changed = lambda: sent.append(len(ends.tcp.written))
    assert ends.move().server.received == b"GET"
    assert len(sent) <= 2  # TLS 1.2 asks once more on the way


def test_an_answer_may_be_answered_while_it_is_handed_on(ends: Ends) -> None:
    ends.inner.at_data = lambda: len(ends.inner.pieces) > 2 or ends.ours.write(b"again")
    ends.server.say(b"1")
    ends.move()
    ends.server.say(b"2")
    ends.move()
    assert ends.server.received == b"againagain"


# How it ends


def test_a_farewell_is_a_clean_end_and_is_answered(ends: Ends) -> None:
    ends.server.say(b"all of it")
    ends.server.part()
    ends.move()
    assert ends.inner.received == b"all of it"
    assert isinstance(ends.inner.error, ConnectionDone)
    assert ends.server.parted


@pytest.mark.parametrize("cut", [0, 3, 20])
def test_an_end_without_a_farewell_is_none(ends: Ends, cut: int) -> None:
    ends.server.say(b"a part, so it may be")
    data = ends.server.sent()
    ends.ours.dataReceived(data[: len(data) - cut])
    ends.lose()
    assert isinstance(ends.inner.error, ConnectionLost)
    assert ends.inner.received == (b"" if cut else b"a part, so it may be")


def test_a_farewell_that_somebody_else_made_up_is_none(ends: Ends) -> None:
    ends.ours.dataReceived(b"\x15\x03\x03\x00\x02\x01\x00")
    ends.move().lose()
    assert isinstance(ends.inner.error, ssl.SSLError)


@pytest.mark.parametrize(
    "junk", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 mail.test ESMTP\r\n", b"\x17\x03\x03\x00\x05hello"]
)
def test_what_is_no_tls_ends_it_before_and_after_the_handshake(begun: Callable[[], Ends], junk: bytes) -> None:
    for moved in (False, True):
        ends = begun()
        if moved:
            ends.move()
        ends.ours.dataReceived(junk)
        assert ends.tcp.closing
        assert not ends.tcp.aborted
        ends.ours.dataReceived(b"more")
        ends.ours.write(b"more")
        ends.lose()
        assert isinstance(ends.inner.error, ssl.SSLError)
        assert ends.inner.pieces == []


def test_a_changed_byte_ends_it(ends: Ends) -> None:
    ends.server.say(b"hello")
    data = bytearray(ends.server.sent())
    data[-1] ^= 1
    ends.ours.dataReceived(bytes(data))
    ends.move().lose()
    assert isinstance(ends.inner.error, ssl.SSLError)
    assert ends.inner.pieces == []
    assert ends.server.error is not None  # it was told


def test_a_connection_that_is_lost_in_the_handshake_is_lost(begun: Callable[[], Ends]) -> None:
    ends = begun()
    ends.lose()
    assert isinstance(ends.inner.error, ConnectionLost)
    assert ends.inner.handshakes == 0


def test_losing_it_says_farewell_and_waits_for_the_others(ends: Ends) -> None:
    ends.ours.write(b"last words")
    ends.ours.loseConnection()
    ends.ours.write(b"too late")
    assert not ends.tcp.closing
    ends.move()
    assert (ends.server.received, ends.server.parted) == (b"last words", True)
    assert not ends.tcp.closing
    ends.server.part()
    ends.move()
    assert ends.tcp.closing
    assert isinstance(ends.inner.error, ConnectionDone)


def test_losing_it_in_the_handshake_is_the_end(begun: Callable[[], Ends]) -> None:
    ends = begun()
    ends.ours.loseConnection()
    assert ends.tcp.aborted


def test_losing_it_with_something_left_to_say_says_that_first(begun: Callable[[], Ends]) -> None:
    ends = begun()
    ends.ours.write(b"last words")
    ends.ours.loseConnection()
    assert not ends.tcp.closing
    ends.move()
    assert (ends.server.received, ends.server.parted) == (b"last words", True)


def test_aborting_it_hands_nothing_on_any_more(ends: Ends) -> None:
    ends.inner.at_data = ends.ours.abortConnection
    ends.server.say(b"one")
    first = ends.server.sent()
    ends.server.say(b"two")
    ends.ours.dataReceived(first)
    ends.ours.dataReceived(ends.server.sent())
    ends.ours.abortConnection()
    assert ends.inner.pieces == [b"one"]
    assert ends.tcp.aborted
    assert ends.move().server.parted


def test_aborting_it_in_connection_made_begins_no_handshake(ours: ssl.SSLContext) -> None:
    class Hasty(Inner):
        def connectionMade(self) -> None:
            self.transport.abortConnection()

    tcp = MemoryTransport()
    TlsConnection(Hasty(), ours, "a.test").makeConnection(tcp)  # type: ignore[arg-type]
    assert (tcp.aborted, bytes(tcp.written + tcp.after_close)) == (True, b"")


# Back-pressure


class Producer:
    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


def test_a_peer_that_takes_nothing_is_felt_at_once(ends: Ends) -> None:
    producer = Producer()
    ends.ours.registerProducer(producer, True)
    ends.tcp.full = True
    ends.ours.write(b"x")
    assert producer.told == ["pause"]
    ends.tcp.empty()
    assert producer.told == ["pause", "resume"]
    ends.ours.unregisterProducer()
    ends.ours.unregisterProducer()
    ends.ours.loseConnection()
    assert ends.move().server.parted


def test_with_a_producer_it_is_not_lost_before_that_is_done(ends: Ends) -> None:
    ends.ours.registerProducer(Producer(), True)
    ends.ours.loseConnection()
    ends.ours.write(b"more")
    assert not ends.move().server.parted
    ends.ours.unregisterProducer()
    assert (ends.move().server.parted, ends.server.received) == (True, b"more")


def test_what_cannot_be_sent_before_the_handshake_pauses_its_producer(begun: Callable[[], Ends]) -> None:
    ends, producer = begun(), Producer()
    ends.ours.registerProducer(producer, True)
    ends.ours.write(b"x")
    assert producer.told == ["pause"]
    ends.move()
    assert producer.told == ["pause", "resume"]
    ends.ours.abortConnection()
    late = Producer()
    ends.ours.registerProducer(late, True)
    assert late.told == ["stop"]


def test_reading_is_paused_where_the_bytes_come_from(ends: Ends) -> None:
    ends.ours.pauseProducing()
    assert not ends.tcp.reading
    ends.ours.resumeProducing()
    assert ends.tcp.reading


# A second handshake (TLS 1.2)


class Renegotiating:
    """A peer that may ask for another handshake at any time, as some do that want a certificate for some paths."""

    def __init__(self, files: tuple[Path, Path]) -> None:
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        context.use_certificate_file(str(files[0]))
        context.use_privatekey_file(str(files[1]))
        self.tls = SSL.Connection(context)
        self.tls.set_accept_state()
        self.received = b""

    def take(self, data: bytes) -> None:
        if data:
            self.tls.bio_write(data)
        try:
            self.tls.do_handshake()
        except SSL.WantReadError:
            pass
        try:
            while True:
                self.received += self.tls.recv(65536)
        except SSL.WantReadError:
            pass

    def sent(self) -> bytes:
        try:
            return self.tls.bio_read(1 << 20)
        except SSL.WantReadError:
            return b""


@pytest.mark.parametrize("size", [100, 1 << 20])
@pytest.mark.parametrize("meanwhile", [(), (b"meanwhile ",), (b"meanwhile ", LARGE, b" also")])
def test_a_second_handshake_loses_nothing(
    files: tuple[Path, Path], ours: ssl.SSLContext, meanwhile: tuple[bytes, ...], size: int
) -> None:
    ends = Ends(Renegotiating(files), ours).move()
    producer = Producer()
    ends.ours.registerProducer(producer, True)
    ends.ours.write(b"before ")
    ends.move()
    ends.server.tls.renegotiate()
    ends.server.take(b"")
    ends.ours.dataReceived(ends.server.sent())  # it asks, and we have begun
    for piece in meanwhile:
        ends.ours.write(piece)
    assert producer.told[:1] == ["pause"][: len(meanwhile)]
    ends.move(size)
    assert not ends.server.tls.renegotiate_pending()
    assert producer.told[-1:] == ["resume"][: len(meanwhile)]
    ends.ours.write(b" after")
    ends.move()
    assert ends.server.received == b"before " + b"".join(meanwhile) + b" after"
    assert ends.server.tls.total_renegotiations() == 1
    ends.server.tls.send(b"answer")
    assert ends.move().inner.received == b"answer"
