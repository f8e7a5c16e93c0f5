"""Every setting of the gateway: its name, default, unit, range, where it applies and what it means. One table.

The rows are in state.py, listeners.py, targets.py, process.py and delivery.py, by what they apply to. Reading options,
environment and file is in sources.py; what a value may look like in values.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from attrs import fields, frozen

from rrgate.settings.delivery import DeliverySettings
from rrgate.settings.listeners import ListenerSettings
from rrgate.settings.networks import AllowedNetwork
from rrgate.settings.process import ProcessSettings
from rrgate.settings.row import SettingsError
from rrgate.settings.sources import read_sources
from rrgate.settings.state import StateSettings
from rrgate.settings.targets import TargetSettings

__all__ = ["AllowedNetwork", "Settings", "SettingsError", "load"]


@frozen(kw_only=True)
class Settings(DeliverySettings, ProcessSettings, TargetSettings, ListenerSettings, StateSettings):
    """What the operator decided. Every value is checked and in range, also when this class is called directly.

    Raises SettingsError otherwise, with everything that is wrong in its first wrong field. Of its bases the last one's
    rows come first in the table.
    """

    def __attrs_post_init__(self) -> None:
        problems = []
        if self.max_head_bytes <= self.max_target_bytes:
            problems.append(
                f"max_head_bytes: {self.max_head_bytes} leaves no room behind a request target of max_target_bytes "
                f"({self.max_target_bytes}): make it larger than that"
            )
        if self.journal_queue < self.journal_batch:
            problems.append(
                f"journal_queue: {self.journal_queue} is less than one journal_batch ({self.journal_batch}): "
                "make it at least that"
            )
        if problems:
            raise SettingsError(problems)


def load(
    options: Mapping[str, object],
    environ: Mapping[str, str],
    toml_path: Path | None,
    toml_content: bytes | None = None,
) -> Settings:
    """The settings from `options` over `RRGATE_…` variables of `environ` over the file over the defaults.

    `options`: values by name, with `-` or `_`; None is not given. `toml_path`: None is no file.
    `toml_content`: what is in it, if it is not to be read now.
    Raises SettingsError with everything that is wrong in any source, each named: unknown names, values that cannot be
    used (also those that another source overrules), a file that cannot be read, and a missing `data`.
    """
    given, problems = read_sources(fields(Settings), options, environ, toml_path, toml_content)
    if not problems and "data" not in given:
        problems = ["data is not set: give the option --data, the variable RRGATE_DATA or the key `data` in the file"]
    if problems:
        raise SettingsError(problems)
    return Settings(**given)
