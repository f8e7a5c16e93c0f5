"""What is written while a round serves several connections leaves at its end, whole, in order, and before any end."""

from __future__ import annotations

import pytest

from tests.reactor.running import run_scenario


def test_writes_of_a_round_leave_together_when_it_is_over() -> None:
    answer, _ = run_scenario("round_scenarios:held")
    assert answer == ["", "one two"]


def test_a_connection_that_is_served_alone_holds_nothing() -> None:
    answer, _ = run_scenario("round_scenarios:alone")
    assert answer == ["at once"]


def test_what_is_too_much_to_hold_leaves_at_once_behind_what_was_held() -> None:
    answer, _ = run_scenario("round_scenarios:large")
    in_the_round, begins, in_the_end = answer
    assert begins == "first "
    assert in_the_round > 6
    assert in_the_end == 6 + 16 * 1024


@pytest.mark.parametrize(
    ("how", "lost"),
    [("loseConnection", "ConnectionDone"), ("loseWriteConnection", "ConnectionLost"), ("raise", "RuntimeError")],
)
def test_what_is_held_leaves_before_its_connection_ends(how: str, lost: str) -> None:
    answer, _ = run_scenario("round_scenarios:ended", how)
    assert answer == ["last words", [lost]]


def test_a_connection_that_is_aborted_drops_what_it_held() -> None:
    answer, _ = run_scenario("round_scenarios:ended", "abortConnection")
    assert answer == ["", ["ConnectionAborted"]]
