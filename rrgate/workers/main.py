"""A worker's process: `python -m rrgate.workers.main WHAT ARGUMENTS…`, started by the parent and by nobody else.

Belongs here: settings, log, signals and reactor of that process. Does not: what it is told to do (member.py).
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from cattrs import structure
from twisted.logger import Logger, globalLogBeginner
from twisted.python.usage import UsageError

from rrgate.delivery.schema import migrations as queue_migrations
from rrgate.log_output import written_to
from rrgate.registry import PluginLoadError, load_registry
from rrgate.service import Options, StartedOrExit
from rrgate.settings import Settings
from rrgate.store import StoreError
from rrgate.store.folder import DATABASE, LOG_DATABASE, QUEUE_DATABASE
from rrgate.store.inspection import pending_of
from rrgate.store.log_migrations import migrations as log_migrations
from rrgate.store.migrations import migrations
from rrgate.workers.channel import PROTOCOL, Message, open_channel
from rrgate.workers.launching import CHANNEL, CONFIG, FIRST_SOCKET, SHARES, Told
from rrgate.workers.member import Member
from rrgate.workers.plan import what_to_tell
from rrgate.workers.sharing import Shares

_log = Logger("rrgate.workers")


def main(arguments: Sequence[str]) -> int:
    """Be a worker until it is over; answers the status to end with."""
    given = json.loads(arguments[0])
    if given.get("protocol") != PROTOCOL:
        return _say("this version needs a parent of its own: stop the gateway, and start it again")
    told = structure(given, Told)
    if told.reactor:
        importlib.import_module(told.reactor).install()
    options = Options()
    if told.has_config:
        options.config_content = Path(f"/proc/self/fd/{CONFIG}").read_bytes()
    try:
        options.parseOptions(list(arguments[1:]))
    except UsageError as error:
        return _say(str(error))
    if told.only_look:
        return _look(options.settings)
    return _work(options.settings, told)


def _look(settings: Settings) -> int:
    try:
        with redirect_stdout(sys.stderr):  # what a plugin prints is no part of the answer
            load_registry()
        files = ((DATABASE, migrations), (LOG_DATABASE, log_migrations), (QUEUE_DATABASE, queue_migrations))
        for name, known in files:
            path = settings.data / name
            if path.exists() and pending_of(path, known):
                return _say(f"{name} must be changed, which the workers that serve do not know: restart the gateway")
    except (PluginLoadError, StoreError) as error:
        return _say(str(error))
    sys.stdout.write(json.dumps(what_to_tell(settings)))
    sys.stdout.flush()
    return 0


def _work(settings: Settings, told: Told) -> int:
    from twisted.internet import reactor

    globalLogBeginner.beginLoggingTo([written_to(sys.stdout, settings.log_level, settings.log_format)])
    worker = _Worker(settings, reactor, told)
    reactor.callWhenRunning(worker.begin)
    reactor.run()
    return worker.status


class _Worker:
    """The process around a Member."""

    def __init__(self, settings: Settings, reactor: Any, told: Told) -> None:
        self.status = 0
        self._reactor = reactor
        self._over = False
        sockets = {endpoint: FIRST_SOCKET + at for at, endpoint in enumerate(told.endpoints)}
        self._channel = open_channel(reactor, CHANNEL, self._take, self._lost)
        self._member = Member(
            settings,
            reactor,
            lambda settings, reactor, member: StartedOrExit(settings, reactor, node=member),
            self._channel.send,
            sockets,
            Shares(SHARES),
            self._end,
            self._fail,
        )
        for descriptor in (CHANNEL, SHARES, CONFIG):
            os.close(descriptor)

    def begin(self) -> None:
        """The reactor runs, and has installed its own."""
        # A terminal sends it to all that run in it: the parent decides what becomes of its workers.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: self._reactor.callFromThread(self._stop))

    def _take(self, message: Message) -> None:
        try:
            self._member.take(message)
        except SystemExit as error:
            self._fail(str(error.code))
        except BaseException as error:  # noqa: BLE001 - whoever has not done what it was told must not go on serving
            _log.failure("this worker cannot go on")
            self._fail(f"{type(error).__name__} at {message.get('say')!r}")

    def _fail(self, why: str) -> None:
        try:
            sys.stdout.flush()
            sys.stderr.write(f"{why}\n")
            sys.stderr.flush()
        finally:
            os._exit(1)  # also where the disk of the log is full

    def _lost(self) -> None:
        if not self._over:
            _log.error("the parent is gone: this worker ends what it has begun, and then itself")
            self._member.orphaned()

    def _stop(self) -> None:
        self._member.end_alone()

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._reactor.stop()


def _say(why: str) -> int:
    sys.stderr.write(f"rrgate: {why}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
