"""Spans of telemetry as the documents of core-api.md 10.

Belongs here: the published form. Does not: the maps in it (store/span_maps.py), what is counted (tally.py), tables
(store/telemetry.py).
"""

from __future__ import annotations

from collections.abc import Iterable
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


def telemetry_shown(
    scope: str, interval: str, spans: Iterable[Span], proxy_id: str | None
) -> list[bytes | memoryview]:
    """The JSON of the spans, in the order given, with commas between them, in pieces: to put those of each together
    would take as long as to put all together. `proxy_id`: None for a client's. On any thread."""
    begin = b'{"pKey":%b,"sKey":"' % orjson.dumps(scope)
    next_begins = b"," + begin
    then = b'","proxyId":%b,' % orjson.dumps(proxy_id)
    pieces: list[bytes | memoryview] = []
    for span, counts in spans:
        pieces += (begin, *_key(interval, span), then, _maps(counts))
        begin = next_begins
    return pieces


def _maps(counts: Counts | bytes) -> bytes | memoryview:
    if isinstance(counts, bytes):
        return maps_stored(counts) or _written(counts)
    return maps(counts)


def _key(interval: str, span: int) -> tuple[bytes, bytes]:
    """In two pieces, of which the first is that of many."""
    match interval:
        case "minute":
            return _hour(span // 60), _MINUTES[span % 60]
        case "hour":
            return _hour(span // 60), b""
        case "day":
            return _day(span // 1440), b""
        case _:
            return _day(span // 1440)[:-3], b""


_MINUTES: Final = [b"-%02d" % minute for minute in range(60)]


@lru_cache(maxsize=2048)
def _hour(hour: int) -> bytes:
    return b"%b-%02d" % (_day(hour // 24), hour % 24)


@lru_cache(maxsize=1024)
def _day(day: int) -> bytes:
    return moment_of(day * 1440).strftime("%Y-%m-%d").encode()
