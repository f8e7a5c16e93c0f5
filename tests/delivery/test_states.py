"""The state machine: whatever happens in whatever order, a request stays accounted for."""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import product
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rrgate.delivery import states
from rrgate.delivery.states import ENDED, LEAST_LEFT, MOST_ATTEMPTS, PENDING, REPLAYABLE, Outcome, Progress, State

WINDOW = 900_000
waits = st.one_of(st.none(), st.integers(-5_000, 2_000_000))


class Delivery(RuleBasedStateMachine):
    """Every event there is, in any order, the clock going any way."""

    @initialize(delay=st.integers(0, 604_800_000), window=st.integers(1_000, WINDOW), repeatable=st.booleans())
    def accept(self, delay: int, window: int, repeatable: bool) -> None:
        self.now, self.window, self.repeatable = 1_700_000_000_000, window, repeatable
        self.sent = 0
        self.progress = states.accepted(self.now, delay=delay, window=window, repeatable=repeatable)

    @rule(by=st.integers(-10_000_000, 700_000_000))
    def clock(self, by: int) -> None:
        self.now += by

    @rule()
    def due(self) -> None:
        if self.progress.due_at is not None:
            self.now = max(self.now, self.progress.due_at)

    @rule()
    def begin(self) -> None:
        before = self.progress
        if before.due_at is None or before.due_at > self.now:
            with pytest.raises(states.WrongState):
                states.begun(before, self.now)
            return
        self.progress = states.begun(before, self.now)
        if self.progress.state is State.SENDING:
            self.sent += 1
            assert before.deadline - self.now >= LEAST_LEFT, "no attempt starts with less left"
        else:
            assert self.progress.state is State.EXHAUSTED

    @rule(outcome=st.sampled_from(Outcome), wait=waits, timeout=st.floats(1, 900))
    def answer(self, outcome: Outcome, wait: int | None, timeout: float) -> None:
        before = self.progress
        margin = states.margin_of(timeout, self.window)
        if before.state is not State.SENDING:
            with pytest.raises(states.WrongState):
                states.answered(before, self.now, outcome, wait, margin)
            return
        after = self.progress = states.answered(before, self.now, outcome, wait, margin)
        if after.state is State.WAITING:
            assert outcome is Outcome.TRANSIENT
            assert wait is not None
            assert after.due_at is not None
            assert after.due_at <= max(self.now, self.now + wait)
            assert not (before.moved and after.due_at != self.now + max(wait, 0)), "moved once"

    @rule()
    def crash(self) -> None:
        if self.progress.state is State.SENDING:
            self.progress = states.crashed(self.progress, self.now)
            if not self.repeatable:
                assert self.progress.state is State.UNKNOWN

    @rule()
    def cancel(self) -> None:
        if self.progress.state in PENDING:
            self.progress = states.cancelled(self.progress)
        else:
            with pytest.raises(states.WrongState):
                states.cancelled(self.progress)

    @precondition(lambda self: self.progress.state in ENDED)
    @rule()
    def replay(self) -> None:
        if self.progress.state in REPLAYABLE:
            self.progress = states.replayed(self.progress, self.now, self.window)
        else:
            with pytest.raises(states.WrongState):
                states.replayed(self.progress, self.now, self.window)

    @invariant()
    def is_accounted_for(self) -> None:
        progress = self.progress
        assert (progress.due_at is not None) == (progress.state in PENDING), "due exactly when pending"
        assert progress.attempts == self.sent, "each attempt is counted, and nothing else"
        assert progress.attempts_now <= MOST_ATTEMPTS
        assert progress.repeatable == self.repeatable


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def sending(window: int = WINDOW, attempts: int = 1, moved: bool = False) -> Progress:
    return Progress(State.SENDING, attempts, 0, None, window, moved, False)


@pytest.mark.parametrize(
    ("now", "wait", "moved", "state", "due"),
    [
        (0, 1_000, False, State.WAITING, 1_000),
        (0, 870_000, False, State.WAITING, 870_000),  # the last moment
        (0, 870_001, False, State.WAITING, 870_000),  # moved there
        (0, 10**9, False, State.WAITING, 870_000),
        (0, 10**9, True, State.EXHAUSTED, None),  # once
        (870_000, 1, False, State.EXHAUSTED, None),
        (900_000, 0, False, State.EXHAUSTED, None),
        (0, None, False, State.EXHAUSTED, None),
    ],
)
def test_a_wait_ends_in_time_or_not_at_all(
    now: int, wait: int | None, moved: bool, state: State, due: int | None
) -> None:
    after = states.answered(sending(moved=moved), now, Outcome.TRANSIENT, wait, states.margin_of(900, WINDOW))
    assert (after.state, after.due_at) == (state, due)


def test_after_eleven_attempts_it_is_a_dead_letter_and_a_replay_has_eleven_of_its_own() -> None:
    dead = states.answered(sending(attempts=11), 0, Outcome.TRANSIENT, 5, 0)
    assert dead.state is State.EXHAUSTED
    again = states.replayed(dead, 50, WINDOW)
    assert (again.state, again.due_at, again.deadline, again.attempts_now) == (State.QUEUED, 50, 50 + WINDOW, 0)


@pytest.mark.parametrize(("timeout", "window"), [(1, WINDOW), (30, 2_000), (0, WINDOW)])
def test_a_last_attempt_that_is_a_little_late_is_made(timeout: float, window: int) -> None:
    after = states.answered(sending(window), 0, Outcome.TRANSIENT, 10**9, states.margin_of(timeout, window))
    assert after.due_at is not None
    assert states.begun(after, after.due_at + states.LATE).state is State.SENDING


def test_a_short_window_has_room_for_a_retry() -> None:
    after = states.answered(sending(window=4_000), 100, Outcome.TRANSIENT, 500, states.margin_of(30, 4_000))
    assert after.due_at == 600


def test_the_drawing_in_the_docs_has_every_way_and_no_other() -> None:
    def ways(before: Progress) -> list[Progress]:
        found = []
        for step in (
            lambda: states.begun(before, 0),
            lambda: states.begun(before, WINDOW),
            *(lambda outcome=outcome: states.answered(before, 0, outcome, 5, 0) for outcome in Outcome),
            lambda: states.answered(before, 0, Outcome.TRANSIENT, None, 0),
            lambda: states.crashed(before, 0),
            lambda: states.cancelled(before),
            lambda: states.undeliverable(before),
            lambda: states.replayed(before, 0, WINDOW),
        ):
            with suppress(states.WrongState):
                found.append(step())
        return found

    starts = [
        Progress(state, 1, 0, 0 if state in PENDING else None, WINDOW, False, repeatable)
        for state, repeatable in product(State, (True, False))
    ]
    real = {(before.state.value, after.state.value) for before in starts for after in ways(before)}
    real |= {("[*]", "queued"), *((state.value, "[*]") for state in ENDED)}
    page = (Path(__file__).parents[2] / "docs" / "async.md").read_text()
    assert set(re.findall(r"^    (\S+) --> (\w+|\[\*\])", page, re.MULTILINE)) == real
