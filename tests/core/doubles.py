"""`Core`: a Core API on a port of its own with a store in memory, and the means to ask it.

Belongs here: test doubles and the client side of a question. Does not: any expectation.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from attrs import frozen
from sqlite_utils import Database
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock, deferLater

from rrgate.api import AuthorizationRefused, AuthorizationRequest
from rrgate.checks import Checks, as_document
from rrgate.core.house import CoreHouse
from rrgate.core.site import core_site
from rrgate.counters import Counters
from rrgate.deliveries import Document, NotNow, Replayed
from rrgate.directory import Directory
from rrgate.explanation import Described, Explanation
from rrgate.model import Client, Credential, Proxy, Target, Token, User
from rrgate.model.notification import Notice, Notification
from rrgate.notifier import Notifier
from rrgate.proxy_plugins import ProxyPlugins
from rrgate.store import AuditEntry, AuditPage, BrokenSecret, Member
from rrgate.store.audit import read_entries, write_entries
from rrgate.store.counts import Counts
from rrgate.store.full_disk import is_full
from rrgate.store.log_rows import RequestPage
from rrgate.store.migrations import migrations
from rrgate.store.notifications import (
    NotificationPage,
    find_notification,
    mark_read,
    read_notifications,
    write_notices,
)
from rrgate.trial import Trial
from tests.core.asking import Connections
from tests.core.made_up_plugins import registry

SECRET = "s3cr3t-5f1e"
NOW = 1_765_517_217.621


class MemorySecrets:
    """Reversible, so that tests can look inside."""

    def seal(self, client_id: str, row: str, plaintext: bytes) -> bytes:
        return f"{client_id}|{row}|".encode() + plaintext[::-1]

    def reseal(self, client_id: str, row: str, sealed: bytes, new_row: str) -> bytes:
        return self.seal(client_id, new_row, self.opened(client_id, row, sealed))

    def holds(self, client_id: str, row: str, sealed: bytes, plaintext: bytes) -> bool:
        return sealed == self.seal(client_id, row, plaintext)

    def opened(self, client_id: str, row: str, sealed: bytes) -> bytes:
        prefix = f"{client_id}|{row}|".encode()
        if not sealed.startswith(prefix):
            raise BrokenSecret("it belongs elsewhere")
        return sealed[len(prefix) :][::-1]

    def fingerprint(self, row_id: str, plaintext: bytes) -> str:
        return hashlib.sha256(row_id.encode() + plaintext).hexdigest()[:8]

    def token_hash(self, token: str) -> bytes:
        return hashlib.sha256(token.encode()).digest()


class MemoryStore:
    """Keeps nouns by class and id; `waiting` holds saves back, `error` fails the next one."""

    def __init__(self) -> None:
        self.secrets = MemorySecrets()
        self.kept: dict[tuple[type, str], Any] = {}
        self._rows = Database(memory=True, execute_plugins=False)
        self._rows.conn.deserialize(_migrated())
        self.error: Exception | None = None
        self.waiting: list[Deferred[None]] | None = None

    def save(self, *nouns: Any, gone: Iterable[Any] = (), audit: Iterable[AuditEntry]) -> Deferred[None]:
        def change() -> None:
            self.kept.update({_key(noun): noun for noun in nouns})
            for noun in gone:
                self.kept.pop(_key(noun), None)

        return self._then(change, audit)

    def delete(self, *nouns: Any, audit: Iterable[AuditEntry]) -> Deferred[None]:
        return self._then(lambda: [self.kept.pop(_key(noun), None) for noun in nouns], audit)

    def is_full(self, error: Exception) -> bool:
        return is_full(error)

    def audit(self, **wanted: Any) -> Deferred[AuditPage]:
        return succeed(read_entries(self._rows.conn, **wanted))

    def notify(self, notices: Sequence[Notice], now: int) -> Deferred[None]:
        return succeed(write_notices(self._rows.conn, notices, now))

    def notifications(self, **wanted: Any) -> Deferred[NotificationPage]:
        return succeed(read_notifications(self._rows.conn, **wanted))

    def notification(self, **wanted: Any) -> Deferred[Notification | None]:
        return succeed(find_notification(self._rows.conn, **wanted))

    def mark_read(self, id: str, reader: str) -> Deferred[None]:
        if self.error is not None:
            error, self.error = self.error, None
            return fail(error)
        return succeed(mark_read(self._rows.conn, id, reader))

    @property
    def entries(self) -> Sequence[AuditEntry]:
        """The whole audit log, newest first."""
        return read_entries(self._rows.conn).entries

    def _then(self, change: Any, audit: Iterable[AuditEntry]) -> Deferred[None]:
        def done(_: object = None) -> None:
            change()
            write_entries(self._rows.conn, audit)

        if self.error is not None:
            error, self.error = self.error, None
            return fail(error)
        if self.waiting is None:
            return succeed(done())
        deferred: Deferred[None] = Deferred()
        self.waiting.append(deferred)
        return deferred.addCallback(done)


@cache
def _migrated() -> bytes:
    """An empty state of today, as a file: to make one for each test would take a third of all that they take."""
    rows = Database(memory=True, execute_plugins=False)
    migrations.apply(rows)
    return bytes(rows.conn.serialize())


def _key(noun: Any) -> tuple[type, str]:
    return type(noun), noun.id if not isinstance(noun, Member) else f"{noun.user_id} {noun.client_id}"


class MemoryLog:
    """Records as given, newest first; remembers what it was asked for."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.spans: list[tuple[int, Counts]] = []
        self.asked: dict[str, Any] = {}

    def list(self, proxy_id: str, **asked: Any) -> Deferred[Any]:
        shown = asked.pop("shown")
        self.asked = asked
        if asked["cursor"] == "bad":
            raise ValueError("cursor")
        records = self.records[: asked["limit"]]
        more = "more" if len(self.records) > asked["limit"] else None
        return succeed(shown(RequestPage(len(records), iter(records), more)))

    def detail(self, proxy_id: str, request_id: str, *, bodies: bool = False) -> Deferred[dict[str, Any] | None]:
        wanted = (proxy_id, request_id)
        return succeed(next((each for each in self.records if (each["pKey"], each["sKey"]) == wanted), None))

    def telemetry(self, *asked: Any) -> Deferred[Any]:
        *wanted, shown = asked
        self.asked = {"telemetry": wanted}
        return succeed(shown(self.spans))


@frozen
class Told:
    """An answer: status, header fields by lower-case name, document."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.raw)

    @property
    def problems(self) -> dict[str, str]:
        """What is wrong, by field; the form of every error is checked on the way."""
        assert set(self.document) <= {"error", "message", "details"}
        assert self.document["error"]
        assert self.document["message"]
        return {each["field"]: each["problem"] for each in self.document.get("details", ())}


class MemoryTrials:
    """Remembers what was tried, and answers `trial` or, while there is one, a Deferred from `waiting`."""

    def __init__(self) -> None:
        self.tried: list[tuple[str, str, str | None, str]] = []
        self.trial = Trial(200, None, 0.0012345678, 0.25, 0.5)
        self.waiting: list[Deferred[Trial]] | None = None
        self.error: Exception | None = None

    def start(
        self,
        client: Client,
        target: Target,
        credential: Credential | None,
        path: str,
        beforehand: Callable[[], Coroutine[Any, Any, object]],
    ) -> Deferred[Trial]:
        if self.error is not None:
            raise self.error

        async def run() -> Trial:
            await beforehand()
            self.tried.append((client.id, target.id, None if credential is None else credential.id, path))
            if self.waiting is None:
                return self.trial
            self.waiting.append(Deferred())
            return await self.waiting[-1]

        return Deferred.fromCoroutine(run())


async def until(holds: Callable[[], bool]) -> None:
    """Let the reactor turn until `holds`."""
    from twisted.internet import reactor

    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        await deferLater(reactor, 0.001)  # type: ignore[arg-type]


def no_route(directory: Directory, proxy: Proxy) -> Any:
    raise AssertionError("the Core API builds no routes")


class Explaining:
    """Says of every request that it would be refused."""

    async def explain(self, proxy: Proxy, described: Described) -> Explanation:
        """As `rrgate.explaining.Explainer`."""
        return Explanation(None, 403, "proxy-access-denied", "no", True, (), "", (), as_document(Checks.NONE))


class MemoryDeliveries:
    """Asynchronous requests by proxy and id, each as its state; remembers what was asked for, and `error` fails it."""

    def __init__(self) -> None:
        self.states: dict[tuple[str, str], str] = {}
        self.asked: list[Any] = []
        self.error: Exception | None = None

    async def told(self, proxy_id: str, request_id: str) -> Document | None:
        if self.error is not None:
            raise self.error
        state = self.states.get((proxy_id, request_id))
        return None if state is None else {**DELIVERY, "state": state}

    async def cancel(self, proxy_id: str, request_id: str) -> Document | None:
        return await self._become("cancelled", ("queued", "waiting"), proxy_id, request_id)

    async def replay(self, proxy_id: str, request_id: str) -> Document | None:
        return await self._become("queued", ("failed", "exhausted", "unknown"), proxy_id, request_id)

    async def replay_all(
        self,
        proxy_id: str,
        states: Collection[str],
        after: int | None,
        before: int | None,
        behind: tuple[int, int] | None,
    ) -> Replayed:
        self.asked.append((proxy_id, list(states), after, before, behind))
        found = [key for key, state in self.states.items() if key[0] == proxy_id and state in states]
        self.states.update(dict.fromkeys(found, "queued"))
        return Replayed(len(found), (1_765_517_217_621, 7) if len(found) > 1 else None)

    async def _become(self, state: str, out_of: Collection[str], *key: str) -> Document | None:
        present = self.states[(key[0], key[1])]
        self.asked.append((state, *key))
        if present not in out_of:
            raise NotNow(f"a request that is {present} cannot become {state}")
        self.states[(key[0], key[1])] = state
        return await self.told(*key)


DELIVERY: Final = {
    "message": None,
    "removedEarly": False,
    "acceptedAt": "2026-01-31T12:00:00.000Z",
    "endedAt": None,
    "nextAttemptAt": None,
    "attempts": [],
    "callback": None,
}


class Authorizing:
    """Asks persons for those credentials that `asked` has; `brought`: what browsers brought back to the plugin."""

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self.brought: list[tuple[str, str, dict[str, str], str]] = []
        self.refuses = False

    def asks(self, credential: Credential) -> bool:
        return credential.id in self.asked

    def begin(self, credential: Credential, redirect_uri: str, state: str) -> AuthorizationRequest:
        if self.refuses:
            raise AuthorizationRefused("no")
        return AuthorizationRequest(f"https://login.test/auth?state={state}", f"kept for {credential.id}")

    async def finish(
        self, credential: Credential, redirect_uri: str, parameters: Mapping[str, str], kept: str
    ) -> None:
        self.brought.append((credential.id, redirect_uri, dict(parameters), kept))
        if self.refuses:
            raise AuthorizationRefused("no")


class Core:
    """Alice is owner, Adam admin, Uma user of the client `acme`; Bob owns `other`; Alice is the operator."""

    def __init__(self) -> None:
        self.seconds = NOW
        self.store = MemoryStore()
        self.log = MemoryLog()
        self.trials = MemoryTrials()
        self.deliveries = MemoryDeliveries()
        self.ready = True
        self.directory = Directory(no_route)
        for name in ("alice", "adam", "uma", "bob"):
            self.add_user(name, operator=name == "alice")
        for name, owner in (("acme", "alice"), ("other", "bob")):
            client = Client(id=name, user_id=owner, name=name.title(), created_at=1, updated_at=1)
            self.directory.put(client)
            self.directory.put_member(owner, name, ("owner", "admin"))
        self.directory.put_member("adam", "acme", ("admin",))
        self.directory.put_member("uma", "acme", ("user",))
        self.authorizing = Authorizing()
        self.counters = Counters.alone(lambda: self.seconds)
        self.notifier = Notifier(self.store, self.directory, lambda: self.seconds, Clock())
        self.house = CoreHouse(
            directory=self.directory,
            store=self.store,
            request_log=self.log,
            registry=(installed := registry()),
            proxy_plugins=ProxyPlugins(installed, ["stamp", "mark"]),
            trials=self.trials,
            authorizing=self.authorizing,
            explaining=Explaining(),
            deliveries=self.deliveries,
            notifier=self.notifier,
            core_public_url="https://core.test",
            wall=lambda: self.seconds,
            hosts=frozenset({"127.0.0.1", "gateway.test"}),
            public_url="https://gateway.test/",
            is_ready=lambda: self.ready,
            metrics=lambda: succeed(b""),
            counters=self.counters,
        )

    def add_user(self, name: str, operator: bool = False, expires_at: int | None = None) -> None:
        self.directory.put(User(id=name, operator=operator, created_at=1, updated_at=1))
        self.add_token(name, expires_at=expires_at)

    def add_token(self, name: str, text: str = "", **narrowed: Any) -> None:
        """A token of this user, `u-<name>` unless `text` is another."""
        text = text or f"u-{name}"
        self.directory.put(
            Token(
                id=f"t-{text[2:]}",
                user_id=name,
                name=text,
                token_hash=self.store.secrets.token_hash(text),
                created_at=1,
                **narrowed,
            )
        )

    async def start(self) -> None:
        from twisted.internet import reactor

        self._reactor: Any = reactor
        self._port = self._reactor.listenTCP(0, core_site(self.house), interface="127.0.0.1")
        self.port: int = self._port.getHost().port
        self._connections = Connections(reactor, self.port)

    async def stop(self) -> None:
        self._connections.close()
        await self._port.stopListening()

    async def ask(
        self,
        method: str,
        path: str,
        document: object = None,
        *,
        token: str | None = "u-alice",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Told:
        """Ask, with `document` as JSON or `body` as it is. Every answer is JSON that is kept nowhere."""
        fields = {"Content-Type": "application/json"} if document is not None else {}
        if token is not None:
            fields["Authorization"] = token
        fields.update(headers or {})
        data = json.dumps(document).encode() if document is not None else body
        status, found, raw = await self._connections.ask(method, path, fields, data)
        assert found["content-type"] == "application/json"
        assert found["cache-control"] == "no-store"
        assert SECRET.encode() not in raw
        return Told(status, found, raw)

    # Nouns, made through the API.

    async def make(self, kind: str, document: object, client: str = "acme", token: str = "u-alice") -> Any:
        told = await self.ask("POST", f"/clients/{client}/{kind}", document, token=token)
        assert told.status == 200, told.raw
        assert told.document["message"] == "Success"
        (made,) = told.document[kind]
        return made

    async def make_rule(self, kind: str, parent_id: str, **document: Any) -> Any:
        """A rule of a credential, target or proxy of acme's."""
        told = await self.ask("POST", f"/clients/acme/{kind}/{parent_id}/rules", {"effect": "deny", **document})
        assert told.status == 200, told.raw
        (made,) = told.document["rules"]
        return made

    async def make_parts(self, client: str = "acme", token: str = "u-alice") -> dict[str, str]:
        """Two credentials and a target; answers what a proxy's document needs."""
        caller = await self.make("credentials", CALLER, client, token)
        towards = await self.make("credentials", TOWARDS, client, token)
        target = await self.make("targets", TARGET, client, token)
        return {
            "proxyName": "Stripe Proxy",
            "proxyRegion": "us-east-1",
            "proxyProxyCredentialId": caller["sKey"],
            "proxyTargetId": target["sKey"],
            "proxyTargetCredentialId": towards["sKey"],
        }


CALLER = {
    "credentialName": "App API Key",
    "credentialType": "proxy",
    "credentialAuthType": "key",
    "credentialRegion": "us-east-1",
    "credentialSecret": {"key": "X-API-Key", "value": SECRET, "addToHeader": True},
}
TOWARDS = {
    "credentialName": "Stripe Token",
    "credentialType": "target",
    "credentialAuthType": "bearer",
    "credentialRegion": "us-east-1",
    "credentialSecret": {"token": SECRET, "addToHeader": True},
}
TARGET = {
    "targetName": "Stripe API",
    "targetRegion": "us-east-1",
    "targetBaseURL": "https://api.stripe.com",
    "targetTestPath": "/v1/customers",
}

__all__ = ["CALLER", "SECRET", "TARGET", "TOWARDS", "Client", "Core", "Credential", "Proxy", "Target", "Told", "until"]
