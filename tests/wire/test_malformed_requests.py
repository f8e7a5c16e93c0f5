"""Requests that are refused, class by class, and odd ones that pass. RFC 9110 and 9112 beside each case.

Belongs here: what one connection's bytes may not be. Does not: which answers, in which order (test_connections.py).
A refused request is answered with its status and a JSON body; the connection ends; what stands behind is never served.
"""

from __future__ import annotations

from typing import Any

import pytest
from attrs import frozen

from rrgate.wire.request_head import METHODS
from tests.wire.memory import MemoryCaller, Served

BEHIND = b"GET /api/p/behind HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
SMUGGLED = b"GET /api/p/smuggled HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
LAST = b"0\r\n\r\n"
SMALL = {"max_target_bytes": 256, "max_head_bytes": 1024, "max_head_fields": 10}


@frozen
class Case:
    """`sent` is refused with `status`; `rfc` says why."""

    name: str
    status: int
    rfc: str
    sent: bytes
    settings: dict[str, Any] = {}  # noqa: RUF008 - never changed


def line(first: bytes) -> bytes:
    """A request with this first line."""
    return first + b"\r\nHost: gateway.test\r\n\r\n"


def get(*fields: bytes) -> bytes:
    """A GET with these field lines."""
    return b"\r\n".join([b"GET /api/p/x HTTP/1.1", b"Host: gateway.test", *fields, b"", b""])


def post(*fields: bytes, body: bytes = b"") -> bytes:
    """A POST with these field lines, and `body` behind."""
    return b"\r\n".join([b"POST /api/p/x HTTP/1.1", b"Host: gateway.test", *fields, b"", body])


def host(*lines: bytes) -> bytes:
    """A GET with these field lines for Host, and no other."""
    return b"\r\n".join([b"GET /api/p/x HTTP/1.1", *lines, b"", b""])


def chunks(body: bytes) -> bytes:
    """A chunked POST."""
    return post(b"Transfer-Encoding: chunked", body=body)


def path(rest: bytes) -> bytes:
    """A GET of this path behind the proxy's own."""
    return line(b"GET /api/p%b HTTP/1.1" % rest)


REFUSED: dict[str, list[Case]] = {
    "request line": [
        Case("two spaces before the target", 400, "9112 3", line(b"GET  /api/p/x HTTP/1.1")),
        Case("two spaces before the version", 400, "9112 3", line(b"GET /api/p/x  HTTP/1.1")),
        Case("tabs for spaces", 400, "9112 3", line(b"GET\t/api/p/x\tHTTP/1.1")),
        Case("a space at the end", 400, "9112 3", line(b"GET /api/p/x HTTP/1.1 ")),
        Case("a space at the beginning", 400, "9112 3", line(b" GET /api/p/x HTTP/1.1")),
        Case("CRLF before it", 400, "9112 2.2", b"\r\n" + line(b"GET /api/p/x HTTP/1.1")),
        Case("LF before it", 400, "9112 2.2", b"\n" + line(b"GET /api/p/x HTTP/1.1")),
        Case("CR before it", 400, "9112 2.2", b"\r" + line(b"GET /api/p/x HTTP/1.1")),
        Case("ends with LF alone", 400, "9112 2.2", b"GET /api/p/x HTTP/1.1\nHost: gateway.test\r\n\r\n"),
        Case("LF alone throughout", 400, "9112 2.2", b"GET /api/p/x HTTP/1.1\nHost: gateway.test\n\n"),
        Case("ends with CR CR LF", 400, "9112 2.2", b"GET /api/p/x HTTP/1.1\r\r\nHost: gateway.test\r\n\r\n"),
        Case("a CR inside", 400, "9112 2.2", line(b"GET /api/p/x\rHTTP/1.1")),
        Case("no version", 400, "9112 3", line(b"GET /api/p/x")),
        Case("no target", 400, "9112 3", line(b"GET HTTP/1.1")),
        Case("a space inside the target", 400, "9112 3.2", line(b"GET /api/p/x y HTTP/1.1")),
        Case("a method that is no token", 400, "9110 9.1", line(b"G(T /api/p/x HTTP/1.1")),
        Case("a method with a colon", 400, "9110 9.1", line(b"GET: /api/p/x HTTP/1.1")),
        Case("the first bytes of TLS", 400, "9112 3", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        Case("a NUL first", 400, "9112 3", b"\0" + line(b"GET /api/p/x HTTP/1.1")),
    ],
    "request target": [
        Case("asterisk-form", 400, "9112 3.2.4", line(b"GET * HTTP/1.1")),
        Case("asterisk-form of OPTIONS", 400, "9112 3.2.4", line(b"OPTIONS * HTTP/1.1")),
        Case("no slash first", 400, "9112 3.2.1", line(b"GET api/p/x HTTP/1.1")),
        Case("a query alone", 400, "9112 3.2.1", line(b"GET ?a=b HTTP/1.1")),
        Case("authority-form", 400, "9112 3.2.3", line(b"GET gateway.test:80 HTTP/1.1")),
        Case("absolute-form of another host", 400, "9112 3.2.2", line(b"GET http://other.test/api/p/x HTTP/1.1")),
        Case("absolute-form of another port", 400, "9112 3.2.2", line(b"GET http://gateway.test:81/api/p HTTP/1.1")),
        Case("absolute-form with a user", 400, "9110 4.2.4", line(b"GET http://a@gateway.test/api/p HTTP/1.1")),
        Case("absolute-form without authority", 400, "9110 4.2.1", line(b"GET http:///api/p/x HTTP/1.1")),
        Case("absolute-form of another scheme", 400, "9110 4.2", line(b"GET ftp://gateway.test/api/p HTTP/1.1")),
        Case("absolute-form with one slash", 400, "9112 3.2.2", line(b"GET http:/gateway.test/api/p HTTP/1.1")),
        Case("absolute-form with a fragment", 400, "9112 3.2", line(b"GET http://gateway.test/api/p#a HTTP/1.1")),
        Case("absolute-form, backslash for slash", 400, "3986 3.2", line(b"GET http://gateway.test\\@x/ HTTP/1.1")),
        Case("absolute-form without Host in 1.0", 400, "9112 3.2.2", b"GET http://gateway.test/api/p HTTP/1.0\r\n\r\n"),
        Case("absolute-form with neither, in 1.0", 400, "9112 3.2.2", b"GET http:///api/p HTTP/1.0\r\n\r\n"),
        Case("a fragment", 400, "9112 3.2", line(b"GET /api/p/x#a HTTP/1.1")),
        Case("a fragment in the query", 400, "9112 3.2", line(b"GET /api/p/x?a#b HTTP/1.1")),
        Case("a NUL", 400, "3986 2", line(b"GET /api/p/\0 HTTP/1.1")),
        Case("a DEL", 400, "3986 2", line(b"GET /api/p/\x7f HTTP/1.1")),
        Case("a byte over 0x7E", 400, "3986 2", line("GET /api/p/ü HTTP/1.1".encode())),
        Case("a byte over 0x7E in the query", 400, "3986 2", line(b"GET /api/p/?\xff HTTP/1.1")),
        Case("a tab", 400, "3986 2", line(b"GET /api/p/\t HTTP/1.1")),
    ],
    "Host": [
        Case("none", 400, "9112 3.2", host()),
        Case("none, though the target is absolute", 400, "9112 3.2", b"GET http://gateway.test/api/p HTTP/1.1\r\n\r\n"),
        Case("two that differ", 400, "9112 3.2", host(b"Host: gateway.test", b"Host: other.test")),
        Case("two the same", 400, "9112 3.2", host(b"Host: gateway.test", b"Host: gateway.test")),
        Case("two, one in capitals", 400, "9112 3.2", host(b"Host: gateway.test", b"HOST: gateway.test")),
        Case("empty", 400, "9110 7.2", host(b"Host:")),
        Case("with a path", 400, "9110 7.2", host(b"Host: gateway.test/y?z=")),
        Case("with a user", 400, "9110 7.2", host(b"Host: a@gateway.test")),
        Case("with a scheme", 400, "9110 7.2", host(b"Host: http://gateway.test")),
        Case("two in one", 400, "9110 7.2", host(b"Host: gateway.test, other.test")),
        Case("with a space inside", 400, "9110 7.2", host(b"Host: gateway.test other.test")),
        Case("with a port of letters", 400, "9110 7.2", host(b"Host: gateway.test:http")),
        Case("with a port of six digits", 400, "9110 7.2", host(b"Host: gateway.test:000080")),
        Case("a name of 300 bytes", 400, "1035 2.3.4", host(b"Host: " + b"a" * 300)),
        Case("with two ports", 400, "9110 7.2", host(b"Host: gateway.test:80:80")),
        Case("with a fragment", 400, "9110 7.2", host(b"Host: gateway.test#")),
        Case("IPv6 without brackets", 400, "3986 3.2.2", host(b"Host: ::1")),
        Case("with a byte over 0x7E", 400, "3986 3.2.2", host(b"Host: gateway.test\xe9")),
        Case("a name that is not ours", 421, "9110 7.4", host(b"Host: other.test")),
        Case("a name that ends like ours", 421, "9110 7.4", host(b"Host: evil-gateway.test")),
        Case("an address that is not ours", 421, "9110 7.4", host(b"Host: 192.0.2.1:8080")),
        Case("a name that is not ours, in HTTP/1.0", 421, "9110 7.4", b"GET / HTTP/1.0\r\nHost: other.test\r\n\r\n"),
    ],
    "field lines": [
        Case("folded by a space", 400, "9112 5.2", get(b"X-A: b", b" c")),
        Case("folded by a tab", 400, "9112 5.2", get(b"X-A: b", b"\tc")),
        Case("an empty one, folded", 400, "9112 5.2", get(b"X-A: ", b" c")),
        Case("the first line folded", 400, "9112 2.2", line(b"GET /api/p/x HTTP/1.1\r\n X-A: b")),
        Case("a line of spaces", 400, "9112 2.2", get(b"   ")),
        Case("a space before the colon", 400, "9112 5.1", get(b"X-A : b")),
        Case("a tab before the colon", 400, "9112 5.1", get(b"X-A\t: b")),
        Case("a space inside the name", 400, "9112 5.1", get(b"X A: b")),
        Case("no colon", 400, "9112 5", get(b"X-A")),
        Case("no name", 400, "9112 5", get(b": b")),
        Case("a name that is no token", 400, "9110 5.1", get(b"X(A): b")),
        Case("a name with a byte over 0x7E", 400, "9110 5.1", get(b"X-\xe9: b")),
        Case("a NUL in a name", 400, "9110 5.1", get(b"X-\0A: b")),
        Case("a NUL in a value", 400, "9110 5.5", get(b"X-A: b\0c")),
        Case("a control in a value", 400, "9110 5.5", get(b"X-A: b\x0bc")),
        Case("a DEL in a value", 400, "9110 5.5", get(b"X-A: b\x7fc")),
        Case("a CR inside a value", 400, "9112 2.2", get(b"X-A: b\rc")),
        Case("a CR that hides a line", 400, "9112 2.2", get(b"X-A: b\rContent-Length: 50")),
        Case("LF that hides a line", 400, "9112 2.2", get(b"X-A: b\nContent-Length: 50")),
        Case("LF LF that hides a request", 400, "9112 2.2", get(b"X-A: b\n\nGET /api/p/smuggled HTTP/1.1")),
        Case("CR CR LF at a line's end", 400, "9112 2.2", get(b"X-A: b\r")),
        Case("LF CR LF before the end", 400, "9112 2.2", get(b"X-A: b\n")),
        Case("Content_Length", 400, "9112 11.2", post(b"Content_Length: 5", body=b"hello")),
        Case("Transfer_Encoding", 400, "9112 11.2", post(b"Transfer_Encoding: chunked", body=b"0\r\n\r\n")),
        Case(
            "transfer_encoding beside a length", 400, "9112 11.2", post(b"content-length: 0", b"transfer_encoding: x")
        ),
    ],
    "Content-Length": [
        Case("with a sign", 400, "9110 8.6", post(b"Content-Length: +5", body=b"hello")),
        Case("+0", 400, "9110 8.6", post(b"Content-Length: +0")),
        Case("negative", 400, "9110 8.6", post(b"Content-Length: -5")),
        Case("-0", 400, "9110 8.6", post(b"Content-Length: -0")),
        Case("two numbers", 400, "9110 8.6", post(b"Content-Length: 5 5", body=b"hello")),
        Case("a list of the same", 400, "9112 6.3", post(b"Content-Length: 5, 5", body=b"hello")),
        Case("a list", 400, "9112 6.3", post(b"Content-Length: 5, 6", body=b"hello")),
        Case("twice the same", 400, "9112 6.3", post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello")),
        Case("twice", 400, "9112 6.3", post(b"Content-Length: 0", b"Content-Length: 50", body=SMUGGLED)),
        Case("empty", 400, "9110 8.6", post(b"Content-Length:")),
        Case("hexadecimal", 400, "9110 8.6", post(b"Content-Length: 0x5", body=b"hello")),
        Case("with a point", 400, "9110 8.6", post(b"Content-Length: 5.0", body=b"hello")),
        Case("with an underscore", 400, "9110 8.6", post(b"Content-Length: 1_0", body=b"hellohello")),
        Case("with a semicolon", 400, "9110 8.6", post(b"Content-Length: 5;", body=b"hello")),
        Case("quoted", 400, "9110 8.6", post(b'Content-Length: "5"', body=b"hello")),
        Case("an Arabic five", 400, "9110 8.6", post("Content-Length: ٥".encode(), body=b"hello")),
        Case("of 16 digits", 400, "9110 8.6", post(b"Content-Length: 0000000000000005", body=b"hello")),
        Case("beyond 64 bits", 400, "9110 8.6", post(b"Content-Length: 18446744073709551621", body=b"hello")),
        Case("with a vertical tab", 400, "9110 5.5", post(b"Content-Length: \x0b5", body=b"hello")),
        Case("a word", 400, "9110 8.6", get(b"Content-Length: none")),
    ],
    "Transfer-Encoding": [
        Case("behind Content-Length", 400, "9112 6.1", post(b"Content-Length: 5", b"Transfer-Encoding: chunked")),
        Case("before Content-Length", 400, "9112 6.1", post(b"Transfer-Encoding: chunked", b"Content-Length: 5")),
        Case("unknown, beside Content-Length", 400, "9112 6.1", post(b"Transfer-Encoding: x", b"Content-Length: 5")),
        Case("chunked twice in one", 400, "9112 6.1", post(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n")),
        Case("chunked twice", 400, "9112 6.1", post(*[b"Transfer-Encoding: chunked"] * 2, body=b"0\r\n\r\n")),
        Case("chunked not last", 400, "9112 6.1", post(b"Transfer-Encoding: chunked, gzip", body=b"0\r\n\r\n")),
        Case("chunked, then identity", 400, "9112 6.1", post(b"Transfer-Encoding: chunked, identity")),
        Case(
            "chunked, then identity in a second field",
            400,
            "9112 6.1",
            post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=b"0\r\n\r\n"),
        ),
        Case("identity", 400, "9112 6.1", post(b"Transfer-Encoding: identity")),
        Case(
            "identity beside Content-Length",
            400,
            "9112 6.1",
            post(b"Transfer-Encoding: identity", b"Content-Length: 0"),
        ),
        Case("gzip alone", 400, "9112 6.3", post(b"Transfer-Encoding: gzip")),
        Case("xchunked", 400, "9112 6.3", post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n")),
        Case("chunkedx", 400, "9112 6.3", post(b"Transfer-Encoding: chunkedx", body=b"0\r\n\r\n")),
        Case("quoted", 400, "9112 6.3", post(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n")),
        Case("with a parameter", 400, "9112 7", post(b"Transfer-Encoding: chunked;q=1", body=b"0\r\n\r\n")),
        Case("a comma first", 400, "9110 5.6.1", post(b"Transfer-Encoding: , chunked", body=b"0\r\n\r\n")),
        Case("a comma last", 400, "9110 5.6.1", post(b"Transfer-Encoding: chunked,", body=b"0\r\n\r\n")),
        Case("empty", 400, "9112 6.1", post(b"Transfer-Encoding:")),
        Case("with a vertical tab", 400, "9110 5.5", post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n")),
        Case("a NEL behind", 400, "9112 6.1", post(b"Transfer-Encoding: chunked\x85", body=b"0\r\n\r\n")),
        Case("gzip, then chunked", 501, "9112 6.1", post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n")),
        Case(
            "gzip, then chunked in a second field",
            501,
            "9112 6.1",
            post(b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        ),
        Case(
            "in HTTP/1.0",
            400,
            "9112 6.1",
            b"POST /api/p/x HTTP/1.0\r\nHost: gateway.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        Case(
            "in HTTP/1.0 that stays open",
            400,
            "9112 6.1",
            b"POST /api/p/x HTTP/1.0\r\nHost: gateway.test\r\nConnection: keep-alive\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
    ],
    "chunks": [
        Case("a size with a space behind", 400, "9112 7.1", chunks(b"5 \r\nhello\r\n0\r\n\r\n")),
        Case("a size with a space before", 400, "9112 7.1", chunks(b" 5\r\nhello\r\n0\r\n\r\n")),
        Case("a size with a sign", 400, "9112 7.1", chunks(b"+5\r\nhello\r\n0\r\n\r\n")),
        Case("a negative size", 400, "9112 7.1", chunks(b"-5\r\nhello\r\n0\r\n\r\n")),
        Case("a size with 0x", 400, "9112 7.1", chunks(b"0x5\r\nhello\r\n0\r\n\r\n")),
        Case("a size with an underscore", 400, "9112 7.1", chunks(b"1_0\r\nhellohellohelloh\r\n0\r\n\r\n")),
        Case("a size that is no number", 400, "9112 7.1", chunks(b"g\r\nhello\r\n0\r\n\r\n")),
        Case("no size", 400, "9112 7.1", chunks(b"\r\nhello\r\n0\r\n\r\n")),
        Case("an extension for a size", 400, "9112 7.1", chunks(b";a=b\r\nhello\r\n0\r\n\r\n")),
        Case("a size of 64 bits and more", 400, "9112 7.1", chunks(b"10000000000000005\r\nhello\r\n0\r\n\r\n")),
        Case("a size of 16 digits", 400, "9112 7.1", chunks(b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n")),
        Case("a size line that ends with LF", 400, "9112 7.1", chunks(b"5\nhello\r\n0\r\n\r\n")),
        Case("a size line that ends with CR", 400, "9112 7.1", chunks(b"5\rhello\r\n0\r\n\r\n")),
        Case("data that ends with LF", 400, "9112 7.1", chunks(b"5\r\nhello\n0\r\n\r\n")),
        Case("data longer than its size", 400, "9112 7.1", chunks(b"5\r\nhello!\r\n0\r\n\r\n")),
        Case("data shorter than its size", 400, "9112 7.1", chunks(b"7\r\nhello\r\n0\r\n\r\n")),
        Case("nothing between data and size", 400, "9112 7.1", chunks(b"5\r\nhello0\r\n\r\n")),
        Case("a last line with LF", 400, "9112 7.1", chunks(b"0\r\n\n")),
        Case("a last size with LF", 400, "9112 7.1", chunks(b"0\n\r\n")),
        Case("an extension without a name", 400, "9112 7.1.1", chunks(b"5;\r\nhello\r\n0\r\n\r\n")),
        Case("an extension without a value", 400, "9112 7.1.1", chunks(b"5;a=\r\nhello\r\n0\r\n\r\n")),
        Case("spaces round an extension", 400, "9112 7.1.1", chunks(b"5 ; a=b\r\nhello\r\n0\r\n\r\n")),
        Case("an extension that does not close its quote", 400, "9112 7.1.1", chunks(b'5;a="b\r\nhello\r\n0\r\n\r\n')),
        Case("an extension with a control in quotes", 400, "9110 5.6.4", chunks(b'5;a="\x01"\r\nhello\r\n0\r\n\r\n')),
        Case("an extension with an escaped NUL", 400, "9110 5.6.4", chunks(b'5;a="\\\0"\r\nhello\r\n0\r\n\r\n')),
        Case("an extension with an escaped CR", 400, "9110 5.6.4", chunks(b'5;a="\\\r"\r\nhello\r\n0\r\n\r\n')),
        Case("an extension with LF", 400, "9112 7.1.1", chunks(b"5;a\nb\r\nhello\r\n0\r\n\r\n")),
        Case("an extension with CR", 400, "9112 7.1.1", chunks(b"5;a\rb\r\nhello\r\n0\r\n\r\n")),
        Case("an extension with NUL", 400, "9112 7.1.1", chunks(b"5;a\0\r\nhello\r\n0\r\n\r\n")),
        Case("an extension of 2 kB", 400, "9112 7.1.1", chunks(b"5;" + b"a" * 2048 + b"\r\nhello\r\n0\r\n\r\n")),
        Case("an extension without end", 400, "9112 7.1.1", chunks(b"5;" + b"a" * 100_000)),
        Case("small extensions without end", 400, "9112 7.1.1", chunks(b"1;%b\r\nx\r\n" % (b"a" * 900) * 20 + LAST)),
        Case("zeros without end", 400, "9112 7.1", chunks(b"0" * 2048 + b"5\r\nhello\r\n0\r\n\r\n")),
        Case("zeros in every size", 400, "9112 7.1", chunks(b"%b1\r\nx\r\n" % (b"0" * 900) * 20 + LAST)),
        Case("a trailer without colon", 400, "9112 7.1.2", chunks(b"0\r\nX-A\r\n\r\n")),
        Case("a trailer without name", 400, "9112 7.1.2", chunks(b"0\r\n: b\r\n\r\n")),
        Case("a trailer with a space before the colon", 400, "9112 5.1", chunks(b"0\r\nX-A : b\r\n\r\n")),
        Case("a trailer that is folded", 400, "9112 5.2", chunks(b"0\r\nX-A: b\r\n c\r\n\r\n")),
        Case("a trailer with NUL", 400, "9110 5.5", chunks(b"0\r\nX-A: \0\r\n\r\n")),
        Case("a trailer with CR", 400, "9112 2.2", chunks(b"0\r\nX-A: b\rc\r\n\r\n")),
        Case("a trailer with LF", 400, "9112 2.2", chunks(b"0\r\nX-A: b\n\r\n")),
        Case("Content-Length in the trailer", 400, "9110 6.5.1", chunks(b"0\r\nContent-Length: 50\r\n\r\n")),
        Case("Transfer-Encoding in the trailer", 400, "9110 6.5.1", chunks(b"0\r\nTransfer-Encoding: chunked\r\n\r\n")),
        Case("trailers over 8 kB", 400, "9112 7.1.2", chunks(b"0\r\n" + b"X-A: b\r\n" * 2000 + b"\r\n")),
        Case("a trailer without end", 400, "9112 7.1.2", chunks(b"0\r\nX-A: " + b"b" * 100_000)),
    ],
    "versions": [
        Case("HTTP/0.9", 505, "9110 15.6.6", line(b"GET /api/p/x HTTP/0.9")),
        Case("HTTP/1.2", 505, "9110 15.6.6", line(b"GET /api/p/x HTTP/1.2")),
        Case("HTTP/2.0", 505, "9110 15.6.6", line(b"GET /api/p/x HTTP/2.0")),
        Case("HTTP/3.0", 505, "9110 15.6.6", line(b"GET /api/p/x HTTP/3.0")),
        Case("the preface of HTTP/2", 505, "9113 3.4", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        Case("HTTP/1.10", 400, "9112 2.3", line(b"GET /api/p/x HTTP/1.10")),
        Case("HTTP/01.1", 400, "9112 2.3", line(b"GET /api/p/x HTTP/01.1")),
        Case("HTTP/1", 400, "9112 2.3", line(b"GET /api/p/x HTTP/1")),
        Case("HTTP/1.", 400, "9112 2.3", line(b"GET /api/p/x HTTP/1.")),
        Case("HTTP 1.1", 400, "9112 2.3", line(b"GET /api/p/x HTTP 1.1")),
        Case("http/1.1", 400, "9112 2.3", line(b"GET /api/p/x http/1.1")),
        Case("HTTPS/1.1", 400, "9112 2.3", line(b"GET /api/p/x HTTPS/1.1")),
        Case("RTSP/1.0", 400, "9112 2.3", line(b"OPTIONS /api/p/x RTSP/1.0")),
        Case("ICE/1.0", 400, "9112 2.3", line(b"SOURCE /api/p/x ICE/1.0")),
        Case("HTTP/1.1 followed by more", 400, "9112 2.3", line(b"GET /api/p/x HTTP/1.1 HTTP/1.1")),
    ],
    "Upgrade": [
        Case(
            "with both framings",
            400,
            "9112 6.1",
            post(b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        ),
        Case(
            "with two lengths",
            400,
            "9112 6.3",
            post(b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: 5", b"Content-Length: 0"),
        ),
        Case(
            "with a length that is none",
            400,
            "9110 8.6",
            post(b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: +5"),
        ),
        Case(
            "with another coding",
            400,
            "9112 6.1",
            post(b"Connection: Upgrade", b"Upgrade: websocket", b"Transfer-Encoding: xchunked"),
        ),
        Case(
            "with broken chunks",
            400,
            "9112 7.1",
            post(b"Connection: Upgrade", b"Upgrade: h2c", b"Transfer-Encoding: chunked", body=b"5\nhello"),
        ),
        Case("with a folded line", 400, "9112 5.2", get(b"Connection: Upgrade", b"Upgrade: h2c", b" websocket")),
        Case("with two Hosts", 400, "9112 3.2", get(b"Connection: Upgrade", b"Upgrade: h2c", b"Host: gateway.test")),
        Case(
            "in CONNECT",
            405,
            "9110 9.3.6",
            line(b"CONNECT gateway.test:443 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: a"),
        ),
    ],
    "sizes": [
        Case("a target over the limit", 414, "9110 15.5.15", line(b"GET /api/p/%b HTTP/1.1" % (b"x" * 300)), SMALL),
        Case("a query over the limit", 414, "9110 15.5.15", line(b"GET /api/p?%b HTTP/1.1" % (b"x" * 300)), SMALL),
        Case("a target without end", 414, "9110 15.5.15", b"GET /api/p/" + b"x" * 500, SMALL),
        Case("a target of spaces without end", 414, "9110 15.5.15", b"GET /api/p/" + b" " * 500, SMALL),
        Case("a method without end", 414, "9110 15.5.15", b"G" * 500, SMALL),
        Case(
            "an absolute target over the limit",
            414,
            "9110 15.5.15",
            line(b"GET http://gateway.test/%b HTTP/1.1" % (b"x" * 300)),
            SMALL,
        ),
        Case("one long field", 431, "6585 5", get(b"X-A: " + b"b" * 2000), SMALL),
        Case("a name without end", 431, "6585 5", get()[:-2] + b"X" * 2000, SMALL),
        Case("a value without end", 431, "6585 5", get()[:-2] + b"X-A: " + b"b" * 2000, SMALL),
        Case("fields without end", 431, "6585 5", get()[:-2] + b"X-A: b\r\n" * 300, SMALL),
        Case("one field too many", 431, "6585 5", get(*[b"X-A: b"] * 10), SMALL),
        Case("one empty field too many", 431, "6585 5", get(*[b"X-A:"] * 10), SMALL),
    ],
    "methods": [
        Case("CONNECT", 405, "9110 9.3.6", line(b"CONNECT gateway.test:443 HTTP/1.1")),
        Case("CONNECT of a path", 405, "9110 9.3.6", line(b"CONNECT /api/p/x HTTP/1.1")),
        Case("TRACE", 405, "9110 9.3.8", line(b"TRACE /api/p/x HTTP/1.1")),
        Case("in lower case", 501, "9110 9.1", line(b"get /api/p/x HTTP/1.1")),
        Case("in mixed case", 501, "9110 9.1", line(b"Get /api/p/x HTTP/1.1")),
        Case("connect in lower case", 501, "9110 9.1", line(b"connect gateway.test:443 HTTP/1.1")),
        Case("an unknown one", 501, "9110 9.1", line(b"FETCH /api/p/x HTTP/1.1")),
        Case("one that begins like a known one", 501, "9110 9.1", line(b"GETS /api/p/x HTTP/1.1")),
        Case("one of one letter", 501, "9110 9.1", line(b"X /api/p/x HTTP/1.1")),
        Case("PRI", 501, "9113 3.4", line(b"PRI /api/p/x HTTP/1.1")),
        Case("DESCRIBE, which is RTSP's", 501, "9110 9.1", line(b"DESCRIBE /api/p/x HTTP/1.1")),
        Case("one with a comma's neighbour", 501, "9110 9.1", line(b"G!T /api/p/x HTTP/1.1")),
    ],
    "Expect": [
        Case("another", 417, "9110 10.1.1", post(b"Expect: 200-ok", b"Content-Length: 5", body=b"hello")),
        Case("empty", 417, "9110 10.1.1", post(b"Expect:", b"Content-Length: 5", body=b"hello")),
        Case("twice in one", 417, "9110 10.1.1", post(b"Expect: 100-continue, 100-continue", b"Content-Length: 0")),
        Case("twice", 417, "9110 10.1.1", post(b"Expect: 100-continue", b"Expect: 100-continue", b"Content-Length: 0")),
        Case("beside another", 417, "9110 10.1.1", post(b"Expect: 100-continue", b"Expect: x", b"Content-Length: 0")),
        Case("with a parameter", 417, "9110 10.1.1", post(b"Expect: 100-continue;q=1", b"Content-Length: 0")),
        Case("with a word behind", 417, "9110 10.1.1", post(b"Expect: 100-continue x", b"Content-Length: 0")),
        Case("quoted", 417, "9110 10.1.1", post(b'Expect: "100-continue"', b"Content-Length: 0")),
        Case("100 alone", 417, "9110 10.1.1", get(b"Expect: 100")),
        Case(
            "with both framings",
            400,
            "9112 6.1",
            post(b"Expect: 100-continue", b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        ),
    ],
    "paths": [
        Case("a dot segment", 400, "3986 3.3", path(b"/a/./b")),
        Case("two dots", 400, "3986 3.3", path(b"/a/../b")),
        Case("two dots at the end", 400, "3986 3.3", path(b"/a/..")),
        Case("two dots first", 400, "3986 3.3", path(b"/../q")),
        Case("encoded dots", 400, "3986 2.4", path(b"/a/%2e%2e/b")),
        Case("encoded dots in capitals", 400, "3986 2.4", path(b"/a/%2E%2E/b")),
        Case("one dot of two encoded", 400, "3986 2.4", path(b"/a/.%2e/b")),
        Case("dots before an encoded slash", 400, "3986 2.4", path(b"/a/..%2fb")),
        Case("dots between encoded slashes", 400, "3986 2.4", path(b"/a%2f..%2fb")),
        Case("dots with a parameter", 400, "3986 3.3", path(b"/a/..;x=y/b")),
        Case("dots with an encoded parameter", 400, "3986 3.3", path(b"/a/..%3bx/b")),
        Case("a backslash", 400, "3986 3.3", path(b"/a\\b")),
        Case("an encoded backslash", 400, "3986 3.3", path(b"/a%5cb")),
        Case("an encoded NUL", 400, "3986 3.3", path(b"/a%00b")),
        Case("two slashes first", 400, "3986 3.3", path(b"//other.test/b")),
        Case("a half escape", 400, "3986 2.1", path(b"/a%2")),
        Case("an escape that is none", 400, "3986 2.1", path(b"/a%zz")),
        Case("a percent sign at the end", 400, "3986 2.1", path(b"/a%")),
    ],
}


def named(cases: dict[str, list[Case]]) -> Any:
    return pytest.mark.parametrize(
        "case", [pytest.param(case, id=f"{kind}: {case.name}") for kind, table in cases.items() for case in table]
    )


def is_refused(case: Case, *pieces: bytes) -> None:
    """Whatever way its bytes come."""
    caller = MemoryCaller(**case.settings).send(*pieces)
    assert caller.echo.served == []
    answers = caller.answers()
    assert [answer.status for answer in answers] == [case.status], answers
    (answer,) = answers
    assert answer.whole
    assert answer["Connection"] == "close"
    assert answer["Content-Type"] == "application/json"
    assert set(answer.document) == {"error", "message", "requestId"}
    assert caller.transport.ended
    assert caller.transport.after_close == b""
    # Whatever else comes is read and dropped, not served, and not for ever.
    caller.send(BEHIND)
    caller.clock.advance(60.0)
    caller.clock.advance(60.0)
    assert caller.transport.closing
    caller.end()
    assert caller.echo.served == []
    assert caller.listener.in_flight == 0
    assert caller.listener.connections == set()
    assert caller.clock.getDelayedCalls() == []


def test_each_class_has_at_least_eight_cases() -> None:
    assert {kind: len(cases) for kind, cases in REFUSED.items() if len(cases) < 8} == {}
    assert len(REFUSED) == 13


@named(REFUSED)
def test_it_is_refused_and_what_stands_behind_it_is_not_served(case: Case) -> None:
    is_refused(case, case.sent + BEHIND)


@named(REFUSED)
def test_it_is_refused_when_it_comes_byte_by_byte(case: Case) -> None:
    data = case.sent + BEHIND
    is_refused(case, *(data[place : place + 1] for place in range(len(data))))


@named(REFUSED)
def test_it_is_refused_behind_a_good_request(case: Case) -> None:
    caller = MemoryCaller(**case.settings).send(BEHIND + case.sent + BEHIND)
    assert [each.target for each in caller.echo.served] == [b"/api/p/behind"]
    assert [answer.status for answer in caller.answers()] == [200, case.status]


AT_ONCE: list[tuple[int, bytes]] = [
    (400, b"\x16"),
    (400, b"\r"),
    (400, b"\n"),
    (400, b" "),
    (400, b"{"),
    (400, b"\0"),
    (400, b"GET  / HTTP/1.1\r\n"),
    (400, b"GET / HTTP/1.1\n"),
    (400, b"GET / HTTP/1.11\n"),
    (400, b"nonsense\r\n"),
    (405, b"TRACE / HTTP/1.1\r\n"),
    (414, b"GET /" + b"x" * 500),
    (414, b"G" * 500),
    (414, b"GET /" + b"x" * 300 + b" HTTP/1.1\r\n"),
    (431, get()[:-2] + b"X-A: " + b"b" * 1024),
    (501, b"get / HTTP/1.1\r\n"),
    (505, b"PRI * HTTP/2.0\r\n"),
]


@pytest.mark.parametrize(("status", "begun"), AT_ONCE)
def test_what_cannot_become_a_request_is_refused_before_its_head_is_whole(status: int, begun: bytes) -> None:
    caller = MemoryCaller(**SMALL).send(begun)
    assert [answer.status for answer in caller.answers()] == [status]
    assert caller.transport.ended


def test_a_refused_head_is_answered_without_a_body() -> None:
    caller = MemoryCaller().send(b"HEAD /api/p/x HTTP/1.1\r\n\r\n")
    (answer,) = caller.answers(b"HEAD")
    assert (answer.status, answer.body, caller.transport.ended) == (400, b"", True)
    assert int(answer["Content-Length"]) > 0


PASSES: dict[str, list[tuple[str, bytes, list[Served]]]] = {
    "request line": [
        ("a target of one slash", line(b"GET / HTTP/1.1"), [Served(b"GET", b"/", b"")]),
        ("a question mark alone", line(b"GET /api/p? HTTP/1.1"), [Served(b"GET", b"/api/p?", b"")]),
        (
            "every byte of a query",
            line(b"GET /api/p/?a[]=\"<>^`{|}\\' HTTP/1.1"),
            [Served(b"GET", b"/api/p/?a[]=\"<>^`{|}\\'", b"")],
        ),
        (
            "absolute-form of our host",
            line(b"GET http://gateway.test/api/p/x?y HTTP/1.1"),
            [Served(b"GET", b"/api/p/x?y", b"")],
        ),
        (
            "absolute-form in capitals",
            line(b"GET HTTP://GATEWAY.test/api/p HTTP/1.1"),
            [Served(b"GET", b"/api/p", b"")],
        ),
        ("absolute-form without a path", line(b"GET http://gateway.test?y HTTP/1.1"), [Served(b"GET", b"/?y", b"")]),
    ],
    "Host": [
        ("with a port", host(b"Host: gateway.test:8080"), [Served(b"GET", b"/api/p/x", b"")]),
        ("in capitals", host(b"HOST: GATEWAY.TEST"), [Served(b"GET", b"/api/p/x", b"")]),
        ("with spaces round it", host(b"Host: \t gateway.test \t"), [Served(b"GET", b"/api/p/x", b"")]),
        ("without a space before it", host(b"Host:gateway.test"), [Served(b"GET", b"/api/p/x", b"")]),
        ("none in HTTP/1.0", b"GET /api/p/x HTTP/1.0\r\n\r\n", [Served(b"GET", b"/api/p/x", b"")]),
        ("with a dot behind", host(b"Host: gateway.test."), [Served(b"GET", b"/api/p/x", b"")]),
    ],
    "field lines": [
        ("an empty value", get(b"X-A:"), [Served(b"GET", b"/api/p/x", b"")]),
        ("a byte over 0x7E in a value", get(b"X-A: \xff"), [Served(b"GET", b"/api/p/x", b"")]),
        ("every byte of a token", get(b"!#$%&'*+-.^_`|~09azAZ: b"), [Served(b"GET", b"/api/p/x", b"")]),
        ("a tab inside a value", get(b"X-A: b\tc"), [Served(b"GET", b"/api/p/x", b"")]),
        ("colons in a value", get(b"X-A::b:"), [Served(b"GET", b"/api/p/x", b"")]),
    ],
    "framing": [
        (
            "a length with spaces behind",
            post(b"Content-Length: 5 \t", body=b"hello"),
            [Served(b"POST", b"/api/p/x", b"hello")],
        ),
        (
            "a length with zeros",
            post(b"Content-Length: 00005", body=b"hello"),
            [Served(b"POST", b"/api/p/x", b"hello")],
        ),
        ("a body of GET", get(b"Content-Length: 5") + b"hello", [Served(b"GET", b"/api/p/x", b"hello")]),
        (
            "a body that looks like a request",
            post(b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED),
            [Served(b"POST", b"/api/p/x", SMUGGLED)],
        ),
        ("CHUNKED", post(b"TRANSFER-ENCODING: CHUNKED", body=b"0\r\n\r\n"), [Served(b"POST", b"/api/p/x", b"")]),
        (
            "chunked by GET",
            get(b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n",
            [Served(b"GET", b"/api/p/x", b"hello")],
        ),
        ("extensions", chunks(b'5;a;b=c;d="e\\" f"\r\nhello\r\n0;z\r\n\r\n'), [Served(b"POST", b"/api/p/x", b"hello")]),
        ("zeros before a size", chunks(b"0005\r\nhello\r\n00\r\n\r\n"), [Served(b"POST", b"/api/p/x", b"hello")]),
        (
            "sizes in both cases",
            chunks(b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"),
            [Served(b"POST", b"/api/p/x", b"01234567890123456789")],
        ),
        (
            "trailers, which are dropped",
            chunks(b"5\r\nhello\r\n0\r\nX-A: b\r\nConnection: close\r\n\r\n"),
            [Served(b"POST", b"/api/p/x", b"hello")],
        ),
        (
            "a chunk that looks like the end",
            chunks(b"7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n"),
            [Served(b"POST", b"/api/p/x", b"\r\n0\r\n\r\n")],
        ),
        ("a body of nothing", post(b"Content-Length: 0"), [Served(b"POST", b"/api/p/x", b"")]),
        ("POST without a length", post(), [Served(b"POST", b"/api/p/x", b"")]),
    ],
    "Upgrade": [
        (
            "h2c with a body",
            post(
                b"Connection: Upgrade, HTTP2-Settings",
                b"Upgrade: h2c",
                b"HTTP2-Settings: AAMAAABk",
                b"Content-Length: %d" % len(SMUGGLED),
                body=SMUGGLED,
            ),
            [Served(b"POST", b"/api/p/x", SMUGGLED)],
        ),
        (
            "h2c with chunks",
            post(
                b"Connection: Upgrade",
                b"Upgrade: h2c",
                b"Transfer-Encoding: chunked",
                body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED),
            ),
            [Served(b"POST", b"/api/p/x", SMUGGLED)],
        ),
        ("h2c without a body", get(b"Connection: Upgrade", b"Upgrade: h2c"), [Served(b"GET", b"/api/p/x", b"")]),
        (
            "websocket with a body",
            post(b"Connection: upgrade", b"Upgrade: websocket", b"Content-Length: 5", body=b"hello"),
            [Served(b"POST", b"/api/p/x", b"hello")],
        ),
        (
            "Connection: upgrade alone",
            post(b"Connection: upgrade", b"Content-Length: 5", body=b"hello"),
            [Served(b"POST", b"/api/p/x", b"hello")],
        ),
        (
            "Upgrade alone",
            post(b"Upgrade: foo/1", b"Content-Length: 5", body=b"hello"),
            [Served(b"POST", b"/api/p/x", b"hello")],
        ),
        (
            "TLS/1.0 by OPTIONS",
            line(b"OPTIONS /api/p HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: TLS/1.0"),
            [Served(b"OPTIONS", b"/api/p", b"")],
        ),
    ],
    "Expect": [
        (
            "in capitals",
            post(b"Expect: 100-CONTINUE", b"Content-Length: 5", body=b"hello"),
            [Served(b"POST", b"/api/p/x", b"hello")],
        ),
        ("without a body", get(b"Expect: 100-continue"), [Served(b"GET", b"/api/p/x", b"")]),
        (
            "another, in HTTP/1.0, which has none",
            b"POST /api/p/x HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 200-ok\r\nContent-Length: 5\r\n\r\nhello",
            [Served(b"POST", b"/api/p/x", b"hello")],
        ),
    ],
    "methods": [
        (method.decode(), line(method + b" /api/p/x HTTP/1.1"), [Served(method, b"/api/p/x", b"")])
        for method in sorted(METHODS)
    ],
    "paths": [
        ("dots that are no segment", path(b"/a/.../.b/c..d/..e"), [Served(b"GET", b"/api/p/a/.../.b/c..d/..e", b"")]),
        ("an encoded slash", path(b"/group%2Fproject"), [Served(b"GET", b"/api/p/group%2Fproject", b"")]),
        ("two slashes inside", path(b"/a//b/"), [Served(b"GET", b"/api/p/a//b/", b"")]),
        ("an escape of an escape", path(b"/a%252e%252e"), [Served(b"GET", b"/api/p/a%252e%252e", b"")]),
    ],
}


@pytest.mark.parametrize(
    ("sent", "served"),
    [pytest.param(sent, served, id=f"{kind}: {name}") for kind, rows in PASSES.items() for name, sent, served in rows],
)
def test_it_passes_and_the_next_request_too(sent: bytes, served: list[Served]) -> None:
    stays_open = b"HTTP/1.0" not in sent or b"keep-alive" in sent
    behind = [Served(b"GET", b"/api/p/behind", b"")] if stays_open else []
    for pieces in ([sent + BEHIND], [bytes([byte]) for byte in sent + BEHIND]):
        caller = MemoryCaller().send(*pieces)
        assert caller.echo.served == served + behind
        answered = [
            answer.status for answer in caller.answers(*(each.method for each in served)) if answer.status != 100
        ]
        assert answered == [200] * len(served + behind)
        assert caller.transport.ended is not stays_open


def test_a_refusal_repeats_nothing_of_the_request() -> None:
    for cases in REFUSED.values():
        for case in cases:
            caller = MemoryCaller(**case.settings).send(case.sent.replace(b"/x", b"/s3cr3t").replace(b"b", b"s3cr3t"))
            assert caller.echo.served == [], case
            assert b"s3cr3t" not in caller.transport.written, case
