"""How many callers the files are enough for that a process may have open."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest

from rrgate.open_files import allowed, ask_for, needed, room_for_callers, shortage
from rrgate.settings import Settings


def settings(**given: Any) -> Settings:
    return Settings(data=Path("unused"), **given)


@pytest.mark.parametrize(
    ("files", "room"),
    [
        (1 << 30, 20_000),
        (40_256, 20_000),
        (20_000, 13_078),
        (1024, 427),
        (100, 1),
    ],
)
def test_callers_have_what_targets_and_we_do_not_need(files: int, room: int) -> None:
    assert room_for_callers(settings(), files) == room
    assert bool(shortage(settings(), files)) is (room < 20_000)


def test_targets_need_no_more_than_there_may_be_requests() -> None:
    assert room_for_callers(settings(max_connections=700, max_in_flight=10, max_websockets=0), 1024) == 700


def test_what_is_short_is_said_in_numbers() -> None:
    told = shortage(settings(), 1024)
    assert told.startswith("1024 files may be open, which is room for 427 connections")
    assert told.endswith("max_connections is 20000")


def test_all_that_is_needed_is_enough() -> None:
    assert shortage(settings(), needed(settings())) == ""


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "set_to"),
    [
        (1024, 4096, 2000, 2000),
        (1024, 4096, 9000, 4096),
        (1024, resource.RLIM_INFINITY, 9000, 9000),
        (9500, 9600, 9000, None),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 9000, None),
    ],
)
def test_the_limit_is_raised_as_far_as_it_may_be_and_never_lowered(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, wanted: int, set_to: int | None
) -> None:
    limits = [(soft, hard)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, given: limits.append(given))
    told = ask_for(wanted)
    assert limits[1:] == ([] if set_to is None else [(set_to, hard)])
    assert told == allowed() >= min(wanted, told)


def test_a_system_that_refuses_leaves_it_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int, given: tuple[int, int]) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert ask_for(2000) == 1024
