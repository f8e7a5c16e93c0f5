"""`WorkersService`: what `twistd rrgate --workers N` runs in the parent: sockets, signals and a Supervisor.

Belongs here: how these hang together, and reading the settings anew. Does not: any decision about a worker
(supervisor.py), any request.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.logger import Logger
from twisted.python.failure import Failure

from rrgate.settings import Settings, SettingsError
from rrgate.workers.channel import Message
from rrgate.workers.crew import Hand, Plan
from rrgate.workers.launching import Invocation, Launcher
from rrgate.workers.plan import plan_of, plan_told
from rrgate.workers.sharing import Shares, new_memory
from rrgate.workers.sockets import BoundSockets
from rrgate.workers.supervisor import Supervisor

_log = Logger("rrgate.workers")


class WorkersService(Service):
    """Raises CannotListenError or SettingsError when it is started and cannot listen. Ends, with a status other than 0,
    if its first workers do not start."""

    def __init__(self, settings: Settings, reactor: Any, invocation: Invocation, config: Path | None) -> None:
        """`config`: the settings' file, which is read anew at SIGHUP."""
        self._settings = settings
        self._reactor = reactor
        self._invocation = invocation
        self._config = config
        self._looking = False
        self._again = False

    def startService(self) -> None:
        """See the class."""
        plan = plan_of(self._settings, self._read_config())
        self._sockets = BoundSockets(self._reactor)
        self._sockets.bind(plan.endpoints)
        memory = new_memory()
        shares = Shares(memory)
        launcher = self._launcher = Launcher(
            self._reactor, self._invocation, memory, self._sockets.descriptors, self._heard, self._ended
        )
        self._supervisor = Supervisor(
            self._reactor,
            launcher.launch,
            freed=shares.clear,
            failed=self._failed,
            settled=lambda plan: self._sockets.keep(plan.endpoints),
        )
        super().startService()  # type: ignore[no-untyped-call]
        self._reactor.callWhenRunning(self._begin, plan)

    def stopService(self) -> Deferred[None]:
        """Fires when all workers have ended what they had begun, and are gone."""
        if not self.running:
            return succeed(None)
        super().stopService()  # type: ignore[no-untyped-call]
        stopped = self._supervisor.stop()
        self._sockets.close()
        return stopped

    def reload(self) -> None:
        """Read the settings anew, and put new workers in the place of those there are. What is wrong is logged, and
        changes nothing."""
        if not self.running:
            return
        if self._looking:
            self._again = True
            return
        try:
            config = self._read_config()
        except OSError as error:
            self._wrong(f"{self._config}: {error.strerror}")
            return
        _log.info("new workers are started")
        try:
            looked = self._launcher.look(config)
        except OSError as error:
            self._wrong(f"no process can be started: {error.strerror}")
            return
        self._looking = True
        looked.addCallback(self._looked, config).addErrback(self._not_right)

    def _heard(self, hand: Hand, message: Message) -> None:
        self._supervisor.heard(hand, message)

    def _ended(self, hand: Hand, how: str) -> None:
        self._supervisor.ended(hand, how)

    def _begin(self, plan: Plan) -> None:
        signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self.reload))
        try:
            self._supervisor.start(plan)
        except OSError as error:
            self._failed(f"no process can be started: {error.strerror}")

    def _looked(self, told: Mapping[str, Any], config: bytes | None) -> None:
        self._looking = False
        if not self.running or self._looks_again():
            return
        plan = plan_told(told, config)
        self._supervisor.give_up("other settings have come")
        self._sockets.bind(plan.endpoints)
        self._supervisor.start(plan)

    def _not_right(self, failure: Failure) -> None:
        self._looking = False
        known = failure.check(ValueError, SettingsError, CannotListenError)
        if known is None:
            _log.failure("new workers cannot be started", failure)
        self._wrong(str(failure.value) if known else "see above")
        self._looks_again()

    def _looks_again(self) -> bool:
        """Whether SIGHUP has come meanwhile: what was looked at may have changed before."""
        again, self._again = self._again, False
        if again:
            self.reload()
        return again

    def _wrong(self, why: str) -> None:
        _log.error("no new workers: {why}; those that serve go on as they are", why=why)

    def _read_config(self) -> bytes | None:
        return None if self._config is None else self._config.read_bytes()

    def _failed(self, why: str) -> None:
        _log.critical("the gateway ends: {why}", why=why)
        # twistd ends with 0 whatever happens once its reactor runs.
        atexit.register(_end_with_failure, why)
        self._reactor.stop()


def _end_with_failure(why: str) -> None:
    try:
        sys.stderr.write(f"rrgate cannot start: {why}\n")
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(1)  # also where the disk of the log is full
