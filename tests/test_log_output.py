"""The setting `log_level` under twistd: what is below it is not written.

Belongs here: rrgate/log_output.py. Does not: what is logged where.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.logger import Logger, LogLevel
from twisted.python.reflect import namedAny

from rrgate.log_output import choose


@pytest.mark.parametrize(("level", "written"), [("debug", "debug info warn error"), ("warn", "warn error")])
def test_events_below_the_level_are_not_written(tmp_path: Path, level: str, written: str) -> None:
    twistd: dict[str, Any] = {"logfile": str(tmp_path / "log"), "nodaemon": 1}
    choose(twistd, level)
    observer = namedAny(twistd["logger"])()
    logger = Logger("test", observer=observer)
    for name in ("debug", "info", "warn", "error"):
        logger.emit(LogLevel.levelWithName(name), f"a message at {name}")
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == written.split()


@pytest.mark.parametrize("told", [{"logger": "somebody.else"}, {"syslog": 1}])
def test_whoever_told_twistd_where_to_log_is_left_alone(told: dict[str, Any]) -> None:
    twistd = dict(told)
    choose(twistd, "error")
    assert twistd == told
