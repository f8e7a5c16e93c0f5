"""`Exchange`: one request from its first byte to its line in the log, and the small values that plugins answer with.

Belongs here: the data that travels, and how a plugin changes what goes to the target. Does not: any decision.
Plugins import these names from `rrgate.api`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote_to_bytes

from attrs import field, frozen

from rrgate.body import Body
from rrgate.checks import Checks
from rrgate.names import NOT_INJECTABLE, breaks_a_line, fold, fold_parameter, is_token
from rrgate.paths import PathForms

if TYPE_CHECKING:
    from rrgate.route import Route

Fields = list[tuple[bytes, bytes, bytes]]
"""Header fields in the order they came: (folded name, name as it came, value)."""


@frozen
class Identity:
    """Who the caller is, as the plugin that authenticated it found out."""

    subject: str
    credential_id: str = ""
    claims: Mapping[str, Any] = field(factory=dict, repr=False)


@frozen
class Denied:
    """The caller may not. `reason` is for the operator's log, and never holds what the caller sent."""

    reason: str
    status: int = 401
    message: str = ""
    headers: tuple[tuple[bytes, bytes], ...] = ()


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


class InjectionError(ValueError):
    """A name or value that may not be put into a request; the text names the field, never the value."""


class TargetRequest:
    """What goes to the target. Begins as the caller's request without what never crosses; `prepare` writes the rest.

    The writer of each injected part is remembered: `writer` is set to the plugin's name before each plugin.
    The body is `body` if that is set (whole), else `stream` as it comes, of `stream_length` bytes if that is known.
    """

    __slots__ = (
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

    def set_header(self, name: bytes, value: bytes) -> None:
        """Send `name: value`, in place of every field whose name folds to the same.

        Raises InjectionError for a name that is no token, is hop-by-hop or framing, or a value with CR, LF or NUL.
        """
        folded = _injectable(name)
        if breaks_a_line(value):
            raise InjectionError(f"the value for header {name.decode('latin-1')!r} has a CR, LF or NUL")
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

    def set_body(self, body: bytes) -> None:
        """Send `body` in place of the caller's; its length is framed by the wire."""
        self.body = body
        self.body_writer = self.writer

    def header(self, name: bytes) -> bytes | None:
        """The value that would be sent for `name`: the injected one, else the caller's first."""
        folded = fold(name)
        if folded in self.injected:
            return self.injected[folded][1]
        return first(self.fields, folded)


@lru_cache(maxsize=1024)
def _injectable(name: bytes) -> bytes:
    """`name` folded. Raises InjectionError. Remembered: configurations name few headers (0.1 µs in place of 0.8)."""
    folded = fold(name)
    if folded in NOT_INJECTABLE or not is_token(name):
        raise InjectionError(f"header {name.decode('latin-1')!r} may not be injected")
    return folded


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


class Door(Protocol):
    """Where the answer goes: a caller's connection, a host application's request, or a call from this process."""

    def begin(
        self,
        status: int,
        reason: bytes,
        fields: list[tuple[bytes, bytes]],
        length: int | None,
        first: bytes,
        last: bool,
        close: bool,
    ) -> None:
        """Send the head and `first`; `last` says that nothing follows. The framing is the door's own.

        `length` is what the head tells of the body; None where it is not known. `close`: end the connection after it.
        """

    async def write(self, data: bytes) -> None:
        """Send more of the body; returns when more may come. Raises `CancelledError` when the caller has gone."""

    def end(self) -> None:
        """The body is whole."""

    def abort(self) -> None:
        """Break off, so that the caller can tell that the answer is not whole."""


class Exchange:
    """One request on its way. The pipeline moves it, plugins read and change it, the journal writes it down."""

    __slots__ = (
        "answer_fields",
        "answered_at",
        "attempt",
        "bytes_sent",
        "caller_address",
        "checks",
        "code",
        "content_length",
        "deciding_rule",
        "denied_reason",
        "door",
        "entered",
        "extra_answer_fields",
        "fields",
        "final_status",
        "forms",
        "full_path",
        "held_body",
        "hops",
        "http10",
        "id",
        "identity",
        "message",
        "method",
        "origin_path",
        "query",
        "query_mark",
        "read_from",
        "request_body",
        "response",
        "response_at",
        "route",
        "sent_at",
        "started",
        "state",
        "target_request",
        "target_status",
        "timeline",
        "wall_started",
        "warnings",
    )

    def __init__(
        self,
        id: str,
        method: bytes,
        target: bytes,
        fields: Fields,
        request_body: Body,
        content_length: int | None,
        http10: bool,
        caller_address: str,
        started: float,
        wall_started: float,
        door: Door,
    ) -> None:
        """`target`: origin-form, as received. `content_length`: None for a body whose length is not known.

        `started`: seconds of the monotonic clock; `wall_started`: seconds since the epoch.
        """
        self.id = id
        self.method = method
        self.full_path, self.query_mark, self.query = target.partition(b"?")
        self.fields = fields
        self.request_body = request_body
        self.content_length = content_length
        self.http10 = http10
        self.caller_address = caller_address
        self.started = started
        self.wall_started = wall_started
        self.door = door
        self.route: Route | None = None
        self.origin_path = b""
        self.forms: PathForms | None = None
        self.held_body: bytes | None = None
        self.read_from: tuple[bytes, ...] = ()
        self.identity: Identity | None = None
        self.target_request: TargetRequest | None = None
        self.response: TargetResponse | None = None
        self.checks = Checks.NONE
        self.state: dict[str, Any] = {}
        # Marks of the plugins whose `on_response` is still to come (rrgate.chain).
        self.entered = 0
        self.attempt = 1
        self.hops = 0
        self.warnings: list[str] = []
        self.code = ""
        self.message = ""
        self.denied_reason = ""
        self.deciding_rule = ""
        self.final_status = 0
        self.target_status = 0
        self.answer_fields: list[tuple[bytes, bytes]] = []
        self.extra_answer_fields: list[tuple[bytes, bytes]] = []
        self.bytes_sent = 0
        self.sent_at = 0.0
        self.response_at = 0.0
        self.answered_at = 0.0
        self.timeline: list[tuple[str, float]] = []

    def __repr__(self) -> str:
        # Never fields, query or path: they hold secrets.
        return f"<Exchange {self.id} {self.method.decode('latin-1')}>"

    @property
    def to_target(self) -> TargetRequest:
        """What goes to the target, for `prepare` and after. Raises LookupError before that."""
        if self.target_request is None:
            raise LookupError("there is no request to the target before `prepare`")
        return self.target_request

    def header(self, name: bytes) -> bytes | None:
        """The first value of the caller's field `name`."""
        return first(self.fields, fold(name))

    def headers(self, name: bytes) -> list[bytes]:
        """Every value of the caller's field `name`."""
        return every(self.fields, fold(name))

    def add_answer_header(self, name: bytes, value: bytes) -> None:
        """Add a field to whatever the caller is answered, by the target or by us, a refusal included.

        Raises InjectionError for a name that is no token, is hop-by-hop or framing, or a value with CR, LF or NUL.
        """
        if fold(name) in NOT_INJECTABLE or not is_token(name) or breaks_a_line(value):
            raise InjectionError(f"header {name.decode('latin-1')!r} may not be answered like this")
        self.extra_answer_fields.append((name, value))

    def presented(self, header: bytes, *parameters: bytes | None) -> bytes | Denied | None:
        """The one value that the caller shows in `header` or in one of the query `parameters` (names; None is none).

        A parameter's value is percent-decoded, `+` as space. None if none is there; `Denied` if several are and
        they differ (gateway-api.md 3): what is ambiguous is refused.
        """
        folded = fold(header)
        values = [value for known, _, value in self.fields if known == folded]
        if values:
            self.read_from += (folded,)
        if self.query:
            names = {fold_parameter(parameter) for parameter in parameters if parameter is not None}
            for part in self.query.split(b"&"):
                name, _, value = part.partition(b"=")
                if names and fold_parameter(name) in names:
                    values.append(unquote_to_bytes(value.replace(b"+", b" ")))
        if not values:
            return None
        if len(values) > 1 and any(value != values[0] for value in values):
            return Denied("the credential was given more than once, with different values")
        return values[0]
