"""Our framing of chunks against llhttp's on the same bytes: whoever they reach must see the end where we see it.

Belongs here: agreement of two parsers. Does not: the table of what is refused (test_malformed_requests.py).
"""

from __future__ import annotations

from typing import Any

import httptools
import pytest
from attrs import frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rrgate.wire.framing import ChunkedFramer, FramingError, LengthFramer
from tests.wire.test_cuts import cuts

QUICK = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
BEHIND = b"GET /behind HTTP/1.1\r\nHost: a\r\n\r\n"


@frozen
class Reading:
    """What a parser made of a body: refused, not over yet, or its bytes and how many bytes of the stream it took."""

    body: bytes = b""
    taken: int = -1
    refused: bool = False


def by_us(pieces: list[bytes]) -> Reading:
    framer, body, taken = ChunkedFramer(), b"", 0
    for place, piece in enumerate(pieces):
        try:
            content, rest = framer.feed(piece)
        except FramingError:
            return Reading(refused=True)
        body += content
        taken += len(piece) - len(rest)
        if framer.done:
            assert rest == piece[len(piece) - len(rest) :]
            return Reading(body, taken)
        assert rest == b"", place
    return Reading(body)


class Llhttp:
    """llhttp on one request with a chunked body, fed byte by byte: so it is known where it saw the end."""

    def __init__(self) -> None:
        self.body = b""
        self.complete = False

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.complete = True

    def read(self, data: bytes) -> Reading:
        parser = httptools.HttpRequestParser(self)
        parser.feed_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for place in range(len(data)):
            try:
                parser.feed_data(data[place : place + 1])
            except httptools.HttpParserError:
                return Reading(refused=True)
            if self.complete:
                return Reading(self.body, place + 1)
        return Reading(self.body)


BYTES = b'\r\n\t\0 0125aAfFgx;="\\:,+-_(\x0b\x7f\x80\xff'
LINES = (
    'hello|0\r\n|0\r\n\r\n|5\r\nhello\r\n|1\r\nx\r\n|;a=b|;a="b"|0x|00|ffffffff|\r\n|X-A: b|X-A:b\r\n|Trailer: x\r\n'
    "|Content-Length: 5|Transfer-Encoding: chunked|transfer-encoding:x\r\n|connection: close\r\n"
)
FRAGMENTS = st.sampled_from([bytes([byte]) for byte in BYTES] + [line.encode() for line in LINES.split("|")])
ANYTHING = st.lists(st.one_of(FRAGMENTS, st.binary(max_size=3)), max_size=14).map(b"".join)


@st.composite
def nearly_good(draw: Any) -> bytes:
    """Chunks as they should be, with a few bytes put in, taken out or changed."""
    data = bytearray()
    for piece in draw(st.lists(st.binary(min_size=1, max_size=20), max_size=4)):
        data += b"%x%b\r\n%b\r\n" % (len(piece), draw(st.sampled_from([b"", b";a", b';a="b"', b";a=b"])), piece)
    data += b"0\r\n" + draw(st.sampled_from([b"", b"X-A: b\r\n", b"X-A:\r\n"])) + b"\r\n"
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(data)))
        data[place : place + draw(st.integers(0, 2))] = draw(st.one_of(FRAGMENTS, st.binary(max_size=2)))
    return bytes(data)


def agree(data: bytes, pieces: list[bytes]) -> None:
    ours, theirs = by_us(pieces), Llhttp().read(data)
    assert by_us([data]) == ours or (ours.taken < 0 and by_us([data]).taken < 0), "cutting changes what we read"
    if theirs.refused:
        assert ours.taken < 0, "we take for whole what llhttp refuses"
    if ours.taken >= 0:
        assert ours == theirs
    elif not ours.refused:
        # Not over for us: nor may it be over for llhttp, which would then serve what follows.
        assert theirs.taken < 0
        assert theirs.body == ours.body or theirs.refused


@QUICK
@given(st.one_of(ANYTHING, nearly_good()), st.data())
def test_what_we_take_llhttp_takes_with_the_same_bytes_and_end(data: bytes, draw: Any) -> None:
    agree(data, draw.draw(cuts(data)))
    agree(data + BEHIND, draw.draw(cuts(data + BEHIND)))


@pytest.mark.parametrize(
    "data",
    [
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"5; a=b\r\nhello\r\n0\r\n\r\n",
        b"5;a =b\r\nhello\r\n0\r\n\r\n",
        b"5;a= b\r\nhello\r\n0\r\n\r\n",
        b'5;a="b" ;c\r\nhello\r\n0\r\n\r\n',
        b"5;\r\nhello\r\n0\r\n\r\n",
        b"0\r\nContent-Length: 5\r\n\r\n",
        b"0\r\nContent_Length: 5\r\n\r\n",
        b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"0\r\ntransfer-encoding:x\r\n\r\n",
        b"0\r\nX-A: b\r\n c\r\n\r\n",
        b"0\r\nX-A : b\r\n\r\n",
        b"0\r\n\r",
        b"0\r\n\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"10000000000000000\r\nhello\r\n0\r\n\r\n",
        b"00000000000000000005\r\nhello\r\n0\r\n\r\n",
        b'5;a="\t\x80\\""\r\nhello\r\n0\r\n\r\n',
        b'5;a="\r\nhello"\r\n0\r\n\r\n',
        b"5;a=\xff\r\nhello\r\n0\r\n\r\n",
        b"0\r\nX-A: \xff\r\n\r\n",
        b"0\r\nX-A: \x01\r\n\r\n",
    ],
)
def test_they_agree_on_what_parsers_are_known_to_differ_on(data: bytes) -> None:
    agree(data, [data])
    agree(data + BEHIND, [bytes([byte]) for byte in data + BEHIND])


def test_every_byte_in_every_place_of_a_short_body_is_agreed_on() -> None:
    good = b"2;a=b\r\nhi\r\n0\r\nX: y\r\n\r\n"
    for place in range(len(good)):
        for byte in range(256):
            data = good[:place] + bytes([byte]) + good[place + 1 :]
            ours, theirs = by_us([data]), Llhttp().read(data)
            if ours.taken >= 0:
                assert ours == theirs, data
            elif not ours.refused:
                assert theirs.taken < 0, data


@QUICK
@given(st.integers(1, 50), st.binary(max_size=60), st.data())
def test_a_known_length_is_counted_however_it_is_cut(length: int, data: bytes, draw: Any) -> None:
    framer, body, rest = LengthFramer(length), b"", b""
    for piece in draw.draw(cuts(data)):
        if framer.done:
            rest += piece
            continue
        content, behind = framer.feed(piece)
        body, rest = body + content, rest + behind
    assert (body, rest) == (data[:length], data[length:])
    assert framer.done is (len(data) >= length)
