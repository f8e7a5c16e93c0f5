"""Callbacks: what a caller's server is told of the end of a request, and by which signature it knows who tells it.

Belongs here: which URL may be called, the message, its row in the queue, its signature (Standard Webhooks 1.0). Does
not: calling (calling_back.py), secrets at rest (store/).
"""

from __future__ import annotations

import hmac
import re
import sqlite3
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from twisted.logger import Logger

from rrgate.delivery.kept import Answer, Seals, body_row, callback_row, head_row
from rrgate.delivery.many_rows import marks, pieces
from rrgate.delivery.new_rows import NewRow, insert
from rrgate.delivery.states import WINDOW, accepted
from rrgate.delivery.table import Row
from rrgate.ids import new_id
from rrgate.model.hosts import address_of, allows
from rrgate.model.times import format_milliseconds
from rrgate.model.urls import base_url
from rrgate.store.errors import SecretError

LONGEST_URL: Final = 2000
SECRET_PREFIX: Final = b"whsec_"
_QUERY: Final = re.compile(r"[A-Za-z0-9\-._~%!$&'()*+,;=:@/?]*\Z")
CALLBACKS: Final = "callbacks/"
"""What the lane of a proxy's callbacks begins with; its id follows. They wait for no request of it."""

_log = Logger("rrgate.delivery")


class NotCallable(Exception):
    """A URL that may not be called; the text says why, and does not quote it."""


def check_url(values: Sequence[bytes], hosts: Iterable[str]) -> str | None:
    """The URL in the field of a request's, None where there is none. `hosts`: those that may be called.

    Raises NotCallable.
    """
    if not values:
        return None
    if len(values) > 1:
        raise NotCallable("must be given once")
    url = values[0].decode("latin-1").strip(" \t")
    plain, _, query = url.partition("?")
    try:
        if len(url) > LONGEST_URL or not url.isascii() or not _QUERY.match(query):
            raise ValueError
        base_url(plain)
        if urlsplit(plain).scheme.lower() != "https":
            raise NotCallable("must begin with https://")
    except ValueError:
        raise NotCallable(
            f"must be a URL of at most {LONGEST_URL} characters, https://host/path, without user name and fragment"
        ) from None
    if not allows(tuple(hosts), address_of(plain)):
        raise NotCallable("names a host that is not in proxyCallbackHosts")
    return url


def message(row: Row, status: int | None, answer: Answer | None) -> bytes:
    """What is told of a request that is over. `status`: of its last answer. `answer`: where its body is told too."""
    state = row.progress.state.value
    data: dict[str, Any] = {
        "requestId": row.request_id,
        "proxyId": row.proxy_id,
        "state": state,
        "status": status,
        "attempts": row.progress.attempts,
        "message": row.problem,
    }
    if answer is not None:
        try:
            data["body"] = answer.body.decode("utf-8")
        except UnicodeDecodeError:
            data["bodyBase64"] = b64encode(answer.body).decode()
    assert row.ended_at is not None
    return orjson.dumps({"type": f"request.{state}", "timestamp": format_milliseconds(row.ended_at), "data": data})


def with_callbacks(connection: sqlite3.Connection, ids: Sequence[int]) -> list[int]:
    """Those of these requests whose callers want to be told of their end."""
    return [
        id
        for some in pieces(ids)
        for (id,) in connection.execute(f"SELECT request FROM callbacks WHERE request IN {marks(len(some))}", some)
    ]


def add_callback(
    connection: sqlite3.Connection, seals: Seals, row: Row, status: int | None, answer: Answer | None, now: int
) -> bool:
    """Put the call that tells of the end of `row` into the queue, if its caller wants one; whether that is so."""
    found = connection.execute("SELECT url FROM callbacks WHERE request = ?", (row.id,)).fetchone()
    if found is None:
        return False
    id = new_id()
    try:
        url = seals.unseal(row.client_id, callback_row(row.request_id), found[0])
        head = seals.seal(row.client_id, head_row(id), url)
        body = seals.seal(row.client_id, body_row(id), message(row, status, answer))
    except SecretError as error:
        _log.error("nobody is called back for request {id}: {error}", id=row.request_id, error=error)
        return False
    call = NewRow(
        id,
        CALLBACKS + row.proxy_id,
        row.client_id,
        b"",
        now,
        accepted(now, delay=0, window=WINDOW, repeatable=True),
        head,
        body,
        row.id,
    )
    insert(connection, call)
    return True


def signed(id: str, seconds: int, body: bytes, secrets: Iterable[bytes]) -> dict[str, str]:
    """The fields of a call at this time, since the epoch: one signature for each of `secrets` (`whsec_…`)."""
    content = f"{id}.{seconds}.".encode() + body
    signatures = [
        "v1," + b64encode(hmac.digest(b64decode(secret.removeprefix(SECRET_PREFIX)), content, sha256)).decode()
        for secret in secrets
    ]
    return {
        "Content-Type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(signatures),
    }
