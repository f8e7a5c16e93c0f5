"""What a plugin makes its `Config` of, and `ConfigError`, which says what is wrong with one.

Belongs here: these few names. Does not: reading a configuration (configuring.py). For plugins: from `rrgate.api`.
"""

from __future__ import annotations

from typing import Any

from attrs import NOTHING, field, frozen


@frozen
class Problem:
    """What is wrong with one field of a configuration, without its value."""

    field: str
    problem: str


class ConfigError(ValueError):
    """A configuration that cannot work. Holds every problem found, never a value."""

    holds_no_values = True

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(f"{problem.field}: {problem.problem}" for problem in problems))
        self.problems = problems


def documented(help: str, **settings: Any) -> Any:
    """An attrs field of a `Config` with a sentence for its documentation."""
    return field(metadata={"help": help}, **settings)


def secret(help: str, *, default: Any = NOTHING, **settings: Any) -> Any:
    """An attrs field of a `Config` that is secret: encrypted at rest, never answered, logged or shown by `repr`."""
    return field(default=default, repr=False, metadata={"help": help, "secret": True}, **settings)


@frozen
class NoConfig:
    """The configuration of a plugin that has none."""
