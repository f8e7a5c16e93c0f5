"""What the commands share: the option --data, and errors told in one sentence instead of a traceback.

Belongs here: options and errors of more than one command. Does not: any command.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from rrgate.store import StoreError

data_option = click.option(
    "--data",
    required=True,
    envvar="RRGATE_DATA",
    type=click.Path(file_okay=False, path_type=Path),
    help="The gateway's data directory.",
)


@contextmanager
def told_plainly() -> Iterator[None]:
    """Ends the command with status 1 and the text of a StoreError or OSError."""
    try:
        yield
    except StoreError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        raise click.ClickException(f"{where}{error.strerror or error}") from None
