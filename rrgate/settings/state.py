"""Settings of where the gateway's state and its master key are.

Belongs here: rows of the table. Does not: what is in the state (store/).
"""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from rrgate.settings import values
from rrgate.settings.row import setting


@frozen(kw_only=True, slots=False)
class StateSettings:
    """Without these there is no gateway."""

    data: Path = setting(
        values.path_of("a folder"),
        where="everything",
        help="Folder of the databases, keys and counters. Has no default.",
    )
    key_command: tuple[str, ...] = setting(
        values.command(),
        (),
        where="everything",
        help="Program and arguments that print the master key, run once at the start, without a shell. Empty: "
        "`master.key` in `data`, or the variable `RRGATE_MASTER_KEY`.",
    )
