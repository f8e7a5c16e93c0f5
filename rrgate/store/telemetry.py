"""The telemetry tables of log.db: what each batch of the journal counted, and the spans that it is folded into.

Belongs here: writing, folding, reading, removing old spans. Does not: what is counted (tally.py), when it is folded
(tidying.py), what is published (telemetry_view.py).

A batch adds one row to `telemetry_fresh` for each of `PARTS` that it has anything of, in the transaction of its log
rows. Adding to the spans themselves at once would cost four rows read and written for every proxy of a batch; folded
later it costs four for all that a proxy had since. Whoever reads adds what is fresh. The row's id is the number of its
batch times `PARTS`, and the part: so those of a part are found without an index, to which a batch would add one entry
in each of as many places. Where thousands of proxies are called, few rows of a batch lie on one page, and to remove
those of one part changes nearly all pages: what is folded waits for parts beside it; `telemetry_folded` says how far
each is folded until then. Each statement that writes handles many rows in one step of SQLite's: for every step Python
gives the GIL away and takes it back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, Final
from zlib import crc32

import orjson

from rrgate.store.counts import INTERVALS, Counts, Entry, Tallied, added_up, span_of
from rrgate.store.span_maps import counts_of, stored

PARTS: Final = 64
"""So many parts share all scopes; one part is folded at a time, and whoever reads looks through one."""

MANY: Final = 64
"""Rows of a part: so many are not removed by themselves, but with those of parts beside it, on whose pages they lie."""
TOGETHER: Final = 8
"""Parts that are removed together."""

Span = tuple[int, Counts | bytes]
"""The first minute of a span, since the epoch, and what was counted in it; as it is stored where nothing is fresh."""


def part_of(scope: str) -> int:
    """The part that a scope belongs to."""
    return crc32(scope.encode()) % PARTS


def add_fresh(connection: sqlite3.Connection, tallied: Iterable[Tallied]) -> set[int]:
    """Write what was counted, in the transaction that is open; answers the parts that have something to fold."""
    parts: dict[int, list[Entry]] = {}
    for entry in chain.from_iterable(tallied):
        part = part_of(entry[0])
        known = parts.get(part)
        if known is None:
            parts[part] = [entry]
        else:
            known.append(entry)
    if parts:
        (last,) = connection.execute(_LAST).fetchone()
        batch = (last // PARTS + 1) * PARTS
        values = [value for part in sorted(parts) for value in (batch + part, orjson.dumps(parts[part]).decode())]
        connection.execute(_insert(len(parts)), values)
    return set(parts)


_LAST: Final = """
    SELECT max(
        coalesce((SELECT max(id) FROM telemetry_fresh), 0), coalesce((SELECT max(last) FROM telemetry_folded), 0)
    )
"""
"""No id comes again while it is noted as folded."""


@lru_cache(maxsize=PARTS)
def _insert(rows: int) -> str:
    return f"INSERT INTO telemetry_fresh VALUES {', '.join(['(?, ?)'] * rows)}"


_OF_PART: Final = f"""
    WITH RECURSIVE of_part (id) AS (
        SELECT max(
            (SELECT min(id) FROM telemetry_fresh) / {PARTS} * {PARTS} + :part,
            coalesce((SELECT last + {PARTS} FROM telemetry_folded WHERE part = :part), 0)
        )
        UNION ALL
        SELECT id + {PARTS} FROM of_part WHERE id + {PARTS} <= (SELECT max(id) FROM telemetry_fresh)
    )
"""
"""The ids that rows of a part may have which are not folded, up from the oldest batch."""


def parts_with_fresh(connection: sqlite3.Connection) -> set[int]:
    """The parts that have something to fold."""
    some = f"{_OF_PART} SELECT EXISTS (SELECT 1 FROM of_part CROSS JOIN telemetry_fresh USING (id))"
    return {part for part in range(PARTS) if connection.execute(some, {"part": part}).fetchone()[0]}


_Batch = list[Entry] | dict[str, list[Any]]
"""A row's; a mapping if it was written before step 0009."""


def _fresh(connection: sqlite3.Connection, part: int) -> list[_Batch]:
    """All of what is fresh in `part`, in the order of writing."""
    (text,) = connection.execute(
        f"{_OF_PART} SELECT '[' || coalesce(group_concat(counts, ','), '') || ']' FROM "
        "(SELECT counts FROM telemetry_fresh WHERE id IN of_part ORDER BY id)",
        {"part": part},
    ).fetchone()
    batches: list[_Batch] = orjson.loads(text)
    return batches


def _entries(batches: Iterable[_Batch]) -> Iterator[Entry]:
    for batch in batches:
        if isinstance(batch, dict):
            for scope, entries in batch.items():
                for minute, requests, first, average, groups in entries:
                    yield [scope, minute, requests, first, average, *chain.from_iterable(groups)]
        else:
            yield from batch


_WANTED: Final = """
    SELECT '[' || coalesce(group_concat('[' || wanted.key || ',' || kept.counts || ']', ','), '') || ']'
    FROM json_each(?) AS wanted CROSS JOIN telemetry AS kept
    ON kept.scope_id = json_extract(wanted.value, '$[0]') AND kept.interval = json_extract(wanted.value, '$[1]')
        AND kept.span = json_extract(wanted.value, '$[2]')
"""
"""Of a JSON array of keys, what is stored of each that is there, with its place in the array."""

_ROWS_AT_ONCE: Final = (256, 64, 16, 4, 1)


@cache
def _replace(rows: int) -> str:
    return f"INSERT OR REPLACE INTO telemetry VALUES {', '.join(['(?, ?, ?, ?)'] * rows)}"


def fold(connection: sqlite3.Connection, part: int) -> int:
    """Add what is fresh in `part` to its spans, in the transaction that is open; answers how many spans changed.

    It does not matter which process wrote it, or whether that still lives.
    """
    batches = _fresh(connection, part)
    spans: dict[tuple[str, int, int], Counts] = {}
    counted = {(entry[0], entry[1]): Counts.of(entry) for entry in added_up(_entries(batches))}
    for interval in range(len(INTERVALS)):
        wider: dict[tuple[str, int], Counts] = {}
        for (scope, begins), counts in counted.items():
            key = scope, span_of(interval, begins)
            known = wider.get(key)
            wider[key] = counts if known is None else known.plus(counts)
        for (scope, begins), counts in wider.items():
            spans[scope, interval, begins] = counts
        counted = wider
    if not spans:
        return 0
    keys = list(spans)
    (known_text,) = connection.execute(_WANTED, (orjson.dumps(keys).decode(),)).fetchone()
    for place, was in orjson.loads(known_text):
        counts = counts_of(was)
        counts.add(spans[keys[place]])
        spans[keys[place]] = counts
    values = [value for key, counts in spans.items() for value in (*key, stored(counts))]
    for rows in _ROWS_AT_ONCE:
        while len(values) >= 4 * rows:
            connection.execute(_replace(rows), values[: 4 * rows])
            del values[: 4 * rows]
    connection.execute(_NOTE_FOLDED, {"part": part})
    (noted,) = connection.execute("SELECT count(*) FROM telemetry_folded").fetchone()
    # Of an earlier version at once: a process that still runs it does not know of what is noted.
    if noted >= TOGETHER or len(batches) < MANY or any(isinstance(batch, dict) for batch in batches):
        connection.execute(_REMOVE_FOLDED)
        connection.execute("DELETE FROM telemetry_folded")
    return len(spans)


_NOTE_FOLDED: Final = f"""
    {_OF_PART}
    INSERT OR REPLACE INTO telemetry_folded SELECT :part, max(id) FROM telemetry_fresh WHERE id IN of_part
"""
_REMOVE_FOLDED: Final = f"""
    WITH RECURSIVE batches (first) AS (
        SELECT min(id) / {PARTS} * {PARTS} FROM telemetry_fresh
        UNION ALL
        SELECT first + {PARTS} FROM batches WHERE first + {PARTS} <= (SELECT max(last) FROM telemetry_folded)
    ),
    folded (id) AS (SELECT first + part FROM batches CROSS JOIN telemetry_folded WHERE first + part <= last)
    DELETE FROM telemetry_fresh WHERE id IN folded
"""


def read(
    connection: sqlite3.Connection, scope: str, interval: int, first: int, last: int, limit: int
) -> list[Span]:
    """The newest `limit` spans of `scope` that begin from `first` to `last`, newest first, fresh ones included.

    Those that have nothing fresh, which are nearly all, are left as they are stored: made into Counts at once, a
    thousand are 70,000 objects, among which Python would look for garbage again and again.
    """
    connection.execute("BEGIN")
    try:
        batches = _fresh(connection, part_of(scope))
        # One step for each: in one text of all, which is 3 MB, a thousand take 12 ms in place of one. As bytes, which
        # are not looked through for what they hold.
        rows = connection.execute(
            "SELECT span, CAST(counts AS BLOB) FROM telemetry WHERE scope_id = ? AND interval = ? "
            "AND span BETWEEN ? AND ? ORDER BY span DESC LIMIT ?",
            (scope, interval, first, last, limit),
        ).fetchall()
    finally:
        connection.execute("COMMIT")
    fresh: dict[int, Counts] = {}
    for entry in added_up(entry for entry in _entries(batches) if entry[0] == scope):
        span = span_of(interval, entry[1])
        if first <= span <= last:
            fresh.setdefault(span, Counts()).add(Counts.of(entry))
    if not fresh:
        return rows
    known: dict[int, Counts | bytes] = dict(rows)
    for span, later in fresh.items():
        was = known.get(span)
        if isinstance(was, bytes):
            counted = counts_of(orjson.loads(was))
            counted.add(later)
            later = counted
        known[span] = later
    return sorted(known.items(), key=itemgetter(0), reverse=True)[:limit]


def next_scope(connection: sqlite3.Connection, behind: str) -> str | None:
    """The first scope behind another, in their order; None behind the last."""
    found = connection.execute("SELECT min(scope_id) FROM telemetry WHERE scope_id > ?", (behind,)).fetchone()
    scope: str | None = found[0]
    return scope


def remove_before(connection: sqlite3.Connection, scope: str, interval: int, before: int, most: int) -> int:
    """Remove the oldest spans of `scope` that begin before a minute, at most `most`; answers how many."""
    return connection.execute(
        "DELETE FROM telemetry WHERE scope_id = ?1 AND interval = ?2 AND span IN (SELECT span FROM telemetry "
        "WHERE scope_id = ?1 AND interval = ?2 AND span < ?3 ORDER BY span LIMIT ?4)",
        (scope, interval, before, most),
    ).rowcount
