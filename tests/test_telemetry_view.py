"""Averages of telemetry: what `round` answers, to the last digit.

Belongs here: arithmetic of telemetry_view.py. Does not: the documents (core/test_telemetry.py).
"""

from __future__ import annotations

from random import Random

from rrgate.telemetry_view import _average


def test_averages_are_those_that_round_answers_ties_too() -> None:
    chance = Random(1)
    for many in (1, 2, 3, 7, 50, 1000, 9999):
        ties = [(100 * chance.randrange(10_000) + 50) * many for _ in range(300)]
        for time in (0, 1, *ties, *(tie + 1 for tie in ties), *(chance.randrange(10**10) for _ in range(300))):
            assert _average(time, many) == round(time / many / 1_000_000, 4), (time, many)
