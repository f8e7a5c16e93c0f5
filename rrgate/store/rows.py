"""Nouns as rows and back: what is looked up or constrained has a column, the rest is JSON in `document`.

Belongs here: which class lies in which table. Does not: SQL transactions (store.py), the published form (core/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import attrs
from attrs import frozen
from cattrs import BaseValidationError, Converter

from rrgate.json_text import json_text, read_json
from rrgate.model import Client, Credential, Filter, Invite, Member, Meter, Proxy, Rule, Target, Token, User
from rrgate.model.belonging import Row, Unread
from rrgate.store.errors import StoreError
from rrgate.store.inventory import Noun

N = TypeVar("N")

# A field that this version does not know is refused: dropping it on the next save would lose what it meant.
_converter = Converter(forbid_extra_keys=True)


@frozen
class NounTable(Generic[N]):
    """One class and its table; `columns` are its attributes that have a column, `key` those that identify a row.

    `owner`: says whose a noun is, where rows are read late.
    """

    noun: type[N]
    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...] = ("id",)
    owner: str = ""

    @property
    def upsert(self) -> str:
        """Inserts a row, or changes the one with its key; never removes another row, as REPLACE would."""
        names = (*self.columns, "document")
        changes = ", ".join(f"{name} = excluded.{name}" for name in names if name not in self.key)
        return (
            f"INSERT INTO {self.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))}) "
            f"ON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {changes}"
        )

    @property
    def delete(self) -> str:
        """Removes the row with a noun's key."""
        return f"DELETE FROM {self.name} WHERE {' AND '.join(f'{name} = ?' for name in self.key)}"

    @property
    def late_columns(self) -> tuple[str, ...]:
        """All columns, in the order that `Unread` wants."""
        first = ("id", self.owner, "created_at")
        return (*first, *(name for name in (*self.columns, "document") if name not in first))

    def unread(self, rows: Sequence[Row]) -> Unread[N]:
        """The nouns in `rows` of `late_columns`."""
        columns = self.late_columns
        return Unread(rows, lambda row: self.noun_of(dict(zip(columns, row, strict=True))))

    def row(self, noun: N) -> tuple[Any, ...]:
        """The values for `upsert`. Raises ValueError for what JSON cannot hold."""
        document: dict[str, Any] = _converter.unstructure(noun)
        values = [document.pop(name) for name in self.columns]
        # Escaped to ASCII: SQLite takes no lone surrogates, which JSON strings may hold.
        return *values, json_text(document, ascii=True)

    def key_of(self, noun: N) -> tuple[str, ...]:
        """The values for `delete`."""
        return tuple(getattr(noun, name) for name in self.key)

    def noun_of(self, row: Mapping[str, Any]) -> N:
        """The noun in `row`. Raises StoreError, without content, if it is none."""
        try:
            document = read_json(row["document"])
            return _converter.structure({**document, **{name: row[name] for name in self.columns}}, self.noun)
        except (BaseValidationError, ValueError, TypeError):
            where = "/".join(str(row[name]) for name in self.key)
            raise StoreError(
                f"row {where} of table {self.name} is not as this version writes it; restore a backup, "
                "or run the version that wrote it"
            ) from None


_STAMPS = ("created_at", "updated_at")

TABLES: tuple[NounTable[Any], ...] = (
    NounTable(User, "users", ("id", *_STAMPS)),
    NounTable(Client, "clients", ("id", "user_id", *_STAMPS)),
    NounTable(Token, "tokens", ("id", "user_id", "token_hash", "created_at")),
    NounTable(Member, "members", ("user_id", "client_id"), ("user_id", "client_id")),
    NounTable(
        Credential,
        "credentials",
        ("id", "client_id", "user_id", "sealed_secret", "previous_sealed_secret", *_STAMPS),
        owner="client_id",
    ),
    NounTable(Target, "targets", ("id", "client_id", "user_id", "sealed_client_certificate", *_STAMPS)),
    NounTable(
        Proxy,
        "proxies",
        (
            "id",
            "client_id",
            "user_id",
            "alias",
            "sealed_callback_secret",
            "previous_sealed_callback_secret",
            "sealed_plugins",
            *_STAMPS,
        ),
    ),
    NounTable(Invite, "invites", ("id", "client_id", "user_id", "selector", "code_hash", *_STAMPS)),
    NounTable(Rule, "rules", ("id", "client_id", "user_id", "parent_id", *_STAMPS), owner="parent_id"),
    NounTable(Filter, "filters", ("id", "client_id", "user_id", "parent_id", *_STAMPS)),
    NounTable(Meter, "meters", ("id", "client_id", "user_id", "parent_id", *_STAMPS)),
)
"""Every table of nouns; the names are those of the attributes of Inventory."""

TABLE_OF: Mapping[type, NounTable[Any]] = {table.noun: table for table in TABLES}


def table_of(noun: Noun) -> NounTable[Any]:
    """The table for `noun`. Raises TypeError for what is no noun."""
    try:
        return TABLE_OF[type(noun)]
    except KeyError:
        known = ", ".join(table.noun.__name__ for table in TABLES)
        raise TypeError(f"{type(noun).__name__} cannot be stored; one of {known} can") from None


def check_tables() -> None:
    """Raises AssertionError if a column is no attribute of its class (called by a test)."""
    for table in TABLES:
        names = {attribute.name for attribute in attrs.fields(table.noun)}
        assert names.issuperset(table.columns), table.name
