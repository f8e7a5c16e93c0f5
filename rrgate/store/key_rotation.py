"""Rotation of the master key: every key that it wraps is wrapped again with another, while gateways run.

Belongs here: the order of the steps, and why each may be the last before the process is killed. Does not: the
ciphers (secrets.py), the file (keyfile.py), which tables there are (encrypted.py).

  1. The key file holds the new key beside the old one. Whoever misses a key reads the file again.
  2. The instance key is wrapped with the new key. From that commit on every new data key is wrapped with the new one:
     `Store.save` looks in its own transaction, and a trigger refuses any other.
  3. The data keys follow, some at a time, so that nobody waits long for the database.
  4. Every key opens with the new key alone; only then the old one is taken out of the file.

Killed anywhere, the file has the keys that the database needs, and the next call goes on from there. What was sealed,
token hashes and fingerprints stay as they are: the keys that they come from are wrapped anew, not made anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from attrs import frozen
from sqlite_utils import Database

from rrgate.store import keyfile
from rrgate.store.database import open_migrated, transaction
from rrgate.store.encrypted import WRAPPED
from rrgate.store.errors import SecretError
from rrgate.store.folder import DATABASE, KEY_LOCK, locked, require_state
from rrgate.store.key_source import FileKeys, GivenKeys, KeyRing, key_source
from rrgate.store.keyfile import MasterKeys
from rrgate.store.migrations import migrations
from rrgate.store.secrets import rewrap, unwrap
from rrgate.store.store import open_secrets

_BATCH: Final = 100
"""Keys in one transaction: some 10 ms."""
_PAUSE: Final = 0.005
"""Seconds between two transactions: a waiting writer looks again after 1 to 100 ms."""
_CHECKPOINT_MILLISECONDS: Final = 500


@frozen
class Rotated:
    """`key`: id of the key that all is under now. `previous`: ids that are needed no longer.

    `rewrapped`: keys that this call has wrapped anew. `resumed`: it went on with what another had begun.
    """

    key: str
    previous: tuple[str, ...]
    rewrapped: int
    resumed: bool


@frozen
class KeyUse:
    """A master key: `wraps` so many keys of the state. `is_current`: new ones are wrapped with it.

    `is_there`: it is at hand.
    """

    id: str
    wraps: int
    is_current: bool
    is_there: bool


def rotate(data: Path, given: GivenKeys | None = None, at: Callable[[str], object] = lambda point: None) -> Rotated:
    """Put the state in `data` under another master key, or finish what a killed process left of that.

    With a key file, the key is a new one, and the old one is not in the file any more when this returns. With `given`,
    it is their current one. `at`: told each point that is reached. Gateways go on meanwhile.

    Raises KeyFileError, MissingKey, WrongKey, StoreError; the old key is then still where it was, and it can be tried
    again.
    """
    require_state(data)
    source = key_source(data, given)
    with (
        locked(data, KEY_LOCK, "rotating or backing up the keys of"),
        closing(open_migrated(data / DATABASE, migrations, synchronous="FULL")) as database,
    ):
        # What was wrapped with the old key is not to be found in what becomes free of the file.
        database.execute("PRAGMA secure_delete = ON")
        open_secrets(database, KeyRing(source))  # nothing is begun that could not be ended
        keys = source.read()
        resumed = len(keys.keys) > 1 and isinstance(source, FileKeys)
        if isinstance(source, FileKeys) and not resumed:
            keys = keyfile.new_master_keys(keys)
            keyfile.replace(source.path, keys)
            at("the new key is in the file")
        rewrapped = _rewrap_all(database, keys, at)
        only = MasterKeys(current=keys.current, keys={keys.current: keys.keys[keys.current]}, where=keys.where)
        _open_all(database, only)
        at("all is under the new key")
        # The same of the write-ahead log. Writers wait meanwhile, so not for long: it is written over later anyway.
        database.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_MILLISECONDS}")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if isinstance(source, FileKeys):
            keyfile.replace(source.path, only)
            at("the old key is out of the file")
        return Rotated(keys.current, tuple(id for id in keys.keys if id != keys.current), rewrapped, resumed)


def key_uses(database: Database, keys: MasterKeys) -> list[KeyUse]:
    """The master keys at hand and those that the state is under, the current one first."""
    wraps: dict[str, int] = {}
    for table in WRAPPED:
        for key_id, count in table.counts(database.conn).items():
            wraps[key_id] = wraps.get(key_id, 0) + count
    (current,) = WRAPPED[0].counts(database.conn) or ("",)
    ids = dict.fromkeys((current, *keys.keys, *wraps))
    return [KeyUse(id, wraps.get(id, 0), id == current, id in keys.keys) for id in ids if id]


def _rewrap_all(database: Database, keys: MasterKeys, at: Callable[[str], object]) -> int:
    rewrapped = 0
    for table in WRAPPED:
        while True:
            with transaction(database) as connection:
                rows = list(table.under_others(connection, keys.current, _BATCH))
                for name, wrapped in rows:
                    table.put(connection, name, rewrap(keys, wrapped, table.identity(name), keys.current))
                at(f"some of {table.name} are wrapped anew")
            if not rows:
                break
            at(f"some of {table.name} are committed")
            rewrapped += len(rows)
            time.sleep(_PAUSE)
    return rewrapped


def _open_all(database: Database, only: MasterKeys) -> None:
    """Raises SecretError unless every wrapped key opens with these keys. One that does not keeps the old key needed."""
    for table in WRAPPED:
        for name, wrapped in table.every(database.conn):
            try:
                unwrap(only, wrapped, table.identity(name))
            except SecretError as error:
                raise SecretError(f"row {name} of {table.name} does not open with the new key alone: {error}") from None
