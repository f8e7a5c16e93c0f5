"""The small values that a plugin declares: its place in the chain, the body it needs, the names it reads.

Belongs here: these values. Does not: the contract (api.py). For plugins: from `rrgate.api`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from attrs import field, frozen

from rrgate.names import fold


class Kind(IntEnum):
    """What a plugin is for, which fixes its place: phases run in this order, and answers in the reverse."""

    GATE = 10
    CALLER = 20
    RULES = 30
    LIMIT = 40
    FILTER = 50
    METER = 60
    DATA = 70
    QUERY = 80
    HEADERS = 90
    OWN = 100
    """A proxy's own plugins, in the order it lists them."""
    CREDENTIAL = 110
    """The target credential: last, and winning."""
    RESPONSE_SIZE = 120
    RETRY = 130
    LOG = 140


@frozen
class BodyNeed:
    """How much of the caller's body a plugin needs before `prepare`: nothing (None), or all up to `limit` bytes.

    Of every request; `body_needed` decides for each. A body over the smallest `limit` of a chain answers 413.
    """

    limit: int | None = None


def _folded(names: Iterable[bytes | str]) -> frozenset[bytes]:
    return frozenset(fold(name if isinstance(name, bytes) else name.encode()) for name in names)


@frozen
class Consumes:
    """Header and query names that a caller's credential *could* be read from.

    The core cuts them from every request, used or not, whatever the plugin does (gateway-api.md 3).
    """

    headers: frozenset[bytes] = field(factory=frozenset, converter=_folded)
    parameters: frozenset[bytes] = field(factory=frozenset, converter=_folded)

    def __or__(self, other: Consumes) -> Consumes:
        """What either of the two has."""
        return Consumes(self.headers | other.headers, self.parameters | other.parameters)
