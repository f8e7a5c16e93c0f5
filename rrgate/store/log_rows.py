"""What the request log writes of a request, and what it answers: rows, bodies, and pages of records.

Belongs here: their form. Does not: writing and reading them (request_log.py), what a row says (rrgate/record.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from attrs import frozen

Document = dict[str, Any]


class LogRow(NamedTuple):
    """A finished request. `processed_at`: milliseconds since the epoch. `facts`: JSON that means nothing here."""

    proxy_id: str
    request_id: str
    client_id: str
    processed_at: int
    method: str
    status: int
    facts: str


class BodyRow(NamedTuple):
    """The bodies of a request that is in the log, sealed."""

    request_id: str
    client_id: str
    sealed: bytes


ListedRow = tuple[int, str, int, str, int, bytes]
"""A LogRow with the row's id in place of those of proxy and client, which all have in common."""


@frozen
class RequestPage:
    """Records, newest first, as documents or as what JSON is made of; `next_cursor` leads to the next page, and is None
    on the last."""

    number: int
    requests: Iterable[Any]
    next_cursor: str | None
