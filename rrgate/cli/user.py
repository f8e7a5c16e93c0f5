"""`rrgate user`: makes users, and says which are operators, directly in the state, also while a gateway runs.

Belongs here: users by hand. Does not: their tokens (token.py), users by invite (core/invites.py).

A running gateway follows within about a second, as with tokens.
"""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path

import click
from attrs import evolve
from rich.console import Console
from rich.table import Table

from rrgate.cli.audit import by_hand, token_made
from rrgate.cli.options import config_option, data_option, opened, told_plainly
from rrgate.ids import new_id
from rrgate.model import Token, User
from rrgate.model.documents import publish
from rrgate.model.times import format_milliseconds
from rrgate.model.user import new_token
from rrgate.store import Store

_VIA = "rrgate user"


@click.command()
@data_option
@config_option
@click.option("--user", "user_id", help="Change this user; if not given, a new one is made.")
@click.option("--operator/--no-operator", default=None, help="Whether he is an operator of this gateway.")
@click.option("--list", "listing", is_flag=True, help="List the users and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with userId, userOperator and userToken.")
def user(
    data: Path, config: Path | None, user_id: str | None, operator: bool | None, listing: bool, as_json: bool
) -> None:
    """Make a user, with a token that is printed this once; or make one an operator, or no longer one."""
    if listing and (user_id is not None or operator is not None or as_json):
        raise click.UsageError("--list goes with no other option")
    if user_id is not None and operator is None:
        raise click.UsageError("--user goes with --operator or --no-operator")
    with told_plainly(), closing(opened(data, config)) as store:
        if listing:
            _print(store.load_people()[0])
            return
        if user_id is None:
            made, text = _make(store, bool(operator))
        else:
            made, text = _change(store, user_id, bool(operator)), None
    if as_json:
        token = {} if text is None else {"userToken": text}
        click.echo(json.dumps({"userId": made.id, "userOperator": made.operator, **token}))
        return
    what = "an operator" if made.operator else "no operator"
    if text is not None:
        click.echo(text)
    click.echo(f"User {made.id} is {what}." + ("" if text is None else " The token is not shown again."), err=True)


def _make(store: Store, operator: bool) -> tuple[User, str]:
    now, text = int(time.time() * 1000), new_token()
    made = User(id=new_id(), operator=operator, created_at=now, updated_at=now)
    token = Token(
        id=new_id(),
        user_id=made.id,
        name="by hand",
        token_hash=store.secrets.token_hash(text),
        created_at=now,
    )
    entry = by_hand(_VIA, now, "create", "users", made.id, after=publish(made))
    store.save(made, token, audit=[entry, token_made(_VIA, token)])
    return made, text


def _change(store: Store, user_id: str, operator: bool) -> User:
    users = {each.id: each for each in store.load_people()[0]}
    before = users.get(user_id)
    if before is None:
        raise click.ClickException("there is no user with this id; see: rrgate user --list")
    if before.operator is operator:
        return before
    now = int(time.time() * 1000)
    after = evolve(before, operator=operator, updated_at=max(now, before.updated_at))
    entry = by_hand(_VIA, now, "change", "users", user_id, before=publish(before), after=publish(after))
    store.save(after, audit=[entry])
    return after


def _print(users: tuple[User, ...]) -> None:
    table = Table("user id", "operator", "made", "email", box=None)
    for each in users:
        email = "".join(character if character.isprintable() else "?" for character in each.email or "")
        table.add_row(each.id, "yes" if each.operator else "", format_milliseconds(each.created_at), email)
    console = Console(highlight=False, markup=False)
    console.width = max(console.width, 140)
    console.print(table)
