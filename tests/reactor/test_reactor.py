"""The gateway's reactor behaves as Twisted's epoll reactor does, but for its clock."""

from __future__ import annotations

from tests.reactor.running import run_scenario


def test_steps_of_the_wall_clock_neither_fire_nor_freeze_a_timer() -> None:
    answer, _ = run_scenario("scenarios:clock")
    assert all(0.099 <= took < 0.5 for took in answer["took"]), answer
    assert answer["ahead"] < 0.01


def test_an_exception_is_logged_and_ends_its_own_connection_only() -> None:
    answer, log = run_scenario("scenarios:broken_protocols")
    assert answer["answers"] == ["", "", "fine"]
    assert answer["lost"] == {"raises reading": ["ValueError"], "raises losing": ["ConnectionDone"], "works": []}
    assert answer["open"] == 1
    assert log.count("ValueError: a broken dataReceived") == 1
    assert log.count("ValueError: a broken connectionLost") == 1
    assert "[Mixed,0,127.0.0.1]" in log  # under the name of the transport it came from


def test_it_is_installed_once_for_the_process() -> None:
    answer, _ = run_scenario("scenarios:installed")
    assert answer == {"same": True, "again": "refused"}


def test_a_process_that_was_told_to_stop_and_did_has_not_failed() -> None:
    answer, log = run_scenario("scenarios:terminated")
    assert answer == {"signal": None}
    assert "Received SIGTERM, shutting down." in log
