"""`Store`: rrgate.db behind a narrow interface, blocking; for the command line and tests, and inside AsyncStore.

Belongs here: transactions over nouns. Does not: threads (async_store.py), the request log (request_log.py).
"""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from rrgate.model import Client, Credential, Proxy, Rule, Target, Token, User
from rrgate.model.belonging import Unread
from rrgate.model.notification import Notice, Notification
from rrgate.store import keyfile
from rrgate.store.audit import AuditEntry, AuditPage, read_entries, write_entries
from rrgate.store.database import open_migrated, transaction
from rrgate.store.errors import Conflict, StoreError
from rrgate.store.folder import DATABASE, KEY_FILE, require_state
from rrgate.store.inventory import Inventory, LateInventory, Noun
from rrgate.store.key_source import GivenKeys, KeyRing, key_source
from rrgate.store.migrations import migrations
from rrgate.store.notifications import (
    NotificationPage,
    find_notification,
    mark_read,
    read_notifications,
    write_notices,
)
from rrgate.store.plugin_steps import PluginSteps
from rrgate.store.rows import TABLE_OF, TABLES, NounTable, table_of
from rrgate.store.secrets import HasMasterKeys, Secrets, WrappedKey, new_instance_key
from rrgate.store.states import Revised, read_state, write_state


class Store:
    """The configuration on disk. Every method blocks; use it from one thread at a time.

    What `save` and `delete` have returned from survives a crash of the process and of the machine.
    """

    def __init__(self, database: Database, secrets: Secrets) -> None:
        """Use `open` or `create`."""
        self._database = database
        self._connection = database.conn
        self._data_version = self._read_data_version()
        self.file = str(database.conn.execute("PRAGMA database_list").fetchone()[2])
        self.secrets = secrets

    @classmethod
    def open(
        cls, data: Path, plugins: Sequence[PluginSteps] | None = None, given: GivenKeys | None = None
    ) -> Store:
        """The state in the directory `data`, brought up to date, with the tables of `plugins` (see `open_migrated`).

        `given`: the master keys, or None for those of its key file, which may be rotated meanwhile.

        Raises NoState if there is none, KeyFileError, MissingKey or WrongKey if its master key is not usable,
        NewerDatabase if a newer version wrote it, StoreError if it cannot be opened.
        """
        require_state(data)
        master = KeyRing(key_source(data, given))
        database = open_migrated(data / DATABASE, migrations, synchronous="FULL", plugins=plugins)
        try:
            return cls(database, open_secrets(database, master))
        except BaseException:
            database.close()
            raise

    @classmethod
    def create(cls, data: Path, given: GivenKeys | None = None) -> Store:
        """New, empty state in the existing directory `data`, under `given`, or else a new master key in a file of it.

        Raises KeyFileError if there is a key file already. To have all or nothing, see `folder.filled_at_once`.
        """
        master = keyfile.new_master_keys() if given is None else given.keys
        if given is None:
            keyfile.create(data / KEY_FILE, master)
        database = open_migrated(data / DATABASE, migrations, synchronous="FULL")
        try:
            instance = new_instance_key(master, master.current)
            with transaction(database) as connection:
                connection.execute(
                    "INSERT INTO instance_keys (name, wrapped, master_key_id) VALUES ('hash', ?, ?)",
                    (instance.wrapped, instance.master_key_id),
                )
            return cls(database, Secrets(master, instance, {}))
        except BaseException:
            database.close()
            raise

    def load(self) -> Inventory:
        """Everything, as of one moment. Also learns data keys that other processes have made.

        Raises StoreError for a row that this version cannot read.
        """
        self._data_version = self._read_data_version()
        # One transaction, so that a save by another process is seen whole or not at all.
        with _told(), self._database.atomic():
            self.secrets.learn(_data_keys(self._database))
            return Inventory(**{table.name: self._all(table) for table in TABLES})

    def load_late(self) -> LateInventory:
        """The same, with the rows of credentials and rules as they are.

        Raises StoreError for a row of another kind that this version cannot read; one of these, when it is asked for.
        """
        self._data_version = self._read_data_version()
        with _told(), self._database.atomic(), _not_collecting():
            self.secrets.learn(_data_keys(self._database))
            late = (credentials, rules) = TABLE_OF[Credential], TABLE_OF[Rule]
            read = {table.name: self._all(table) for table in TABLES if table not in late}
            passing = (  # as Credential.passing
                "previous_sealed_secret IS NOT NULL OR json_extract(document, '$.temporary') "
                "OR json_extract(document, '$.expires_at') IS NOT NULL"
            )
            return LateInventory(
                self._unread(credentials),
                self._unread(rules),
                Inventory(**read, credentials=self._all(credentials, passing)),
            )

    def load_tokens(self) -> tuple[Token, ...]:
        """The tokens alone."""
        return self.load_people()[1]

    def load_people(self) -> tuple[tuple[User, ...], tuple[Token, ...]]:
        """Users and tokens alone, for a gateway that `tokens_changed` has told of a change."""
        with _told(), self._database.atomic():
            return self._all(TABLE_OF[User]), self._all(TABLE_OF[Token])

    def tokens_changed(self) -> bool:
        """Whether another process or connection has committed to rrgate.db since the last call (or `load`).

        `rrgate token` and `rrgate user` write to the database while a gateway answers from memory: the gateway polls
        this (about 5 µs: `PRAGMA data_version`, no lock), and calls `load_people` when it is true. True also when
        something else was changed; never for what this Store saved.
        """
        version = self._read_data_version()
        changed = version != self._data_version
        self._data_version = version
        return changed

    def save(self, *nouns: Noun, gone: Iterable[Noun] = (), audit: Iterable[AuditEntry] = ()) -> None:
        """Insert or change `nouns` by their ids, remove those that are `gone`, and write what `audit` tells of it; all
        or none. What is `gone` owns nothing.

        Raises Conflict if a proxy's alias is taken in its client, or a noun belongs to a client or user that is not
        there; StoreError if the disk does not take it; ValueError for a value that JSON cannot hold.
        """
        rows = [(table_of(noun), table_of(noun).row(noun)) for noun in nouns]
        aliased = [(noun.id,) for noun in nouns if isinstance(noun, Proxy)]
        with _told(), transaction(self._database, keys_at_end=True) as connection:
            # First freed, so that two proxies can swap their aliases in one save.
            connection.executemany("UPDATE proxies SET alias = NULL WHERE id = ?", aliased)
            for table, row in rows:
                connection.execute(table.upsert, row)
            for noun in gone:
                connection.execute(table_of(noun).delete, table_of(noun).key_of(noun))
            saved = self._save_keys(connection)
            write_entries(connection, audit)
        self.secrets.saved(saved)

    def _save_keys(self, connection: sqlite3.Connection) -> dict[str, WrappedKey]:
        """Write the data keys that are not on disk yet, of the clients that are; answers those."""
        if not self.secrets.unsaved():
            return {}
        # Looked at here, where no rotation can come between: it changes the instance key first of all.
        keys = self.secrets.unsaved_under(_instance_key(self._database).master_key_id)
        # A plain INSERT: had another process made a key for this client, nothing sealed with ours may be kept. What
        # ends behind its client, such as a request whose bodies are logged, must not bring a key of it back.
        sql = "INSERT INTO data_keys (client_id, wrapped, master_key_id) SELECT ?1, ?2, ?3 FROM clients WHERE id = ?1"
        rows = [(client_id, key.wrapped, key.master_key_id) for client_id, key in keys.items()]
        return {row[0]: keys[row[0]] for row in rows if connection.execute(sql, row).rowcount}

    def delete(self, *nouns: Noun, audit: Iterable[AuditEntry] = ()) -> None:
        """Remove `nouns` by their ids, and write `audit`, all or none; those that are not there are passed over.

        With a user go his tokens and memberships; with a credential, target or proxy its rules, filters and meters;
        with a client its members and its data key, so that whatever was sealed for it is beyond reading. Raises
        Conflict if a client still has credentials, targets or proxies that are not among `nouns`; StoreError if the
        disk does not take it.
        """
        clients = [noun.id for noun in nouns if isinstance(noun, Client)]
        parents = [(noun.id,) for noun in nouns if isinstance(noun, Credential | Target | Proxy)]
        with _told(), transaction(self._database, keys_at_end=True) as connection:
            for owned in ("rules", "filters", "meters"):
                connection.executemany(f"DELETE FROM {owned} WHERE parent_id = ?", parents)
            for noun in nouns:
                table = table_of(noun)
                connection.execute(table.delete, table.key_of(noun))
            connection.executemany("DELETE FROM data_keys WHERE client_id = ?", [(client,) for client in clients])
            write_entries(connection, audit)
        for client in clients:
            self.secrets.forget(client)

    def audit(self, **wanted: Any) -> AuditPage:
        """A page of the audit log; see `read_entries`."""
        with _told():
            return read_entries(self._connection, **wanted)

    def notify(self, notices: Sequence[Notice], now: int) -> None:
        """Keep those of `notices` that are due, and remove what is old; see `notifications.write_notices`."""
        with _told(), transaction(self._database) as connection:
            write_notices(connection, notices, now)

    def notifications(self, **wanted: Any) -> NotificationPage:
        """A page of notifications; see `read_notifications`."""
        with _told():
            return read_notifications(self._connection, **wanted)

    def notification(self, **wanted: Any) -> Notification | None:
        """One of them; see `find_notification`."""
        with _told():
            return find_notification(self._connection, **wanted)

    def mark_read(self, id: str, reader: str) -> None:
        """See `notifications.mark_read`."""
        with _told(), transaction(self._database) as connection:
            mark_read(connection, id, reader)

    def read_state(self, credential_id: str, secret_version: int) -> Revised | None:
        """What is kept of a credential; see `states.read_state`."""
        with _told():
            return read_state(self._connection, credential_id, secret_version)

    def write_state(self, credential_id: str, secret_version: int, sealed: bytes, revision: int) -> int | None:
        """Keep something of a credential, durably; see `states.write_state`."""
        with _told(), transaction(self._database) as connection:
            return write_state(connection, credential_id, secret_version, sealed, revision)

    def close(self) -> None:
        """Close the file. May be called again."""
        self._database.close()

    def _all(self, table: NounTable[Any], where: str = "TRUE") -> tuple[Any, ...]:
        query = f"SELECT * FROM {table.name} WHERE {where} ORDER BY rowid"
        return tuple(table.noun_of(row) for row in self._database.query(query))

    def _unread(self, table: NounTable[Any]) -> Unread[Any]:
        query = f"SELECT {', '.join(table.late_columns)} FROM {table.name} ORDER BY rowid"
        return table.unread(self._connection.execute(query).fetchall())

    def _read_data_version(self) -> int:
        version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return version


def open_secrets(database: Database, master: HasMasterKeys) -> Secrets:
    """The Secrets of rrgate.db, open as `database`. Raises StoreError, MissingKey, WrongKey."""
    return Secrets(master, _instance_key(database), _data_keys(database))


def _instance_key(database: Database) -> WrappedKey:
    rows = list(database.query("SELECT wrapped, master_key_id FROM instance_keys WHERE name = 'hash'"))
    if not rows:
        raise StoreError(f"{DATABASE} has no instance key, so it is not whole; restore a backup")
    return WrappedKey(**rows[0])


def _data_keys(database: Database) -> dict[str, WrappedKey]:
    rows = database.query("SELECT client_id, wrapped, master_key_id FROM data_keys")
    return {row["client_id"]: WrappedKey(row["wrapped"], row["master_key_id"]) for row in rows}


@contextmanager
def _not_collecting() -> Iterator[None]:
    """No garbage is looked for in what is being read, of which nothing is garbage: a quarter less for 160,000 rows."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@contextmanager
def _told() -> Iterator[None]:
    """Turns SQLite's errors into ours, which hold names of tables and columns and no values."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        text = str(error)
        if "proxies.alias" in text:
            raise Conflict("proxyAlias", "another proxy of this client has this alias; choose another") from None
        if "FOREIGN KEY" in text:
            raise Conflict(
                "clientId", "the client or user that this belongs to is not there, or still owns resources"
            ) from None
        if "data_keys" in text:
            raise StoreError("another process made this client's data key just now; load, and seal again") from None
        raise StoreError(f"this contradicts what is stored: {text}") from None
    except sqlite3.Error as error:
        raise StoreError(f"the database does not answer: {error}") from error
