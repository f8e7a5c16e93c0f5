"""`rrgate simulate`: what would happen to asynchronous requests while their target is down.

Belongs here: its options, and what it prints. Does not: what happens (rrgate/simulation.py).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import click
from attrs import asdict

from rrgate.config_values import ConfigError

if TYPE_CHECKING:
    from rrgate.simulation import Account, Scenario

_PARTS = (0.5, 0.9, 0.99, 1.0)
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def _seconds(ctx: click.Context, option: click.Parameter, value: str) -> float:
    """Of `30`, `30s`, `5m`, `1h`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is no time: write it as 30s, 5m or 1h", ctx, option)
    return float(found[1]) * _UNITS[found[2]]


def _policy(ctx: click.Context, option: click.Parameter, value: str) -> dict[str, Any]:
    try:
        document = json.loads(value)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise click.BadParameter("it must be a JSON object, as proxyRetryPolicy is", ctx, option)
    return document


@click.command()
@click.option("--seed", default=1, show_default=True, help="The same seed, the same output.")
@click.option("--outage", default="30s", show_default=True, callback=_seconds, help="How long the target answers 503.")
@click.option("--rate", default=50.0, show_default=True, type=click.FloatRange(0.01, 1000), help="Requests a second.")
@click.option("--after", default="20s", show_default=True, callback=_seconds, help="How long requests come after it.")
@click.option("--takes", default="0.05s", show_default=True, callback=_seconds, help="The target's time for an answer.")
@click.option(
    "--in-flight", default=10, show_default=True, type=click.IntRange(1), help="As async_in_flight_per_target."
)
@click.option("--policy", default="{}", callback=_policy, help="As proxyRetryPolicy.  [default: a gateway's own]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def simulate(
    seed: int,
    outage: float,
    rate: float,
    after: float,
    takes: float,
    in_flight: int,
    policy: dict[str, Any],
    as_json: bool,
) -> None:
    """Print what would happen to asynchronous requests if their target were down for a while.

    Nothing is sent: it is the gateway's own delivery, in memory, on a clock that is turned.
    """
    from rrgate.simulation import Scenario  # a whole gateway, which no other command needs
    from rrgate.simulation import simulate as run

    scenario = Scenario(seed, rate, outage, after, takes, in_flight, policy)
    try:
        account = run(scenario)
    except ConfigError as error:
        raise click.ClickException(f"--policy: {error}") from None
    click.echo(json.dumps(_document(scenario, account)) if as_json else _text(scenario, account))


def _document(scenario: Scenario, account: Account) -> dict[str, Any]:
    return {
        "seed": scenario.seed,
        "refused": account.refused,
        "steps": [asdict(step) for step in account.steps],
        "waits": {f"{of:.0%}": account.wait(of) for of in _PARTS},
        "attempts": account.attempts,
        "mostAttemptsInASecond": account.most_attempts,
    }


def _text(scenario: Scenario, account: Account) -> str:
    lines = [
        f"seed {scenario.seed}: {scenario.rate:g} requests a second for {scenario.seconds:g} s; "
        f"from {scenario.begins:g} s to {scenario.begins + scenario.outage:g} s the target answers 503",
        "",
        "   until   taken  attempts  failed  under way  succeeded  dead letters",
    ]
    lines += [
        f"{step.until:6.0f} s {step.taken:7} {step.attempts:9} {step.failed:7} {step.under_way:10} "
        f"{step.succeeded:10} {step.exhausted:13}"
        for step in account.steps
    ]
    waits = ", ".join(f"{of:.0%} within {account.wait(of):.1f} s" for of in _PARTS)
    attempts = ", ".join(f"{count} took {number}" for number, count in account.attempts.items())
    lines += [
        "",
        f"delivered: {waits or 'none'}",
        f"attempts: {attempts or 'none'}; at most {account.most_attempts} in one second",
    ]
    if account.refused:
        lines.append(f"refused, because too many waited: {account.refused}")
    return "\n".join(lines)
