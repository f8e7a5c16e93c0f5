"""The command `rrgate` itself: which commands it has, and that one does not pay for the others.

Belongs here: the group. Does not: what a command does.
"""

from __future__ import annotations

import click
import pytest

from rrgate.cli import FILES, Commands, main
from tests.cli.conftest import Run


@pytest.mark.parametrize("name", FILES)
def test_each_is_told_of_and_is_there(run: Run, name: str) -> None:
    assert any(line.split()[:1] == [name] for line in run("--help").output.splitlines())
    result = run(name, "--help")
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: main {name} ")


def test_only_the_one_that_is_asked_for_is_made() -> None:
    commands = Commands("rrgate")
    found = commands.get_command(click.Context(commands), "restore")
    assert found is not None
    assert commands.commands == {"restore": found}


def test_for_a_wrong_name_the_nearest_is_proposed(run: Run) -> None:
    result = run("inti")
    assert result.exit_code == 2
    assert "No such command 'inti'. Did you mean 'init'?" in result.output
    assert main.get_command(click.Context(main), "inti") is None
