"""The queue as rows: SQL on an open transaction, each function one step of a request's life.

Belongs here: reading and writing rows, as states.py says. Does not: threads and commits (commits.py), encryption
(queue.py). Every transition is worked out from the row as it is in this transaction: who comes too late is told so.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from attrs import frozen

from rrgate.delivery import states, untold
from rrgate.delivery.many_rows import flat, marks, pieces, rows_of
from rrgate.delivery.states import ENDED, REPLAYABLE, Progress, State

PROGRESS: Final = "state, attempts, replayed_after, due_at, deadline, moved, repeatable"
MOST_PURGED: Final = 200
"""Requests removed at a time, so that no accept waits for long."""


@frozen
class Row:
    """A request without what is in it. `accepted_at`, and the rest: see schema.py."""

    id: int
    request_id: str
    proxy_id: str
    client_id: str
    size: int
    accepted_at: int
    progress: Progress
    problem: str | None
    ended_at: int | None


@frozen
class Attempt:
    """One attempt. `status`: of the target's answer or of ours in its place; None while it runs, or nobody knows.

    `wait`: milliseconds that were waited for after it, None if it was the last.
    """

    number: int
    started_at: int
    ended_at: int | None
    status: int | None
    problem: str | None
    wait: int | None


@frozen
class Keep:
    """How long ended requests are kept, in milliseconds: dead letters, and others."""

    dead: int = 7 * 86_400_000
    others: int = 86_400_000


@frozen
class Due:
    """A request whose turn it may be."""

    id: int
    proxy_id: str
    size: int


Ended = tuple[int, int, int, int | None, str | None, int | None]
"""An attempt: the request's number, its own, when it ended, then `status`, `problem` and `wait`."""
Change = tuple[Row, Progress, str | None]
"""A request as it was, where it is from now on, and why."""
ROW: Final = f"id, request_id, proxy_id, client_id, size, accepted_at, {PROGRESS}, problem, ended_at"


def row_of(values: Sequence[Any]) -> Row:
    """What was read of the columns `ROW`."""
    id, request_id, proxy_id, client_id, size, accepted_at, *progress, problem, ended_at = values
    return Row(id, request_id, proxy_id, client_id, size, accepted_at, _progress(progress), problem, ended_at)


def _progress(values: Sequence[Any]) -> Progress:
    state, attempts, replayed_after, due_at, deadline, moved, repeatable = values
    return Progress(_STATES[state], attempts, replayed_after, due_at, deadline, bool(moved), bool(repeatable))


_STATES: Final = {state.value: state for state in State}


def columns(progress: Progress) -> tuple[object, ...]:
    """The values of the columns `PROGRESS`."""
    return (
        progress.state.value,
        progress.attempts,
        progress.replayed_after,
        progress.due_at,
        progress.deadline,
        progress.moved,
        progress.repeatable,
    )


def read(connection: sqlite3.Connection, id: int) -> Row:
    """The request of that number. Raises LookupError."""
    found = connection.execute(f"SELECT {ROW} FROM requests WHERE id = ?", (id,)).fetchone()
    if found is None:
        raise LookupError("the request is gone")
    return row_of(found)


def read_all(connection: sqlite3.Connection, ids: Sequence[int]) -> dict[int, Row]:
    """Those of these numbers that there are."""
    return {
        values[0]: row_of(values)
        for some in pieces(ids)
        for values in connection.execute(f"SELECT {ROW} FROM requests WHERE id IN {marks(len(some))}", some)
    }


def find(connection: sqlite3.Connection, proxy_id: str, request_id: str, identity: bytes | None) -> Row | None:
    """A proxy's request by its id; with `identity`, only if it is whose that is."""
    found = connection.execute(
        f"SELECT {ROW}, identity FROM requests WHERE request_id = ? AND proxy_id = ?", (request_id, proxy_id)
    ).fetchone()
    if found is None or (identity is not None and found[-1] != identity):
        return None
    return row_of(found[:-1])


def attempts(connection: sqlite3.Connection, id: int) -> tuple[Attempt, ...]:
    """Its attempts, in order."""
    rows = connection.execute(
        "SELECT number, started_at, ended_at, status, problem, wait FROM attempts WHERE request = ? ORDER BY number",
        (id,),
    )
    return tuple(Attempt(*row) for row in rows)


def prolong(connection: sqlite3.Connection, since: int, now: int) -> None:
    """Nothing could be written, and so nothing sent, from `since` to `now`: that does not count for anybody's time.

    The time of a request that waits for its first attempt begins when that is due.
    """
    for those in ("due_at IS NOT NULL", "state = 'sending'"):
        connection.execute(
            "UPDATE requests SET deadline = deadline + max(0, :now - max(:since, accepted_at, "
            f"CASE state WHEN 'queued' THEN due_at ELSE 0 END)) WHERE {those}",
            {"now": now, "since": since},
        )


def put_off(connection: sqlite3.Connection, lane: str, now: int, wait: int, most: int) -> None:
    """Up to `most` of what is due of a lane cannot be sent for `wait` milliseconds, which do not count for its time."""
    connection.execute(
        "UPDATE requests SET due_at = :now + :wait, deadline = deadline + :wait WHERE id IN (SELECT id FROM requests "
        "WHERE due_at IS NOT NULL AND proxy_id = :lane AND due_at <= :now ORDER BY due_at, id LIMIT :most)",
        {"now": now, "wait": wait, "lane": lane, "most": most},
    )


def begin_attempts(connection: sqlite3.Connection, begun: Sequence[tuple[int, int, int]]) -> None:
    """Of each: the request's number, the attempt's, and when it begins."""
    for some in pieces(begun):
        connection.execute(
            f"INSERT INTO attempts (request, number, started_at) {rows_of(3, len(some))}", flat(some)
        )


def end_attempts(connection: sqlite3.Connection, ended: Sequence[Ended]) -> None:
    """Attempts are over."""
    for some in pieces(ended):
        connection.execute(
            f"INSERT INTO answered (request, number, ended_at, status, problem, wait) {rows_of(6, len(some))}",
            flat(some),
        )


def keep_answers(connection: sqlite3.Connection, sealed: Sequence[tuple[int, bytes]]) -> None:
    """Of each: the request's number, and its final answer."""
    for some in pieces(sealed):
        connection.execute(f"INSERT OR REPLACE INTO answers {rows_of(2, len(some))}", flat(some))


def read_payloads(connection: sqlite3.Connection, ids: Sequence[int]) -> dict[int, tuple[bytes, bytes]]:
    """Heads and bodies, sealed, of those of these numbers that have theirs still."""
    return {
        id: (head, body)
        for some in pieces(ids)
        for id, head, body in connection.execute(
            f"SELECT request, head, body FROM payloads WHERE request IN {marks(len(some))}", some
        )
    }


def heads(connection: sqlite3.Connection, id: int) -> list[bytes]:
    """What there is still of the head of a request, sealed: of one that is under way, or whose end may be untold."""
    found = connection.execute(
        "SELECT head FROM payloads WHERE request = ?1 UNION SELECT head FROM untold WHERE request = ?1", (id,)
    )
    return [head for (head,) in found]


def give_up(connection: sqlite3.Connection, id: int, now: int, keep: Keep, problem: str) -> Row:
    """It can never be sent. Raises WrongState."""
    before = read(connection, id)
    return save(connection, before, states.undeliverable(before.progress), now, keep, problem)


def recover(connection: sqlite3.Connection, now: int, keep: Keep, most: int) -> tuple[Row, ...]:
    """Up to `most` requests whose attempts nobody carries out any more, as they are from now on."""
    recovered = []
    rows = connection.execute(f"SELECT {ROW} FROM requests WHERE state = 'sending' LIMIT ?", (most,)).fetchall()
    problem = "The gateway stopped before the answer came"
    for row in map(row_of, rows):
        progress = states.crashed(row.progress, now)
        connection.execute(
            "UPDATE attempts SET ended_at = ?, problem = ? WHERE request = ? AND number = ?",
            (now, problem, row.id, row.progress.attempts),
        )
        recovered.append(save(connection, row, progress, now, keep, problem))
    return tuple(recovered)


def purge(connection: sqlite3.Connection, now: int) -> int:
    """Remove some of what was kept for long enough; how many."""
    connection.execute("DELETE FROM totals WHERE requests = 0 AND ended = 0")
    return connection.execute(
        "DELETE FROM requests WHERE id IN "
        "(SELECT id FROM requests WHERE keep_until IS NOT NULL AND keep_until <= ? LIMIT ?)",
        (now, MOST_PURGED),
    ).rowcount


def save(
    connection: sqlite3.Connection, before: Row, progress: Progress, now: int, keep: Keep, problem: str | None
) -> Row:
    """Write down where the request is from now on, and why; what is never sent again is not kept. The row as it is
    then."""
    return save_all(connection, [(before, progress, problem)], now, keep)[0]


def save_all(connection: sqlite3.Connection, changes: Sequence[Change], now: int, keep: Keep) -> list[Row]:
    """`save` for many, each another request, with as many statements as for one."""
    values: list[tuple[object, ...]] = []
    rows: list[Row] = []
    over: list[int] = []
    never_again: list[int] = []
    for before, progress, problem in changes:
        ended_at = keep_until = None
        if progress.state in ENDED:
            dead = progress.state in REPLAYABLE
            ended_at, keep_until = now, now + (keep.dead if dead else keep.others)
            over.append(before.id)
            if not dead:
                never_again.append(before.id)
        values.append((before.id, *columns(progress), problem, ended_at, keep_until))
        rows.append(
            Row(
                before.id,
                before.request_id,
                before.proxy_id,
                before.client_id,
                before.size,
                before.accepted_at,
                progress,
                problem,
                ended_at,
            )
        )
    # Into a view: what SQLite makes of UPDATE … FROM (VALUES …) costs as much as ten updates.
    for some in pieces(values):
        connection.execute(f"{_SAVE} {rows_of(11, len(some))}", flat(some))
    for ended in pieces(over):
        untold.remember(connection, ended)
    for ended in pieces(never_again):
        connection.execute(f"DELETE FROM payloads WHERE request IN {marks(len(ended))}", ended)
    return rows


_SAVE: Final = f"INSERT INTO changed (id, {PROGRESS}, problem, ended_at, keep_until)"
