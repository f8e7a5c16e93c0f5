"""The boot hooks on a whole gateway: tables, pages, start and stop, events; and who is named when one fails.

Belongs here: what hookspecs.py promises. Does not: loading plugins (test_registry.py).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from sqlite_utils import Database
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from rrgate.api import (
    Event,
    Exchange,
    Migrations,
    NoConfig,
    Page,
    PageRequest,
    Parts,
    Plugin,
    Reply,
    hookimpl,
)
from rrgate.boot import BootHooks
from rrgate.cli.init import FirstUser
from rrgate.registry import PluginLoadError, Registry, load_registry
from rrgate.store import NewerDatabase, Store, StoreError
from tests.callers import call, in_thread
from tests.running_gateway import RunningGateway
from tests.targets import Target as Server
from tests.targets import echo


@pytest.fixture
def logged() -> Any:
    """The events of the log, as they come."""
    events: list[dict[str, Any]] = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


def plugin(**hooks: Callable[..., Any]) -> Any:
    """A module with these hooks."""
    return type("Acme", (), {name: staticmethod(hookimpl(hook)) for name, hook in hooks.items()})()


# Tables.


def steps(*bodies: Callable[[Database], Any], name: str = "acme") -> Migrations:
    made = Migrations(name)
    for number, body in enumerate(bodies, 1):
        made(name=f"step_{number:04}")(lambda db, body=body: body(db))
    return made


def swallowing(db: Database) -> None:
    with pytest.raises(sqlite3.DatabaseError):
        db.execute("DELETE FROM tokens")


def make_things(db: Database) -> None:
    db.table("acme_things").create({"id": int, "name": str}, pk="id", strict=True)
    db.table("acme_things").insert_all([{"id": 1, "name": "one"}, {"id": 2, "name": "two"}])
    db.table("acme_things").create_index(["name"])


def hooks_of(*sets: Migrations, registry: Registry | None = None) -> BootHooks:
    if registry is None:
        registry = load_registry([plugin(rrgate_migrations=lambda: sets)], found=[])
    return BootHooks(registry, None, Clock())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    directory = tmp_path / "state"
    directory.mkdir(mode=0o700)
    Store.create(directory).close()
    return directory


def opened(data: Path, *sets: Migrations) -> None:
    Store.open(data, hooks_of(*sets).migrations()).close()


def tables(data: Path) -> dict[str, Any]:
    with sqlite3.connect(data / "rrgate.db") as connection:
        found = {
            row[0]: connection.execute(f"SELECT count(*) FROM {row[0]}").fetchone()[0]
            for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        }
    connection.close()
    return found


def test_tables_are_made_once_after_a_copy(data: Path) -> None:
    def change(db: Database) -> None:
        db.table("acme_things").transform(rename={"name": "label"})
        db.table("acme_things").add_column("size", int)
        with db.atomic():
            db.table("ACME_More").insert({"id": 1}, pk="id")
        db.table("acme_numbers").create({"id": int}, pk="id")
        db.execute("CREATE TABLE acme_counted (id INTEGER PRIMARY KEY AUTOINCREMENT)")

    opened(data, steps(make_things))
    assert tables(data)["acme_things"] == 2
    assert os.listdir(data / "before-migration") == ["rrgate.db-before-acme-step_0001"]
    opened(data, steps(make_things))
    opened(data, steps(make_things, change))
    assert max(os.listdir(data / "before-migration")) == "rrgate.db-before-acme-step_0002"
    assert tables(data)["ACME_More"] == 1


@pytest.mark.parametrize(
    "step",
    {
        "another table": lambda db: db.table("other").create({"id": int}, pk="id"),
        "the set's name with more behind it": lambda db: db.table("acmes").create({"id": int}, pk="id"),
        "our table, changed": lambda db: db.table("tokens").add_column("more", str),
        "our table, dropped": lambda db: db.table("proxies").drop(),
        "our rows": lambda db: db.execute("DELETE FROM instance_keys"),
        "our rows, inserted": lambda db: db.execute("INSERT INTO data_keys VALUES ('c', x'00', 'm')"),
        "an index on ours": lambda db: db.table("tokens").create_index(["created_at"]),
        "a trigger on ours": lambda db: db.execute(
            "CREATE TRIGGER acme_t AFTER INSERT ON tokens BEGIN DELETE FROM acme_things; END"
        ),
        "renamed away": lambda db: db.execute("ALTER TABLE acme_things RENAME TO things"),
        "the list of steps": lambda db: db.execute("DELETE FROM _sqlite_migrations"),
        "the schema": lambda db: db.execute("PRAGMA writable_schema = ON"),
        "another file": lambda db: db.execute("ATTACH ':memory:' AS other"),
        "commit": lambda db: db.conn.commit(),
        "executescript": lambda db: db.conn.executescript("CREATE TABLE acme_x (id INTEGER)"),
        "swallowed": swallowing,
        "raising": lambda db: {}["s3cr3t"],
        "wrong SQL": lambda db: db.execute("SELECT nothing FROM nowhere"),
    }.items(),
    ids=lambda case: case[0],
)
def test_a_step_that_does_what_it_may_not_leaves_nothing(data: Path, step: tuple[str, Any]) -> None:
    before = tables(data)

    def both(db: Database) -> None:
        make_things(db)
        step[1](db)

    with pytest.raises(StoreError, match="migration step_0001 of plugin 'Acme' failed: ") as caught:
        opened(data, steps(both))
    assert "s3cr3t" not in str(caught.value)
    after = tables(data)
    assert {name: count for name, count in after.items() if name != "_sqlite_migrations"} == {
        name: count for name, count in before.items() if name != "_sqlite_migrations"
    }
    opened(data, steps(make_things))
    Store.open(data).close()


def test_steps_before_the_one_that_fails_stay(data: Path) -> None:
    with pytest.raises(StoreError, match="step_0002"):
        opened(data, steps(make_things, lambda db: db.execute("DELETE FROM tokens")))
    assert tables(data)["acme_things"] == 2


def test_a_database_of_a_newer_plugin_is_refused(data: Path) -> None:
    opened(data, steps(make_things, lambda db: None))
    with pytest.raises(NewerDatabase, match=r"newer plugin 'Acme' \(migration step_0002\)"):
        opened(data, steps(make_things))


def test_tables_of_a_plugin_that_is_gone_are_left_alone(data: Path, logged: list[Any]) -> None:
    opened(data, steps(make_things))
    Store.open(data).close()
    assert not [event for event in logged if event.get("set") == "acme"]
    opened(data)
    assert [event["set"] for event in logged if "left alone" in (event.get("log_format") or "")] == ["acme"]
    assert tables(data)["acme_things"] == 2


@pytest.mark.parametrize(
    ("sets", "why"),
    [
        ([Migrations("rrgate")], "must be named after its distribution"),
        ([Migrations("Acme")], "must be named after its distribution"),
        ([Migrations("a b")], "must be named after its distribution"),
        ([steps(make_things), steps(make_things)], "overlap"),
        ([steps(make_things), steps(name="acme_more")], "'acme_more' of plugin 'Acme' and 'acme' of"),
        ([object()], "must answer rrgate.api.Migrations"),
    ],
)
def test_sets_that_are_not_right(sets: Any, why: str) -> None:
    with pytest.raises(PluginLoadError, match="Acme") as caught:
        hooks_of(*sets).migrations()
    assert why in str(caught.value)


def test_steps_that_cannot_be_guarded() -> None:
    loose = Migrations("acme")
    loose(name="step", transactional=False)(lambda db: None)
    odd = Migrations("acme")
    odd(name="../../x")(lambda db: None)
    for made, why in ((loose, "must run in a transaction"), (odd, "letters, digits")):
        with pytest.raises(PluginLoadError, match=why):
            hooks_of(made).migrations()


def test_a_set_is_named_after_its_distribution() -> None:
    from tests.plugins.test_registry import found

    def registry(name: str) -> Registry:
        return load_registry(found=[found("a", lambda: plugin(rrgate_migrations=lambda: [Migrations(name)]))])

    for name in ("acme_thing", "acme_thing_more"):
        (made,) = hooks_of(registry=registry(name)).migrations()
        assert made.plugin == "plugin 'a' (a_module) of acme-thing 1.2.3"
    with pytest.raises(PluginLoadError, match="must be named 'acme_thing'"):
        hooks_of(registry=registry("acme_other")).migrations()


def test_a_hook_that_raises() -> None:
    def raising() -> Any:
        raise RuntimeError("not today")

    registry = load_registry([plugin(rrgate_migrations=raising)], found=[])
    with pytest.raises(PluginLoadError, match="plugin 'Acme': rrgate_migrations failed: RuntimeError: not today"):
        hooks_of(registry=registry).migrations()


# Pages.


class Asked(Plugin):
    """Answers pages; fails in requests when told to."""

    name = "asked"
    fail = False

    @classmethod
    def for_proxy(cls, parts: Parts) -> NoConfig:
        return NoConfig()

    def authorize(self, ex: Exchange) -> None:
        if ex.header(b"Fail") is not None:
            raise KeyError("s3cr3t")


class Acme:
    """A module with every hook, and what they were called with."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.events: list[Event] = []
        self.gateway: Any = None

    @hookimpl
    def rrgate_plugins(self) -> Sequence[type[Plugin]]:
        return (Asked,)

    @hookimpl
    def rrgate_migrations(self) -> Sequence[Migrations]:
        return [steps(make_things)]

    @hookimpl
    def rrgate_resources(self, gateway: Any) -> Sequence[Page]:
        self.calls.append(f"resources {len(gateway.ports)}")
        return [
            Page("/acme", self.document),
            Page("/acme/text", self.text),
            Page("/acme/broken", self.broken),
            Page("/acme/splitting", self.splitting),
            Page("/acme", self.document, listener="core"),
            Page("/acme/open", self.text, listener="core", public=True),
            Page("/acme/broken", self.broken, listener="core"),
        ]

    def document(self, request: PageRequest) -> Reply:
        assert "k=v" not in repr(request)
        user = None if request.user is None else request.user.id
        return Reply(200, "found", "ok", document={"path": request.path, "query": request.query, "user": user})

    def text(self, request: PageRequest) -> Reply:
        return Reply(201, "made", "ok", body=b"<p>", headers=((b"Content-Type", b"text/html"),))

    def broken(self, request: PageRequest) -> Reply:
        raise KeyError("s3cr3t")

    def splitting(self, request: PageRequest) -> Reply:
        return Reply(200, "ok", "ok", headers=((b"X", b"a\r\nY: b"),))

    @hookimpl
    def rrgate_started(self, gateway: Any) -> None:
        self.gateway = gateway
        self.calls.append(f"started {len(gateway.ports)}")

    @hookimpl
    def rrgate_stopping(self) -> None:
        self.calls.append("stopping")

    @hookimpl
    def rrgate_event(self, event: Event) -> None:
        self.events.append(event)
        raise RuntimeError("the others are told all the same")


@pytest.fixture
def acme() -> Acme:
    return Acme()


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def running(acme: Acme, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    gateway = RunningGateway.start(tmp_path / "state", plugins=[acme])
    yield gateway
    await gateway.stop()


@pytest_twisted.ensureDeferred
async def test_pages_on_the_gateway_listener(running: RunningGateway, acme: Acme) -> None:
    async def get(path: str, method: str = "GET") -> Any:
        return await in_thread(call, running.address, method, path)

    told = await get("/acme?k=v")
    assert (told.status, told.json) == (200, {"path": "/acme", "query": "k=v", "user": None})
    told = await get("/acme/text")
    assert (told.status, told["Content-Type"], told.body) == (201, "text/html", b"<p>")
    assert (await get("/acme/text", "HEAD")).body == b""
    assert ((await get("/acme", "POST")).status, (await get("/acme", "DELETE"))["Allow"]) == (405, "GET, HEAD")
    assert (await get("/acme/")).status == 404
    for path in ("/acme/broken", "/acme/splitting"):
        told = await get(path)
        assert (told.status, told.code) == (500, "internal-error")
        assert b"s3cr3t" not in told.body
    assert [event.subject for event in acme.events] == ["page /acme/broken", "page /acme/splitting"]


@pytest_twisted.ensureDeferred
async def test_pages_on_the_core_listener(running: RunningGateway) -> None:
    told = await running.ask("GET", "/acme?k=v")
    assert (told.status, told.json) == (200, {"path": "/acme", "query": "k=v", "user": running.first.user_id})
    assert (await running.ask("GET", "/acme?%ff", token="u-wrong")).status == 401
    assert (await running.ask("GET", "/acme/broken")).status == 500
    assert (await running.ask("POST", "/acme", {})).status == 405
    told = await in_thread(call, running.core_address, "GET", "/acme/open")
    assert (told.status, told["Content-Type"], told.body) == (201, "text/html", b"<p>")
    assert (await in_thread(call, running.core_address, "GET", "/acme")).status == 401


@pytest.mark.parametrize(
    "pages",
    [
        [Page("/healthz", Acme().text)],
        [Page("/api/x", Acme().text)],
        [Page("/Async", Acme().text)],
        [Page("/clients/mine", Acme().text, listener="core")],
        [Page("/openapi.json", Acme().text, listener="core")],
        [Page("/readyz", Acme().text, listener="core")],
        [Page("/a", Acme().text), Page("/a", Acme().text)],
        ["/a"],
    ],
    ids=repr,
)
@pytest_twisted.ensureDeferred
async def test_a_page_that_stops_the_start(pages: Any, tmp_path: Path) -> None:
    with pytest.raises(PluginLoadError, match="plugin 'Acme'"):
        RunningGateway.start(tmp_path / "state", plugins=[plugin(rrgate_resources=lambda: pages)])
    # All is closed again: another gateway starts on the same state.
    again = RunningGateway.open(tmp_path / "state")
    await RunningGateway(again, FirstUser("", "", "")).stop()


@pytest.mark.parametrize("path", ["", "a", "/a//b", "/a/../b", "/./a", "/a b", "/{id}", "/%41", "/a?b", None])
def test_paths_that_no_page_can_have(path: Any) -> None:
    with pytest.raises(ValueError, match="plain segments"):
        Page(path, Acme().text)


# Start, stop, events.


@pytest_twisted.ensureDeferred
async def test_start_and_stop(acme: Acme, tmp_path: Path, logged: list[Any]) -> None:
    order: list[str] = []

    def noting(name: str) -> Any:
        def started() -> None:
            order.append(f"{name} started")
            raise RuntimeError("boom")

        def stopping() -> None:
            order.append(f"{name} stopping")
            raise RuntimeError("boom")

        return plugin(rrgate_started=started, rrgate_stopping=stopping)

    gateway = RunningGateway.start(tmp_path / "state", plugins=[acme, noting("one"), noting("two")])
    assert acme.calls == ["resources 0", "started 2"]
    assert acme.gateway is gateway.gateway
    assert (await in_thread(call, gateway.address, "GET", "/acme")).status == 200
    assert tables(tmp_path / "state")["acme_things"] == 2
    await gateway.stop()
    assert acme.calls[2:] == ["stopping"]
    assert order == ["one started", "two started", "two stopping", "one stopping"]
    assert {event["hook"] for event in logged if event.get("plugin") == "plugin 'Acme'" and "hook" in event} == {
        "rrgate_started",
        "rrgate_stopping",
        "rrgate_event",
    }


@pytest_twisted.ensureDeferred
async def test_what_is_told_of_requests(running: RunningGateway, acme: Acme, logged: list[Any]) -> None:
    with Server(echo) as server:
        proxy = await running.proxy(server.url)
        assert (await running.call(proxy)).status == 200
        for _ in range(3):
            answer = await running.call(proxy, headers={"Fail": "s3cr3t"})
            assert (answer.status, answer.code) == (500, "internal-error")
    (event,) = acme.events
    assert event == Event("plugin-fault", "plugin 'asked' failed in authorize", "asked authorize")
    assert [each["kind"] for each in logged if each.get("subject") == "asked authorize"] == ["plugin-fault"]


@pytest_twisted.ensureDeferred
async def test_a_proxy_that_cannot_be_compiled_is_told(
    running: RunningGateway, acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = await running.proxy("http://127.0.0.1:1")
    monkeypatch.setattr(Asked, "for_proxy", classmethod(lambda cls, *_: {}["s3cr3t"]))
    for _ in range(2):
        answer = await running.call(proxy)
        assert (answer.status, answer.code) == (500, "internal-error")
        assert "configuration" in answer.json["message"]
    (event,) = acme.events
    assert (event.kind, event.subject) == ("proxy-broken", proxy.id)
    assert "plugin 'asked' cannot work on proxy" in event.message
    assert "s3cr3t" not in event.message


@pytest_twisted.ensureDeferred
async def test_tokens_that_cannot_be_read_are_told_and_read_at_the_next_look(
    running: RunningGateway, acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = running.gateway
    gateway._watch_tokens.stop()
    asked: list[str] = []

    async def changed() -> bool:
        asked.append("changed")
        return asked.count("changed") == 1

    async def fails() -> Any:
        asked.append("load")
        raise StoreError("the disk is away")

    with monkeypatch.context() as patched:
        patched.setattr(gateway.store, "tokens_changed", changed)
        with patched.context() as further:
            further.setattr(gateway.store, "load_people", fails)
            gateway.directory.replace_people(gateway.directory.users.values(), ())
            await gateway._watch_tokens.look()
            await gateway._watch_tokens.look()
            assert asked == ["changed", "load", "load"]
            assert gateway.directory.token_by_hash == {}
        await gateway._watch_tokens.look()
        assert len(gateway.directory.token_by_hash) == 1
        await gateway._watch_tokens.look()
    assert asked == ["changed", "load", "load", "changed"]
    assert [event.kind for event in acme.events] == ["tokens-unreadable"]
    gateway._watch_tokens.start()


@pytest_twisted.ensureDeferred
async def test_trouble_of_the_journal_is_told(running: RunningGateway, acme: Acme) -> None:
    running.gateway.journal._tell("the request log cannot be written")
    assert acme.events == [Event("journal-trouble", "the request log cannot be written")]


def test_events_of_one_kind_and_subject_are_thinned_out() -> None:
    clock, told = Clock(), list[Event]()

    def noting(event: Event) -> None:
        told.append(event)

    boot = BootHooks(load_registry([plugin(rrgate_event=noting)], found=[]), None, clock)
    one, other = Event("plugin-fault", "failed", "a"), Event("plugin-fault", "failed", "b")
    assert [boot.tell(one), boot.tell(one), boot.tell(other), boot.tell(Event("proxy-broken", "x", "a"))] == [
        True,
        False,
        True,
        True,
    ]
    clock.advance(59.9)
    assert [boot.tell(Event("limit-reached", "x", "a", window)) for window in ("minute", "day", "day")] == [
        True,
        True,
        False,
    ]
    assert not boot.tell(one)
    clock.advance(0.2)
    assert boot.tell(one)
    assert [event.subject for event in told] == ["a", "b", "a", "a", "a", "a"]
    for number in range(5000):
        boot.tell(Event("plugin-fault", "failed", str(number)))
    assert len(boot._told) <= 1000
    clock.advance(61)
    assert boot.tell(one)


def test_events_of_too_many_subjects_are_said_to_be_left_out() -> None:
    clock, said = Clock(), list[int]()
    boot = BootHooks(load_registry([], found=[]), None, clock)

    def hear(event: dict[str, Any]) -> None:
        if "were not told" in (event["log_format"] or ""):
            said.append(event["count"])

    def tell(*subjects: int) -> None:
        globalLogPublisher.addObserver(hear)  # type: ignore[arg-type]
        for subject in subjects:
            boot.tell(Event("plugin-fault", "failed", str(subject)))
        globalLogPublisher.removeObserver(hear)  # type: ignore[arg-type]

    tell(*range(1000))
    assert said == []
    tell(*range(1000, 1300))
    assert said == [1]  # at once, and then once a minute
    clock.advance(59.9)
    tell(2000)
    assert said == [1]
    clock.advance(0.2)
    tell(2001)
    assert said == [1, 300]
    assert boot.events["plugin-fault"] == 1302
