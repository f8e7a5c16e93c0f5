"""The command `rrgate`: what an operator does beside the running gateway, which `twistd rrgate` starts.

Belongs here: the group and its commands, one file each. Does not: what a command does.
"""

from __future__ import annotations

import click

from rrgate import __version__
from rrgate.cli.audit import audit
from rrgate.cli.backup import backup, restore
from rrgate.cli.demo import demo
from rrgate.cli.doctor import doctor
from rrgate.cli.init import init
from rrgate.cli.keys import keys
from rrgate.cli.simulate import simulate
from rrgate.cli.token import token
from rrgate.cli.torture import torture
from rrgate.cli.user import user


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rrgate")
def main() -> None:
    """Care for the state of an rrgate gateway. The gateway itself is started with: twistd rrgate"""


for command in (init, demo, token, user, keys, audit, backup, restore, doctor, torture, simulate):
    main.add_command(command)
