"""The data directory: which files are in it, who may read it, its lock, and filling it all at once or not at all.

Belongs here: paths, modes, locking, staging. Does not: what is inside the files.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from rrgate.store.errors import NoState, StateExists, StoreError

DATABASE: Final = "rrgate.db"
LOG_DATABASE: Final = "log.db"
QUEUE_DATABASE: Final = "queue.db"
KEY_FILE: Final = "master.key"
LOCK_FILE: Final = "state.lock"
KEY_LOCK: Final = "keys.lock"
DELIVERY_LOCK: Final = "delivery.lock"
TAKERS_LOCK: Final = "takers.lock"
BALLAST: Final = "queue.ballast"
BACKUPS: Final = "before-migration"

_PLACED: Final = (LOG_DATABASE, KEY_FILE, DATABASE)
"""In the order in which they are put in place: the one that makes a directory a gateway's state is last."""
_STAGING: Final = ".new-"
_LOCK_SECONDS: Final = 60.0


def make_private(directory: Path) -> None:
    """Make `directory` (and its parents) if it is not there, for its owner only; one that is there stays as it is."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def require_state(directory: Path) -> None:
    """Raises NoState unless `directory` holds a gateway's state, StoreError if everybody may write there."""
    if not (directory / DATABASE).is_file():
        if (directory / KEY_FILE).exists():  # which `rrgate init` would not touch
            raise NoState(f"{DATABASE} is missing from {directory}, where {KEY_FILE} is; restore a backup")
        raise NoState(f"{directory} holds no state of a gateway; make one with: rrgate init --data {directory}")
    if directory.stat().st_mode & 0o002:
        raise StoreError(f"everybody may write to {directory}; run: chmod 700 {directory}")


def create_private_file(path: Path) -> None:
    """Make an empty file of mode 0600 if there is none; SQLite gives its WAL the mode of the database."""
    os.close(open_private(path))


def open_private(path: Path) -> int:
    """The file `path`, open for reading and writing; made, with mode 0600, if it is not there. To be closed."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if os.geteuid() == 0:
        # An operator's `sudo rrgate token new` must not shut out the gateway, which runs as somebody else.
        owner = path.parent.stat()
        os.fchown(handle, owner.st_uid, owner.st_gid)
    return handle


def require_same(path: Path, opened: os.stat_result) -> None:
    """Raises StoreError unless `path` is still the file that was `opened`: what is written goes on into that one."""
    try:
        same = os.path.samestat(path.stat(), opened)
    except FileNotFoundError:
        same = False
    if not same:
        raise StoreError(f"{path} was moved or removed while a gateway writes it: start that gateway again")


def sync_directory(directory: Path) -> None:
    """Make renames and new names in `directory` durable."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(
    directory: Path, name: str = LOCK_FILE, doing: str = "opening, migrating or restoring"
) -> Iterator[None]:
    """Hold the directory's lock `name`; the kernel frees it if the process dies. `doing`: what it is held for.

    Raises StoreError if another process holds it for a minute. Blocks the thread meanwhile.
    """
    deadline = time.monotonic() + _LOCK_SECONDS
    while (handle := try_lock(directory / name)) is None:
        if time.monotonic() > deadline:
            raise StoreError(
                f"another process has held {directory / name} for {_LOCK_SECONDS:.0f} s; "
                f"it is {doing} this state: wait for it or end it"
            )
        time.sleep(0.01)
    try:
        yield
    finally:
        os.close(handle)


def try_lock(path: Path) -> int | None:
    """The open, locked file `path`, made if it is not there; None if somebody else has it. To be closed."""
    handle = open_private(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever held it may have removed the file: then what is locked here is no lock for anybody else.
        if os.fstat(handle).st_ino == path.stat().st_ino:
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(handle)
    return None


def lock_number(path: Path, number: int) -> int | None:
    """The open file `path`, made if it is not there, of which the byte `number` is locked; None if that is, by this
    process too. To be closed."""
    handle = open_private(path)
    try:
        # Of the open file, as flock's are, and not of the process: closing another handle leaves it.
        wanted = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, number, 1, 0)
        fcntl.fcntl(handle, fcntl.F_OFD_SETLK, wanted)
    except BlockingIOError:
        os.close(handle)
        return None
    except BaseException:
        os.close(handle)
        raise
    return handle


@contextmanager
def filled_at_once(directory: Path) -> Iterator[Path]:
    """A new directory to prepare state in; when the block ends well, its files are put in place in `directory`.

    If the block raises, `directory` is as it was. Raises StateExists when something is in it already.
    """
    made = _make_all(directory)
    try:
        with locked(directory):
            try:
                for left in directory.glob(_STAGING + "*"):  # by a process that was killed
                    shutil.rmtree(left, ignore_errors=True)
                _refuse_content(directory)
                # Inside `directory`, which may be a mount point: renames do not cross file systems.
                staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=directory))
                try:
                    yield staging
                    directory.chmod(0o700)
                    _place(staging, directory)
                finally:
                    shutil.rmtree(staging, ignore_errors=True)
            except BaseException:
                if not _content(directory):
                    (directory / LOCK_FILE).unlink(missing_ok=True)
                raise
    except BaseException:
        for path in made:
            # Only while empty: somebody else may have begun to use it.
            with suppress(OSError):
                path.rmdir()
        raise


def _make_all(directory: Path) -> list[Path]:
    """Make `directory` and what is missing above it; those that this call made, the innermost first."""
    made: list[Path] = []
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    for path in reversed(missing):
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
            made.insert(0, path)
    return made


def _content(directory: Path) -> list[str]:
    # The root of a new volume is not quite empty.
    return sorted(set(os.listdir(directory)) - {LOCK_FILE, "lost+found"})


def _refuse_content(directory: Path) -> None:
    if there := _content(directory):
        raise StateExists(
            f"{directory} is not empty (it holds {', '.join(there[:4])}); nothing is ever written over: "
            "choose another directory"
        )


def _place(staging: Path, directory: Path) -> None:
    placed: list[Path] = []
    try:
        for name in _PLACED:
            if (staging / name).exists():
                (staging / name).rename(directory / name)
                placed.append(directory / name)
        sync_directory(directory)
    except BaseException:
        for path in placed:
            path.unlink(missing_ok=True)
        raise
