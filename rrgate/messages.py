"""What travels in an Exchange: messages to and from the target, and the small values that plugins answer with.

Belongs here: the data, and how a plugin changes what goes to the target or comes back. Does not: any decision; the
request as a whole (exchange.py). Plugins import these names from `rrgate.api`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Protocol

from attrs import field, frozen

from rrgate.body import Body
from rrgate.names import NOT_INJECTABLE, breaks_a_line, fold, fold_parameter, is_token

Fields = list[tuple[bytes, bytes, bytes]]
"""Header fields in the order they came: (folded name, name as it came, value)."""


_ONLY_SUB = ("sub",)


@frozen
class Identity:
    """Who the caller is, as the plugin that authenticated it found out.

    `claims`: what is known of it, as JSON values; rules may judge by them. `log_claims`: names of those that the
    request log keeps, 256 bytes of each, for admins and owners to see.
    """

    subject: str
    credential_id: str = ""
    claims: Mapping[str, Any] = field(factory=dict, repr=False)
    log_claims: tuple[str, ...] = _ONLY_SUB

    def __attrs_post_init__(self) -> None:
        _require("Identity", subject=(self.subject, str), credential_id=(self.credential_id, str))
        if self.log_claims is not _ONLY_SUB:
            _require("Identity", log_claims=(self.log_claims, tuple))
            for name in self.log_claims:
                _require("Identity", each_of_log_claims=(name, str))


@frozen
class Denied:
    """The caller may not. `reason` is for the operator's log, and never holds what the caller sent."""

    reason: str
    status: int = 401
    message: str = ""
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def __attrs_post_init__(self) -> None:
        _require("Denied", reason=(self.reason, str), status=(self.status, int), message=(self.message, str))


@frozen
class Reply:
    """An answer made here instead of by the target. `document` is answered as JSON, else `body` as it is."""

    status: int
    message: str
    code: str
    document: Mapping[str, object] | None = None
    body: bytes | None = field(default=None, repr=False)
    headers: tuple[tuple[bytes, bytes], ...] = ()
    close: bool = False

    def __attrs_post_init__(self) -> None:
        _require("Reply", status=(self.status, int), message=(self.message, str), code=(self.code, str))
        if self.body is not None:
            _require("Reply", body=(self.body, bytes))


@frozen
class Explained:
    """What a plugin would do with a request that is only explained.

    `answer`: what would end the request. `notes`: JSON objects that say why; nothing secret, nothing of the body.
    """

    answer: Denied | Reply | None = None
    notes: tuple[Mapping[str, object], ...] = ()


def _require(what: str, **given: tuple[object, type]) -> None:
    """Where a plugin makes it, so that it is the plugin's fault. The value is not told: it may be a secret."""
    for name, (value, type_) in given.items():
        if not isinstance(value, type_):
            raise TypeError(f"the {name} of a {what} must be of type {type_.__name__}, not {type(value).__name__}")


class InjectionError(ValueError):
    """A name or value that may not be put into a request; the text names the field, never the value."""


class TargetRequest:
    """What goes to the target. Begins as the caller's request without what never crosses; `prepare` writes the rest.

    The writer of each injected part is remembered: `writer` is set to the plugin's name before each plugin.
    The body is `body` if that is set (whole), else `stream` as it comes, of `stream_length` bytes if that is known.
    """

    __slots__ = (
        "asks_whole",
        "body",
        "body_writer",
        "fields",
        "injected",
        "injected_query",
        "method",
        "path",
        "query",
        "query_mark",
        "stream",
        "stream_length",
        "writer",
    )

    def __init__(self, method: bytes, path: bytes, query_mark: bytes, query: bytes, fields: Fields) -> None:
        """`path`: whole, the base's included. `query_mark`: `?`, or nothing where there is no query at all."""
        self.stream: Body | None = None
        self.stream_length: int | None = None
        self.method = method
        self.path = path
        self.query_mark = query_mark
        self.query = query
        self.fields = fields
        self.injected: dict[bytes, tuple[bytes, bytes, str]] = {}
        self.injected_query: dict[bytes, tuple[bytes, str]] = {}
        self.body: bytes | None = None
        self.body_writer = ""
        self.writer = ""
        self.asks_whole = False

    def ask_whole(self, coding: bytes) -> None:
        """Ask for the whole of an answer, and in `coding` alone (`identity`: in none), because it is to be read here.

        Whoever writes or removes `Accept-Encoding`, `Range`, `If-Range` or `A-IM` later changes nothing; the last that
        asks has its coding. Raises InjectionError for one that is none.
        """
        self.asks_whole = False
        for name in _OF_PARTS:
            self.remove_header(name)
        self.set_header(b"Accept-Encoding", coding)
        self.asks_whole = True

    def set_header(self, name: bytes, value: bytes) -> None:
        """Send `name: value`, in place of every field whose name folds to the same; see `ask_whole`.

        Raises InjectionError for a name that is no token, is hop-by-hop or framing, or a value with CR, LF or NUL.
        """
        folded = _injectable(name)
        if value.find(b"\r") >= 0 or value.find(b"\n") >= 0 or value.find(b"\0") >= 0:
            raise InjectionError(f"the value for header {name.decode('latin-1')!r} has a CR, LF or NUL")
        if self.asks_whole and folded in _OF_ANSWERS:
            return
        self.injected[folded] = (name, value, self.writer)

    def set_query(self, name: bytes, value: bytes) -> None:
        """Send the parameter `name=value` (both raw, percent-encoded already), in place of all that fold to the same.

        Raises InjectionError for bytes that may not stand in a query (RFC 3986 3.4) or would split it.
        """
        for part in (name, value):
            if not _QUERY_PART.issuperset(part):
                raise InjectionError("a query parameter must be percent-encoded before it is injected")
        folded = fold_parameter(name)
        self.query = cut_parameters(self.query, frozenset((folded,)))
        self.query = self.query + b"&" + name + b"=" + value if self.query else name + b"=" + value
        self.query_mark = b"?"
        self.injected_query[folded] = (value, self.writer)

    def remove_header(self, name: bytes) -> None:
        """Send no field whose name folds to that of `name`, whoever wrote it; see `ask_whole`."""
        folded = fold(name)
        if self.asks_whole and folded in _OF_ANSWERS:
            return
        self.fields = [known for known in self.fields if known[0] != folded]
        self.injected.pop(folded, None)

    def remove_query(self, name: bytes) -> None:
        """Send no parameter whose name folds to that of `name` (raw, percent-encoded)."""
        folded = fold_parameter(name)
        self.query = cut_parameters(self.query, frozenset((folded,)))
        self.query_mark = b"?" if self.query else b""
        self.injected_query.pop(folded, None)

    def set_body(self, body: bytes) -> None:
        """Send `body` in place of the caller's; its length is framed by the wire. Raises TypeError."""
        if not isinstance(body, bytes):
            raise TypeError(f"a body must be bytes, not {type(body).__name__}")
        self.body = body
        self.body_writer = self.writer

    def header(self, name: bytes) -> bytes | None:
        """The value that would be sent for `name`: the injected one, else the caller's first."""
        folded = fold(name)
        if folded in self.injected:
            return self.injected[folded][1]
        return first(self.fields, folded)

    def sent_fields(self) -> Fields:
        """The fields that will be sent as it stands now, in order: all but `Host`, those that frame the body, and the
        gateway's own."""
        injected = self.injected
        kept = [known for known in self.fields if known[0] not in injected]
        return kept + [(folded, name, value) for folded, (name, value, _) in injected.items()]


@lru_cache(maxsize=1024)
def _injectable(name: bytes) -> bytes:
    """`name` folded. Raises InjectionError. Remembered: configurations name few headers (0.1 µs in place of 0.8)."""
    folded = fold(name)
    if folded in NOT_INJECTABLE or not is_token(name):
        raise InjectionError(f"header {name.decode('latin-1')!r} may not be injected")
    return folded


_OF_PARTS = (b"range", b"if-range", b"a-im")
_OF_ANSWERS = frozenset((b"accept-encoding", *_OF_PARTS))

_QUERY_PART = frozenset(b"!$'()*,;:@/?-._~%+0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=")


def first(fields: Fields, folded: bytes) -> bytes | None:
    """The first value of the field whose folded name is `folded`."""
    for known, _, value in fields:
        if known == folded:
            return value
    return None


def every(fields: Fields, folded: bytes) -> list[bytes]:
    """Every value of the field whose folded name is `folded`, in order."""
    return [value for known, _, value in fields if known == folded]


def cut_parameters(query: bytes, folded_names: frozenset[bytes]) -> bytes:
    """`query` without the parameters whose names fold to one of these; every other byte stays as it came."""
    if not query:
        return query
    kept = [part for part in query.split(b"&") if fold_parameter(part.partition(b"=")[0]) not in folded_names]
    return b"&".join(kept)


class TargetResponse:
    """The target's answer: its head as it came, and its body as it comes."""

    __slots__ = ("body", "bound", "fields", "length", "reason", "size_of_head", "status")

    def __init__(
        self, status: int, reason: bytes, fields: Fields, length: int | None, body: Body, size_of_head: int
    ) -> None:
        """`length`: bytes of the body if the head says so, or 0 where there is none; None when only the end tells."""
        self.status = status
        self.reason = reason
        self.fields = fields
        self.length = length
        self.body = body
        self.size_of_head = size_of_head
        self.bound: ResponseBound | None = None

    def header(self, name: bytes) -> bytes | None:
        """The first value of `name`."""
        return first(self.fields, fold(name))

    def set_header(self, name: bytes, value: bytes) -> None:
        """Answer `name: value` in place of every field whose name folds to the same. Raises InjectionError."""
        if not is_token(name) or breaks_a_line(value):
            raise InjectionError(f"header {name.decode('latin-1')!r} may not be answered like this")
        folded = fold(name)
        self.fields = [known for known in self.fields if known[0] != folded]
        self.fields.append((folded, name, value))

    def remove_header(self, name: bytes) -> None:
        """Do not answer any field whose name folds to that of `name`."""
        folded = fold(name)
        self.fields = [known for known in self.fields if known[0] != folded]


class TooLargeReply(Protocol):
    """Makes the answer for a response over its limit; `seen` is its size so far, `known` whether that is all of it."""

    def __call__(self, seen: int, known: bool) -> Reply: ...


@frozen
class ResponseBound:
    """How much of a response may pass, and how long to hold it back while its size is unknown.

    `limit` counts head and body. `hold`: `"never"` streams at once and is cut off at the limit; `"pause"` holds an
    answer of unknown size until it ends, pauses, or fills the hold; `"always"` holds to the end.
    """

    limit: int
    hold: str
    reply: TooLargeReply
