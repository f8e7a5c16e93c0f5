"""The tables of log.db, as numbered steps; a step that was released is never changed, only followed by another.

Belongs here: what was observed: the request log, which may be shed, and telemetry. Does not: configuration
(migrations.py).
No step may commit or call `executescript`: each runs in one transaction, which that would end.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

migrations = Migrations("rrgate-log")


@migrations()
def step_0001_requests(database: Database) -> None:
    """One row a request. `facts`: JSON, what is kept beside the other columns (rrgate/record.py).

    `id` follows the order of writing: purges take the lowest. Requests without a proxy have proxy_id ''.
    """
    columns = {
        "id": int,
        "proxy_id": str,
        "request_id": str,
        "client_id": str,
        "processed_at": int,
        "method": str,
        "status": int,
        "facts": str,
    }
    requests = database.table("requests")
    requests.create(columns, pk="id", not_null=columns.keys() - {"id"}, strict=True)
    requests.create_index(["proxy_id", "processed_at", "id"])
    # Not under proxy_id: request ids are in order of time, so that this index grows at one place only, its end.
    requests.create_index(["request_id"], unique=True)


@migrations()
def step_0002_telemetry(database: Database) -> None:
    """What was counted (rrgate/store/telemetry.py), each a JSON text.

    `telemetry`: by the id of a proxy or client, interval (its place in INTERVALS) and span, the first minute of it
    since the epoch. `telemetry_fresh`: what is not in there yet, in the order of counting.
    """
    # Rows lie in the order in which they are read, and are found without a second look: WITHOUT ROWID.
    database.execute(
        "CREATE TABLE telemetry (scope_id TEXT NOT NULL, interval INTEGER NOT NULL, span INTEGER NOT NULL, "
        "counts TEXT NOT NULL, PRIMARY KEY (scope_id, interval, span)) STRICT, WITHOUT ROWID"
    )
    fresh = database.table("telemetry_fresh")
    fresh.create({"id": int, "part": int, "counts": str}, pk="id", not_null={"part", "counts"}, strict=True)
    fresh.create_index(["part"])


@migrations()
def step_0003_unusual_statuses(database: Database) -> None:
    """Requests of one status are found at once, but for those that answered 200: most do, and pay nothing for it."""
    database.execute(
        "CREATE INDEX requests_unusual_status ON requests (proxy_id, status, processed_at, id) WHERE status <> 200"
    )


@migrations()
def step_0004_bodies(database: Database) -> None:
    """Bodies of requests whose client has that switched on, sealed; they go with their request."""
    database.execute(
        "CREATE TABLE bodies (request_id TEXT PRIMARY KEY NOT NULL REFERENCES requests (request_id) ON DELETE CASCADE, "
        "client_id TEXT NOT NULL, sealed BLOB NOT NULL) STRICT"
    )


@migrations()
def step_0005_searching_without_rows(database: Database) -> None:
    """What lists follow has what is searched for: 0.4 µs more to write a row, a tenth to look at one."""
    database.execute("DROP INDEX idx_requests_proxy_id_processed_at_id")
    database.execute("CREATE INDEX requests_newest ON requests (proxy_id, processed_at, id, status, method)")


@migrations()
def step_0006_segments(database: Database) -> None:
    """Rows lie by segment of time, and in it by proxy (rrgate/store/segments.py).

    Those that are there already become segment 0 as they are: none is written anew. `ends_at` is the first millisecond
    behind it; `first_id` the first that was written since it began.
    """
    database.execute(
        "CREATE TABLE segments (number INTEGER PRIMARY KEY, begins_at INTEGER NOT NULL, ends_at INTEGER NOT NULL, "
        "first_id INTEGER NOT NULL) STRICT"
    )
    database.execute(
        "CREATE TABLE segment_clients (client_id TEXT NOT NULL, segment INTEGER NOT NULL, "
        "PRIMARY KEY (client_id, segment)) STRICT, WITHOUT ROWID"
    )
    # From one proxy to the next, so that not every row is looked at; a proxy has one client.
    database.execute(
        "WITH RECURSIVE proxies (id) AS (SELECT min(proxy_id) FROM requests UNION ALL "
        "SELECT (SELECT min(proxy_id) FROM requests WHERE proxy_id > proxies.id) FROM proxies "
        "WHERE proxies.id IS NOT NULL) INSERT OR IGNORE INTO segment_clients "
        "SELECT (SELECT client_id FROM requests WHERE proxy_id = proxies.id LIMIT 1), 0 FROM proxies "
        "WHERE proxies.id IS NOT NULL"
    )
    last, last_id = database.execute("SELECT max(processed_at), max(id) FROM requests").fetchone()
    # The newest has no end: 1 << 62 is no time.
    if last is None:
        database.execute("INSERT INTO segments VALUES (0, 0, 1 << 62, 1)")
    else:
        database.execute("INSERT INTO segments VALUES (0, 0, ?, 1)", (last + 1,))
        database.execute("INSERT INTO segments VALUES (1, ?, 1 << 62, ?)", (last + 1, last_id + 1))
    database.execute("ALTER TABLE requests ADD COLUMN segment INTEGER NOT NULL DEFAULT 0")
    database.execute("DROP INDEX requests_newest")
    database.execute("DROP INDEX requests_unusual_status")
    database.execute(
        "CREATE INDEX requests_newest ON requests (segment, proxy_id, processed_at, id, status, method)"
    )
    database.execute(
        "CREATE INDEX requests_unusual_status ON requests (segment, proxy_id, status, processed_at, id) "
        "WHERE status <> 200"
    )


@migrations()
def step_0007_maps_of_spans(database: Database) -> None:
    """Long counts of telemetry are written with their maps from now on (rrgate/store/span_maps.py), which an earlier
    version cannot add to: it is to refuse the file. Those that are there stay as they are until they are added to."""


@migrations()
def step_0008_fresh_by_batch(database: Database) -> None:
    """What is fresh of telemetry is found without an index: `id` is 64 times the number of the batch, and the part.

    An index by part was written at as many places as there are parts, for every batch.
    """
    database.execute("CREATE TABLE fresh (id INTEGER PRIMARY KEY, counts TEXT NOT NULL) STRICT")
    database.execute("INSERT INTO fresh SELECT id * 64 + part, counts FROM telemetry_fresh ORDER BY id")
    database.execute("DROP TABLE telemetry_fresh")
    database.execute("ALTER TABLE fresh RENAME TO telemetry_fresh")


@migrations()
def step_0009_flat_entries(database: Database) -> None:
    """What is fresh of telemetry is written as flat lists from now on (rrgate/store/counts.py), which an earlier
    version cannot fold. Rows that are there stay as they are, and are read as well; so are those that a process of
    that version, which still has the file open, adds to them.

    `telemetry_folded`: by part, the last row that is in the spans and not removed yet.
    """
    database.execute("CREATE TABLE telemetry_folded (part INTEGER PRIMARY KEY, last INTEGER NOT NULL) STRICT")
