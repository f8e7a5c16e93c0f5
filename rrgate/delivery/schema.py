"""The tables of queue.db, as numbered steps; a step that was released is never changed, only followed by another.

Belongs here: requests that were accepted, their attempts and answers. Does not: configuration (store/migrations.py),
the log of requests (store/log_migrations.py).

A file of its own, because bodies come and go in it: rrgate.db stays small, and a change of configuration does not wait
behind an upload. It is not in backups: what it held would be delivered a second time after a restore.
"""

from __future__ import annotations

from typing import Final

from sqlite_utils import Database, Migrations

DEAD: Final = "state IN ('failed', 'exhausted', 'unknown')"
"""What may be sent again, spelled as its index has it, so that SQLite sees that it has them all."""

migrations = Migrations("rrgate-queue")


@migrations()
def step_0001_requests(database: Database) -> None:
    """`requests`: one row each, with its state (states.py); `due_at` exactly while an attempt is to come.

    `payloads`: what is sent, sealed. `attempts`: begun ones. `answers`: final ones, sealed. Moments are milliseconds of
    the delivery's time, of which `times` says what it is.
    """
    database.execute(
        "CREATE TABLE requests (id INTEGER PRIMARY KEY AUTOINCREMENT, request_id TEXT NOT NULL UNIQUE, "
        "proxy_id TEXT NOT NULL, client_id TEXT NOT NULL, identity BLOB NOT NULL, size INTEGER NOT NULL, "
        "accepted_at INTEGER NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL, "
        "replayed_after INTEGER NOT NULL, due_at INTEGER, deadline INTEGER NOT NULL, moved INTEGER NOT NULL, "
        "repeatable INTEGER NOT NULL, problem TEXT, ended_at INTEGER, keep_until INTEGER, "
        "CHECK ((due_at IS NOT NULL) = (state IN ('queued', 'waiting'))), "
        "CHECK ((ended_at IS NULL) = (state IN ('queued', 'sending', 'waiting')))) STRICT"
    )
    database.execute("CREATE INDEX requests_lanes ON requests (proxy_id, due_at, id) WHERE due_at IS NOT NULL")
    database.execute("CREATE INDEX requests_due ON requests (due_at) WHERE due_at IS NOT NULL")
    database.execute("CREATE INDEX requests_sending ON requests (id) WHERE state = 'sending'")
    database.execute("CREATE INDEX requests_old ON requests (keep_until) WHERE keep_until IS NOT NULL")
    owned = "request INTEGER {} REFERENCES requests (id) ON DELETE CASCADE"
    key = owned.format("PRIMARY KEY")
    database.execute(f"CREATE TABLE payloads ({key}, head BLOB NOT NULL, body BLOB NOT NULL) STRICT")
    database.execute(f"CREATE TABLE answers ({key}, sealed BLOB NOT NULL) STRICT")
    database.execute(
        f"CREATE TABLE attempts ({owned.format('NOT NULL')}, number INTEGER NOT NULL, started_at INTEGER NOT NULL, "
        "ended_at INTEGER, status INTEGER, problem TEXT, wait INTEGER, PRIMARY KEY (request, number)) "
        "STRICT, WITHOUT ROWID"
    )
    database.execute("CREATE TABLE times (id INTEGER PRIMARY KEY, boot TEXT NOT NULL, offset INTEGER NOT NULL) STRICT")


@migrations()
def step_0002_keys(database: Database) -> None:
    """The `Idempotency-Key` of callers, hashed: of which request each is, and `digest`, what that request was."""
    database.execute(
        "CREATE TABLE keys (proxy_id TEXT NOT NULL, identity BLOB NOT NULL, key BLOB NOT NULL, "
        "request_id TEXT NOT NULL, digest BLOB NOT NULL, until INTEGER NOT NULL, "
        "PRIMARY KEY (proxy_id, identity, key)) STRICT, WITHOUT ROWID"
    )
    database.execute("CREATE INDEX keys_old ON keys (until)")


@migrations()
def step_0003_dead_letters(database: Database) -> None:
    """What may be sent again is found by proxy and time."""
    database.execute(f"CREATE INDEX requests_dead ON requests (proxy_id, accepted_at, id) WHERE {DEAD}")


@migrations()
def step_0004_untold(database: Database) -> None:
    """`untold`: requests whose end may not be in the log yet, with the head of what was sent, sealed as before."""
    database.execute(
        "CREATE TABLE untold (request INTEGER PRIMARY KEY REFERENCES requests (id) ON DELETE CASCADE, "
        "head BLOB NOT NULL) STRICT"
    )


@migrations()
def step_0005_callbacks(database: Database) -> None:
    """`callbacks`: whom a request's caller wants to be told of its end, sealed. The call is a row of `requests` too,
    in a lane of its own (callbacks.py); `callback_of` is the number of the request whose end it tells."""
    database.execute(
        "CREATE TABLE callbacks (request INTEGER PRIMARY KEY REFERENCES requests (id) ON DELETE CASCADE, "
        "url BLOB NOT NULL) STRICT"
    )
    database.execute("ALTER TABLE requests ADD COLUMN callback_of INTEGER")
    database.execute("CREATE INDEX requests_callbacks ON requests (callback_of) WHERE callback_of IS NOT NULL")


@migrations()
def step_0006_totals(database: Database) -> None:
    """`totals`: how many requests are under way, and how many bytes these have: of all (''), of each client and
    each lane. Triggers keep them, so that they are right whoever changes a row, and after any crash."""
    database.execute(
        "CREATE TABLE totals (scope TEXT PRIMARY KEY, requests INTEGER NOT NULL, bytes INTEGER NOT NULL) "
        "STRICT, WITHOUT ROWID"
    )
    for scope in ("''", "client_id", "proxy_id"):
        database.execute(
            f"INSERT INTO totals SELECT {scope}, count(*), sum(size) FROM requests WHERE ended_at IS NULL "
            f"GROUP BY {scope}"
        )

    def counted(row: str, sign: str) -> str:
        return " ".join(
            f"INSERT INTO totals VALUES ({scope}, {sign}1, {sign}{row}.size) ON CONFLICT (scope) DO UPDATE SET "
            f"requests = requests {sign or '+'} 1, bytes = bytes {sign or '+'} {row}.size;"
            for scope in ("''", f"{row}.client_id", f"{row}.proxy_id")
        )

    for name, when, does in (
        ("taken", "INSERT ON requests WHEN NEW.ended_at IS NULL", counted("NEW", "")),
        ("ended", "UPDATE OF ended_at ON requests WHEN OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL",
         counted("NEW", "-")),
        ("again", "UPDATE OF ended_at ON requests WHEN OLD.ended_at IS NOT NULL AND NEW.ended_at IS NULL",
         counted("NEW", "")),
        ("removed", "DELETE ON requests WHEN OLD.ended_at IS NULL", counted("OLD", "-")),
    ):
        database.execute(f"CREATE TRIGGER totals_{name} AFTER {when} BEGIN {does} END")


@migrations()
def step_0007_kept(database: Database) -> None:
    """`kept`: requests that are over, and of which an answer or what was sent is on disk still, by client and in the
    order of their ends; `kept_totals`: how many, and bytes of these, of all ('') and of each client. Triggers keep
    both; an answer must be there before its request's end. `removed_early`: it was removed to make room for others."""
    database.execute("ALTER TABLE requests ADD COLUMN removed_early INTEGER NOT NULL DEFAULT 0")
    database.execute(
        "CREATE TABLE kept (client_id TEXT NOT NULL, ended_at INTEGER NOT NULL, request INTEGER NOT NULL, "
        "bytes INTEGER NOT NULL, PRIMARY KEY (client_id, ended_at, request)) STRICT, WITHOUT ROWID"
    )
    database.execute(
        "CREATE TABLE kept_totals (scope TEXT PRIMARY KEY, requests INTEGER NOT NULL, bytes INTEGER NOT NULL) "
        "STRICT, WITHOUT ROWID"
    )

    def counted(row: str, sign: str) -> str:
        return " ".join(
            f"INSERT INTO kept_totals VALUES ({scope}, {sign}1, {sign}{row}.bytes) ON CONFLICT (scope) DO UPDATE SET "
            f"requests = requests {sign or '+'} 1, bytes = bytes {sign or '+'} {row}.bytes;"
            for scope in ("''", f"{row}.client_id")
        )

    def bytes_of(row: str) -> str:
        sent = f"SELECT length(head) + length(body) FROM payloads WHERE request = {row}.id AND {row}.{DEAD}"
        return f"ifnull((SELECT length(sealed) FROM answers WHERE request = {row}.id), 0) + ifnull(({sent}), 0)"

    database.execute(f"CREATE TRIGGER kept_more AFTER INSERT ON kept BEGIN {counted('NEW', '')} END")
    database.execute(f"CREATE TRIGGER kept_less AFTER DELETE ON kept BEGIN {counted('OLD', '-')} END")
    database.execute(
        "INSERT INTO kept SELECT client_id, ended_at, id, bytes FROM "
        f"(SELECT *, {bytes_of('requests')} AS bytes FROM requests WHERE ended_at IS NOT NULL) WHERE bytes > 0"
    )
    # LIMIT, lest SQLite puts the sum into both places, and works it out twice.
    database.execute(
        "CREATE TRIGGER kept_ended AFTER UPDATE OF ended_at ON requests WHEN OLD.ended_at IS NULL AND "
        "NEW.ended_at IS NOT NULL BEGIN INSERT INTO kept SELECT NEW.client_id, NEW.ended_at, NEW.id, bytes FROM "
        f"(SELECT {bytes_of('NEW')} AS bytes LIMIT 1) WHERE bytes > 0; END"
    )
    remove = "DELETE FROM kept WHERE client_id = OLD.client_id AND ended_at = OLD.ended_at AND request = OLD.id;"
    for name, when in (
        ("again", "UPDATE OF ended_at ON requests WHEN OLD.ended_at IS NOT NULL AND NEW.ended_at IS NULL"),
        ("removed", "DELETE ON requests WHEN OLD.ended_at IS NOT NULL"),
    ):
        database.execute(f"CREATE TRIGGER kept_{name} AFTER {when} BEGIN {remove} END")


@migrations()
def step_0008_changes(database: Database) -> None:
    """`changed`, `answered`: what is inserted into these views changes a request, or ends its attempt, so that one
    statement does it for many."""
    changed = "state, attempts, replayed_after, due_at, deadline, moved, repeatable, problem, ended_at, keep_until"
    answered = "ended_at, status, problem, wait"
    for view, table, columns, keys in (
        ("changed", "requests", changed, ("id",)),
        ("answered", "attempts", answered, ("request", "number")),
    ):
        new = ", ".join(f"NEW.{name}" for name in columns.split(", "))
        those = " AND ".join(f"{key} = NEW.{key}" for key in keys)
        database.execute(f"CREATE VIEW {view} AS SELECT {', '.join(keys)}, {columns} FROM {table}")
        database.execute(
            f"CREATE TRIGGER {view}_{table} INSTEAD OF INSERT ON {view} BEGIN "
            f"UPDATE {table} SET ({columns}) = ({new}) WHERE {those}; END"
        )


@migrations()
def step_0009_ended(database: Database) -> None:
    """`totals.ended`: how many requests are over and still there, of all and of each client: in rows that each end
    writes anyway."""
    database.execute("ALTER TABLE totals ADD COLUMN ended INTEGER NOT NULL DEFAULT 0")
    for scope in ("''", "client_id"):
        database.execute(
            f"INSERT INTO totals SELECT {scope}, 0, 0, count(*) FROM requests WHERE ended_at IS NOT NULL "
            f"GROUP BY {scope} ON CONFLICT (scope) DO UPDATE SET ended = excluded.ended"
        )

    def counted(row: str, sign: str, ended: int) -> str:
        return " ".join(
            f"INSERT INTO totals VALUES ({scope}, {sign}1, {sign}{row}.size, {over}) ON CONFLICT (scope) DO UPDATE SET "
            f"requests = requests {sign or '+'} 1, bytes = bytes {sign or '+'} {row}.size"
            f"{f', ended = ended + {over}' if over else ''};"
            for scope, over in (("''", ended), (f"{row}.client_id", ended), (f"{row}.proxy_id", 0))
        )

    for name, when, does in (
        ("taken", "INSERT ON requests WHEN NEW.ended_at IS NULL", counted("NEW", "", 0)),
        ("ended", "UPDATE OF ended_at ON requests WHEN OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL",
         counted("NEW", "-", 1)),
        ("again", "UPDATE OF ended_at ON requests WHEN OLD.ended_at IS NOT NULL AND NEW.ended_at IS NULL",
         counted("NEW", "", -1)),
        ("removed", "DELETE ON requests WHEN OLD.ended_at IS NULL", counted("OLD", "-", 0)),
        ("forgotten", "DELETE ON requests WHEN OLD.ended_at IS NOT NULL",
         "UPDATE totals SET ended = ended - 1 WHERE scope IN ('', OLD.client_id);"),
    ):
        database.execute(f"DROP TRIGGER IF EXISTS totals_{name}")
        database.execute(f"CREATE TRIGGER totals_{name} AFTER {when} BEGIN {does} END")


@migrations()
def step_0010_counted(database: Database) -> None:
    """`counted`: a statement that inserts rows with 1, or changes it, counts them itself, all of them at once
    (counting.py); the triggers count for every other."""
    for table in ("requests", "kept"):
        database.execute(f"ALTER TABLE {table} ADD COLUMN counted INTEGER NOT NULL DEFAULT 0")

    def counts(sign: str, ended: int) -> str:
        rows = (f"({scope}, {sign}1, {sign}NEW.size, {over})" for scope, over in (
            ("''", ended), ("NEW.client_id", ended), ("NEW.proxy_id", 0)
        ))
        return (
            f"INSERT INTO totals VALUES {', '.join(rows)} ON CONFLICT (scope) DO UPDATE SET requests = requests + "
            "excluded.requests, bytes = bytes + excluded.bytes, ended = ended + excluded.ended;"
        )

    sent = f"SELECT length(head) + length(body) FROM payloads WHERE request = NEW.id AND NEW.{DEAD}"
    held = f"ifnull((SELECT length(sealed) FROM answers WHERE request = NEW.id), 0) + ifnull(({sent}), 0)"
    keeps = (
        "INSERT INTO kept SELECT NEW.client_id, NEW.ended_at, NEW.id, bytes, 0 FROM "
        f"(SELECT {held} AS bytes LIMIT 1) WHERE bytes > 0;"
    )
    keeps_no_more = "DELETE FROM kept WHERE client_id = OLD.client_id AND ended_at = OLD.ended_at AND request = OLD.id;"
    more = " ".join(
        f"INSERT INTO kept_totals VALUES ({scope}, 1, NEW.bytes) ON CONFLICT (scope) DO UPDATE SET "
        "requests = requests + 1, bytes = bytes + NEW.bytes;"
        for scope in ("''", "NEW.client_id")
    )
    over, begins = "(OLD.ended_at IS NULL) > (NEW.ended_at IS NULL)", "(OLD.ended_at IS NULL) < (NEW.ended_at IS NULL)"
    for old, name, when, does in (
        (("totals_taken",), "taken", "INSERT ON requests WHEN NEW.ended_at IS NULL AND NOT NEW.counted", counts("", 0)),
        (("totals_ended", "kept_ended"), "ended",
         f"UPDATE OF ended_at ON requests WHEN {over} AND NEW.counted = OLD.counted", counts("-", 1) + keeps),
        (("totals_again", "kept_again"), "again", f"UPDATE OF ended_at ON requests WHEN {begins}",
         counts("", -1) + keeps_no_more),
        (("kept_more",), "kept", "INSERT ON kept WHEN NOT NEW.counted", more),
    ):
        for each in old:
            database.execute(f"DROP TRIGGER IF EXISTS {each}")
        database.execute(f"CREATE TRIGGER counted_{name} AFTER {when} BEGIN {does} END")


@migrations()
def step_0011_takers(database: Database) -> None:
    """`takers`: processes that take requests, or died before the log had all that they took; `told`: the number of a
    request up to which it has. `requests.taker`: which of them took it; 0 for callbacks, and what was there before."""
    database.execute("CREATE TABLE takers (id INTEGER PRIMARY KEY AUTOINCREMENT, told INTEGER NOT NULL) STRICT")
    database.execute("ALTER TABLE requests ADD COLUMN taker INTEGER NOT NULL DEFAULT 0")
