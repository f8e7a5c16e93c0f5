"""What auth types keep of credentials (rrgate.state_values), in rrgate.db, and the lock for changing it.

Belongs here: the rows, compare-and-set, the lock's file. Does not: sealing (credential_state.py), waiting for the lock.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

from attrs import frozen

from rrgate.store.folder import make_private, try_lock

LOCKS: Final = "locks"
"""The folder of the locks' files, in the data directory."""


@frozen
class Revised:
    """A sealed value and its revision."""

    sealed: bytes
    revision: int


def read_state(connection: sqlite3.Connection, credential_id: str, secret_version: int) -> Revised | None:
    """What is kept for this version of the credential's secret, if anything."""
    row = connection.execute(
        "SELECT sealed, revision FROM credential_states WHERE id = ? AND secret_version = ?",
        (credential_id, secret_version),
    ).fetchone()
    return None if row is None else Revised(row[0], row[1])


def write_state(
    connection: sqlite3.Connection, credential_id: str, secret_version: int, sealed: bytes, revision: int
) -> int | None:
    """Inside a transaction: put `sealed` in the place of what has `revision` (0: of nothing), and answer its own.

    None, with nothing changed, if something else is there, or the credential has a newer secret, or is no more. What
    was kept for older secrets goes.
    """
    found = connection.execute(
        "SELECT secret_version, revision FROM credential_states WHERE id = ?", (credential_id,)
    ).fetchone()
    known = connection.execute("SELECT client_id FROM credentials WHERE id = ?", (credential_id,)).fetchone()
    version, present = (secret_version, 0) if found is None else found
    if known is None or version > secret_version or revision != (present if version == secret_version else 0):
        return None
    connection.execute(
        "INSERT INTO credential_states (id, client_id, secret_version, revision, sealed) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET secret_version = excluded.secret_version, "
        "revision = excluded.revision, sealed = excluded.sealed",
        (credential_id, *known, secret_version, revision + 1, sealed),
    )
    return revision + 1


def try_state_lock(data: Path, credential_id: str) -> int | None:
    """The lock of a credential's state, to be given to `free_state_lock`; None while somebody else has it.

    The kernel frees it when the process ends, however that is.
    """
    folder = data / LOCKS
    make_private(folder)
    return try_lock(folder / credential_id)


def free_state_lock(data: Path, credential_id: str, handle: int) -> None:
    """Free what `try_state_lock` answered. Whoever opens its file meanwhile looks whether it is still there."""
    with suppress(OSError):  # one that stays is locked again by whoever needs it
        (data / LOCKS / credential_id).unlink(missing_ok=True)
    os.close(handle)
