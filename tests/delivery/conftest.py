"""What the tests of the delivery share: waits between attempts that are drawn anew for each test, always the same, and
never so short that nobody sees them."""

from __future__ import annotations

import random

import pytest

from rrgate_plugins.backoff import Backoff


@pytest.fixture(autouse=True)
def same_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = random.Random(20_260_711)
    monkeypatch.setattr(Backoff, "random", staticmethod(lambda: drawn.uniform(0.2, 1.0)))
