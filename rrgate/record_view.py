"""A row of the request log as the documents of core-api.md 9: what the Core API shows, and plugins are told.

Belongs here: the published form of a record. Does not: what is kept of a request (record.py), redaction (redaction.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from operator import itemgetter
from typing import Any, Final

import orjson

from rrgate.checks import as_document
from rrgate.countries import UNKNOWN
from rrgate.exchange import Exchange
from rrgate.record import Facts, encode, snapshot
from rrgate.redaction import REDACTED, Kept
from rrgate.store.log_rows import ListedRow, LogRow

Document = dict[str, Any]

FIRST_BYTE: Final = "first byte"
"""The step at which the target's answer began."""

_MOMENT: Final = itemgetter(1)
_FACTS: Final = len(Facts._fields)
_EXACT: Final = 1e12
"""Millionths of a second, 11 days: of more, a product could be off by a thousandth of one."""
_NO_FRACTION: Final = 1.5 * 2**52

MOST_REMEMBERED: Final = 12 * 1024 * 1024
"""Bytes: some 4,000 records."""
_NOTED: Final = 100
"""Bytes that a number takes in a set."""
_KEPT: Final = 700
"""Bytes of a row and its text besides `facts` and the text."""
_Whose = tuple[str, str, int]


def published(row: LogRow, keeps: Callable[[str], int] = lambda client_id: 90) -> tuple[Document, Document]:
    """The record that lists show, and the flat view that the single view adds. On any thread; about 11 µs.

    `keeps`: for how many days a client's requests are kept.
    """
    facts = Facts(*orjson.loads(row.facts))
    record = _record(row, keeps(row.client_id))
    ended = max(facts.answered_at, facts.response_at, facts.sent_at, facts.started)
    detail = {
        "method": row.method,
        "path": facts.path,
        "statusCode": row.status,
        "duration": round((ended - facts.started) * 1000),
        "requestHeaders": _shown(facts.request_headers),
        "responseHeaders": _shown(facts.answer_headers),
    }
    return record, detail


@lru_cache(maxsize=1024)
def checks_written(checks: int) -> Any:
    """What `as_document` answers, as JSON that orjson puts in as it is: a third of a record's length."""
    return orjson.Fragment(orjson.dumps(as_document(checks)))


def listing(
    proxy_id: str, client_id: str, days: int = 90, checks_shown: Callable[[int], Any] = as_document
) -> Callable[[ListedRow], Document]:
    """Makes the records of a proxy that lists show. There may be a thousand: 5 µs each, of which reading the row's JSON
    takes a third.

    `days`: for which the client's requests are kept. `checks_shown`: `as_document`, or `checks_written` where all that
    becomes of the records is JSON.
    """
    seconds = days * 86400

    def listed(row: ListedRow) -> Document:
        _, request_id, processed_at, method, status, text = row
        facts = orjson.loads(text)
        if len(facts) < _FACTS:
            facts = Facts(*facts)  # of an older version
        (
            wall_started,
            started,
            sent_at,
            response_at,
            answered_at,
            timeline,
            path,
            user_id,
            checks,
            attempt,
            message,
            rule_id,
            credential_id,
            claims,
            target_status,
            location,
            request_headers,
            parameters,
            _,  # headers of the answer
            country,
            processed,
        ) = facts
        target_data = None
        ended = answered_at
        if not answered_at >= response_at >= sent_at >= started:
            ended = max(answered_at, response_at, sent_at, started)
        if response_at:
            # It follows from another fact, and so is not in the row.
            timeline.append((FIRST_BYTE, response_at))
            if len(timeline) > 1 and timeline[-2][1] > response_at:
                timeline.sort(key=_MOMENT)
        if sent_at:
            target_data = {
                "sentAt": int((wall_started + sent_at - started) * 1000),
                "receivedAt": int((wall_started + response_at - started) * 1000) if response_at else None,
                "duration": _seconds(response_at - sent_at) if response_at else None,
                "status": target_status or None,
                "location": location,
            }
        return {
            "pKey": proxy_id,
            "sKey": request_id,
            "userId": user_id,
            "clientId": client_id,
            "parentId": proxy_id,
            "processed": processed,
            "processedAt": processed_at,
            "TTL": processed_at // 1000 + seconds,
            "proxyData": {
                "stage": "prod",
                "method": method,
                "apiPath": path,
                "receivedAt": processed_at,
                "sentAt": int((wall_started + answered_at - started) * 1000) if answered_at else None,
                "duration": _seconds(ended - started),
                "status": status,
                "message": "Request logged" if message is None else message,
                "arnBase": "",
                "apiHeaders": _shown(request_headers),
                "apiParams": _shown(parameters),
            },
            "targetData": target_data,
            "validationData": checks_shown(checks),
            "credentialId": credential_id,
            "ruleId": rule_id,
            "country": country,
            "tokenClaims": claims or {},
            "attempts": attempt if sent_at else 0,
            # `_seconds`, spelled out: a call for each would take half as long as all of this.
            "timeline": [
                {
                    "step": step,
                    "at": nearest / 1_000_000
                    if 0 <= (millionths := (at - started) * 1_000_000) < _EXACT
                    and -0.499 < millionths - (nearest := millionths + _NO_FRACTION - _NO_FRACTION) < 0.499
                    else round(at - started, 6),
                }
                for step, at in timeline
            ],
        }

    return listed


class WrittenRecords:
    """The records that lists show, for JSON alone. The texts of those that are asked for again are remembered.

    Who shows a log asks for its newest page every few seconds. A record that is asked for a second time is written by
    itself, and kept with its row, from which it follows: 1 µs in place of 8. The first time it is only noted, since to
    write it by itself takes a quarter longer; where a whole page is new, that is all that is done besides.
    """

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        """`most`: bytes of what is kept, about; it is begun anew when it would be more."""
        self._most = most
        self._size = 0
        self._noted: set[int] = set()
        self._known: dict[int, tuple[ListedRow, _Whose, orjson.Fragment]] = {}

    def of(
        self, proxy_id: str, client_id: str, days: int, rows: Sequence[ListedRow]
    ) -> Iterator[Document | orjson.Fragment]:
        """As `listing` makes each of `rows`, when it is asked for. Not to be called by several threads at once."""
        listed = listing(proxy_id, client_id, days, checks_written)
        ids = [row[0] for row in rows]
        if self._noted.isdisjoint(ids):
            self._note(ids)
            return map(listed, rows)
        return map(partial(self._written, listed, (proxy_id, client_id, days)), rows)

    def _written(
        self, listed: Callable[[ListedRow], Document], whose: _Whose, row: ListedRow
    ) -> Document | orjson.Fragment:
        row_id, *_, facts = row
        known = self._known.get(row_id)
        if known is not None and known[0] == row and known[1] == whose:
            return known[2]
        if row_id not in self._noted:
            self._note((row_id,))
            return listed(row)
        text = orjson.dumps(listed(row))
        self._make_room(len(facts) + len(text) + _KEPT)
        fragment = orjson.Fragment(text)
        self._known[row_id] = row, whose, fragment
        return fragment

    def _note(self, ids: Sequence[int]) -> None:
        self._make_room(_NOTED * len(ids))
        self._noted.update(ids)

    def _make_room(self, size: int) -> None:
        self._size += size
        if self._size > self._most:
            self._known.clear()
            self._noted.clear()
            self._size = size


class RecordOf(Mapping[str, object]):
    """The record of a finished Exchange as lists show it, for plugins; made when it is first read.

    Most that see a request's end never look, and it costs the reactor's thread 40 µs. Reading raises whatever an odd
    request makes it raise.
    """

    __slots__ = ("_country", "_ex", "_made")

    def __init__(self, ex: Exchange, country: Callable[[str], str] = lambda address: UNKNOWN) -> None:
        """`country`: where an address is."""
        self._ex = ex
        self._country = country
        self._made: Document | None = None

    def __getitem__(self, name: str) -> object:
        return self._document[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._document)

    def __len__(self) -> int:
        return len(self._document)

    @property
    def _document(self) -> Document:
        if self._made is None:
            self._made = _record(encode(snapshot(self._ex), self._country(self._ex.caller_address)))
        return self._made


def _record(row: LogRow, days: int = 90) -> Document:
    listed = listing(row.proxy_id, row.client_id, days)
    return listed((0, row.request_id, row.processed_at, row.method, row.status, row.facts.encode()))


def _shown(kept: Kept) -> Kept:
    """The same, changed."""
    for name, value in kept.items():
        if value is None:
            kept[name] = REDACTED
    return kept


def _seconds(duration: float) -> float:
    """To six places: what `round` answers, which takes three times as long, of what is near no tie."""
    millionths = duration * 1_000_000
    # A float this large has no bits left for a fraction: adding it rounds, taking it away leaves what was rounded.
    nearest = millionths + _NO_FRACTION - _NO_FRACTION
    if 0 <= millionths < _EXACT and -0.499 < millionths - nearest < 0.499:
        return nearest / 1_000_000
    return round(duration, 6)
