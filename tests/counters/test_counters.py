"""Taking from limits: all or none, near and refused, and clocks that are turned."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrgate.counters import Counters
from rrgate.counting_values import CountersError, Counts, Limit, Quota, Window

START = datetime(2026, 3, 10, 12, 30, 15, tzinfo=UTC).timestamp()


class Wall:
    """A clock that is set."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def counters(wall: Wall) -> Iterator[Counters]:
    made = Counters.alone(wall)
    yield made
    made.close()


def quota(counters: Counters, id: str, *, counts: bool = True, **most: float) -> Quota:
    """At most so many in each window, by its name."""
    limits = tuple(Limit(Window(window), each) for window, each in most.items())
    return Quota(counters.counter("test", id), limits, counts)


def taken(counters: Counters, quotas: list[Quota], times: int) -> int:
    """How many of so many tries are let through."""
    through = 0
    for _ in range(times):
        said = counters.take(quotas)
        through += said is None or not said.refused
    return through


@pytest.mark.parametrize("most", [1, 2, 100])
@pytest.mark.parametrize("window", list(Window))
def test_as_many_pass_as_are_allowed(counters: Counters, window: Window, most: int) -> None:
    assert taken(counters, [quota(counters, "a", **{window.value: most})], most + 20) == most


@pytest.mark.parametrize(("most", "pass_"), [(0, 0), (0.5, 0), (1.9, 1), (2.0, 2)])
def test_a_part_of_a_request_is_none(counters: Counters, most: float, pass_: int) -> None:
    assert taken(counters, [quota(counters, "a", day=most)], 5) == pass_


def test_a_refusal_counts_nothing_anywhere(counters: Counters) -> None:
    wide, narrow = quota(counters, "wide", minute=100), quota(counters, "narrow", day=3)
    assert taken(counters, [wide, narrow], 50) == 3
    assert taken(counters, [narrow, wide], 50) == 0
    assert wide.counter.read() == narrow.counter.read() == Counts(3, 3, 3, 3)
    assert taken(counters, [wide], 200) == 97


def test_what_is_not_limited_is_counted(counters: Counters) -> None:
    free = quota(counters, "free")
    assert taken(counters, [free], 5) == 5
    assert free.counter.read() == Counts(5, 5, 5, 5)


def test_without_quotas_all_pass(counters: Counters) -> None:
    assert counters.take(()) is None


@pytest.mark.parametrize(
    ("seconds", "again"),
    [(0, 0), (44.9, 0), (45, 2), (29 * 60 + 44, 2), (29 * 60 + 45, 2)],
)
def test_a_new_minute_lets_pass_again(counters: Counters, wall: Wall, seconds: float, again: int) -> None:
    limited = quota(counters, "a", minute=2)
    taken(counters, [limited], 3)
    wall.now += seconds
    assert taken(counters, [limited], 3) == again


def test_each_window_ends_by_itself(counters: Counters, wall: Wall) -> None:
    limited = quota(counters, "a", minute=5, hour=8, day=10, month=11)
    passed = []
    for turn in (0, 60, 60, 3600, 3600, 86400, 86400, 31 * 86400):
        wall.now += turn
        passed.append(taken(counters, [limited], 20))
    assert passed == [5, 3, 0, 2, 0, 1, 0, 5]


@pytest.mark.parametrize(
    ("most", "seconds"),
    [
        ({"minute": 1}, 45),
        ({"hour": 1}, 29 * 60 + 45),
        ({"day": 1}, 11 * 3600 + 29 * 60 + 45),
        ({"month": 1}, 21 * 86400 + 11 * 3600 + 29 * 60 + 45),
    ],
)
def test_a_refusal_tells_when_the_window_ends(counters: Counters, most: dict[str, float], seconds: int) -> None:
    limited = quota(counters, "a", **most)
    counters.take([limited])
    said = counters.take([limited])
    assert said is not None
    (refused,) = said.refused
    assert (refused.quota, refused.seconds, refused.used) == (limited, seconds, 1)


def test_seconds_are_never_none_left(counters: Counters, wall: Wall) -> None:
    limited = quota(counters, "a", minute=0)
    wall.now = START + 44.9999
    said = counters.take([limited])
    assert said is not None
    assert said.refused[0].seconds == 1


def test_what_takes_longest_is_told_first(counters: Counters) -> None:
    both, other = quota(counters, "a", minute=1, day=1), quota(counters, "b", hour=1)
    counters.take([both, other])
    said = counters.take([both, other])
    assert said is not None
    assert [each.limit.window for each in said.refused] == [Window.DAY, Window.HOUR, Window.MINUTE]


@pytest.mark.parametrize(("most", "near_from"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 4), (10, 8), (100, 80)])
def test_from_80_percent_on_a_limit_is_near(counters: Counters, most: int, near_from: int) -> None:
    limited = quota(counters, "a", minute=most)
    near = [said is not None and bool(said.near) for said in (counters.take([limited]) for _ in range(most))]
    assert near == [number >= near_from for number in range(1, most + 1)]


def test_near_tells_how_much_is_used(counters: Counters) -> None:
    limited = quota(counters, "a", minute=5)
    said = [counters.take([limited]) for _ in range(5)][-1]
    assert said is not None
    assert [(each.used, each.limit.most) for each in said.near] == [(5, 5)]


def test_a_quota_that_does_not_count_is_only_looked_at(counters: Counters) -> None:
    measured = quota(counters, "a", counts=False, day=100)
    assert taken(counters, [measured], 3) == 3
    assert measured.counter.read() == Counts()
    measured.counter.add(79.5)
    assert counters.take([measured]) is None
    measured.counter.add(0.5)
    near = counters.take([measured])
    assert near is not None
    assert [each.used for each in near.near] == [80]
    measured.counter.add(20)
    assert taken(counters, [measured], 3) == 0
    assert measured.counter.read() == Counts(100, 100, 100, 100)


@pytest.mark.parametrize("amount", [-1, float("nan"), float("inf"), -0.5])
def test_only_what_is_finite_and_not_negative_is_added(counters: Counters, amount: float) -> None:
    counter = counters.counter("test", "a")
    with pytest.raises(ValueError, match="finite"):
        counter.add(amount)
    assert counter.read() == Counts()


def test_one_name_is_one_counter(counters: Counters) -> None:
    counters.counter("test", "a").add(2)
    assert counters.counter("test", "a").read().day == 2
    assert counters.counter("test", "b").read().day == 0
    assert counters.counter("tes", "ta").read().day == 0


@pytest.mark.parametrize("back", [0.5, 15.5, 45, 60])
def test_a_clock_set_back_a_little_lets_nobody_pass_twice(counters: Counters, wall: Wall, back: float) -> None:
    limited = quota(counters, "a", minute=3)
    assert taken(counters, [limited], 5) == 3
    wall.now -= back
    assert taken(counters, [limited], 5) == 0
    wall.now += back
    assert taken(counters, [limited], 5) == 0
    wall.now += 60
    assert taken(counters, [limited], 5) == 3


def test_a_clock_set_back_a_day_holds_nobody_up(counters: Counters, wall: Wall) -> None:
    limited = quota(counters, "a", minute=3, day=4)
    assert taken(counters, [limited], 5) == 3
    wall.now -= 86400
    assert taken(counters, [limited], 5) == 3


def test_closed_counters_count_nothing(wall: Wall) -> None:
    counters = Counters.alone(wall)
    limited = quota(counters, "a", minute=1)
    counters.close()
    counters.close()
    for use in (lambda: counters.take([limited]), limited.counter.read, lambda: counters.counter("test", "b")):
        with pytest.raises(CountersError):
            use()


@given(
    st.lists(
        st.tuples(st.sets(st.sampled_from("abc"), max_size=3), st.integers(-30, 4000)),
        max_size=60,
    )
)
def test_it_counts_as_a_plain_model_does(steps: list[tuple[set[str], int]]) -> None:
    """Against counts in a dictionary by (name, number of the window)."""
    wall = Wall()
    counters = Counters.alone(wall)
    most = {"a": {"minute": 2, "hour": 5}, "b": {"day": 7}, "c": {"month": 9, "minute": 3}}
    quotas = {name: quota(counters, name, **limits) for name, limits in most.items()}
    model: dict[tuple[str, str, str], int] = {}
    forms = {"minute": "%Y-%m-%d %H:%M", "hour": "%Y-%m-%d %H", "day": "%Y-%m-%d", "month": "%Y-%m"}
    for names, turn in steps:
        wall.now = max(wall.now + turn, START) if turn > 0 else wall.now
        now = datetime.fromtimestamp(wall.now, UTC)
        of = {(name, window): (name, window, now.strftime(form)) for name in names for window, form in forms.items()}
        fits = all(
            model.get(of[name, window], 0) < each for name in names for window, each in most[name].items()
        )
        said = counters.take([quotas[name] for name in sorted(names)])
        assert (said is None or not said.refused) == fits
        if fits:
            for key in of.values():
                model[key] = model.get(key, 0) + 1
    counters.close()
