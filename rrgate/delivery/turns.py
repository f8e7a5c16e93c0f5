"""`Turns`: attempts that begin, and what came of them, written down: all that share a commit together.

Belongs here: the order of these on the thread that writes, unsealing and sealing. Does not: which state follows
(states.py), SQL of rows (table.py), sending (sending.py). Each is worked out from its row as it is in this
transaction: who comes too late is told so, and those that share the commit go on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from attrs import field, frozen
from twisted.logger import Logger

from rrgate.delivery import states
from rrgate.delivery.callbacks import with_callbacks
from rrgate.delivery.kept import Answer, Loaded, Seals, answer_row, opened
from rrgate.delivery.refusing import Refused
from rrgate.delivery.states import ENDED, Outcome, Progress, State, WrongState
from rrgate.delivery.stored import Stored
from rrgate.delivery.table import (
    Change,
    Keep,
    Row,
    end_attempts,
    keep_answers,
    read_all,
    read_payloads,
    save_all,
)
from rrgate.delivery.usual_changes import deliver_all, send_all
from rrgate.store.errors import SecretError

_log = Logger("rrgate.delivery")
_Due = list[tuple[Row, Progress] | Refused]


class Told(Protocol):
    """Sees to it that whoever wants it is told of a request's end."""

    def __call__(
        self, connection: sqlite3.Connection, row: Row, status: int | None, answer: Answer | None
    ) -> object: ...


@frozen(eq=False)
class Answered:
    """What came of an attempt. `row`: as it was when that began. `wait`, `margin`: see states.answered.

    `status`: of the answer, or of ours in its place. `tells_body`: who is told of the end is told the answer's body.
    """

    row: Row
    outcome: Outcome
    wait: int | None
    margin: int
    status: int | None
    problem: str | None
    answer: Answer | None = field(repr=False)
    tells_body: bool


class Turns:
    """One object a queue; called on the thread that writes."""

    def __init__(self, seals: Seals, now: Callable[[], int], keep: Keep, told: Told) -> None:
        self._seals = seals
        self._now = now
        self._keep = keep
        self._told = told

    def begin_all(self, connection: sqlite3.Connection, ids: Sequence[int]) -> list[Row | Refused]:
        """For each a new attempt, written down before anything is sent, or its end; or Refused with WrongState or
        LookupError."""
        now = self._now()
        return self._begin(connection, self._due(connection, ids, now), now)

    def begin_small_all(self, connection: sqlite3.Connection, ids: Sequence[int]) -> list[Loaded | Refused]:
        """The same with what is in them; what cannot be opened has not begun, and is Refused with SecretError."""
        now = self._now()
        due = self._due(connection, ids, now)
        sealed = read_payloads(connection, [each[0].id for each in due if not isinstance(each, Refused)])
        contents: dict[int, tuple[Stored, bytes]] = {}
        for place, each in enumerate(due):
            if not isinstance(each, Refused):
                try:
                    head, body = opened(self._seals, each[0], sealed.get(each[0].id))
                    contents[each[0].id] = Stored.of_head(head), body
                except SecretError as error:
                    due[place] = Refused(error)
        rows = self._begin(connection, due, now)
        return [row if isinstance(row, Refused) else Loaded(row, *contents[row.id]) for row in rows]

    def answer_all(self, connection: sqlite3.Connection, told: Sequence[Answered]) -> list[Row | Refused]:
        """For each, that its attempt is over; an answer that is the last is kept. Refused as for `begin_all`."""
        now = self._now()
        rows = read_all(connection, [each.row.id for each in told])
        results: list[Row | Refused] = []
        changes: dict[int, Change] = {}
        ended, answers = [], []
        delivered: list[tuple[Row, Progress]] = []
        for each in told:
            id = each.row.id
            try:
                before = _there(rows.get(id))
                progress = states.answered(before.progress, now, each.outcome, each.wait, each.margin)
            except (WrongState, LookupError) as error:
                results.append(Refused(error))
                continue
            waited = None if progress.due_at is None else progress.due_at - now
            ended.append((id, before.progress.attempts, now, each.status, each.problem, waited))
            if progress.state is State.SUCCEEDED and each.problem is None:
                delivered.append((before, progress))
            else:
                changes[id] = before, progress, each.problem
            results.append(before)
            if progress.state in ENDED and each.answer is not None:
                answers += self._sealed(before, each.answer)
        end_attempts(connection, ended)
        keep_answers(connection, answers)
        after = self._save(connection, changes, now)
        kept = {id: len(sealed) for id, sealed in answers}
        after |= {row.id: row for row in deliver_all(connection, delivered, kept, now, self._keep)}
        self._tell(connection, after, {each.row.id: each for each in told})
        return [each if isinstance(each, Refused) else after[each.id] for each in results]

    def _due(self, connection: sqlite3.Connection, ids: Sequence[int], now: int) -> _Due:
        rows = read_all(connection, ids)
        due: _Due = []
        for id in ids:
            try:
                before = _there(rows.get(id))
                due.append((before, states.begun(before.progress, now)))
            except (WrongState, LookupError) as error:
                due.append(Refused(error))
        return due

    def _begin(self, connection: sqlite3.Connection, due: _Due, now: int) -> list[Row | Refused]:
        sent: list[tuple[Row, Progress]] = []
        too_late: dict[int, Change] = {}
        for each in due:
            if not isinstance(each, Refused):
                before, progress = each
                if progress.state is State.SENDING:
                    sent.append(each)
                else:
                    too_late[before.id] = before, progress, _TOO_LATE
        after = self._save(connection, too_late, now)
        after |= {row.id: row for row in send_all(connection, sent, now)}
        self._tell(connection, after, {})
        return [each if isinstance(each, Refused) else after[each[0].id] for each in due]

    def _sealed(self, row: Row, answer: Answer) -> list[tuple[int, bytes]]:
        try:
            return [(row.id, self._seals.seal(row.client_id, answer_row(row.request_id), answer.packed()))]
        except SecretError as error:  # its key is gone meanwhile: what came of it is written down
            _log.error("the answer of request {id} is not kept: {error}", id=row.request_id, error=error)
            return []

    def _save(self, connection: sqlite3.Connection, changes: Mapping[int, Change], now: int) -> dict[int, Row]:
        return {row.id: row for row in save_all(connection, [*changes.values()], now, self._keep)}

    def _tell(
        self, connection: sqlite3.Connection, rows: Mapping[int, Row], told: Mapping[int, Answered]
    ) -> None:
        over = [id for id, row in rows.items() if row.progress.state in ENDED]
        for id in with_callbacks(connection, over):
            each = told.get(id)
            if each is None:
                self._told(connection, rows[id], None, None)
            else:
                self._told(connection, rows[id], each.status, each.answer if each.tells_body else None)


_TOO_LATE: Final = "The time for attempts was used up"


def _there(row: Row | None) -> Row:
    if row is None:
        raise LookupError("the request is gone")
    return row
