"""What the commands share: the option --data, and errors told in one sentence instead of a traceback.

Belongs here: options and errors of more than one command. Does not: any command.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from rrgate.settings import SettingsError, load
from rrgate.store import GivenKeys, Store, StoreError, given_keys

data_option = click.option(
    "--data",
    required=True,
    envvar="RRGATE_DATA",
    type=click.Path(file_okay=False, path_type=Path),
    help="The gateway's data directory.",
)

config_option = click.option(
    "--config",
    envvar="RRGATE_CONFIG",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The gateway's TOML file, which may say where the master key comes from.",
)


def keys_given(data: Path, config: Path | None) -> GivenKeys | None:
    """The master keys that the settings or the environment give, or None: they are in the key file.

    Raises SettingsError, KeyFileError.
    """
    return given_keys(load({"data": str(data)}, os.environ, config).key_command, os.environ)


def opened(data: Path, config: Path | None) -> Store:
    """The state in `data`. Raises what `keys_given` and `Store.open` raise."""
    return Store.open(data, given=keys_given(data, config))


@contextmanager
def told_plainly() -> Iterator[None]:
    """Ends the command with status 1 and the text of a StoreError, SettingsError or OSError."""
    try:
        yield
    except (StoreError, SettingsError) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        raise click.ClickException(f"{where}{error.strerror or error}") from None
