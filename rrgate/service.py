"""What `twistd rrgate` runs: its options, and the service made of them.

Belongs here: the command line of twistd, the reactor it installs, the exits before anything has started. Does not:
what a gateway consists of (gateway.py).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from twisted.application.service import IService
from twisted.internet.error import CannotListenError
from twisted.logger import Logger
from twisted.python import usage

from rrgate import core_files
from rrgate.gateway import Gateway
from rrgate.log_output import choose, passed_on
from rrgate.open_files import ask_for, needed, shortage
from rrgate.registry import PluginLoadError
from rrgate.settings import Settings, SettingsError, load
from rrgate.settings.sources import Assigned
from rrgate.settled import Settled
from rrgate.store import StoreError
from rrgate.store.folder import require_state

_log = Logger("rrgate.service")


class Options(usage.Options):
    """`twistd -n rrgate --data DIR …`; whatever is left out comes from RRGATE_… variables, the file, or its default."""

    synopsis = "--data DIR [--config FILE] [options]"
    optParameters: ClassVar[list[list[Any]]] = [
        ["data", None, None, "Folder of the gateway's state, made by `rrgate init`."],
        ["config", "c", None, "TOML file with settings."],
        ["listen", None, None, "Endpoint of the gateway listener."],
        ["core-listen", None, None, "Endpoint of the Core API."],
        ["public-url", None, None, "The gateway's address as callers see it."],
        ["core-public-url", None, None, "The Core API's address as users see it."],
        ["workers", None, None, "Processes that serve, under a parent that replaces them; 0: this one serves."],
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.arguments: tuple[str, ...] = ()
        self.folder = os.getcwd()
        self.config_path: Path | None = None
        self.config_content: bytes | None = None
        """What is in the file, where it is not to be read now."""
        self.networks: list[str] = []
        self.settings_given: list[str] = []

    def opt_allow_network(self, network: str) -> None:
        """A network (NETWORK or NETWORK:PORT) that targets may lie in although it is not public; may be repeated."""
        self.networks.append(network)

    def opt_set(self, assignment: str) -> None:
        """Any other setting, as NAME=VALUE; may be repeated. See docs/configuration.md."""
        self.settings_given.append(assignment)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Also remembers them, for workers."""
        self.arguments = tuple(options or ())
        super().parseOptions(options)  # type: ignore[no-untyped-call]

    def postOptions(self) -> None:
        """Read the settings, check that there is a state, and install our reactor and log unless others were named."""
        try:
            self.settings = self._read()
            require_state(self.settings.data)
        except (SettingsError, StoreError) as error:
            raise usage.UsageError(str(error)) from error
        _install_reactor()
        if self.parent is not None:
            choose(self.parent, self.settings.log_level, self.settings.log_format)

    def _read(self) -> Settings:
        given: dict[str, object] = {}
        for assignment in self.settings_given:
            name, mark, value = assignment.partition("=")
            if not mark:
                raise usage.UsageError(f"--set {assignment}: write it as NAME=VALUE")
            given[name.replace("-", "_")] = Assigned(value)
        for name in ("data", "listen", "core-listen", "public-url", "core-public-url", "workers"):
            if self[name] is not None:
                given[name.replace("-", "_")] = self[name]
        if self.networks:
            given["allow_networks"] = ",".join(self.networks)
        config = self["config"] or os.environ.get("RRGATE_CONFIG")
        self.config_path = Path(config).absolute() if config else None
        settings = load(given, os.environ, Path(config) if config else None, self.config_content)
        nowhere = [name for name in ("listen", "core_listen") if not getattr(settings, name)]
        if nowhere:
            raise SettingsError([f"{name} is empty: only an embedding service can do without it" for name in nowhere])
        return settings


def _install_reactor() -> None:
    """Twistd has imported no reactor by now, unless `--reactor` named one, which is then kept."""
    if "twisted.internet.reactor" not in sys.modules:
        from rrgate.reactor import install

        install()


class StartedOrExit(Gateway):
    """A Gateway under twistd: what keeps it from starting is one line and a non-zero exit, not a traceback."""

    def startService(self) -> None:
        # Only here: in a host's process the limit is the host's.
        if few := shortage(self.settings, ask_for(needed(self.settings))):
            _log.warn("{few}; more need a higher limit (LimitNOFILE=, ulimit -Hn)", few=few)
        try:
            super().startService()
        except (StoreError, SettingsError, PluginLoadError, CannotListenError) as error:
            _exit(error)
        except OSError as error:
            if error.filename is None:
                raise  # nobody could tell from its text what it was of
            _exit(StoreError(f"{error.filename}: {error.strerror}; look at the file, its owner and its disk"))
        if self.settings.workers == 0:
            _bear_hangups(self.reactor)
            if self._state.counters.joined:
                text = "what is changed through one of them the others do not know until they are started again"
                _log.warn("another gateway works on {data}: {text}", data=self.settings.data, text=text)
        # Only here: in a host's process what is there is the host's.
        Settled().begin()


def makeService(options: Options) -> IService:
    """The service twistd runs."""
    from twisted.internet import reactor

    if not options.settings.core_files:
        core_files.forbid()
    if options.settings.workers:
        return _workers(options, reactor)
    try:
        service: IService = StartedOrExit(options.settings, reactor)
    except PluginLoadError as error:
        # Not a UsageError: twistd is past its options, and would print the whole traceback.
        _exit(error)
    return service


def _workers(options: Options, reactor: Any) -> IService:
    # Not at the top: one process alone has no need of it.
    from rrgate.workers.launching import Invocation
    from rrgate.workers.service import WorkersService

    class Parent(WorkersService):
        def startService(self) -> None:
            try:
                super().startService()
            except (SettingsError, CannotListenError, OSError) as error:
                _exit(error)

    module = type(reactor).__module__
    invocation = Invocation(options.arguments, options.folder, "" if module == "rrgate.reactor" else module, passed_on)
    return Parent(options.settings, reactor, invocation, options.config_path)


def _bear_hangups(reactor: Any) -> None:
    """SIGHUP, which by default ends the process, is told of and does nothing else."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        told = partial(
            reactor.callFromThread,
            _log.warn,
            "SIGHUP does nothing without workers: with --workers 1, or more, new ones take over without a pause",
        )
        signal.signal(signal.SIGHUP, lambda *_: told())


def _exit(error: Exception) -> NoReturn:
    sys.exit(f"rrgate cannot start: {error}")
