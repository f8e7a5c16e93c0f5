"""`setting`: one row of the table of settings, checked whenever it is given; and `SettingsError`.

Belongs here: what is true of every setting. Does not: which there are (the other files here), kinds of values
(values.py).
"""

from __future__ import annotations

from typing import Any

from attrs import NOTHING, Attribute, Converter, field

from rrgate.settings.values import Kind, WrongValue


class SettingsError(Exception):
    """Settings that cannot be used; `problems` has one line for each thing that is wrong, the message has them all."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        count = "a setting is" if len(problems) == 1 else f"{len(problems)} settings are"
        super().__init__("\n  ".join([f"{count} wrong:", *problems]))


def _checked(value: Any, attribute: Attribute[Any]) -> Any:
    try:
        return attribute.metadata["kind"].check(value)
    except WrongValue as problem:
        raise SettingsError([f"{attribute.name}{place}: {text}" for place, text in problem.problems]) from None


def setting(kind: Kind, default: Any = NOTHING, *, where: str, help: str, unit: str = "") -> Any:
    """A row of the table. `where`: what the setting applies to; `unit`: of its number."""
    return field(
        default=default,
        converter=Converter(_checked, takes_field=True),
        metadata={"kind": kind, "where": where, "help": help, "unit": unit},
    )
