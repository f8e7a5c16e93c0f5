"""`rrgate init`: the state of a new gateway, with its first client, user and user token.

Belongs here: making all of it at once or nothing. Does not: further tokens (token.py).
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import click
from attrs import field, frozen
from rich.console import Console

from rrgate.cli.audit import by_hand, token_made
from rrgate.cli.options import config_option, data_option, keys_given, told_plainly
from rrgate.ids import new_id
from rrgate.model import Client, Token, User
from rrgate.model.documents import publish
from rrgate.model.user import new_token
from rrgate.store import GivenKeys, Member, Store
from rrgate.store.folder import filled_at_once

_VIA = "rrgate init"


@frozen
class FirstUser:
    """Who may use a new gateway's Core API; `token` is nowhere else."""

    client_id: str
    user_id: str
    token: str = field(repr=False)


def create_state(data: Path, given: GivenKeys | None = None) -> FirstUser:
    """Make the state of a new gateway in `data`, which may be an empty directory or not be there.

    The first user is an operator, and owner and admin of the first client. If this raises, `data` is as it was.
    `given`: the master keys to use, as `given_keys` finds them; None: a new one, in a key file in `data`.
    Raises StateExists if something is in it, StoreError, OSError.
    """
    now = int(time.time() * 1000)
    first = FirstUser(new_id(), new_id(), new_token())
    with filled_at_once(data) as staging:
        store = Store.create(staging, given)
        try:
            user = User(id=first.user_id, operator=True, created_at=now, updated_at=now)
            client = Client(id=first.client_id, user_id=user.id, name="default", created_at=now, updated_at=now)
            member = Member(user_id=user.id, client_id=client.id, roles=("owner", "admin"))
            token = Token(
                id=new_id(),
                user_id=user.id,
                name="init",
                token_hash=store.secrets.token_hash(first.token),
                created_at=now,
            )
            members = [{"userId": user.id, "roles": list(member.roles)}]
            store.save(
                user,
                client,
                member,
                token,
                audit=[
                    by_hand(_VIA, now, "create", "users", user.id, after=publish(user)),
                    by_hand(
                        _VIA,
                        now,
                        "create",
                        "clients",
                        client.id,
                        client_id=client.id,
                        after=publish(client, clientMembers=members),
                    ),
                    token_made(_VIA, token),
                ],
            )
        finally:
            store.close()
    return first


@click.command()
@data_option
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with clientId, userId and userToken.")
def init(data: Path, config: Path | None, as_json: bool) -> None:
    """Make the state of a new gateway: databases, master key, first client, user and token."""
    with told_plainly():
        given = keys_given(data, config)
        first = create_state(data, given)
    if as_json:
        click.echo(json.dumps({"clientId": first.client_id, "userId": first.user_id, "userToken": first.token}))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"Made the state of a new gateway in {data}.\n", markup=False)
    # Not by rich: a token must not be broken into lines, however narrow the terminal is.
    click.echo(f"client id   {first.client_id}\nuser id     {first.user_id}\nuser token  {first.token}")
    key = "master.key" if given is None else "the master key"
    console.print(
        f"\nThe token is shown this once. Without {key} the secrets in this state cannot be read: keep a copy of\n"
        f"it apart from backups. Start the gateway with: twistd -n rrgate --data {data}",
        markup=False,
    )
