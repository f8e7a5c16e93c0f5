"""The process's own log under twistd, no less severe than the setting `log_level` says, as text or as JSON lines.

Belongs here: the observer that takes the place of twistd's. Does not: what is logged, the form of a JSON line
(json_log.py), or the request log (journal.py).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, MutableMapping
from typing import Any

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    textFileLogObserver,
)
from twisted.python.logfile import LogFile

from rrgate.careful_log import CarefulObserver
from rrgate.json_log import JsonLines

_log = Logger("rrgate.workers")

_chosen: dict[str, Any] = {}
"""What `choose` was told. Of the whole process, as the log under twistd is; an embedded Gateway never comes here."""


def choose(twistd: MutableMapping[str, Any], level: str, form: str = "text") -> None:
    """Have twistd log by `chosen`, unless it was told of a logger or syslog. Called while options are read.

    `twistd`: its options, which take a logger by name only. `level`: of twisted.logger. `form`: text or json.
    """
    if not twistd.get("logger") and not twistd.get("syslog"):
        _chosen.update(twistd=twistd, level=level, form=form)
        twistd["logger"] = f"{__name__}.{chosen.__name__}"


def chosen() -> ILogObserver:
    """Writes where twistd was told to: to `--logfile`, else to standard output with `-n`, else to twistd.log.

    Events below the level are dropped, and of failures it is written what they are, not what they say. Called by
    twistd once it has become a daemon.
    """
    twistd, level = _chosen["twistd"], _chosen["level"]
    path = twistd.get("logfile")
    stream: Any = sys.stdout
    if path != "-" and (path or not twistd.get("nodaemon")):
        stream = _chosen["file"] = LogFile.fromFullPath(path or "twistd.log")
    return written_to(stream, level, _chosen["form"])


def written_to(stream: Any, level: str, form: str) -> ILogObserver:
    """Writes to `stream` what is no less severe than `level`, as text or json."""
    predicate = LogLevelFilterPredicate(LogLevel.levelWithName(level))
    written: ILogObserver = JsonLines(stream) if form == "json" else textFileLogObserver(stream)
    observer: ILogObserver = FilteringLogObserver(CarefulObserver(written), [predicate])
    return observer


def passed_on() -> Callable[[str], None] | None:
    """Takes lines that another process has logged, for where twistd writes; None if that is this process's standard
    output, which a process of ours has too."""
    if not _chosen:
        return lambda text: _log.info("{text}", text=text.rstrip("\n"))
    file = _chosen.get("file")
    if file is None:
        return None

    def write(text: str) -> None:
        file.write(text)
        file.flush()

    return write
