"""`rrgate demo`: a gateway to try, with a target beside it and a line to paste.

Belongs here: its options, its state and its user token. Does not: what is run (rrgate/demo.py).
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing
from pathlib import Path

import click
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)

from rrgate.cli.audit import token_ended, token_made
from rrgate.cli.init import create_state
from rrgate.cli.options import told_plainly
from rrgate.ids import new_id
from rrgate.model import Token
from rrgate.model.user import new_token
from rrgate.registry import PluginLoadError
from rrgate.store import GivenKeys, Store, given_keys
from rrgate.store.folder import DATABASE

_TOKEN_NAME = "demo"
_VIA = "rrgate demo"


def fresh_token(data: Path, given: GivenKeys | None = None) -> str:
    """A user token of the first operator, in place of the one that the last demo made. Raises StoreError.

    `given`: the master keys, or None for those of the key file.
    """
    text = new_token()
    with closing(Store.open(data, given=given)) as store:
        inventory = store.load()
        operators = [user for user in inventory.users if user.operator]
        if not operators:
            raise click.ClickException(f"the state in {data} has no operator; choose another directory with --data")
        now = int(time.time() * 1000)
        old = [token for token in inventory.tokens if token.name == _TOKEN_NAME]
        made = Token(
            id=new_id(),
            user_id=operators[0].id,
            name=_TOKEN_NAME,
            token_hash=store.secrets.token_hash(text),
            created_at=now,
        )
        store.delete(*old, audit=[token_ended(_VIA, now, token) for token in old])
        store.save(made, audit=[token_made(_VIA, made)])
    return text


@click.command()
@click.option(
    "--data",
    default=".run",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Its data directory, made if it is not there.",
)
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="Of the gateway.")
@click.option("--core-port", default=8081, show_default=True, type=click.IntRange(0, 65535), help="Of the Core API.")
def demo(data: Path, port: int, core_port: int) -> None:
    """Run a gateway with a target to call, and print a line that calls it. A port of 0 is any free one."""
    from rrgate.reactor import install

    reactor = install()
    # Not before: what these import may not choose the reactor.
    from rrgate.demo import Demo, DemoError, run_demo

    quiet = LogLevelFilterPredicate(defaultLogLevel=LogLevel.warn)
    globalLogBeginner.beginLoggingTo(
        [FilteringLogObserver(textFileLogObserver(sys.stderr), [quiet])], redirectStandardIO=False
    )
    with told_plainly():
        given = given_keys((), os.environ)
        if not (data / DATABASE).exists():
            create_state(data, given)
        token = fresh_token(data, given)
        try:
            run_demo(reactor, Demo(reactor, data, token, port, core_port), click.echo)
        except (DemoError, PluginLoadError) as error:
            raise click.ClickException(str(error)) from None
