"""The files of examples/ are what they say: their settings load, their command line is one that exists.

Belongs here: reading them. Does not: running a gateway on them (tests/processes/).
"""

from __future__ import annotations

import shlex
import tomllib
from configparser import ConfigParser
from pathlib import Path

from rrgate.service import Options
from rrgate.settings import load

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_settings_load_and_are_as_written() -> None:
    written = tomllib.loads((EXAMPLES / "rrgate.toml").read_text())
    settings = load({}, {}, EXAMPLES / "rrgate.toml")
    assert str(settings.data) == written["data"]
    assert [str(each) for each in settings.allow_networks] == written["allow_networks"]
    assert (settings.query_credentials, settings.log_level) == (False, "warn")


def test_the_unit_starts_twistd_with_options_that_exist() -> None:
    unit = ConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[method-assign, assignment]
    unit.read(EXAMPLES / "rrgate.service")
    command = shlex.split(unit["Service"]["ExecStart"])
    own = [word.lstrip("-") for word in command[command.index("rrgate") + 1 :] if word.startswith("--")]
    assert own
    assert set(own) <= {option[0] for option in Options.optParameters}


def test_every_example_is_in_the_table() -> None:
    page = (EXAMPLES / "README.md").read_text()
    for path in EXAMPLES.iterdir():
        assert path.name == "README.md" or f"({path.name})" in page
