"""`rrgate audit`: prints the audit log; and the entries of what the commands themselves change.

Belongs here: the audit log by hand. Does not: reading it through the Core API (core/audit.py), rows (store/audit.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from rrgate.cli.options import config_option, data_option, opened, told_plainly
from rrgate.ids import new_id
from rrgate.json_text import json_text
from rrgate.model import Token
from rrgate.model.documents import publish
from rrgate.store import AuditEntry
from rrgate.store.audit import MOST_ENTRIES, Action


def by_hand(
    via: str,
    at: int,
    action: Action,
    kind: str,
    noun_id: str,
    *,
    client_id: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """The entry of what the command `via` changes at `at` (milliseconds since the epoch); no user is known for it."""
    return AuditEntry(
        id=new_id(),
        at=at,
        client_id=client_id,
        user_id="",
        token_id="",
        via=via,
        action=action,
        kind=kind,
        noun_id=noun_id,
        before=before,
        after=after,
    )


def token_made(via: str, token: Token) -> AuditEntry:
    """The entry of a new user token."""
    return by_hand(via, token.created_at, "create", "tokens", token.id, after=token_document(token))


def token_ended(via: str, at: int, token: Token) -> AuditEntry:
    """The entry of a user token that is no more."""
    return by_hand(via, at, "delete", "tokens", token.id, before=token_document(token))


def token_document(token: Token) -> dict[str, Any]:
    """What the log keeps of a user token: nothing that it could be found by."""
    return publish(token)


@click.command()
@data_option
@config_option
@click.option("--client", "client_id", help="Only what belongs to this client; if not given, everything.")
@click.option(
    "--limit", type=click.IntRange(1, MOST_ENTRIES), default=100, show_default=True, help="How many entries."
)
def audit(data: Path, config: Path | None, client_id: str | None, limit: int) -> None:
    """Print who changed what, newest first: one JSON object a line, also of clients that are deleted."""
    with told_plainly(), closing(opened(data, config)) as store:
        cursor = None
        while limit:
            page = store.audit(client_id=client_id, limit=limit, cursor=cursor)
            for entry in page.entries:
                click.echo(json_text(entry.published(), ascii=True))
            # A page of large entries has fewer.
            limit, cursor = limit - len(page.entries), page.next_cursor
            if cursor is None:
                return
