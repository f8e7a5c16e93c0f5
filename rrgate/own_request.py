"""`own_request`: an Exchange that the gateway makes itself, with no caller behind it.

Belongs here: what it is before any step. Does not: its way (trial.py).
"""

from __future__ import annotations

from typing import Final

from rrgate.body import Body
from rrgate.exchange import Exchange
from rrgate.ids import new_id

_FIELDS: Final = ((b"accept", b"Accept", b"*/*"), (b"user-agent", b"User-Agent", b"rrgate"))


def own_request(method: bytes, target: bytes, started: float, wall_started: float) -> Exchange:
    """An Exchange for `method` and `target` (origin-form), without a body; nobody waits at its door.

    `started`: seconds of the monotonic clock; `wall_started`: seconds since the epoch.
    """
    return Exchange(
        new_id(), method, target, list(_FIELDS), Body.of(b""), 0, False, "", started, wall_started, NoDoor()
    )


class NoDoor:
    """Nobody is answered."""

    def begin(
        self,
        status: int,
        reason: bytes,
        fields: list[tuple[bytes, bytes]],
        length: int | None,
        first: bytes,
        last: bool,
        close: bool,
    ) -> None:
        """Nothing."""

    async def write(self, data: bytes) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""

    def abort(self) -> None:
        """Nothing."""
