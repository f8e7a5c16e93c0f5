"""The command `rrgate`: what an operator does beside the running gateway, which `twistd rrgate` starts.

Belongs here: the group and its commands, one file each. Does not: what a command does.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

from rrgate import __version__

FILES: Final = {
    "init": "init",
    "demo": "demo",
    "token": "token",
    "user": "user",
    "keys": "keys",
    "audit": "audit",
    "backup": "backup",
    "restore": "backup",
    "doctor": "doctor",
    "torture": "torture",
    "simulate": "simulate",
}
"""The file in this folder that each command is in, under its own name."""


class Commands(click.Group):
    """Imports the file of a command when it is asked for: with those of all others, each would take a third longer."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(FILES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        # One that there is not: click proposes the nearest of all.
        for name in [cmd_name] if cmd_name in FILES else FILES:
            self.commands[name] = getattr(import_module(f"rrgate.cli.{FILES[name]}"), name)
        return self.commands.get(cmd_name)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rrgate")
def main() -> None:
    """Care for the state of an rrgate gateway. The gateway itself is started with: twistd rrgate"""
