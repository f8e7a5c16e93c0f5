"""The hop counter towards targets is the gateway's alone, however its prefix is spelled.

Belongs here: that nobody writes a second one. Does not: refusing loops (tests/gateway/test_refusals.py).
"""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from rrgate.messages import TargetRequest
from rrgate.wire.target_head import target_head


@pytest.mark.parametrize("prefix", [b"requestrocket-", b"X-RR-", b"x_rr-"])
@pytest.mark.parametrize("spell", [bytes.lower, bytes.upper, lambda name: name.replace(b"-", b"_")])
def test_an_injected_counter_does_not_stand_beside_ours(prefix: bytes, spell: object) -> None:
    request = TargetRequest(b"GET", b"/", b"", b"", [])
    request.set_header(spell(prefix + b"hops"), b"0")  # type: ignore[operator]
    request.set_header(b"X-Other", b"1")
    head, _ = target_head(request, Mock(authority=b"t"), None, prefix + b"hops", 2)
    assert head == b"GET / HTTP/1.1\r\nHost: t\r\nX-Other: 1\r\n%bhops: 2\r\n\r\n" % prefix
