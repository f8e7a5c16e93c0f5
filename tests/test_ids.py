"""Ids: of the right form, different, and those of requests in order of time.

Belongs here: ids.py. Does not: what the ids name.
"""

from __future__ import annotations

from uuid import UUID

from rrgate.ids import UUID_FORM, id_source, new_id


def test_random_ids() -> None:
    made = {new_id() for _ in range(100)}
    assert len(made) == 100
    for each in made:
        assert UUID_FORM.match(each)
        assert (UUID(each).version, UUID(each).variant) == (4, "specified in RFC 4122")


def test_request_ids_are_different_and_in_order_of_time() -> None:
    now = 1_700_000_000.0

    def wall() -> float:
        nonlocal now
        now += 1
        return now

    new = id_source(wall, block=7)
    made = [new() for _ in range(1000)]
    assert made == sorted(set(made))
    for each in made:
        assert UUID_FORM.match(each)
        assert (UUID(each).version, UUID(each).variant) == (7, "specified in RFC 4122")
    assert UUID(made[-1]).int >> 80 == int(now * 1000)
    assert len({each[14:] for each in made}) == 1000


def test_request_ids_of_one_moment_are_different() -> None:
    new = id_source(lambda: 1.0)
    assert len({new() for _ in range(5000)}) == 5000
