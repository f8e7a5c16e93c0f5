"""State as `rrgate init` makes it, and a way to run commands.

Belongs here: fixtures of tests/cli/. Does not: fixtures of anything else.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rrgate.cli import main

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `rrgate ARGUMENTS…`."""
    monkeypatch.delenv("RRGATE_DATA", raising=False)

    def command(*arguments: object) -> Result:
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return command


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def first(run: Run, data: Path) -> dict[str, str]:
    """What `rrgate init --json` printed for `data`."""
    result = run("init", "--data", data, "--json")
    assert result.exit_code == 0, result.output
    printed: dict[str, str] = json.loads(result.stdout)
    return printed
