"""The telemetry tables of log.db: what each batch of the journal counted, and the spans that it is folded into.

Belongs here: writing, folding, reading, removing old spans. Does not: what is counted (tally.py), when it is folded
(tidying.py), what is published (telemetry_view.py).

A batch adds one row to `telemetry_fresh` for each of `PARTS` that it has anything of, in the transaction of its log
rows. Adding to the spans themselves at once would cost four rows read and written for every proxy of a batch; folded
later it costs four for all that a proxy had since. Whoever reads adds what is fresh. The row's id is the number of its
batch times `PARTS`, and the part: so those of a part are found without an index, to which a batch would add one entry
in each of as many places. Each statement that writes handles any number of rows in one step of SQLite's: for every step
Python gives the GIL away and takes it back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final
from zlib import crc32

import orjson

from rrgate.store.counts import INTERVALS, Counts, Tallied, span_of
from rrgate.store.span_maps import counts_of, stored

PARTS: Final = 64
"""So many parts share all scopes; one part is folded at a time, and whoever reads looks through one."""

Span = tuple[int, Counts | bytes]
"""The first minute of a span, since the epoch, and what was counted in it; as it is stored where nothing is fresh."""


def part_of(scope: str) -> int:
    """The part that a scope belongs to."""
    return crc32(scope.encode()) % PARTS


def add_fresh(connection: sqlite3.Connection, tallied: Iterable[Tallied]) -> set[int]:
    """Write what was counted, in the transaction that is open; answers the parts that have something to fold."""
    parts: dict[int, dict[str, list[Any]]] = {}
    for each in tallied:
        for (scope, minute), (requests, first, average, groups) in each.items():
            entries = parts.setdefault(part_of(scope), {}).setdefault(scope, [])
            flat = [(*group, *sums) for group, sums in groups.items()]
            entries.append((minute, requests, first, average, flat))
    if parts:
        (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM telemetry_fresh").fetchone()
        batch = (last // PARTS + 1) * PARTS
        values = [value for part in sorted(parts) for value in (batch + part, orjson.dumps(parts[part]).decode())]
        connection.execute(_insert(len(parts)), values)
    return set(parts)


@lru_cache(maxsize=PARTS)
def _insert(rows: int) -> str:
    return f"INSERT INTO telemetry_fresh VALUES {', '.join(['(?, ?)'] * rows)}"


_OF_PART: Final = f"""
    WITH RECURSIVE of_part (id) AS (
        SELECT (SELECT min(id) FROM telemetry_fresh) / {PARTS} * {PARTS} + :part
        UNION ALL
        SELECT id + {PARTS} FROM of_part WHERE id + {PARTS} <= (SELECT max(id) FROM telemetry_fresh)
    )
"""
"""The ids that rows of a part may have, up from the oldest batch."""


def parts_with_fresh(connection: sqlite3.Connection) -> set[int]:
    """The parts that have something to fold."""
    some = f"{_OF_PART} SELECT EXISTS (SELECT 1 FROM of_part CROSS JOIN telemetry_fresh USING (id))"
    return {part for part in range(PARTS) if connection.execute(some, {"part": part}).fetchone()[0]}


def _fresh(connection: sqlite3.Connection, part: int) -> list[dict[str, list[Any]]]:
    """All of what is fresh in `part`, in the order of writing."""
    (text,) = connection.execute(
        f"{_OF_PART} SELECT '[' || coalesce(group_concat(counts, ','), '') || ']' FROM "
        "(SELECT counts FROM telemetry_fresh WHERE id IN of_part ORDER BY id)",
        {"part": part},
    ).fetchone()
    found: list[dict[str, list[Any]]] = orjson.loads(text)
    return found


_WANTED: Final = """
    SELECT '[' || coalesce(
        group_concat(json_array(kept.scope_id, kept.interval, kept.span, json(kept.counts)), ','), '') || ']'
    FROM json_each(?) AS wanted CROSS JOIN telemetry AS kept
    ON kept.scope_id = json_extract(wanted.value, '$[0]') AND kept.interval = json_extract(wanted.value, '$[1]')
        AND kept.span = json_extract(wanted.value, '$[2]')
"""
_REPLACE: Final = """
    INSERT OR REPLACE INTO telemetry (scope_id, interval, span, counts)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
        json_extract(value, '$[3]')
    FROM json_each(?)
"""


def fold(connection: sqlite3.Connection, part: int) -> int:
    """Add what is fresh in `part` to its spans, in the transaction that is open; answers how many spans changed.

    It does not matter which process wrote it, or whether that still lives.
    """
    minutes: dict[tuple[str, int], list[Any]] = {}
    for batch in _fresh(connection, part):
        for scope, entries in batch.items():
            for minute, *moment in entries:
                minutes.setdefault((scope, minute), []).append(moment)
    spans: dict[tuple[str, int, int], Counts] = {}
    for (scope, minute), moments in minutes.items():
        counts = Counts.of_entries(moments)
        for interval in range(len(INTERVALS)):
            spans.setdefault((scope, interval, span_of(interval, minute)), Counts()).add(counts)
    if not spans:
        return 0
    keys = orjson.dumps(list(spans)).decode()
    (known,) = connection.execute(_WANTED, (keys,)).fetchone()
    for scope, interval, span, was in orjson.loads(known):
        counts = counts_of(was)
        counts.add(spans[scope, interval, span])
        spans[scope, interval, span] = counts
    rows = [(*key, stored(counts)) for key, counts in spans.items()]
    connection.execute(_REPLACE, (orjson.dumps(rows).decode(),))
    connection.execute(f"{_OF_PART} DELETE FROM telemetry_fresh WHERE id IN of_part", {"part": part})
    return len(spans)


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
    known: dict[int, Counts | bytes] = dict(rows)
    fresh: dict[int, Counts] = {}
    for batch in batches:
        for minute, *moment in batch.get(scope, ()):
            span = span_of(interval, minute)
            if first <= span <= last:
                fresh.setdefault(span, Counts()).add(Counts.of(moment))
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
