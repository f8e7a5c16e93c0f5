"""Which columns of rrgate.db hold something encrypted, as tables: what a rotation re-wraps, and what a check opens.

Belongs here: every such column (a test compares this with the schema). Does not: encryption itself (secrets.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Final

from attrs import frozen

from rrgate.store.errors import BrokenSecret
from rrgate.store.sealed_parts import unpack
from rrgate.store.secrets import (
    WrappedKey,
    callback_row,
    client_certificate_row,
    credential_row,
    data_key_identity,
    instance_identity,
    plugin_row,
    previous_callback_row,
    previous_row,
    state_row,
)


@frozen
class WrappedTable:
    """A table of keys that the master key wraps, in `wrapped` and `master_key_id`.

    `key`: its primary key. `identity`: what the key in a row is bound to.
    """

    name: str
    key: str
    identity: Callable[[str], bytes]

    def under_others(
        self, connection: sqlite3.Connection, master_key_id: str, most: int
    ) -> Iterator[tuple[str, WrappedKey]]:
        """(row, key) of at most `most` rows that are not under that master key."""
        rows = connection.execute(
            f"SELECT {self.key}, wrapped, master_key_id FROM {self.name} WHERE master_key_id <> ? LIMIT ?",
            (master_key_id, most),
        )
        return ((name, WrappedKey(wrapped, under)) for name, wrapped, under in rows.fetchall())

    def every(self, connection: sqlite3.Connection) -> Iterator[tuple[str, WrappedKey]]:
        """(row, key) of every row."""
        rows = connection.execute(f"SELECT {self.key}, wrapped, master_key_id FROM {self.name}")
        return ((name, WrappedKey(wrapped, under)) for name, wrapped, under in rows.fetchall())

    def put(self, connection: sqlite3.Connection, row: str, wrapped: WrappedKey) -> None:
        """Change what is in `row`."""
        connection.execute(
            f"UPDATE {self.name} SET wrapped = ?, master_key_id = ? WHERE {self.key} = ?",
            (wrapped.wrapped, wrapped.master_key_id, row),
        )

    def counts(self, connection: sqlite3.Connection) -> dict[str, int]:
        """How many rows are under which master key."""
        query = f"SELECT master_key_id, count(*) FROM {self.name} GROUP BY master_key_id"
        return dict(connection.execute(query).fetchall())


@frozen
class SealedColumn:
    """A column with what a client's data key seals, or NULL.

    `row`: under which row it is sealed, told from the columns `key`. `joined`: SQL behind the table's name, where the
    client's id is that of another table. `parted`: there are several by name (sealed_parts.py), and `row` is told their
    names besides.
    """

    table: str
    name: str
    row: Callable[..., str]
    key: tuple[str, ...] = ("id",)
    joined: str = ""
    parted: bool = False

    def every(self, connection: sqlite3.Connection) -> Iterator[tuple[str, str, bytes]]:
        """(client's id, row, what is sealed) of every row that has something."""
        columns = ", ".join(f"{self.table}.{name}" for name in (self.name, *self.key))
        query = f"SELECT client_id, {columns} FROM {self.table} {self.joined} ORDER BY {self.table}.rowid"
        for client_id, sealed, *key in connection.execute(query).fetchall():
            if sealed is None:
                continue
            if not self.parted:
                yield client_id, self.row(*key), sealed
                continue
            try:
                parts = unpack(sealed)
            except BrokenSecret:
                parts = {"": sealed}  # which does not open
            for name, part in parts.items():
                yield client_id, self.row(*key, name), part


WRAPPED: Final = (
    # First: what the instance key is under is what new data keys are wrapped with.
    WrappedTable("instance_keys", "name", instance_identity),
    WrappedTable("data_keys", "client_id", data_key_identity),
)
"""All that the master key wraps, in the order in which a rotation takes them."""

SEALED: Final = (
    SealedColumn("credentials", "sealed_secret", credential_row),
    SealedColumn("credentials", "previous_sealed_secret", previous_row),
    SealedColumn("targets", "sealed_client_certificate", client_certificate_row),
    SealedColumn("proxies", "sealed_callback_secret", callback_row),
    SealedColumn("proxies", "previous_sealed_callback_secret", previous_callback_row),
    SealedColumn("proxies", "sealed_plugins", plugin_row, parted=True),
    SealedColumn("credential_states", "sealed", state_row),
)
"""All that data keys seal. A rotation leaves it alone: the data keys stay the same."""

HASHES: Final = frozenset({("tokens", "token_hash"), ("invites", "code_hash")})
"""Bytes that are not encrypted: keyed hashes."""
