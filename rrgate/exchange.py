"""`Exchange`: one request from its first byte to its line in the log.

Belongs here: what the pipeline, the plugins and the journal know of one request. Does not: any decision; the messages
themselves (messages.py), where the answer goes (door.py). Plugins import these names from `rrgate.api`.
"""

from __future__ import annotations

from typing import Any, Final, Literal, Protocol
from urllib.parse import unquote_to_bytes

from rrgate.body import Body, BodyTooLarge
from rrgate.checks import SCOPE_CHECKS, Checks
from rrgate.door import Door
from rrgate.kept_bodies import KeptBodies
from rrgate.loads import Gathers, Load
from rrgate.messages import Denied, Fields, Identity, InjectionError, TargetRequest, TargetResponse, every, first
from rrgate.model.rule import Scope
from rrgate.names import NOT_INJECTABLE, breaks_a_line, fold, fold_parameter, is_token
from rrgate.paths import PathForms
from rrgate.route import Route
from rrgate.websocket.handshake import Handshake

Story = Literal["whole", "beginning", "again", "attempt", "last", "end", "none"]
"""What of a request its record tells: of one that is delivered later first its beginning, then its end in its place,
and if it is sent again after that, its beginning again, which nobody counts; of a question about one, nothing.

An attempt at it that another follows is counted and changes no record; the last one comes with the end, and is counted
with that. An end that comes of no attempt, or whose attempt was counted before, is told alone."""

MOST_REPEATED: Final = 64 * 1024
"""Bytes of a held body up to which a request is sent once more."""


class HasPlaces(Protocol):
    """Whoever counts what is under way, for a request that it has let in."""

    holding: dict[Exchange, int]
    """Bytes by the requests whose bodies are held."""

    async def hold(self, ex: Exchange, gather: Gathers, limit: int) -> bytes | None:
        """What `gather` comes to within `limit`, which counts until `let_go`. Raises NoRoom, and what it raises."""

    def let_go(self, ex: Exchange, load: Load) -> None:
        """The body of `ex` is held no longer, if it was; `load`: of its proxy."""

    def answer_refused(self, ex: Exchange, held: int) -> None:
        """What `ex` is answered could not be held; `held`: bytes of all answers that are."""


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
        "handshake",
        "held_body",
        "hops",
        "http10",
        "id",
        "identity",
        "is_async",
        "kept",
        "message",
        "method",
        "origin_path",
        "place",
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
        "story",
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
        self.handshake: Handshake | None = None
        self.held_body: bytes | None = None
        self.read_from: tuple[bytes, ...] = ()
        self.identity: Identity | None = None
        self.kept: KeptBodies | None = None
        self.place: tuple[Load, Load, HasPlaces] | None = None
        self.target_request: TargetRequest | None = None
        self.response: TargetResponse | None = None
        self.checks = Checks.NONE
        self.state: dict[str, Any] = {}
        # Marks of the plugins whose `on_response` is still to come (rrgate.chaining).
        self.entered = 0
        self.attempt = 1
        self.hops = 0
        self.warnings: list[str] = []
        self.is_async = False
        self.story: Story = "whole"
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

    @property
    def target_authority(self) -> bytes:
        """The value of `Host` that the target is sent."""
        assert self.route is not None
        return self.route.authority

    @property
    def target_is_tls(self) -> bool:
        """Whether the target is reached over TLS."""
        assert self.route is not None
        return self.route.endpoint.tls

    @property
    def repeatable(self) -> bool:
        """Whether the request could be sent to the target once more: it has no body, a plugin had a small one held, or
        it is asynchronous."""
        held = self.held_body
        if held is None:
            return self.content_length == 0
        return self.is_async or len(held) <= MOST_REPEATED

    def header(self, name: bytes) -> bytes | None:
        """The first value of the caller's field `name`."""
        return first(self.fields, fold(name))

    def headers(self, name: bytes) -> list[bytes]:
        """Every value of the caller's field `name`."""
        return every(self.fields, fold(name))

    def crossing_fields(self) -> Fields:
        """The caller's fields that reach the target, in order: without those of the connection, the caller's
        credential, and what else never crosses. From `authorize` on; before anything is injected."""
        assert self.route is not None
        return self.route.crossing_fields(self.fields, self.read_from)

    def crossing_query(self) -> bytes:
        """The caller's query as it reaches the target: raw, without the parameters of the caller's credential."""
        assert self.route is not None
        return self.route.crossing_query(self.query)

    def scope_allows(self, scope: Scope) -> None:
        """Write down that the rules of `scope` allow this request."""
        self.checks |= SCOPE_CHECKS[scope]

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

    async def whole_body(self, limit: int) -> bytes:
        """All of the caller's body, at most `limit` bytes; it is `held_body` from then on.

        For `authenticate` and `authorize`: later it is too late. Whoever is not known yet should not be waited for.
        What keeps it from coming whole is to be passed on: it answers 413 for a longer one, 400 for one that breaks,
        503 where there is no room.
        """
        held = self.held_body
        length = self.content_length if held is None else len(held)
        if length is not None and length > limit:
            raise BodyTooLarge(limit)
        if held is None:
            held = self.held_body = await self._held(self.request_body.whole, limit)
            assert held is not None
        return held

    async def body_within(self, limit: int) -> bytes | None:
        """All of the caller's body if it has at most `limit` bytes, and it is `held_body` from then on; None if it is
        longer, and it goes on as it would have.

        For `authenticate` and `authorize`, as `whole_body`; a body that breaks answers 400.
        """
        held = self.held_body
        if held is None:
            length = self.content_length
            if length == 0:
                return b""
            if length is not None and length > limit:
                return None
            held = self.held_body = await self._held(self.request_body.whole_within, limit)
        return held if held is not None and len(held) <= limit else None

    async def _held(self, gather: Gathers, limit: int) -> bytes | None:
        return await (gather(limit) if self.place is None else self.place[2].hold(self, gather, limit))
