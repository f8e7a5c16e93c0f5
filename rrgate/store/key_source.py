"""Where the master key comes from: the file in the data directory, a variable, or a command that prints it.

Belongs here: choosing among the three, running the command, `KeyRing`. Does not: the file (keyfile.py), what the keys
encrypt (secrets.py), rotating them (key_rotation.py).

A key never stands in a message, nor what a command printed: whoever reads logs is not to read keys.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import IO, Final, Protocol

from attrs import field, frozen

from rrgate.store import keyfile
from rrgate.store.errors import KeyFileError
from rrgate.store.folder import KEY_FILE
from rrgate.store.keyfile import MasterKeys

KEY_VARIABLE: Final = "RRGATE_MASTER_KEY"
COMMAND_SECONDS: Final = 30.0
"""How long `key_command` may run."""
COMMAND_BYTES: Final = 16 * 1024
"""How much `key_command` may print."""


class KeySource(Protocol):
    """Whoever can say which master keys there are."""

    def read(self) -> MasterKeys:
        """The keys as they are now. Raises KeyFileError."""


@frozen
class FileKeys:
    """The keys in a key file, which a rotation replaces."""

    path: Path

    def read(self) -> MasterKeys:
        """See `keyfile.read`."""
        return keyfile.read(self.path)


@frozen
class GivenKeys:
    """The keys that a variable or a command gave once: they stay the same while the process lives."""

    keys: MasterKeys = field(repr=False)

    def read(self) -> MasterKeys:
        """What was given."""
        return self.keys


class KeyRing:
    """Master keys by their ids. One that is missing is looked for at the source again: it may have come since.

    What was seen is kept: what this process has read of the database may still be wrapped with a key that is gone.
    Safe to use from several threads.
    """

    def __init__(self, source: KeySource) -> None:
        """Raises KeyFileError."""
        self._source = source
        self._lock = Lock()
        self._seen = dict(source.read().keys)

    def __repr__(self) -> str:
        return f"<KeyRing of {', '.join(self._seen)}>"

    def key(self, key_id: str) -> bytes:
        """The key of that id. Raises MissingKey."""
        key = self._seen.get(key_id)
        if key is None:
            with self._lock:
                found = self._source.read()
                self._seen.update(found.keys)
                key = found.key(key_id)
        return key


def given_keys(command: Sequence[str], environ: Mapping[str, str]) -> GivenKeys | None:
    """The keys that `key_command` prints or the variable RRGATE_MASTER_KEY holds; None: there is the key file alone.

    Runs the command and waits for its end. Raises KeyFileError if it fails, if both are given, or for what is no key.
    """
    held = environ.get(KEY_VARIABLE)
    if not command and held is None:
        return None
    if not command:
        content = str(held).encode("utf-8", "surrogateescape")
        return GivenKeys(keyfile.read_text(content, f"the variable {KEY_VARIABLE}"))
    if held is not None:
        raise KeyFileError(f"the master key is given twice, by key_command and by {KEY_VARIABLE}; take one away")
    environ = {name: value for name, value in environ.items() if name != KEY_VARIABLE}
    printed = _printed(command, environ, time.monotonic() + COMMAND_SECONDS)
    return GivenKeys(keyfile.read_text(printed, "what key_command prints"))


def key_source(data: Path, given: GivenKeys | None) -> KeySource:
    """`given`, or else the key file in `data`."""
    return FileKeys(data / KEY_FILE) if given is None else given


def _printed(command: Sequence[str], environ: Mapping[str, str], deadline: float) -> bytes:
    """What `command` prints until it ends. No shell reads it; what it says on its standard error goes nowhere."""
    name = f"key_command ({command[0]})"
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            # It may say too much, and ours may be a log file.
            stderr=subprocess.DEVNULL,
            env=environ,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "its words hold a NUL"
        raise KeyFileError(f"{name} cannot be run: {why}; give the path of a program and its arguments") from None
    assert process.stdout is not None
    try:
        printed = _read(process, process.stdout, name, deadline)
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    finally:
        process.stdout.close()
    if process.returncode != 0:
        end = f"status {process.returncode}" if process.returncode > 0 else f"signal {-process.returncode}"
        raise KeyFileError(f"{name} ended with {end}; run it as the gateway's user to see what it says")
    return printed


def _read(process: subprocess.Popen[bytes], stdout: IO[bytes], name: str, deadline: float) -> bytes:
    """All that is printed until `process` has ended, whoever else may still hold the pipe."""
    printed = b""
    os.set_blocking(stdout.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        while True:
            ended = process.poll() is not None
            if selector.get_map() and selector.select(0 if ended else 0.02):
                piece = os.read(stdout.fileno(), COMMAND_BYTES)
                if not piece:
                    selector.unregister(stdout)
                printed += piece
                if len(printed) > COMMAND_BYTES:
                    raise KeyFileError(f"{name} printed more than {COMMAND_BYTES} bytes; it is to print the key alone")
            elif ended:
                return printed
            elif not selector.get_map():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, deadline - time.monotonic()))
            if not ended and time.monotonic() > deadline:
                raise KeyFileError(f"{name} did not end within {COMMAND_SECONDS:.0f} s; it is to print the key at once")
