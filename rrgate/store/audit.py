"""`AuditEntry`: who changed what, and when, in rrgate.db: written with the change it tells of, read in pages.

Belongs here: the rows and their order. Does not: making entries (core/changes.py, cli/), who may read them
(core/audit.py), transactions (store.py).
"""

from __future__ import annotations

import base64
import binascii
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from typing import Any, Final, Literal

from attrs import field, frozen

from rrgate.json_text import json_text, read_json
from rrgate.model.times import format_milliseconds
from rrgate.store.errors import StoreError

MOST_ENTRIES: Final = 1000
"""Entries of one page."""
MOST_BYTES: Final = 4 * 1024 * 1024
"""Of what the entries of a page show; one that shows more comes alone."""

Action = Literal["create", "change", "delete", "test", "authorize", "cancel", "replay"]

REVISING: Final = ("create", "change", "delete")
"""Actions whose entries are revisions."""

Document = Mapping[str, Any]


@frozen(kw_only=True)
class AuditEntry:
    """One change, or one test. Holds nothing secret: its documents are published ones, which show a fingerprint.

    `at`: milliseconds since the epoch. `client_id`: to whom it belongs, `""` for what belongs to no client. `user_id`,
    `token_id`: who asked, `""` for whoever worked on the state itself. `via`: the route or command. `kind`, `noun_id`:
    what was changed, its plural and its id. `before`, `after`: None where there was, or is, nothing. Of a test, which
    changes nothing, `after` says what was asked for. `revision`: which change of the noun it is, from 1, as the store
    has numbered it; None until it is written, and of what changes nothing.
    """

    id: str
    at: int
    client_id: str
    user_id: str
    token_id: str
    via: str
    action: Action
    kind: str
    noun_id: str
    before: Document | None = field(default=None, repr=False)
    after: Document | None = field(default=None, repr=False)
    revision: int | None = field(default=None, eq=False)

    def published(self) -> dict[str, Any]:
        """The entry as it is answered and printed."""
        return {
            "pKey": self.client_id,
            "sKey": self.id,
            "userId": self.user_id or None,
            "clientId": self.client_id or None,
            "parentId": self.client_id or None,
            "auditCreatedAt": format_milliseconds(self.at),
            "auditTokenId": self.token_id or None,
            "auditVia": self.via,
            "auditAction": self.action,
            "auditResource": self.kind,
            "auditResourceId": self.noun_id,
            "auditBefore": self.before,
            "auditAfter": self.after,
        }


@frozen
class AuditPage:
    """Entries, newest first; `next_cursor` leads to the next page, and is None on the last."""

    entries: tuple[AuditEntry, ...]
    next_cursor: str | None


_COLUMNS = ("id", "at", "client_id", "user_id", "token_id", "via", "action", "kind", "noun_id", "before", "after")
_DOCUMENTS = (1 + _COLUMNS.index("before"), 1 + _COLUMNS.index("after"))
"""Where they are in a row that is read."""
_NEXT = (
    "SELECT coalesce(max(revision), 0) + 1 FROM audit WHERE client_id = :client_id AND kind = :kind "
    "AND noun_id = :noun_id"
)
_INSERT = (
    f"INSERT INTO audit ({', '.join(_COLUMNS)}, revision) VALUES ({', '.join(f':{name}' for name in _COLUMNS)}, "
    f"CASE WHEN :action IN {REVISING} THEN ({_NEXT}) END)"
)


def write_entries(connection: sqlite3.Connection, entries: Iterable[AuditEntry]) -> None:
    """Inside the transaction of the change. Raises ValueError for what JSON cannot hold, sqlite3.Error."""
    connection.executemany(_INSERT, [_row(entry) for entry in entries])


def read_entries(
    connection: sqlite3.Connection,
    *,
    client_id: str | None = None,
    noun_id: str | None = None,
    kinds: Collection[str] | None = None,
    revision: int | None = None,
    revisions: bool = False,
    after: int | None = None,
    before: int | None = None,
    limit: int = MOST_ENTRIES,
    cursor: str | None = None,
) -> AuditPage:
    """A page of entries, newest first: the order in which they were written, whatever the clock did.

    `client_id`: None is everybody's. `revisions`: those alone; `revision`: the one with this number. `after`,
    `before`: milliseconds since the epoch, exclusive. `limit`: 1 to `MOST_ENTRIES`; where entries are large the page
    ends sooner. `cursor`: from the page before, opaque. Raises ValueError for a cursor that is none.
    """
    given = (
        ("client_id = ?", client_id),
        ("noun_id = ?", noun_id),
        ("revision = ?", revision),
        ("at > ?", after),
        ("at < ?", before),
        ("number < ?", None if cursor is None else place(cursor)),
    )
    wanted = [condition for condition, value in given if value is not None]
    values: list[object] = [value for _, value in given if value is not None]
    if revisions:
        wanted.append("revision IS NOT NULL")
    if kinds is not None:
        # By its index if it is one, and nothing better is known; several are most that there is. `+` uses no index.
        indexed = len(kinds) == 1 and (noun_id is None or revision is not None)
        wanted.append("kind = ?" if indexed else f"+kind IN ({', '.join('?' * len(kinds))})")
        values += kinds
    conditions = " AND ".join(["TRUE", *wanted])
    asked = f"SELECT number, {', '.join(_COLUMNS)}, revision FROM audit WHERE {conditions} ORDER BY number DESC LIMIT ?"
    rows: list[tuple[Any, ...]] = []
    size = 0
    with closing(connection.execute(asked, (*values, limit + 1))) as found:
        for row in found:
            size += sum(len(row[column] or "") for column in _DOCUMENTS)
            if rows and (len(rows) == limit or size > MOST_BYTES):
                return AuditPage(tuple(_entry(row[1:]) for row in rows), cursor_of(rows[-1][0]))
            rows.append(row)
    return AuditPage(tuple(_entry(row[1:]) for row in rows), None)


def place(cursor: str) -> int:
    """What a cursor stands for. Raises ValueError for one that is none."""
    try:
        number = int(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        number = -1
    if not 0 <= number < 1 << 63:
        raise ValueError("cursor: must be the nextCursor of an earlier answer")
    return number


def cursor_of(number: int) -> str:
    """The cursor that stands for a row's number."""
    return base64.urlsafe_b64encode(str(number).encode()).decode().rstrip("=")


def _row(entry: AuditEntry) -> dict[str, Any]:
    values = {name: getattr(entry, name) for name in _COLUMNS}
    return {**values, "before": _json(entry.before), "after": _json(entry.after)}


def _json(document: Document | None) -> str | None:
    # Escaped to ASCII: SQLite takes no lone surrogates, which JSON strings may hold.
    return None if document is None else json_text(document, ascii=True)


def _entry(row: tuple[Any, ...]) -> AuditEntry:
    given = dict(zip((*_COLUMNS, "revision"), row, strict=True))
    try:
        for name in ("before", "after"):
            given[name] = None if given[name] is None else read_json(given[name])
    except ValueError:
        raise StoreError(f"entry {given['id']} of table audit does not parse; restore a backup") from None
    return AuditEntry(**given)
