"""Notifications in rrgate.db: each cause at most once an hour, the old ones and those too many removed.

Belongs here: the rows, and who has read which. Does not: texts (rrgate/notice_texts.py), when they are written
(rrgate/notifier.py), who may read them (core/notifications.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from attrs import frozen

from rrgate.ids import new_id
from rrgate.model.notification import Notice, Notification, Receiver
from rrgate.store.audit import cursor_of, place

QUIET: Final = 3_600_000
"""Milliseconds for which the same cause is not told again."""
KEPT: Final = 90 * 86_400_000
"""Milliseconds after which a notification is removed."""
MOST_KEPT: Final = 500
"""Notifications of one receiver; the oldest go."""

_OURS = "client_id IS :client_id AND user_id IS :user_id"
# What lies ahead is of a clock that was set back since.
_TOLD = (
    f"SELECT 1 FROM notifications WHERE cause = :cause AND {_OURS} "
    "AND (:once OR created_at BETWEEN :since AND :at) LIMIT 1"
)
_INSERT = (
    "INSERT INTO notifications (id, client_id, user_id, cause, title, message, created_at) "
    "VALUES (:id, :client_id, :user_id, :cause, :title, :message, :at)"
)
_LAST_KEPT = f"SELECT number FROM notifications WHERE {_OURS} ORDER BY number DESC LIMIT 1 OFFSET {MOST_KEPT}"
_TRIM = f"DELETE FROM notifications WHERE {_OURS} AND number <= ({_LAST_KEPT})"
_READ = "EXISTS (SELECT 1 FROM notification_reads AS r WHERE r.number = n.number AND r.user_id = :reader)"
_SELECT = f"SELECT number, id, title, message, created_at, {_READ} FROM notifications AS n WHERE {_OURS}"


@frozen
class NotificationPage:
    """Notifications, newest first; `next_cursor` leads to the next page, and is None on the last."""

    notifications: tuple[Notification, ...]
    next_cursor: str | None


def write_notices(connection: sqlite3.Connection, notices: Iterable[Notice], now: int) -> None:
    """Inside a transaction that checks keys at once: keep those that were not told within the hour, and whose receiver
    there is."""
    connection.execute("DELETE FROM notifications WHERE created_at <= ?", (now - KEPT,))
    for notice in notices:
        given = {**_receiver(notice.type, notice.receiver_id), "id": new_id(), "at": now, "since": now - QUIET + 1}
        given |= {"cause": notice.cause, "title": notice.title, "message": notice.message, "once": notice.once}
        if connection.execute(_TOLD, given).fetchone() is not None:
            continue
        try:
            connection.execute(_INSERT, given)
        except sqlite3.IntegrityError:
            continue
        connection.execute(_TRIM, given)


def read_notifications(
    connection: sqlite3.Connection,
    *,
    type: Receiver,
    receiver_id: str,
    reader: str,
    limit: int,
    cursor: str | None = None,
) -> NotificationPage:
    """A page of a receiver's, newest first. `reader`: the id of who asks. Raises ValueError for a cursor that is
    none."""
    given = {**_receiver(type, receiver_id), "reader": reader, "limit": limit + 1}
    given["before"] = None if cursor is None else place(cursor)
    sql = f"{_SELECT} AND (:before IS NULL OR number < :before) ORDER BY number DESC LIMIT :limit"
    rows = connection.execute(sql, given).fetchall()
    following = cursor_of(rows[limit - 1][0]) if len(rows) > limit else None
    return NotificationPage(tuple(_of(row, type, receiver_id) for row in rows[:limit]), following)


def find_notification(
    connection: sqlite3.Connection, *, id: str, type: Receiver, receiver_id: str, reader: str
) -> Notification | None:
    """The one with this id, if it is this receiver's."""
    given = {**_receiver(type, receiver_id), "reader": reader, "id": id}
    row = connection.execute(f"{_SELECT} AND id = :id", given).fetchone()
    return None if row is None else _of(row, type, receiver_id)


def mark_read(connection: sqlite3.Connection, id: str, reader: str) -> None:
    """Inside a transaction that checks keys at once: `reader` has read it. Nothing, if either is no more."""
    with suppress(sqlite3.IntegrityError):
        connection.execute(
            "INSERT OR IGNORE INTO notification_reads (number, user_id) "
            "SELECT number, ? FROM notifications WHERE id = ?",
            (reader, id),
        )


def _receiver(type: Receiver, receiver_id: str) -> dict[str, Any]:
    return {
        "client_id": receiver_id if type == "client" else None,
        "user_id": receiver_id if type == "user" else None,
    }


def _of(row: tuple[Any, ...], type: Receiver, receiver_id: str) -> Notification:
    _, id, title, message, created_at, read = row
    return Notification(
        id=id,
        type=type,
        receiver_id=receiver_id,
        title=title,
        message=message,
        created_at=created_at,
        read=bool(read),
    )
