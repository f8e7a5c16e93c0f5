"""Averages of telemetry: what `round` answers, to the last digit.

Belongs here: arithmetic and keys of telemetry_view.py. Does not: the documents (core/test_telemetry.py).
"""

from __future__ import annotations

from random import Random

from rrgate.store.counts import INTERVALS, moment_of
from rrgate.store.span_maps import _average
from rrgate.telemetry_view import _key


def test_averages_are_those_that_round_answers_ties_too() -> None:
    chance = Random(1)
    for many in (1, 2, 3, 7, 50, 1000, 9999):
        ties = [(100 * chance.randrange(10_000) + 50) * many for _ in range(300)]
        for time in (0, 1, *ties, *(tie + 1 for tie in ties), *(chance.randrange(10**10) for _ in range(300))):
            assert _average(time, many) == round(time / many / 1_000_000, 4), (time, many)


def test_keys_of_spans_are_their_beginnings() -> None:
    forms = ("%Y-%m-%d-%H-%M", "%Y-%m-%d-%H", "%Y-%m-%d", "%Y-%m")
    for span in (0, 59, 60, 1439, 1440, 29_297_459, 59 * 365 * 1440):
        keys = [b"".join(_key(interval, span)).decode() for interval in INTERVALS]
        assert keys == [moment_of(span).strftime(form) for form in forms]
