"""`rrgate keys`: the master key by hand: a new one, which ones there are, and rotation while the gateway runs.

Belongs here: the three commands. Does not: what a rotation does (store/key_rotation.py), where keys come from
(store/key_source.py).
"""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from rrgate.cli.options import config_option, data_option, keys_given, told_plainly
from rrgate.store import keyfile
from rrgate.store.folder import BACKUPS, DATABASE, require_state
from rrgate.store.inspection import keys_in_use
from rrgate.store.key_rotation import rotate as rotate_keys
from rrgate.store.key_source import key_source


@click.group()
def keys() -> None:
    """Make, list and rotate master keys; the gateway may run meanwhile."""


@keys.command()
def new() -> None:
    """Print a new master key, for key_command or RRGATE_MASTER_KEY; it is kept nowhere."""
    made = keyfile.new_master_keys()
    click.echo(keyfile.as_text(made.keys[made.current]))
    click.echo(f"Key {made.current}; it is not shown again.", err=True)


@keys.command("list")
@data_option
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a key.")
def list_keys(data: Path, config: Path | None, as_json: bool) -> None:
    """List the master keys by their ids: at hand or not, and how many keys of the state each one wraps."""
    with told_plainly():
        require_state(data)
        found = key_source(data, keys_given(data, config)).read()
        uses = keys_in_use(data / DATABASE, found)
    if as_json:
        for use in uses:
            row = {"keyId": use.id, "current": use.is_current, "atHand": use.is_there, "wraps": use.wraps}
            click.echo(json.dumps(row))
        return
    table = Table("key id", "is", "wraps", box=None)
    for use in uses:
        role = "current" if use.is_current else "next" if use.id == found.current else "previous"
        table.add_row(use.id, role if use.is_there else f"{role}, not at hand", str(use.wraps))
    Console(highlight=False, markup=False).print(table)


@keys.command()
@data_option
@config_option
def rotate(data: Path, config: Path | None) -> None:
    """Put everything under a new master key; or finish a rotation that was cut short.

    With a key file the new key is made, and the old one is taken out of the file at the end. Otherwise the new key is
    the first of those that key_command or RRGATE_MASTER_KEY gives, and the old one stands behind it.
    """
    with told_plainly():
        given = keys_given(data, config)
        done = rotate_keys(data, given)
    if done.resumed:
        click.echo("A rotation had been cut short; this has finished it.")
    click.echo(f"Everything is under master key {done.key}; keys wrapped anew: {done.rewrapped}.")
    old = ", ".join(done.previous)
    if given is None:
        click.echo(f"Key {old} is out of the key file: keep a copy of the new file, apart from backups.")
    elif old:
        click.echo(f"Key {old} is needed no longer: take it away from {given.keys.where}.")
    elif not done.rewrapped:
        click.echo("To rotate, give the gateway and this command a new key (rrgate keys new) and behind it this one.")
    if (data / BACKUPS).is_dir() and any((data / BACKUPS).iterdir()):
        click.echo(f"Copies in {data / BACKUPS}, like older backups, stay under the keys of their time.")
