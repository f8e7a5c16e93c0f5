"""`RequestLog`: log.db, written by the journal's thread in batches and read by a thread of its own.

Belongs here: what is written together, and reading rows of requests. Does not: the SQL that writes rows (appending.py),
their form (log_rows.py), what a row says (record.py), how it is shown (record_view.py), queueing (journal.py),
telemetry's tables (telemetry.py), what goes when (tidying.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Final, TypeVar

import orjson
from sqlite_utils import Database
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads

from rrgate.store import telemetry
from rrgate.store.appending import COLUMNS, append_rows
from rrgate.store.counts import Tallied
from rrgate.store.database import connect, open_migrated, transaction
from rrgate.store.ended import ENDED_AMONG, KNOWN_AMONG, Ended
from rrgate.store.folder import LOG_DATABASE
from rrgate.store.log_migrations import migrations
from rrgate.store.log_rows import BodyRow, Document, ListedRow, LogRow, RequestPage
from rrgate.store.searching import Conditions, asked_for, cursor_of
from rrgate.store.telemetry import Span, add_fresh
from rrgate.store.thread import WorkThread
from rrgate.store.tidying import Tidying

T = TypeVar("T")

Values = list[Any]  # named here, because inside the class `list` is the method

MOST_ROWS: Final = 1000
"""Rows of one answer."""
MOST_LOOKED_AT: Final = 20_000
"""Rows that are looked through for one answer: some 20 ms, in which nobody else can read."""
READER_KIB: Final = 8192
"""Pages that the reading connection keeps. The largest answers look at 5 MB; of SQLite's own 2 MB each page would be
thrown out before it is looked at again, and a thousand rows would take twice as long."""


Published = Callable[[LogRow], tuple[Document, Document]]
"""Makes of a row the record that lists show, and what the single view adds. Called on the reader's thread."""

Listing = Callable[[str, str, Sequence[ListedRow]], Iterable[Any]]
"""Of a proxy's id, its client's, and rows, the records alone. Called and gone through on the reader's thread."""

Opened = Callable[[BodyRow], Document]
"""Makes of sealed bodies what the single view adds. Called on the reader's thread."""


def _whole(page: RequestPage) -> RequestPage:
    return RequestPage(page.number, tuple(page.requests), page.next_cursor)


# No more than what differs: of a thousand rows each column takes a tenth of a millisecond, and text more than bytes.
_LISTED: Final = "id, request_id, processed_at, method, status, CAST(facts AS BLOB)"


class RequestLog:
    """Opened on any thread; `append` and `tidy` belong to one thread, the rest to the reactor's."""

    def __init__(
        self,
        writer: Database,
        reader: Database,
        reactor: IReactorFromThreads,
        published: Published,
        keeps: Callable[[str], int],
        opened: Opened,
        listing: Listing | None,
        writing: Listing | None,
    ) -> None:
        """Use `open`."""
        self._opened = opened
        self._listing = self._first_published if listing is None else listing
        self._writing = self._listing if writing is None else writing
        self._published = published
        self._tidying = Tidying(writer, keeps)
        self._writer = writer
        self._reader = reader
        self._thread = WorkThread(reactor, "rrgate-log-reader")

    @classmethod
    def open(
        cls,
        data: Path,
        reactor: IReactorFromThreads,
        published: Published,
        keeps: Callable[[str], int] = lambda client_id: 90,
        opened: Opened = lambda bodies: {},
        listing: Listing | None = None,
        writing: Listing | None = None,
    ) -> RequestLog:
        """The log in the directory `data`, made if it is not there, brought up to date. Blocks.

        `published` makes documents of rows; what a row says is nothing to the store. `keeps`: for how
        many days the requests of a client are kept, asked on the writing thread; of `""`, the longest that anybody's
        are. `opened`: what the single view shows of bodies. `listing`: what `published` answers first, made without the
        rest. `writing`: the same, as anything that orjson makes the same JSON of. Raises NewerDatabase, StoreError.
        """
        path = data / LOG_DATABASE
        writer = open_migrated(path, migrations, synchronous="NORMAL")
        # Each page that a statement changes is copied first, so that it can be undone: for rows of many proxies more
        # than what is written. By default the copies go to a file. Only from here on: migrations sort whole tables.
        writer.conn.execute("PRAGMA temp_store = MEMORY")
        reader = connect(path, synchronous="NORMAL", read_only=True)
        reader.conn.execute(f"PRAGMA cache_size = -{READER_KIB}")
        return cls(writer, reader, reactor, published, keeps, opened, listing, writing)

    def append(
        self, rows: Sequence[LogRow], tallied: Sequence[Tallied] = (), bodies: Sequence[BodyRow] = ()
    ) -> None:
        """Write `rows`, what was counted, and `bodies` of requests that have a row, in one transaction, blocking.
        Raises sqlite3.Error; then nothing was written.

        Rows survive a crash of the process; those of the last moments may not survive one of the machine.
        """
        with transaction(self._writer) as connection:
            if rows:
                append_rows(connection, rows)
            fresh = add_fresh(connection, tallied)
            if bodies:
                connection.executemany("INSERT OR REPLACE INTO bodies VALUES (?, ?, ?)", bodies)
        self._tidying.fresh(fresh)

    def tidy(self, now: int) -> float:
        """Do a small step of what is to be done between batches; answers in how many seconds to call again.

        `now`: milliseconds since the epoch. Blocking, on the thread of `append`. Raises sqlite3.Error.
        """
        return self._tidying.step(now)

    def list(
        self,
        proxy_id: str,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int = MOST_ROWS,
        cursor: str | None = None,
        status: int | None = None,
        method: str | None = None,
        ended: Ended | None = None,
        shown: Callable[[RequestPage], Any] = _whole,
        to_write: bool = False,
    ) -> Deferred[Any]:
        """Records of a proxy, newest first; `''` for requests that found no proxy.

        `after`, `before`: milliseconds since the epoch, exclusive. `limit`: 1 to `MOST_ROWS`. `cursor`: from the page
        before, opaque. `ended`: well is a status below 400 of what is over. No page looks through more than
        `MOST_LOOKED_AT` rows, so that a rare `method` may come in several, each of which may have few records, or none.
        `shown` makes of the page what is answered, on the reader's thread, where each record is made when it is asked
        for; without it that is the page. `to_write`: all that becomes of the records is JSON, so that they need not be
        documents. Raises ValueError at once for a limit or cursor that is none.
        """
        if not 1 <= limit <= MOST_ROWS:
            raise ValueError(f"limit: must be from 1 to {MOST_ROWS}")
        within, wanted = asked_for(proxy_id, after, before, cursor, status, method, ended)
        listing = partial(self._writing if to_write else self._listing, proxy_id)
        return self._thread.call(self._page, within, wanted, limit, shown, listing)

    def detail(self, proxy_id: str, request_id: str, *, bodies: bool = False) -> Deferred[Document | None]:
        """One record with the flat view that the single view adds, or None if there is no such request.

        `bodies`: with what was kept of them.
        """
        return self._thread.call(self._detail, proxy_id, request_id, bodies)

    def ended(self, requests: Collection[tuple[str, int]]) -> Deferred[set[str]]:
        """Those of these asynchronous requests, each with the number of its attempts, whose end with that many is on
        disk."""
        wanted = orjson.dumps([*requests]).decode()
        return self._thread.call(lambda: {id for (id,) in self._reader.conn.execute(ENDED_AMONG, (wanted,))})

    def known(self, request_ids: Collection[str]) -> Deferred[set[str]]:
        """Those of these requests of which anything is on disk."""
        wanted = orjson.dumps([*request_ids]).decode()
        return self._thread.call(lambda: {id for (id,) in self._reader.conn.execute(KNOWN_AMONG, (wanted,))})

    def telemetry(
        self, scope: str, interval: int, first: int, last: int, limit: int, shown: Callable[[Sequence[Span]], T]
    ) -> Deferred[T]:
        """What `shown` makes of the newest `limit` spans of a proxy or client that begin from `first` to `last`.

        Newest first; minutes since the epoch. `interval`: a place in INTERVALS. `shown` is called on the reader's
        thread.
        """
        return self._thread.call(
            lambda: shown(telemetry.read(self._reader.conn, scope, interval, first, last, limit))
        )

    def close(self) -> Deferred[None]:
        """Close both connections; the writing thread must have ended. May be called again."""
        return self._thread.close(self._close)

    def _page(
        self,
        within: Conditions,
        wanted: Conditions,
        limit: int,
        shown: Callable[[RequestPage], Any],
        listing: Callable[[str, Sequence[ListedRow]], Iterable[Any]],
    ) -> Any:
        connection = self._reader.conn
        connection.execute("BEGIN")
        try:
            rows, client_id, following = self._found(connection, within, wanted, limit)
        finally:
            connection.execute("COMMIT")
        return shown(RequestPage(len(rows), listing(client_id, rows), following))

    def _found(
        self, connection: Connection, within: Conditions, wanted: Conditions, limit: int
    ) -> tuple[Values, str, str | None]:
        """Rows, whose they are, and the cursor behind them."""
        # CROSS JOIN is how SQLite is told what is gone through first; no sorting comes of it.
        source = f"FROM segments CROSS JOIN requests ON segment = number WHERE {within}"
        newest = "ORDER BY number DESC, processed_at DESC, id DESC LIMIT ?"
        if not str(wanted):
            sql, values = f"SELECT {_LISTED} {source} {newest}", [*within.values]
        else:
            # What is looked at is bounded, whatever is found; only what is found is read whole. No order in between:
            # for that of a subquery with a limit SQLite keeps to, and for its own it would look at all of them.
            looked_at = f"SELECT id, status, method {source} {newest}"
            found = f"SELECT id FROM ({looked_at}) AS looked WHERE {wanted} LIMIT ?"
            sql = f"SELECT {_LISTED} FROM requests WHERE id IN ({found}) ORDER BY processed_at DESC, id DESC"
            values = [*within.values, MOST_LOOKED_AT, *wanted.values]
        rows = connection.execute(sql, (*values, limit + 1)).fetchall()
        following = None
        if len(rows) > limit:
            del rows[limit:]
            row_id, _, processed_at, *_ = rows[-1]
            following = cursor_of(processed_at, row_id)
        elif str(wanted):
            # Where the next page goes on, if this one did not see all there is.
            behind = connection.execute(
                f"SELECT processed_at, id {source} {newest} OFFSET ?",
                (*within.values, 1, MOST_LOOKED_AT - 1),
            ).fetchone()
            following = None if behind is None else cursor_of(*behind)
        client_id = ""
        if rows:
            (client_id,) = connection.execute("SELECT client_id FROM requests WHERE id = ?", rows[0][:1]).fetchone()
        return rows, client_id, following

    def _first_published(self, proxy_id: str, client_id: str, rows: Sequence[ListedRow]) -> Iterable[Document]:
        for _, request_id, at, method, status, facts in rows:
            yield self._published(LogRow(proxy_id, request_id, client_id, at, method, status, facts.decode()))[0]

    def _detail(self, proxy_id: str, request_id: str, bodies: bool) -> Document | None:
        row = self._reader.conn.execute(
            f"SELECT {COLUMNS} FROM requests WHERE request_id = ? AND proxy_id = ?", (request_id, proxy_id)
        ).fetchone()
        if row is None:
            return None
        record, added = self._published(LogRow(*row))
        if bodies:
            kept = self._reader.conn.execute("SELECT * FROM bodies WHERE request_id = ?", (request_id,)).fetchone()
            added |= {} if kept is None else self._opened(BodyRow(*kept))
        return {**record, **added}

    def _close(self) -> None:
        # The writer last: closing the last connection is what folds the WAL into the file, and a reader may not.
        self._reader.close()
        self._writer.close()
