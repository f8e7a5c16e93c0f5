"""Reads the three places a setting can stand in: options of the command line, RRGATE_… variables, a TOML file.

Every complaint names its source, what is wrong and what would be right. The settings themselves are in the files
beside this.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import Attribute

from rrgate.settings.values import Kind, WrongValue

PREFIX: Final = "RRGATE_"
NOT_SETTINGS: Final = frozenset({"RRGATE_CONFIG", "RRGATE_MASTER_KEY", "RRGATE_REQUIRE_REAL_PARTS"})
"""Variables of other purposes: the file's path for the command line, the master key, which no setting may hold, and
what the tests must not skip."""


class Assigned(str):
    """The value of an option that was given as `--set NAME=VALUE`; complaints name it so."""


class _Reading:
    """What was found so far, best source first, and what is wrong with any of it."""

    def __init__(self, attributes: Iterable[Attribute[Any]]) -> None:
        self.kinds: dict[str, Kind] = {attribute.name: attribute.metadata["kind"] for attribute in attributes}
        self.given: dict[str, Any] = {}
        self.problems: list[str] = []

    def take(self, name: str, value: Any, source: str, *, text: bool) -> None:
        """Keep a value, unless a better source gave one; a wrong one is a problem in either case."""
        kind = self.kinds[name]
        try:
            checked = kind.check(kind.from_text(value) if text else value)
        except WrongValue as wrong:
            self.problems += [f"{source}{place}: {problem}" for place, problem in wrong.problems]
        else:
            self.given.setdefault(name, checked)

    def unknown(self, source: str, name: str, spelled: Mapping[str, str]) -> None:
        """No setting of this name; `spelled`: every setting as this source spells it."""
        near = difflib.get_close_matches(name, spelled, n=1)
        hint = f"did you mean {near[0]}?" if near else "docs/configuration.md lists them"
        self.problems.append(f"{source}: no such setting; {hint}")


def read_sources(
    attributes: Iterable[Attribute[Any]],
    options: Mapping[str, object],
    environ: Mapping[str, str],
    toml_path: Path | None,
    toml_content: bytes | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """(checked values by name, problems); see `rrgate.settings.load` for what the arguments are."""
    reading = _Reading(attributes)
    _read_options(reading, options)
    _read_environment(reading, environ)
    if toml_path is not None:
        _read_file(reading, toml_path, toml_content)
    return reading.given, reading.problems


def _read_options(reading: _Reading, options: Mapping[str, object]) -> None:
    spelled = {name.replace("_", "-"): name for name in reading.kinds}
    for option, value in options.items():
        if value is None:
            continue
        name = option.replace("-", "_")
        assigned = isinstance(value, Assigned)
        source = f"--set {option}" if assigned else f"option --{option.replace('_', '-')}"
        if name in reading.kinds:
            reading.take(name, value, source, text=isinstance(value, str))
        else:
            reading.unknown(source, option, {known: known for known in reading.kinds} if assigned else spelled)


def _read_environment(reading: _Reading, environ: Mapping[str, str]) -> None:
    spelled = {PREFIX + name.upper(): name for name in reading.kinds}
    for variable, value in environ.items():
        if variable in spelled:
            reading.take(spelled[variable], value, f"variable {variable}", text=True)
        elif variable.startswith(PREFIX) and variable not in NOT_SETTINGS:
            reading.unknown(f"variable {variable}", variable, spelled)


def _read_file(reading: _Reading, path: Path, content: bytes | None) -> None:
    try:
        document = tomllib.loads((path.read_bytes() if content is None else content).decode())
    except OSError as problem:
        reading.problems.append(f"{path}: {problem.strerror or problem}; give the path of a file that can be read")
        return
    except ValueError as problem:  # no UTF-8, or no TOML
        reading.problems.append(f"{path}: this is not TOML: {problem}")
        return
    spelled = {name: name for name in reading.kinds}
    for key, value in document.items():
        source = f"{path}: key {key}"
        if key not in spelled:
            reading.unknown(source, key.replace("-", "_"), spelled)
        elif key == "data" and isinstance(value, str) and value:
            # Beside the file, wherever the process was started.
            reading.take(key, path.absolute().parent / Path(value).expanduser(), source, text=False)
        else:
            reading.take(key, value, source, text=False)
