"""The counters' file: shared by those who have it open, growing, and made anew of what is worth keeping."""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rrgate.counters import COUNTERS, Counters, open_memory
from rrgate.counters.memory import FIRST_ROWS, HEADER, ROW
from rrgate.counting_values import CountersError, Counts, Limit, Quota, Window
from rrgate.store.errors import StoreError

NOW = 1_773_146_000.0  # in March 2026
MONTH = 31 * 86400

Opening = Callable[..., Counters]


@pytest.fixture
def opening(tmp_path: Path) -> Iterator[Opening]:
    """Opens the counters of one data directory, at a time."""
    opened: list[Counters] = []

    def opening(now: float = NOW) -> Counters:
        opened.append(Counters(open_memory(tmp_path, now), lambda: now))
        return opened[-1]

    yield opening
    for each in opened:
        each.close()


def day(counters: Counters, id: str) -> float:
    """What a counter counted today."""
    return counters.counter("test", id).read().day


def test_all_who_have_it_open_share_it(opening: Opening) -> None:
    first, second = opening(), opening()
    limit = (Limit(Window.MINUTE, 5),)
    quotas = [Quota(each.counter("test", "a"), limit) for each in (first, second)]
    said = [each.take([quota]) for _ in range(4) for each, quota in zip((first, second), quotas, strict=True)]
    assert [bool(each and each.refused) for each in said] == [False] * 5 + [True] * 3
    assert day(first, "a") == day(second, "a") == 5


def test_what_was_counted_is_there_after_a_restart(opening: Opening) -> None:
    first = opening()
    first.counter("test", "a").add(3)
    first.counter("test", "b").add(4)
    first.close()
    second = opening(NOW + 1)
    assert (day(second, "a"), day(second, "b"), day(second, "c")) == (3, 4, 0)


def test_what_is_over_is_not_kept(opening: Opening, tmp_path: Path) -> None:
    first = opening()
    for number in range(3000):
        first.counter("test", str(number)).add(1)
    first.counter("test", "gone")
    first.close()
    grown = (tmp_path / COUNTERS).stat().st_size
    opening(NOW + 2).close()
    assert (tmp_path / COUNTERS).stat().st_size >= grown
    later = opening(NOW + MONTH)
    assert (tmp_path / COUNTERS).stat().st_size == HEADER + FIRST_ROWS * ROW
    assert later.counter("test", "0").read() == Counts()


def test_a_clock_that_is_far_behind_at_the_start_loses_nothing(opening: Opening) -> None:
    first = opening()
    first.counter("test", "a").add(3)
    first.close()
    opening(0).close()
    assert day(opening(), "a") == 3


def test_it_grows_under_those_who_have_it_open(opening: Opening) -> None:
    first, second = opening(), opening()
    early = first.counter("test", "0")
    many = FIRST_ROWS * 3
    for number in range(many):
        first.counter("test", str(number)).add(number)
    last = second.counter("test", str(many - 1))
    assert last.read().day == many - 1
    last.add(1)
    early.add(7)
    assert day(first, str(many - 1)) == many
    assert day(second, "0") == 7
    assert [day(second, str(number)) for number in range(1, many - 1)] == list(range(1, many - 1))


def test_it_grows_for_a_process_alone_too() -> None:
    counters = Counters.alone(lambda: NOW)
    for number in range(FIRST_ROWS * 2 + 1):
        counters.counter("test", str(number)).add(number)
    assert day(counters, "1000") == 1000
    counters.close()


def test_both_may_add_rows(opening: Opening) -> None:
    first, second = opening(), opening()
    for number in range(100):
        (first, second)[number % 2].counter("test", str(number)).add(number)
    assert [day(first, str(number)) for number in range(100)] == list(range(100))


def test_without_room_on_the_disk_there_is_no_new_counter(
    opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    counters = opening()
    for number in range(FIRST_ROWS):
        counters.counter("test", str(number)).add(1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        with pytest.raises(CountersError, match="No space left"):
            counters.counter("test", "one more")
    assert day(counters, "0") == 1
    assert day(counters, "one more") == 0


def test_it_is_for_its_owner_only(opening: Opening, tmp_path: Path) -> None:
    opening()
    assert stat.S_IMODE((tmp_path / COUNTERS).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:100],
        lambda content: content[: HEADER + 10],
        lambda content: b"x" + content[1:],
        lambda content: content[:16] + b"\xff" * 16 + content[32:],
        lambda content: content[:HEADER] + os.urandom(len(content) - HEADER),
        lambda content: content[: HEADER - 8] + b"\x07" + bytes(7) + content[HEADER:],
        lambda content: content[: HEADER - 8] + b"\xff" * 8 + content[HEADER:],
        lambda content: os.urandom(len(content)),
    ],
    ids=range(9),
)
def test_a_damaged_file_is_made_anew(opening: Opening, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    first = opening()
    first.counter("test", "a").add(3)
    first.close()
    path = tmp_path / COUNTERS
    path.write_bytes(damage(path.read_bytes()))
    counters = opening()
    before = day(counters, "a")
    assert before in (0, 3)
    counters.counter("test", "a").add(1)
    assert day(opening(), "a") == before + 1


def test_one_of_another_version_that_is_in_use_is_left_alone(opening: Opening, tmp_path: Path) -> None:
    opening()
    with (tmp_path / COUNTERS).open("r+b") as file, mmap.mmap(file.fileno(), HEADER) as header:
        header[:16] = b"rrgate counters9"
    with pytest.raises(StoreError, match="another version"):
        opening()


def test_a_folder_that_cannot_be_written_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="counters"):
        open_memory(tmp_path / "nowhere", NOW)
