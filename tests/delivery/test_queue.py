"""The queue: whatever happens to many requests in whatever order, each of them stays accounted for, on its own.

Belongs here: the operations of the queue on its tables, in memory. Does not: the states alone (test_states.py), who
carries them out (test_delivering.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable
from typing import Any

import pytest
from attrs import define
from hypothesis import settings as how
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from twisted.python.failure import Failure

from rrgate.delivery.kept import Answer
from rrgate.delivery.keys import AnotherRequest, Key
from rrgate.delivery.making_room import NotKept
from rrgate.delivery.states import ENDED, PENDING, REPLAYABLE, Outcome, State, WrongState
from rrgate.delivery.stored import Stored
from rrgate.delivery.taking import New
from rrgate.ids import new_id
from rrgate.store.errors import BrokenSecret
from rrgate.testing import MemoryGateway
from tests.delivery.in_a_task import waits

DAY = 86_400_000
WINDOW = 900_000
PROXIES = ("proxy-1", "proxy-2")
CALLERS = (b"one caller", b"another")
FOUND = Answer(201, [("X-Made", "1")], b"made")


def result(asked: Awaitable[Any]) -> Any:
    """What there is by now, or was raised."""
    told: list[Any] = []
    waits(asked).addBoth(told.append)
    assert told, "it has not fired"
    if isinstance(told[0], Failure):
        told[0].raiseException()
    return told[0]


def stored(repeatable: bool) -> Stored:
    method = "PUT" if repeatable else "POST"
    return Stored(method, "/work", "", "", [], [], "", "", {}, [], "127.0.0.1", 0, 0.0)


@define
class Known:
    """What this test knows of a request: what it was told of it, and what it did itself."""

    id: int
    request_id: str
    proxy_id: str
    caller: bytes
    repeatable: bool
    accepted_at: int
    state: State = State.QUEUED
    sent: int = 0
    ended_at: int = 0
    answered: bool = False
    removed: bool = False

    @property
    def kept_until(self) -> int:
        return self.ended_at + (7 * DAY if self.state in REPLAYABLE else DAY)


class Account(RuleBasedStateMachine):
    """Every operation, in any order, on any request, time going by."""

    taken: Bundle[str] = Bundle("taken")

    @initialize(most=st.sampled_from([1, 3, 1_000]))
    def open(self, most: int) -> None:
        """`most`: requests that are over, of which something is kept."""
        gateway = MemoryGateway(installed=False, async_kept_per_client=most)
        self.most = most
        self.clock, self.delivery = gateway.clock, gateway.delivery
        self.queue = self.delivery.queue
        self.known: dict[str, Known] = {}
        self.purged: set[str] = set()
        self.keys: dict[tuple[str, bytes, int], tuple[str, int, int]] = {}

    # What happens.

    @rule(
        target=taken,
        proxy_id=st.sampled_from(PROXIES),
        caller=st.sampled_from(CALLERS),
        repeatable=st.booleans(),
        delay=st.sampled_from([0, 0, 5_000, 7 * DAY]),
        key=st.sampled_from([0, 0, 1, 2]),
        body=st.sampled_from([b"7", b"8"]),
    )
    def accept(self, proxy_id: str, caller: bytes, repeatable: bool, delay: int, key: int, body: bytes) -> Any:
        request_id, now = new_id(), self.queue.now()
        given = Key.of([b"key-%d" % key] if key else [], b"POST", b"/work", b"", body)
        whose = (proxy_id, caller, key)
        before = self.keys.get(whose) if key else None
        if before is not None and before[2] <= now:
            before = None
        new = New(request_id, proxy_id, "client", caller, stored(repeatable), body, delay, WINDOW, given)
        adding = self.queue.add(new)
        if before is not None and before[1] != body[0]:
            with pytest.raises(AnotherRequest):
                result(adding)
            return multiple()
        told = result(adding)
        if before is not None:
            assert told == before[0], "the first one's"
            return multiple()
        assert told == request_id
        if key:
            self.keys[whose] = (request_id, body[0], now + DAY)
        ((id,),) = self.delivery.rows("SELECT id FROM requests WHERE request_id = ?", request_id)
        self.known[request_id] = Known(id, request_id, proxy_id, caller, repeatable, now)
        return request_id

    @rule(which=taken)
    def begin(self, which: str) -> None:
        row = self._do(which, PENDING, lambda known: self.queue.begin(known.id), early=True)
        if row is None:
            return
        if row.progress.state is State.SENDING:
            self.known[which].sent += 1
        else:
            self.queue.over(row)  # as its courier does
            self._make_room()

    @rule(which=taken, outcome=st.sampled_from(Outcome), wait=st.sampled_from([None, 0, 1_000, 10**6]))
    def answer(self, which: str, outcome: Outcome, wait: int | None) -> None:
        def give(known: Known) -> Any:
            row = result(self.queue.show(known.proxy_id, which, None)).row
            return self.queue.answer(row, outcome, wait, 0, status=200, problem=None, answer=FOUND)

        row = self._do(which, {State.SENDING}, give)
        if row is not None:
            self.known[which].answered = row.progress.state in ENDED
            self._make_room()

    @rule(which=taken)
    def give_up(self, which: str) -> None:
        self._do(which, PENDING, lambda known: self.queue.give_up(known.id, "gone"))
        self._make_room()

    @rule(which=taken)
    def cancel(self, which: str) -> None:
        self._do(which, PENDING, lambda known: self.queue.cancel(known.id))

    @rule(which=taken)
    def replay(self, which: str) -> None:
        known = self.known.get(which)
        if known is not None and known.removed and known.state in REPLAYABLE:
            with pytest.raises(NotKept):
                result(self.queue.replay(known.id, WINDOW))
            return
        row = self._do(which, REPLAYABLE, lambda known: self.queue.replay(known.id, WINDOW))
        if row is not None:
            self.known[which].answered = False

    @rule()
    def crash(self) -> None:
        """What a dead gateway has left is taken over, and tidied up, by one that starts."""
        under_way = {known.id: known for known in self.known.values() if known.state is State.SENDING}
        rows = result(self.queue.recover(1000))
        assert {row.id for row in rows} == set(under_way), "those under way, and no others"
        for row in rows:
            known, state = under_way[row.id], row.progress.state
            if known.repeatable:
                assert state in (State.WAITING, State.EXHAUSTED)
            else:
                assert state is State.UNKNOWN, "nobody knows whether it has arrived"
            self._now_is(known, row)
        self._tidy_up()

    @rule()
    def purge(self) -> None:
        self._tidy_up()

    def _tidy_up(self) -> None:
        now = self.queue.now()
        removed = result(self.queue.purge())
        gone = [each for each in self.known.values() if each.state in ENDED and each.kept_until <= now]
        old = [whose for whose, (_, _, until) in self.keys.items() if until <= now]
        for whose in old:
            del self.keys[whose]
        for known in gone:
            del self.known[known.request_id]
            self.purged.add(known.request_id)
        too_many = len(self._kept()[: -self.most])
        assert removed == len(gone) + len(old) + too_many, "what was kept for long enough, and nothing else"
        self._make_room()

    @rule(which=taken)
    def the_log_is_told(self, which: str) -> None:
        if which in self.known:
            result(self.queue.told([self.known[which].id]))

    @rule(by=st.sampled_from([1, 1_000, 60_000, WINDOW, DAY // 2, DAY + 1, 8 * DAY]))
    def time_goes_by(self, by: int) -> None:
        self.clock.advance(by / 1000)

    @rule(by=st.sampled_from([-DAY, -3_600_000, 3_600_000, DAY]))
    def the_wall_is_set(self, by: int) -> None:
        before = self.queue.now()
        self.clock.turn_wall(by / 1000)
        assert self.queue.now() == before

    @rule(which=taken)
    def the_disk_refuses(self, which: str) -> None:
        database = self.delivery.database.conn
        database.execute("PRAGMA query_only = ON")
        id = self.known[which].id if which in self.known else 0
        for write in (self.queue.begin(id), self.queue.cancel(id), self.queue.purge(), self.queue.recover(9)):
            with pytest.raises((sqlite3.Error, WrongState, LookupError)):
                result(write)
        database.execute("PRAGMA query_only = OFF")

    @rule(by=st.sampled_from([1, 60_000, WINDOW, DAY]))
    def the_queue_pauses(self, by: int) -> None:
        since, before = self.queue.now(), self.delivery.rows("SELECT id, deadline, ended_at FROM requests ORDER BY id")
        self.clock.advance(by / 1000)
        result(self.queue.prolong(since))
        after = self.delivery.rows("SELECT id, deadline, ended_at FROM requests ORDER BY id")
        for (id, deadline, ended_at), (same, prolonged, still) in zip(before, after, strict=True):
            assert (id, ended_at) == (same, still)
            assert 0 <= prolonged - deadline <= (self.queue.now() - since if ended_at is None else 0)

    # What must hold.

    @invariant()
    def what_waits_is_counted(self) -> None:
        expected: dict[str, int] = {}
        for known in self.known.values():
            if known.state not in ENDED:
                for scope in ("", "client", known.proxy_id):
                    expected[scope] = expected.get(scope, 0) + 1
        assert dict(self.delivery.rows("SELECT scope, requests FROM totals WHERE requests <> 0")) == expected
        over = sum(known.state in ENDED for known in self.known.values())
        rows = self.delivery.rows("SELECT scope, ended FROM totals WHERE ended <> 0")
        assert dict(rows) == ({"": over, "client": over} if over else {})

    @invariant()
    def each_is_as_it_was_told(self) -> None:
        for which, known in self.known.items():
            shown = result(self.queue.show(known.proxy_id, which, known.caller))
            row, attempts = shown.row, shown.attempts
            assert row.progress.state is known.state, "nobody else has changed it"
            assert (row.ended_at is not None) == (known.state in ENDED)
            assert [attempt.number for attempt in attempts] == list(range(1, known.sent + 1)), "each was written down"
            running = [attempt.number for attempt in attempts if attempt.ended_at is None]
            assert running == ([known.sent] if known.state is State.SENDING else [])
            assert shown.removed_early == known.removed
            assert (shown.answer == FOUND) == (known.answered and not known.removed)
            lasts = known.state not in ENDED or known.state in REPLAYABLE
            assert self._payload(known) == (lasts and not known.removed)

    @invariant()
    def what_is_kept_is_counted(self) -> None:
        count = len(self._kept())
        assert count <= self.most
        rows = self.delivery.rows("SELECT scope, requests FROM kept_totals WHERE requests <> 0")
        assert dict(rows) == ({"": count, "client": count} if count else {})
        ((there,),) = self.delivery.rows(
            "SELECT total(ifnull(length(sealed), 0) + ifnull(length(head) + length(body), 0)) FROM requests LEFT JOIN "
            "answers ON answers.request = id LEFT JOIN payloads ON payloads.request = id WHERE ended_at IS NOT NULL"
        )
        ((counted,),) = self.delivery.rows("SELECT total(bytes) FROM kept_totals WHERE scope = 'client'")
        assert counted == there

    @invariant()
    def whose_turn_it_is(self) -> None:
        now = self.queue.now()
        lanes, following = result(self.queue.due(1000))
        found = {due.id for lane in lanes.values() for due in lane}
        waiting = {
            known.id: result(self.queue.show(known.proxy_id, which, None)).row.progress.due_at
            for which, known in self.known.items()
            if known.state in PENDING
        }
        assert found == {id for id, due_at in waiting.items() if due_at <= now}, "all that are due, and no others"
        assert following == min((due_at for due_at in waiting.values() if due_at > now), default=None)

    @invariant()
    def nobody_else_sees_it(self) -> None:
        for which, known in self.known.items():
            other_caller = CALLERS[known.caller == CALLERS[0]]
            other_proxy = PROXIES[known.proxy_id == PROXIES[0]]
            assert result(self.queue.show(known.proxy_id, which, other_caller)) is None
            assert result(self.queue.show(other_proxy, which, known.caller)) is None
        for which in self.purged:
            assert all(result(self.queue.show(proxy_id, which, None)) is None for proxy_id in PROXIES)

    # How.

    def _do(self, which: str, allowed: Any, operate: Any, *, early: bool = False) -> Any:
        """Operate on it, and see that this is refused in any state but those. None where it was."""
        known = self.known.get(which)
        if known is None:
            gone = Known(-1, which, PROXIES[0], b"", False, 0)
            if which in self.purged:
                with pytest.raises((LookupError, AttributeError)):  # there is no row to answer with
                    result(operate(gone))
            return None
        try:
            row = result(operate(known))
        except WrongState:
            assert known.state not in allowed or early
            return None
        assert known.state in allowed
        self._now_is(known, row)
        return row

    def _now_is(self, known: Known, row: Any) -> None:
        before, known.state = known.state, row.progress.state
        assert known.state is not before or before is State.WAITING
        assert row.progress.repeatable == known.repeatable
        if known.state in ENDED:
            known.ended_at = row.ended_at

    def _kept(self) -> list[Known]:
        """Of which something is there still, in the order in which they ended."""
        kept = [
            known
            for known in self.known.values()
            if not known.removed and (known.answered or known.state in REPLAYABLE)
        ]
        return sorted(kept, key=lambda known: (known.ended_at, known.id))

    def _make_room(self) -> None:
        """As the queue does after each end."""
        for known in self._kept()[: -self.most]:
            known.removed = True

    def _payload(self, known: Known) -> bool:
        try:
            return bool(result(self.queue.heads([known.id])))
        except BrokenSecret:
            return False


TestAccount = Account.TestCase
TestAccount.settings = how(max_examples=60, stateful_step_count=40, deadline=None)
