"""Fills a log with what a gateway would have written in months: millions of rows, and a year of telemetry.

Belongs here: made-up history. Does not: measuring how it is read and removed (log.py).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
from twisted.internet.interfaces import IReactorFromThreads
from zope.interface import implementer

from rrgate.ids import id_source
from rrgate.store import LogRow, RequestLog
from rrgate.store.counts import Counts, span_of
from rrgate.store.database import transaction
from rrgate.store.span_maps import stored

DAYS = 90
"""Rows are spread evenly over so many days, and telemetry's minutes and hours over what is kept of them."""
PROXIES = 20
"""The first has half of the rows, and the others the other half."""
RARE_EVERY = 50_000
"""One more proxy has a row in so many."""
_KEPT = (7, DAYS, 365, 365)
"""Days of telemetry by interval."""
_STEPS = (1, 60, 1440, 1440)
_BATCH = 5000
_STATUSES = (200,) * 900 + (404,) * 60 + (401,) * 25 + (429,) * 10 + (502,) * 4 + (504,)
_METHODS = ("GET",) * 800 + ("POST",) * 150 + ("PUT",) * 40 + ("DELETE",) * 10


@implementer(IReactorFromThreads)
class _Nowhere:
    """Nobody waits for anything here."""

    def callFromThread(self, callable: Callable[..., Any], *args: object, **kwargs: object) -> None:
        pass


def fill(data: Path, client: str, first_proxy: str, rare_proxy: str, rows: int) -> list[str]:
    """Write the history into the log of a gateway that is not running; answers the ids of some requests of
    `first_proxy`."""
    log = RequestLog.open(data, _Nowhere(), lambda row: ({}, {}))
    chance = random.Random(1)
    proxies = [first_proxy, *(f"{number:08x}-0000-4000-8000-000000000000" for number in range(1, PROXIES))]
    some: list[str] = []
    for batch in _rows(client, proxies, rare_proxy, rows, chance):
        log.append(batch)
        some.extend(row.request_id for row in batch[:2] if row.proxy_id == first_proxy)
    for scope in (client, *proxies):
        _telemetry(log, scope, chance)
    log.close()
    log._thread._thread.join()
    return some


def _rows(
    client: str, proxies: list[str], rare: str, rows: int, chance: random.Random
) -> Iterator[list[LogRow]]:
    start, step = time.time() - DAYS * 86400 + 600, (DAYS * 86400 - 1200) / rows
    now = start
    next_id = id_source(lambda: now)
    batch = []
    for number in range(rows):
        now = start + number * step
        status = chance.choice(_STATUSES)
        proxy = proxies[0] if number & 1 else chance.choice(proxies) if number % RARE_EVERY else rare
        facts = orjson.dumps(_facts(now, status, client)).decode()
        batch.append(LogRow(proxy, next_id(), client, int(now * 1000), chance.choice(_METHODS), status, facts))
        if len(batch) == _BATCH or number == rows - 1:
            yield batch
            batch = []


def _facts(at: float, status: int, user: str) -> tuple[object, ...]:
    """As rrgate/record.py writes them, of a request with nine header fields."""
    headers = dict.fromkeys(("host", "authorization", "x-api-key", "x-request-id", "referer"))
    clear = {"accept": "*/*", "user-agent": "curl/8.5.0", "content-type": "application/json", "content-length": "817"}
    answer = {"Content-Type": "application/json", "requestrocket-proxy-code": "proxy-access-granted", "etag": None}
    timeline = [("authenticate", 12345.678), ("connect", 12345.679), ("first byte", 12345.7)]
    return (
        at, 12345.678, 12345.679, 12345.7, 12345.701, timeline, f"/v1/customers/{int(at)}", user, (1 << 18) - 1, 1,
        None if status == 200 else "Refused", None, user, {"sub": "somebody"}, status, None,
        {**headers, **clear}, {"page": "1", "key": None}, answer, "NZ", True,
    )  # fmt: skip


def _telemetry(log: RequestLog, scope: str, chance: random.Random) -> None:
    """A span for every minute, hour, day and month that is kept, as a busy proxy would have them."""
    now = int(time.time() // 60)
    for interval, days in enumerate(_KEPT):
        spans = {span_of(interval, minute) for minute in range(now - days * 1440, now, _STEPS[interval])}
        rows = [(scope, interval, span, _counts(chance)) for span in sorted(spans)]
        with transaction(log._writer) as connection:
            connection.executemany("INSERT OR REPLACE INTO telemetry VALUES (?, ?, ?, ?)", rows)


def _counts(chance: random.Random) -> str:
    def some(most: int) -> list[int]:
        many = chance.randrange(1, most)
        return [many, int(many * chance.uniform(20_000, 90_000))]

    codes = {f"{code}:{leg}": some(9000) for code in (200, 404, 401, 429, 502) for leg in _LEGS}
    number = sum(many for key, (many, _) in codes.items() if key.endswith("proxy"))
    countries = {f"{country}:{leg}": some(max(2, number // 10)) for country in _COUNTRIES for leg in _LEGS}
    return stored(Counts(number, 0.2, chance.uniform(0.02, 0.09), codes, countries))


_LEGS = ("proxy", "target")
_COUNTRIES = [a + b for a in "ABCDE" for b in "WXYZ"]
