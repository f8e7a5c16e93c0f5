"""`House`: a Pipeline in memory: made-up plugins, a target that answers as a test says, a door that keeps what it got.

Belongs here: these doubles. Does not: any expectation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.internet.task import Clock

from rrgate.api import Event, Exchange, Identity, Kind, NoConfig, Plugin, PluginContext
from rrgate.body import Body
from rrgate.chaining import Member, compile_chain
from rrgate.checks import Checks
from rrgate.directory import Directory
from rrgate.messages import TargetResponse
from rrgate.model import Client, Proxy, Target
from rrgate.names import CALLER_ADDRESS_PREFIXES
from rrgate.patience import Patience
from rrgate.pipeline import Pipeline
from rrgate.record_view import RecordOf
from rrgate.route import Endpoint, Route
from rrgate.waiting import Task, Waiter

COMMON = {"client_id": "c1", "user_id": "u1", "region": "us-east-1", "created_at": 1, "updated_at": 1}
PASSING = (
    Checks.PROXY_EXISTS
    | Checks.PROXY_ACTIVE
    | Checks.TARGET_EXISTS
    | Checks.TARGET_RELATIONSHIP
    | Checks.PROXY_CREDENTIAL_EXISTS
    | Checks.PROXY_CREDENTIAL_RELATIONSHIP
    | Checks.PROXY_CREDENTIAL_ACTIVE
    | Checks.TARGET_CREDENTIAL_EXISTS
    | Checks.TARGET_CREDENTIAL_RELATIONSHIP
    | Checks.TARGET_CREDENTIAL_ACTIVE
)

PATIENCE = 30
"""Seconds that a plugin may wait."""

Method = Callable[..., Any]


def plugin(name: str, kind: Kind = Kind.OWN, *, need: Any = None, **methods: Method) -> Plugin:
    """A plugin with these request methods, which get no `self`."""
    body = {method: staticmethod(function) for method, function in methods.items()}
    made = type(name, (Plugin,), {"name": name, "kind": kind, **body})
    if need is not None:
        made.body_need = need
    return made(NoConfig(), PluginContext(Clock(), lambda: 0.0, None, "requestrocket-"))  # type: ignore[arg-type]


def letting_in() -> Plugin:
    """The auth type of the caller's side: everybody is `ann`."""
    return plugin("key", Kind.CALLER, authenticate=lambda ex: Identity("ann"))


class Door:
    """Keeps the answer. `blocked`: a write waits until `open`."""

    def __init__(self) -> None:
        self.status = 0
        self.fields: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.ended = False
        self.aborted = False
        self.close = False
        self.length: int | None = None

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
        assert self.status == 0, "answered twice"
        self.status, self.fields, self.length, self.body = status, fields, length, first
        self.ended, self.close = last, close

    async def write(self, data: bytes) -> None:
        assert self.status
        assert not self.ended
        self.body += data

    def end(self) -> None:
        self.ended = True

    def abort(self) -> None:
        self.aborted = True

    def header(self, name: bytes) -> bytes | None:
        return next((value for known, value in self.fields if known.lower() == name.lower()), None)

    @property
    def code(self) -> bytes | None:
        return self.header(b"requestrocket-proxy-code")


class Upstream:
    """Reads the body it is given and answers what `answer` makes. `sent`: requests and bodies, in order."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.sent: list[tuple[Any, bytes]] = []
        self.answer: Callable[[Exchange], TargetResponse] = lambda ex: whole(b"from the target")
        self.waiting: Waiter[None] | None = None
        self.error: Exception | None = None

    async def send(self, ex: Exchange) -> None:
        request = ex.target_request
        assert request is not None
        self.clock.advance(1)
        ex.sent_at = self.clock.seconds()
        body = request.body or b""
        if request.body is None and request.stream is not None:
            while data := await request.stream.read():
                body += data
        self.sent.append((request, body))
        if self.waiting is not None:
            await self.waiting
        if self.error is not None:
            raise self.error
        ex.response = self.answer(ex)
        ex.response_at = self.clock.seconds()


def response(body: Body, length: int | None = None, status: int = 200) -> TargetResponse:
    return TargetResponse(status, b"OK", [(b"x-of", b"X-Of", b"target")], length, body, 50)


def whole(content: bytes, status: int = 200) -> TargetResponse:
    return response(Body.of(content), len(content), status)


class Caller:
    """A body's source; keeps what it is told."""

    def __init__(self) -> None:
        self.wanted = False
        self.abandoned = False

    def body_wanted(self) -> None:
        self.wanted = True

    def pause_body(self) -> None: ...
    def resume_body(self) -> None: ...

    def abandon_body(self) -> None:
        self.abandoned = True


class House:
    """One proxy with these plugins, and everything its requests left behind."""

    def __init__(self, *plugins: Plugin, signer: Plugin | None = None) -> None:
        members = [Member(each, type(each).kind) for each in plugins]
        if signer is not None:
            members.append(Member(signer, Kind.CREDENTIAL))
        self.clock = Clock()
        self.clock.advance(1)
        self.chain = compile_chain(members, Patience(self.clock, PATIENCE))
        self.upstream = Upstream(self.clock)
        self.logged: list[Exchange] = []
        self.told: list[Event] = []
        self.directory = Directory(lambda directory, proxy: self._route(proxy))
        self.directory.put(Client(id="c1", user_id="u1", name="c", created_at=1, updated_at=1))
        self.directory.put(
            Proxy(id="p1", name="p", proxy_credential_id="k1", target_id="t1", target_credential_id="k2", **COMMON)
        )
        self.pipeline = Pipeline(
            self.directory,
            self.upstream,
            self,
            self.clock,
            lambda: 1_700_000_000.0,
            prefix="requestrocket-",
            regions=frozenset(),
            held_bytes=1 << 20,
            pages={},
            tell=self.told.append,
        )

    def put(self, ex: Exchange) -> None:
        self.logged.append(ex)

    def shown(self, ex: Exchange) -> RecordOf:
        return RecordOf(ex)

    def _route(self, proxy: Proxy) -> Route:
        return Route(
            client=self.directory.clients["c1"],
            proxy=proxy,
            target=Target(id="t1", name="t", base_url="http://acme.test", **COMMON),
            proxy_credential=None,
            target_credential=None,
            open_scopes=Checks.SCOPES,
            checks=PASSING,
            chain=self.chain,
            endpoint=Endpoint(False, "acme.test", 80),
            pool_key="",
            base_path=b"",
            authority=b"acme.test",
            cut_headers=frozenset(),
            cut_prefixes=(*CALLER_ADDRESS_PREFIXES, b"requestrocket-"),
            passed_headers=frozenset(),
            cut_parameters=frozenset(),
            cut_answer_headers=frozenset(),
            own_prefix=b"requestrocket-",
            secret_needs_tls=False,
            caller_expires=None,
            target_expires=None,
        )

    def start(
        self,
        body: bytes | Body | None = None,
        *,
        method: bytes | None = None,
        length: int | None = None,
        fields: Iterable[tuple[bytes, bytes]] = (),
    ) -> Request:
        """A request on its way, as far as it gets. `body`: bytes that are here already, or one that comes later."""
        if isinstance(body, bytes):
            body, length = Body.of(body), len(body)
        elif body is None:
            body, length = Body.of(b""), 0
        ex = Exchange(
            "id-1",
            method or (b"GET" if length == 0 else b"POST"),
            b"/api/p1/path?q=1",
            [(name.lower(), name, value) for name, value in fields],
            body,
            length,
            False,
            "203.0.113.9",
            self.clock.seconds(),
            1_700_000_000.0,
            Door(),
        )
        return Request(ex, self.pipeline)

    def call(self, body: bytes | None = None, **how: Any) -> Request:
        """A request that ends by itself."""
        request = self.start(body, **how)
        assert request.ended, "it waits for something"
        return request

    @property
    def phases(self) -> Sequence[str]:
        """Subjects of the events that were told."""
        return [event.subject for event in self.told]


class Request:
    """A request and what became of it."""

    def __init__(self, ex: Exchange, pipeline: Pipeline) -> None:
        self.ex = ex
        self.door: Door = ex.door  # type: ignore[assignment]
        self.errors: list[BaseException | None] = []
        self.task = Task(pipeline.serve(ex), self.errors.append).start()

    @property
    def ended(self) -> bool:
        return bool(self.errors)

    @property
    def result(self) -> tuple[int, bytes | None]:
        """(status, code) that the caller was answered."""
        return self.door.status, self.door.code
