"""`rrgate token`: makes, lists and revokes user tokens, directly in the state, also while a gateway runs.

Belongs here: tokens by hand. Does not: tokens through the Core API (core/).

A running gateway has its tokens in memory. It asks the Store every second whether somebody else has written
(`tokens_changed`), so what is done here is in force within about a second.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Column, Table

from rrgate.cli.audit import token_ended, token_made
from rrgate.cli.options import config_option, data_option, opened, told_plainly
from rrgate.ids import new_id
from rrgate.model import Token, User
from rrgate.model.user import new_token
from rrgate.model.values import name as checked_name

_DAY = 86_400_000


def _name(ctx: click.Context, option: click.Parameter, value: str) -> str:
    """As the Core API takes it, which shows it too."""
    try:
        return checked_name(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, option) from None


@click.group()
def token() -> None:
    """Make, list and revoke user tokens; a running gateway follows within a second."""


@token.command()
@data_option
@config_option
@click.option("--user", "user_id", help="Whose token; if not given, the first operator's.")
@click.option("--name", default="by hand", show_default=True, callback=_name, help="What it is for.")
@click.option("--days", type=click.IntRange(1, 36_500), help="Days until it expires; if not given, never.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with tokenId, userId and userToken.")
def new(data: Path, config: Path | None, user_id: str | None, name: str, days: int | None, as_json: bool) -> None:
    """Make a user token, and print it this once."""
    now = int(time.time() * 1000)
    text = new_token()
    with told_plainly(), closing(opened(data, config)) as store:
        user = _user(store.load().users, user_id)
        made = Token(
            id=new_id(),
            user_id=user.id,
            name=name,
            token_hash=store.secrets.token_hash(text),
            created_at=now,
            expires_at=None if days is None else now + days * _DAY,
        )
        store.save(made, audit=[token_made("rrgate token new", made)])
    if as_json:
        click.echo(json.dumps({"tokenId": made.id, "userId": user.id, "userToken": text}))
    else:
        click.echo(text)
        click.echo(f"Token {made.id} of user {user.id}; it is not shown again.", err=True)


@token.command("list")
@data_option
@config_option
def list_tokens(data: Path, config: Path | None) -> None:
    """List the tokens: whose, what for, until when; never the tokens themselves."""
    with told_plainly(), closing(opened(data, config)) as store:
        tokens = store.load_tokens()
    ids = (Column("token id", no_wrap=True), Column("user id", no_wrap=True))
    table = Table(*ids, "name", "made", "expires", box=None)
    for known in tokens:
        expires = "never" if known.expires_at is None else _day(known.expires_at)
        table.add_row(known.id, known.user_id, _printable(known.name), _day(known.created_at), expires)
    # Wide enough for both ids wherever it is printed, and a long name gives way: a cut id could not be revoked.
    console = Console(highlight=False, markup=False)
    console.width = max(console.width, 140)
    console.print(table)


@token.command()
@data_option
@config_option
@click.argument("token_id")
def revoke(data: Path, config: Path | None, token_id: str) -> None:
    """End a token, by the id that `token list` shows."""
    with told_plainly(), closing(opened(data, config)) as store:
        found = [known for known in store.load_tokens() if known.id == token_id]
        if not found:
            # Whoever gives the token in place of its id is not to see it again in an error.
            raise click.ClickException("there is no token with this id; see: rrgate token list")
        now = int(time.time() * 1000)
        store.delete(*found, audit=[token_ended("rrgate token revoke", now, known) for known in found])
    click.echo(f"Token {found[0].id} is revoked.")


def _user(users: Sequence[User], user_id: str | None) -> User:
    if user_id is None:
        for user in users:
            if user.operator:
                return user
        raise click.ClickException("there is no operator; give the id of a user with --user")
    for user in users:
        if user.id == user_id:
            return user
    raise click.ClickException(f"there is no user {user_id}; there are: {', '.join(user.id for user in users)}")


def _day(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
