"""`rrgate backup` and `rrgate restore`: both databases and the key as one tar file, made while the gateway runs.

Belongs here: the file and what is checked of it. Does not: copying a database (store/database.py).

The file holds manifest.json (format, version, SHA-256 of each file), rrgate.db, log.db and, if wanted, master.key.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import click
from attrs import frozen

from rrgate import __version__
from rrgate.cli.options import config_option, data_option, keys_given, told_plainly
from rrgate.store import GivenKeys, StoreError, keyfile
from rrgate.store.database import connect, copy
from rrgate.store.folder import (
    DATABASE,
    KEY_FILE,
    KEY_LOCK,
    LOG_DATABASE,
    filled_at_once,
    locked,
    require_state,
    sync_directory,
)
from rrgate.store.inspection import check_key, check_whole, keys_in_use, pending_steps
from rrgate.store.key_source import KEY_VARIABLE, key_source
from rrgate.store.keyfile import MasterKeys

_FORMAT: Final = 1
_MANIFEST: Final = "manifest.json"
_FILES: Final = (DATABASE, LOG_DATABASE, KEY_FILE)
_LARGEST_MANIFEST: Final = 1 << 16


def write_backup(data: Path, to: Path, *, with_key: bool, given: GivenKeys | None = None) -> None:
    """Back up the state in `data` into the new file `to` (mode 0600), whole and checked, or leave no file.

    `given`: master keys that are not in the key file; they are only used to check. Writers go on meanwhile; each
    database is as at one moment, rrgate.db first. A rotation of the master key waits, so that database and key fit;
    one that was killed is in the backup as it stands, and can be finished after restoring. Raises StoreError, OSError.
    """
    require_state(data)
    with _new_file(to) as partial, tempfile.TemporaryDirectory(prefix=".backup-", dir=to.absolute().parent) as scratch:
        staging = Path(scratch)
        with locked(data, KEY_LOCK, "rotating or backing up the keys of"):
            names = [_copied(data, DATABASE, staging)]
            if with_key and given is None:
                keyfile.create(staging / KEY_FILE, keyfile.read(data / KEY_FILE))
        if (data / LOG_DATABASE).exists():
            names.append(_copied(data, LOG_DATABASE, staging))
        if with_key or given is not None:
            # A backup that its own key does not open is noticed now, not when it is needed.
            check_key(staging / DATABASE, key_source(staging, given))
        if (staging / KEY_FILE).exists():
            names.append(KEY_FILE)
        _write_tar(partial, staging, names)


def _copied(data: Path, name: str, staging: Path) -> str:
    with closing(connect(data / name, synchronous="NORMAL", read_only=True)) as database:
        copy(database, staging / name)
    check_whole(staging / name)
    return name


@frozen
class Restored:
    """What a restored backup needs: the ids of its master keys, and whether they came with it."""

    keys: tuple[str, ...]
    has_keys: bool


def read_backup(source: Path, data: Path) -> Restored:
    """Restore the backup `source` into `data`, which may be an empty directory or not be there; all or nothing.

    Raises StateExists, NewerDatabase, StoreError, OSError.
    """
    with source.open("rb") as file, filled_at_once(data) as staging:
        try:
            names = _unpack(file, staging)
        except (tarfile.TarError, EOFError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{source} is not a whole backup of rrgate; take another copy of it") from error
        for name in sorted(names & {DATABASE, LOG_DATABASE}):
            check_whole(staging / name)
            pending_steps(staging / name, log=name == LOG_DATABASE)
        if KEY_FILE in names:
            check_key(staging / DATABASE, key_source(staging, None))
        uses = keys_in_use(staging / DATABASE, MasterKeys(current="", keys={}))
    return Restored(tuple(use.id for use in uses if use.wraps), KEY_FILE in names)


@contextmanager
def _new_file(to: Path) -> Iterator[Path]:
    """A file to write what becomes `to` when the block ends well; `to` is reserved meanwhile, by an empty file."""
    try:
        os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        raise StoreError(f"{to} is there already; a backup is never written over, choose another name") from None
    partial = to.with_name(f".{to.name}.partial")
    try:
        _write_private(partial, b"")
        yield partial
        partial.rename(to)
        sync_directory(to.absolute().parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        to.unlink(missing_ok=True)
        raise


def _write_private(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(handle, 0o600)
        file.write(content)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_tar(to: Path, scratch: Path, names: list[str]) -> None:
    manifest = {
        "format": _FORMAT,
        "rrgate": __version__,
        "made": int(time.time() * 1000),
        "files": {name: _digest(scratch / name) for name in names},
    }
    content = json.dumps(manifest, indent=1).encode()
    with to.open("wb") as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            tar.addfile(_private_member(_MANIFEST, len(content)), io.BytesIO(content))
            for name in names:
                with (scratch / name).open("rb") as part:
                    tar.addfile(_private_member(name, os.fstat(part.fileno()).st_size), part)
        file.flush()
        os.fsync(file.fileno())


def _private_member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(time.time())
    return member


def _unpack(file: Any, staging: Path) -> set[str]:
    """Write the known files into `staging`; their names. Raises ValueError for whatever is odd about the tar."""
    # Never extract(): a name or link in the tar would choose where to write.
    with tarfile.open(fileobj=file, mode="r:") as tar:
        first = tar.next()
        if first is None or first.name != _MANIFEST or first.size > _LARGEST_MANIFEST:
            raise ValueError("no manifest")
        manifest = json.loads(_content(tar, first).read())
        if manifest["format"] != _FORMAT:
            raise StoreError(
                f"this backup was made by rrgate {str(manifest['rrgate'])[:32]!r} in a format that this version does "
                "not read; restore it with that version"
            )
        expected: dict[str, str] = dict(manifest["files"])
        if DATABASE not in expected or not expected.keys() <= set(_FILES):
            raise ValueError("odd files")
        while (member := tar.next()) is not None:
            digest = expected.pop(member.name)
            path = staging / member.name
            _write_private(path, b"")
            with path.open("wb") as out:
                source = _content(tar, member)
                while chunk := source.read(1 << 20):
                    out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
            if _digest(path) != digest:
                raise ValueError("changed")
        if expected:
            raise ValueError("cut off")
        return set(manifest["files"])


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Any:
    content = tar.extractfile(member) if member.isreg() else None
    if content is None:
        raise ValueError("no file")
    return content


@click.command()
@data_option
@config_option
@click.option("--to", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file to make.")
@click.option("--without-key", is_flag=True, help="Leave the master key out: keep it elsewhere yourself.")
def backup(data: Path, config: Path | None, to: Path, without_key: bool) -> None:
    """Copy the whole state into one file, while the gateway runs."""
    with told_plainly():
        # Who leaves the key out need not have it.
        given = None if without_key else keys_given(data, config)
        write_backup(data, to, with_key=not without_key, given=given)
    if given is not None:
        click.echo(f"Backed up to {to}; the key is not in it, it comes from {given.keys.where}.")
    elif without_key:
        click.echo(f"Backed up to {to}, without the key: it is of no use without {data / KEY_FILE}.")
    else:
        click.echo(f"Backed up to {to}, with the key: whoever can read the file can read every secret.")


@click.command()
@click.option("--from", "source", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The backup.")
@data_option
def restore(source: Path, data: Path) -> None:
    """Put a backup into an empty directory, checked."""
    with told_plainly():
        restored = read_backup(source, data)
    click.echo(f"Restored into {data}.")
    if not restored.has_keys:
        click.echo(
            f"The backup has no key; it needs master key {' and '.join(restored.keys)}: put master.key into {data} "
            f"(mode 0600), or give it by {KEY_VARIABLE} or key_command; then run: rrgate doctor"
        )
