"""Callers' `Idempotency-Key`s: a request that comes a second time is the first one, and is not taken twice.

Belongs here: what a key is of, and remembering it for a day. Does not: the key's way to the target (courier.py).
"""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Final

from attrs import frozen

REMEMBERED: Final = 86_400_000
"""Milliseconds."""
MOST_REMOVED: Final = 1000


class AnotherRequest(Exception):
    """The key was used for a request that was not the same."""


@frozen
class Key:
    """A caller's key, and what its request was: hashes, of which neither tells what it was made of."""

    key: bytes
    digest: bytes

    @classmethod
    def of(cls, values: list[bytes], method: bytes, path: bytes, query: bytes, body: bytes) -> Key | None:
        """`values`: of the field; None where there is none."""
        if not values:
            return None
        digest = hashlib.sha256()
        for part in (method, path, query, body):
            digest.update(b"%d " % len(part) + part)
        return cls(hashlib.sha256(b", ".join(values)).digest(), digest.digest())


def taken_before(
    connection: sqlite3.Connection, key: Key, proxy_id: str, identity: bytes, now: int
) -> str | None:
    """The id of the request that had this key of this caller; None if none had. Raises AnotherRequest."""
    found = connection.execute(
        "SELECT request_id, digest FROM keys WHERE proxy_id = ? AND identity = ? AND key = ? AND until > ?",
        (proxy_id, identity, key.key, now),
    ).fetchone()
    if found is None:
        return None
    if found[1] != key.digest:
        raise AnotherRequest
    return str(found[0])


def remember(
    connection: sqlite3.Connection, key: Key, proxy_id: str, identity: bytes, request_id: str, now: int
) -> None:
    """It is `request_id`'s from now on."""
    connection.execute(
        "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?, ?)",
        (proxy_id, identity, key.key, request_id, key.digest, now + REMEMBERED),
    )


def forget_old(connection: sqlite3.Connection, now: int) -> int:
    """Remove some of those that are too old; how many."""
    return connection.execute(
        "DELETE FROM keys WHERE (proxy_id, identity, key) IN "
        "(SELECT proxy_id, identity, key FROM keys WHERE until <= ? LIMIT ?)",
        (now, MOST_REMOVED),
    ).rowcount
