"""`rrgate torture`: kills a gateway at random moments, and accounts for every asynchronous request that it took.

Belongs here: its options, its state, and what it prints. Does not: how it is done (rrgate/torture/).
"""

from __future__ import annotations

import json
import random
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from rrgate.cli.init import create_state
from rrgate.cli.options import told_plainly
from rrgate.torture.process import TortureError
from rrgate.torture.run import Outcome
from rrgate.torture.run import torture as run

_SHOWN = 20
"""Problems that are told of one by one."""


@contextmanager
def _ends_in_order() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does: no gateway of its own runs on, and its state is removed."""

    def end(number: int, frame: object) -> NoReturn:
        for each in heard:
            signal.signal(each, signal.SIG_IGN)  # a second one would break off the first one's work
        sys.exit(128 + number)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    heard = [number for number, handler in before.items() if handler is not signal.SIG_IGN]  # as under nohup
    try:
        for number in heard:
            signal.signal(number, end)
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])


@click.command()
@click.option("--kills", default=5, show_default=True, type=click.IntRange(0), help="How many times.")
@click.option("--callers", default=8, show_default=True, type=click.IntRange(1, 1000), help="Callers at one time.")
@click.option(
    "--rate", default=150.0, show_default=True, type=click.FloatRange(0.1), help="Requests a second at most, of all."
)
@click.option(
    "--duration",
    type=click.FloatRange(0.1),
    help="Seconds under load in all, starts not counted.  [default: half a second for each kill]",
)
@click.option(
    "--gateways", default=1, show_default=True, type=click.IntRange(1, 8), help="That run at one time; one delivers."
)
@click.option("--seed", type=int, help="Makes requests and moments what they are; another each time.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where its state is made, and left.  [default: one that is removed]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def torture(
    kills: int,
    callers: int,
    rate: float,
    duration: float | None,
    gateways: int,
    seed: int | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Kill a gateway with SIGKILL at random moments under load, and account for every request of its Async API.

    The gateway and its target are its own, on loopback. Ends with 1 if a request is lost, or was sent once more
    although it may not be.
    """
    seed = random.SystemRandom().getrandbits(32) if seed is None else seed
    with _ends_in_order(), ExitStack() as stack, told_plainly():
        if data is None:
            data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rrgate-torture-"))) / "state"
        first = create_state(data)
        try:
            outcome = run(
                data,
                first.token,
                first.client_id,
                kills=kills,
                callers=callers,
                rate=rate,
                duration=0.5 * (kills + 1) if duration is None else duration,
                seed=seed,
                gateways=gateways,
                say=lambda text: None if as_json else click.echo(text, err=True),
            )
        except TortureError as error:
            raise click.ClickException(f"seed {seed}: {error}") from None
    click.echo(json.dumps(_document(outcome)) if as_json else _text(outcome))
    sys.exit(0 if outcome.good else 1)


def _document(outcome: Outcome) -> dict[str, Any]:
    judgement = outcome.judgement
    return {
        "seed": outcome.seed,
        "kills": outcome.kills,
        "killsInStart": outcome.in_start,
        "seconds": round(outcome.seconds, 1),
        "refused": {str(status): count for status, count in sorted(outcome.refused.items())},
        "unanswered": outcome.unanswered,
        "accepted": judgement.accepted,
        "delivered": judgement.delivered,
        "repeated": judgement.repeated,
        "doubled": judgement.doubled,
        "unknown": judgement.unknown,
        "lost": judgement.lost,
        "unlogged": judgement.unlogged,
        "calledBack": judgement.called_back,
        "states": dict(sorted(judgement.states.items())),
        "problems": judgement.problems,
    }


def _text(outcome: Outcome) -> str:
    judgement = outcome.judgement
    refused = ", ".join(f"{count} with {status}" for status, count in sorted(outcome.refused.items()))
    states = ", ".join(f"{count} {state}" for state, count in judgement.states.most_common())
    lines = [
        f"seed {outcome.seed}: {outcome.kills} kills, {outcome.in_start} of them before the gateway was ready, "
        f"in {outcome.seconds:.0f} s",
        f"  accepted    {judgement.accepted:6}   answered 202",
        f"  unanswered  {outcome.unanswered:6}   the gateway died first; taken or not",
        f"  refused     {sum(outcome.refused.values()):6}   {refused or 'none'}",
        f"  delivered   {judgement.delivered:6}   arrived at the target",
        f"  repeated    {judgement.repeated:6}   of them once more after a kill, as they may",
        f"  doubled     {judgement.doubled:6}   against the rules",
        f"  unknown     {judgement.unknown:6}   killed in the middle, not safe to repeat",
        f"  lost        {judgement.lost:6}   not accounted for",
        f"  unlogged    {judgement.unlogged:6}   the request log does not tell their end",
        f"  called back {judgement.called_back:6}   told of their end, as their callers wanted",
        f"  states      {states or 'none'}",
    ]
    problems = judgement.problems
    lines += problems[:_SHOWN]
    if len(problems) > _SHOWN:
        lines.append(f"and {len(problems) - _SHOWN} more")
    return "\n".join(lines)
