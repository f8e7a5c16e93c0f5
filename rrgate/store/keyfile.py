"""The master key file: JSON of mode 0600 with the current key and, while keys are rotated, previous ones.

Belongs here: making, reading and replacing the file; keys as text. Does not: other places that a key may come from
(key_source.py), what the keys encrypt (secrets.py).

`{"current": ID, "keys": {ID: BASE64, …}}`; an id is derived from its key, so that a damaged key is noticed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import field, frozen

from rrgate.store.errors import KeyFileError, MissingKey
from rrgate.store.folder import sync_directory

KEY_BYTES: Final = 32


@frozen(kw_only=True)
class MasterKeys:
    """The master keys at hand: `current` is the id of the one to use from now on, the others only unwrap.

    `where`: where they were found, for messages.
    """

    current: str
    keys: Mapping[str, bytes] = field(repr=False)
    where: str = field(default="the key file", eq=False)

    def key(self, key_id: str) -> bytes:
        """The key of that id. Raises MissingKey."""
        try:
            return self.keys[key_id]
        except KeyError:
            raise MissingKey(
                f"this state was encrypted with master key {key_id}, and {self.where} has {', '.join(self.keys)}; "
                "give the key that belongs to this state"
            ) from None


def key_id(key: bytes) -> str:
    """16 hex digits that name `key` and tell nothing about it."""
    return hashlib.sha256(b"rrgate master key\0" + key).hexdigest()[:16]


def new_master_keys(previous: MasterKeys | None = None) -> MasterKeys:
    """A fresh key as the current one; the keys of `previous` stay to unwrap what they wrapped."""
    key = secrets.token_bytes(KEY_BYTES)
    kept = dict(previous.keys) if previous is not None else {}
    return MasterKeys(current=key_id(key), keys={key_id(key): key, **kept})


def create(path: Path, keys: MasterKeys, owner: tuple[int, int] | None = None) -> None:
    """Write a new key file of mode 0600, durably. Raises KeyFileError if there is a file already.

    `owner`: the user and group that it is to belong to when root makes it.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise KeyFileError(f"{path} is there already; a key file is never written over") from None
    with os.fdopen(handle, "w") as file:
        if owner is not None and os.geteuid() == 0:
            os.fchown(handle, *owner)
        encoded = {name: as_text(key) for name, key in keys.keys.items()}
        json.dump({"current": keys.current, "keys": encoded}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    sync_directory(path.parent)


def replace(path: Path, keys: MasterKeys) -> None:
    """Put a key file with `keys` in the place of the one at `path`: readers see the old one or the new one, always.

    It belongs to whom the old one did. Where `path` is a link, what it leads to is replaced.
    """
    path = path.resolve()
    there = path.stat()
    following = path.with_name(path.name + ".new")
    following.unlink(missing_ok=True)  # left by a process that was killed here
    create(following, keys, (there.st_uid, there.st_gid))
    try:
        following.rename(path)
    except OSError:
        following.unlink()
        raise
    sync_directory(path.parent)


def read(path: Path) -> MasterKeys:
    """The keys in `path`. Raises KeyFileError if it is missing, readable or writable for others, or damaged."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise KeyFileError(
            f"the master key file {path} is missing; without it the secrets in this state cannot be read: "
            "put it back from where you keep it"
        ) from None
    except OSError as error:
        raise KeyFileError(f"the master key file {path} cannot be read: {error.strerror}") from None
    with os.fdopen(handle, "rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise KeyFileError(f"the master key file {path} is open to others (mode {mode:04o}); run: chmod 600 {path}")
        content = file.read(1 << 16)
    try:
        return _read_json(content, str(path))
    except ValueError:
        # Without the cause: a parser's error would quote the content.
        raise KeyFileError(
            f"the master key file {path} is damaged; put it back from where you keep it"
        ) from None


def read_text(content: bytes, where: str) -> MasterKeys:
    """The keys in `content`: the content of a key file, or keys in Base64 between blanks, the current one first.

    `where`: where it was found, for the KeyFileError that is raised if it holds no keys.
    """
    try:
        if content.lstrip().startswith(b"{"):
            return _read_json(content, where)
        keys = [base64.b64decode(text, validate=True) for text in content.split()]
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError
        return MasterKeys(current=key_id(keys[0]), keys={key_id(key): key for key in keys}, where=where)
    except ValueError:
        raise KeyFileError(
            f"{where} does not hold a master key; it is {KEY_BYTES} random bytes in Base64 (make one with: rrgate keys "
            "new), and while keys are rotated the new one, a blank, and the previous one"
        ) from None


def as_text(key: bytes) -> str:
    """A key as `read_text` takes it."""
    return base64.b64encode(key).decode()


def _read_json(content: bytes, where: str) -> MasterKeys:
    """Raises ValueError, which may quote the content."""
    try:
        document = json.loads(content)
        keys = {name: base64.b64decode(text, validate=True) for name, text in document["keys"].items()}
        current = str(document["current"])
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError from error
    if current not in keys or any(len(key) != KEY_BYTES or key_id(key) != name for name, key in keys.items()):
        raise ValueError
    return MasterKeys(current=current, keys=keys, where=where)
