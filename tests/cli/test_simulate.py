"""`rrgate simulate`: the same seed prints the same, and what it prints adds up.

Belongs here: the command. Does not: delivery itself (tests/delivery/).
"""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from click.testing import CliRunner

from rrgate.cli import main

SMALL = ["--rate=1.5", "--outage=12s", "--after=2s"]


def simulated(*arguments: str) -> str:
    done = CliRunner().invoke(main, ["simulate", *SMALL, *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def told(*arguments: str) -> Any:
    return json.loads(simulated("--json", *arguments))


def test_the_same_seed_gives_the_same_output_and_another_gives_another() -> None:
    before = random.getstate()
    one = simulated("--seed=7")
    assert simulated("--seed=7") == one
    assert simulated("--seed=8") != one
    assert random.getstate() == before, "nobody else's chance is changed"
    assert "from 10 s to 22 s the target answers 503" in one


def test_what_it_tells_adds_up() -> None:
    account = told()
    steps = account["steps"]
    taken = sum(step["taken"] for step in steps)
    assert account["refused"] == 0
    assert steps[-1]["succeeded"] + steps[-1]["exhausted"] == taken == sum(account["attempts"].values())
    assert steps[-1]["under_way"] == 0
    assert sum(step["attempts"] for step in steps) == sum(
        int(number) * count for number, count in account["attempts"].items()
    )
    failed = [step["until"] for step in steps if step["failed"]]
    assert min(failed) > 10
    assert max(failed) <= 24
    assert steps[-1]["exhausted"] == 0
    assert account["waits"]["50%"] <= account["waits"]["100%"]


def test_a_policy_that_gives_up_early_leaves_dead_letters() -> None:
    account = told("--policy", '{"maxRetries": 1}')
    assert account["steps"][-1]["exhausted"] > 0
    assert set(account["attempts"]) == {"1", "2"}


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("--outage=long", "write it as 30s"),
        ("--policy=[]", "it must be a JSON object"),
        ('--policy={"bas": 1}', "did you mean base"),
    ],
)
def test_what_is_wrong_is_told(option: str, why: str) -> None:
    done = CliRunner().invoke(main, ["simulate", option])
    assert done.exit_code != 0
    assert why in done.output
