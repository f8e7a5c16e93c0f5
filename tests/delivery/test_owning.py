"""Which process delivers: the one that has the lock; who cannot take it for now may ask again.

Belongs here: the lock, in one process. Does not: taking over from one that dies (tests/processes/test_delivery.py).
"""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from rrgate.delivery.owning import DeliveryLock
from rrgate.testing import operator_log


def test_one_has_it_until_it_is_free(tmp_path: Path) -> None:
    path = tmp_path / "delivery.lock"
    one, other = DeliveryLock(path), DeliveryLock(path)
    assert one.take()
    assert one.take()
    assert not other.take()
    one.free()
    assert other.take()
    other.free()


def test_who_cannot_open_it_for_a_while_may_ask_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = DeliveryLock(tmp_path / "delivery.lock")

    def refused(path: Path) -> int:
        raise OSError(errno.EMFILE, "Too many open files", str(path))

    with operator_log() as log:
        with monkeypatch.context() as patch:
            patch.setattr("rrgate.delivery.owning.try_lock", refused)
            assert [lock.take() for _ in range(3)] == [False] * 3
        assert lock.take()
    assert log.text.count("Too many open files") == 1, "not at each try"
    lock.free()


def test_one_that_can_never_be_opened_is_told_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "delivery.lock"
    path.symlink_to(path)
    with pytest.raises(OSError, match=r"delivery\.lock"):
        DeliveryLock(path)
