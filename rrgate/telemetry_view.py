"""Spans of telemetry as the documents of core-api.md 10.

Belongs here: the published form. Does not: the maps in it (store/span_maps.py), what is counted (tally.py), tables
(store/telemetry.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

import orjson

from rrgate.store.counts import Counts, moment_of
from rrgate.store.span_maps import counts_of, maps, maps_stored
from rrgate.store.telemetry import Span

_MOST_WRITTEN: Final = 12 * 1024 * 1024


class _Written:
    """What became of spans' counts that are stored without their maps: those that are over change no more, and who
    looks at telemetry looks again.

    It follows from the counts alone, so that it does not matter whose they are. Begun anew when it has `most` bytes.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._known: dict[bytes, bytes] = {}

    def __call__(self, stored: bytes) -> bytes:
        known = self._known.get(stored)
        if known is None:
            known = maps(counts_of(orjson.loads(stored)))
            size = len(stored) + len(known)
            if self._size + size > self._most:
                self._known.clear()
                self._size = 0
            self._known[stored] = known
            self._size += size
        return known


_written: Final = _Written(_MOST_WRITTEN)


def telemetry_shown(scope: str, interval: str, spans: Iterable[Span], proxy_id: str | None) -> Iterator[bytes]:
    """The JSON of each span, in the order given. `proxy_id`: None for a client's. On any thread."""
    begin = b'{"pKey":%b,"sKey":"' % orjson.dumps(scope)
    then = b'","proxyId":%b,' % orjson.dumps(proxy_id)
    for span, counts in spans:
        yield b"%b%b%b%b" % (begin, _key(interval, span).encode(), then, _maps(counts))


def _maps(counts: Counts | bytes) -> bytes:
    if isinstance(counts, bytes):
        return maps_stored(counts) or _written(counts)
    return maps(counts)


def _key(interval: str, span: int) -> str:
    day = _day(span // 1440)
    match interval:
        case "minute":
            return f"{day}-{span // 60 % 24:02d}-{span % 60:02d}"
        case "hour":
            return f"{day}-{span // 60 % 24:02d}"
        case "day":
            return day
        case _:
            return day[:-3]


@lru_cache(maxsize=1024)
def _day(day: int) -> str:
    return moment_of(day * 1440).strftime("%Y-%m-%d")
