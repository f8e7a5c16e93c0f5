"""`notice_gone`: has the system look for peers that are gone without a word, where nobody waits for anything of theirs.

Belongs here: TCP's keep-alive. Does not: time limits, which end whatever is waited for (server.py, target_answer.py).
"""

from __future__ import annotations

import socket
from typing import Final

SILENCE: Final = 60
"""Seconds without a byte after which a peer is asked whether it is there."""
BETWEEN: Final = 15
"""Seconds between questions."""
UNANSWERED: Final = 4
"""Questions in a row without an answer after which it is gone."""

_INTERNET: Final = (socket.AF_INET, socket.AF_INET6)


def notice_gone(transport: object) -> None:
    """End the connection of `transport` when its peer is gone; if it listens, that of each peer that it accepts.

    An event stream may be silent for as long as it likes: a caller whose machine went down would have it for ever. Who
    is accepted inherits this from the listening socket, at no cost. Does nothing where there is no socket of TCP.
    """
    looked_after = getattr(transport, "socket", None)
    if isinstance(looked_after, socket.socket) and looked_after.family in _INTERNET:
        looked_after.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        looked_after.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, SILENCE)
        looked_after.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, BETWEEN)
        looked_after.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, UNANSWERED)
