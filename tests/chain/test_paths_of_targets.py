"""Paths are judged as the target's own settings say, before anything is sent.

Belongs here: that the settings reach the judgement. Does not: the judgement (tests/test_paths.py).
"""

from __future__ import annotations

from typing import Any

import pytest

from rrgate.testing import MemoryGateway


@pytest.mark.parametrize(
    ("target", "path", "status"),
    [
        ({}, "/a%2Fb", 200),
        ({"targetStrictPath": True}, "/a%2Fb", 400),
        ({}, "/a%5Cb", 400),
        ({"targetRawPaths": True}, "/a%5Cb", 200),
    ],
)
def test_what_a_target_takes_is_sent_and_nothing_else(target: dict[str, Any], path: str, status: int) -> None:
    gateway = MemoryGateway()
    call = gateway.call("GET", gateway.proxy(target=target), path)
    assert call.answer.status == status
    assert [asked.path for asked in gateway.target.received] == ([path] if status == 200 else [])
