"""What the watchdog tells, and how often.

Belongs here: rrgate/watchdog.py without a gateway. Does not: blocking a real one (test_faulty_plugins.py).
"""

from __future__ import annotations

import pytest

from rrgate.watchdog import EVENT_SECONDS, Blocked, Watchdog


@pytest.mark.parametrize(
    ("blocked", "says", "subject"),
    [
        (
            Blocked("acme", "prepare", "acme.py:3 in prepare", 0.2504),
            "plugin 'acme' in prepare has been keeping the reactor from turning for 250 ms, at acme.py:3 in prepare",
            "acme prepare",
        ),
        (
            Blocked("", "", "x.py:3 in f", 1.5, over=True),
            "something kept the reactor from turning for 1500 ms, at x.py:3 in f",
            "x.py:3 in f",
        ),
    ],
)
def test_what_it_says(blocked: Blocked, says: str, subject: str) -> None:
    assert (str(blocked), blocked.subject) == (says, subject)


def test_one_subject_is_told_once_in_a_while() -> None:
    watchdog = Watchdog(None, 0.25, print)
    told = [watchdog._is_new(subject, now) for subject, now in (("a", 0), ("a", 1), ("b", 1), ("a", EVENT_SECONDS))]
    assert told == [True, False, True, True]
