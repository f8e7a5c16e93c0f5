"""`Follower`: nouns that another worker has changed are put into this one's Directory, as they are on disk.

Belongs here: which, in which order, and the keys that open their secrets. Does not: the messages (member.py).

It is told which nouns were changed, not how: each is read anew. So it does no harm to be told twice, or of a change
that was loaded with everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rrgate.directory import Directory, Noun
from rrgate.model import Client, Member
from rrgate.store.secrets import Secrets
from rrgate.store.single_rows import Key, SingleRows


class Follower:
    """One worker's. All on the reactor's thread."""

    def __init__(self, data: Path, directory: Directory, secrets: Secrets) -> None:
        """Raises StoreError."""
        self._rows = SingleRows(data)
        self._directory = directory
        self._secrets = secrets
        self._maps: dict[str, Any] = {
            name: getattr(directory, name)
            for name in ("credentials", "targets", "proxies", "rules", "filters", "meters")
        }

    def refresh(self, named: Iterable[Sequence[Any]]) -> None:
        """These nouns are in force as they are on disk, or no more. `named`: table and key of each, those that others
        belong to before them.

        Raises StoreError; then what is in force may be old, and this process must not serve any longer.
        """
        keys: list[Key] = [(str(name), tuple(key)) for name, key in named]
        found = self._rows.read(keys)
        clients = {getattr(noun, "client_id", "") for noun in found if noun is not None}
        clients |= {noun.id for noun in found if isinstance(noun, Client)}
        # Before the nouns: a request that comes with one must be able to open its secret.
        self._rows.learn_keys(clients - {""}, self._secrets)
        for key, noun in zip(keys, found, strict=True):
            if noun is not None:
                self._directory.put(noun)
                continue
            gone = self._known(key)
            if gone is not None:
                self._directory.drop(gone)
            if key[0] == "clients":
                self._secrets.forget(key[1][0])

    def close(self) -> None:
        """May be called again."""
        self._rows.close()

    def _known(self, key: Key) -> Noun | None:
        name, of = key
        directory = self._directory
        match name:
            case "members":
                return Member(user_id=of[0], client_id=of[1], roles=())
            case "tokens":
                return next((token for token in directory.token_by_hash.values() if token.id == of[0]), None)
            case "users" | "clients" | "invites":
                # Asked for each time: the Directory replaces these mappings.
                known: Noun | None = getattr(directory, name).get(of[0])
                return known
        if of[0] not in self._maps[name]:
            return None
        noun: Noun = self._maps[name][of[0]]
        return noun
