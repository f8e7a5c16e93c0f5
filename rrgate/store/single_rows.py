"""`SingleRows`: nouns read one by one by their keys, for a process that is told that another has changed them.

Belongs here: from a table's name and a key to the noun as it is on disk now. Does not: what becomes of it (workers/).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from rrgate.store.database import connect
from rrgate.store.errors import StoreError
from rrgate.store.folder import DATABASE
from rrgate.store.inventory import Noun
from rrgate.store.rows import TABLES, table_of
from rrgate.store.secrets import Secrets, WrappedKey

_TABLES: Final = {table.name: table for table in TABLES}

Key = tuple[str, tuple[str, ...]]
"""The name of a noun's table, and what identifies it there."""


def key_of(noun: Noun) -> Key:
    """Of `noun`."""
    table = table_of(noun)
    return table.name, table.key_of(noun)


class SingleRows:
    """A connection of its own that only reads. Blocks for some 20 µs a noun; readers do not wait for writers."""

    def __init__(self, data: Path) -> None:
        """Raises StoreError if rrgate.db cannot be opened."""
        self._database = connect(data / DATABASE, synchronous="FULL", read_only=True)

    def read(self, keys: Sequence[Key]) -> list[Noun | None]:
        """Each noun as it is committed, all as of one moment; None for one that is no more. Raises StoreError."""
        found: list[Noun | None] = []
        try:
            with self._database.atomic():
                for name, key in keys:
                    table = _TABLES[name]
                    where = " AND ".join(f"{column} = ?" for column in table.key)
                    rows: list[Any] = list(self._database.query(f"SELECT * FROM {name} WHERE {where}", key))
                    found.append(table.noun_of(rows[0]) if rows else None)
        except sqlite3.Error as error:
            raise StoreError(f"the database does not answer: {error}") from error
        return found

    def learn_keys(self, clients: Iterable[str], secrets: Secrets) -> None:
        """`secrets` knows the data keys of these clients as they are on disk, if they are there."""
        query = "SELECT wrapped, master_key_id FROM data_keys WHERE client_id = ?"
        try:
            for client_id in clients:
                rows = list(self._database.query(query, (client_id,)))
                if rows:
                    secrets.learn({client_id: WrappedKey(**rows[0])})
        except sqlite3.Error as error:
            raise StoreError(f"the database does not answer: {error}") from error

    def close(self) -> None:
        """May be called again."""
        self._database.close()
