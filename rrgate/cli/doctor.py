"""`rrgate doctor`: looks at everything that can keep a gateway from starting or serving, and says what to do.

Belongs here: the findings. Does not: mending anything; how each thing is looked at (store/inspection.py, ports.py).
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click
from attrs import frozen
from rich.console import Console
from rich.text import Text

from rrgate.cli.options import config_option, data_option
from rrgate.cli.ports import address_of, has_open, is_taken, listeners_on, problem_with
from rrgate.delivery.schema import migrations as queue_migrations
from rrgate.delivery.space import floor_of, free_bytes
from rrgate.model import Proxy, Side
from rrgate.open_files import needed, possible, shortage
from rrgate.settings import Settings, SettingsError, load
from rrgate.store import GivenKeys, Store, StoreError, given_keys
from rrgate.store.errors import NewerDatabase
from rrgate.store.folder import BALLAST, DATABASE, KEY_FILE, LOCK_FILE, LOG_DATABASE, QUEUE_DATABASE, require_state
from rrgate.store.inspection import check_key, check_whole, keys_in_use, pending_of, pending_steps
from rrgate.store.key_source import key_source
from rrgate.store.keyfile import MasterKeys

if TYPE_CHECKING:
    from rrgate.registry import Registry


@frozen
class Finding:
    """`what` was found; `todo` is empty if all is well. `wrong`: the gateway cannot be trusted to work like this."""

    what: str
    todo: str = ""
    wrong: bool = True


def examine(data: Path, config: Path | None) -> Iterator[Finding]:
    """Every finding about the state in `data`, the settings (file `config` and environment), plugins and ports."""
    settings: Settings | None = None
    try:
        settings = load({"data": str(data)}, os.environ, config)
        yield Finding("settings are right" if config is None else f"settings in {config} are right")
    except SettingsError as error:
        for problem in error.problems:
            yield Finding(problem, "correct this setting; docs/configuration.md lists them")
    if settings is not None and settings.workers > len(os.sched_getaffinity(0)):
        what = f"workers is {settings.workers}, and there are {len(os.sched_getaffinity(0))} processors"
        yield Finding(what, "set it to their number: more only take memory", wrong=False)
    # Not imported above: no other command is to fail where a plugin, or what plugins need, is broken.
    from rrgate.registry import PluginLoadError, load_registry

    registry: Registry | None = None
    try:
        registry = load_registry()
        names = {name for side in Side for name in registry.auth_type_names(side)}
        whose = ", ".join(sorted(set(registry.distributions.values())))
        yield Finding(f"plugins of {whose} load: {len(names)} names of auth types")
    except PluginLoadError as error:
        yield Finding(str(error), "repair or uninstall this plugin")
    try:
        yield from _state(data, registry, settings)
    except OSError as error:
        what = f"{error.filename or data}: {error.strerror or error}"
        yield Finding(what, "run this as the gateway's user; look at the file, its owner and its disk")
    if settings is not None:
        yield from _room(data, settings.async_free_disk)
        yield from _port("gateway listener", settings.listen, data)
        yield from _port("Core API listener", settings.core_listen, data)
        yield _files(settings, possible())


def _state(data: Path, registry: Registry | None, settings: Settings | None) -> Iterator[Finding]:
    try:
        require_state(data)
    except StoreError as error:
        yield _of(error)
        return
    yield Finding(f"there is state in {data}")
    modes = [*_modes(data)]
    yield from modes
    readable = True
    for name in (DATABASE, LOG_DATABASE):
        if not (data / name).exists():
            yield Finding(f"{name} is not there yet", "nothing: it is made at the next start", wrong=False)
            continue
        try:
            check_whole(data / name)
            pending = pending_steps(data / name, log=name == LOG_DATABASE)
        except StoreError as error:
            readable = readable and name != DATABASE
            yield _of(error)
            continue
        yield Finding(f"{name} is whole")
        if pending:
            readable = readable and name != DATABASE
            steps = f"{len(pending)} migrations" if len(pending) > 1 else f"migration {pending[0]}"
            todo = "nothing: the next start applies them, after making a copy"
            yield Finding(f"{name} is of an older version: {steps} to come", todo, wrong=False)
    yield from _queue(data / QUEUE_DATABASE)
    if readable and settings is not None:
        # That the key file is open to others keeps its keys from being read, too: told once.
        told = {each.todo for each in modes}
        yield from (each for each in _secrets(data, registry, settings) if each.todo not in told)


def _queue(path: Path) -> Iterator[Finding]:
    """The requests of the Async API, which are in no backup."""
    if not path.exists() or not os.access(path, os.R_OK):
        return  # made at the first start; or told with the modes
    try:
        check_whole(path)
        pending_of(path, queue_migrations)  # which the next start applies
    except NewerDatabase as error:
        yield _of(error)
    except StoreError as error:
        todo = "stop the gateway and move this file away; what it holds is lost, and a new one is made at the start"
        yield Finding(str(error).partition("; ")[0], todo)
    else:
        yield Finding(f"{path.name} is whole")


def _modes(data: Path) -> Iterator[Finding]:
    if data.stat().st_mode & 0o077:
        yield Finding(f"{data} is open to others", f"run: chmod 700 {data}", wrong=False)
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        yield _not_ours(data)
    for path in sorted(data.iterdir()):
        try:
            found = path.stat().st_mode
        except FileNotFoundError:
            continue  # such as SQLite's beside a running gateway, which come and go
        mode = stat.S_IMODE(found)
        if stat.S_ISREG(found) and mode & 0o077:
            yield Finding(f"{path} is open to others (mode {mode:04o})", f"run: chmod 600 {path}")
        # The others are opened here, and what comes of that is told.
        told = path.name in (DATABASE, LOG_DATABASE, LOCK_FILE) and not os.access(path, os.R_OK)
        if stat.S_ISREG(found) and path.name != KEY_FILE and not told and not os.access(path, os.R_OK | os.W_OK):
            yield _not_ours(path)


def _not_ours(path: Path) -> Finding:
    user = os.geteuid()
    what = f"{path} cannot be read and written by this user, {user}"
    return Finding(what, f"run this as the gateway's user; if it is that one, run as root: chown {user} {path}")


def _secrets(data: Path, registry: Registry | None, settings: Settings) -> Iterator[Finding]:
    try:
        given = given_keys(settings.key_command, os.environ)
        source = key_source(data, given)
        count = check_key(data / DATABASE, source)
        yield Finding(f"the master key opens every secret ({count})")
        yield from _rotation(data, source.read(), given)
        with closing(Store.open(data, given=given)) as store:
            inventory = store.load()
    except StoreError as error:
        yield _of(error)
        return
    yield Finding("every row can be read")
    if registry is not None:
        credentials = inventory.credentials
        missing = sorted({k.auth_type for k in credentials if registry.auth_type(k.auth_type, k.side) is None})
        for auth_type in missing:
            yield Finding(
                f"credentials of type {auth_type!r} have no plugin here",
                "install the plugin that brings this type, or delete these credentials",
            )
        yield from _listed(registry, settings, inventory.proxies)


def _listed(registry: Registry, settings: Settings, proxies: Iterable[Proxy]) -> Iterator[Finding]:
    """What proxies may list, and do."""
    from rrgate.proxy_plugins import ProxyPlugins

    try:
        known = ProxyPlugins(registry, settings.tenant_plugins)
    except SettingsError as error:
        for problem in error.problems:
            yield Finding(problem, "install the plugin that has this name, or take the name away")
        return
    may = {name for each in known.all for name in (each.name, *each.aliases)}
    for name in sorted({each.name for proxy in proxies for each in proxy.plugins} - may):
        yield Finding(
            f"proxies list the plugin {name!r}, which they may not, and answer 500",
            "install it and name it in tenant_plugins, or take it off the proxyPlugins of these proxies",
        )


def _rotation(data: Path, keys: MasterKeys, given: GivenKeys | None) -> Iterator[Finding]:
    uses = keys_in_use(data / DATABASE, keys)
    if not all(use.wraps == 0 for use in uses if use.id != keys.current):
        yield Finding(
            "a rotation of the master key is not finished: " + ", ".join(f"{use.wraps} under {use.id}" for use in uses),
            f"run: rrgate keys rotate --data {data}",
            wrong=False,
        )
    elif len(keys.keys) > 1:
        todo = f"take the others away, or run: rrgate keys rotate --data {data}" if given is None else "take it away"
        yield Finding(f"{keys.where} has more keys than the one that is used, {keys.current}", todo, wrong=False)
    if given is not None and (data / KEY_FILE).exists():
        yield Finding(
            f"{KEY_FILE} is there, though the master key comes from {keys.where}",
            "if backups that need it can do without it, remove it",
            wrong=False,
        )


def _room(data: Path, floor: int) -> Iterator[Finding]:
    """Whether the disk has what the Async API wants free on it."""
    try:
        free = free_bytes(data)
        needed = floor_of(data / BALLAST, floor)
    except OSError:
        return  # which is told with the state
    what = f"{free / 2**20:.1f} MiB are free on the disk of {data}"
    if free >= needed:
        yield Finding(what)
        return
    what += f", and asynchronous requests are taken from {needed / 2**20:.1f} MiB on"
    yield Finding(what, "make room there, or set async_free_disk lower")


def _port(what: str, endpoint: str, data: Path) -> Iterator[Finding]:
    address = address_of(endpoint)
    if address is None:
        return
    error = problem_with(address)
    where = f"{what} {endpoint}"
    if error is None:
        yield Finding(f"{where} is free")
    elif not is_taken(error):
        yield Finding(f"{where} cannot be opened: {error.strerror}", "choose an address and port of this machine")
    else:
        holders = listeners_on(address.port)
        ours = [holder for holder in holders if has_open(holder.pid, data / DATABASE)]
        if ours:
            yield Finding(f"{where} is served by the gateway of this state, process {ours[0].pid}")
            return
        names = ", ".join(f"{holder.name}, process {holder.pid}" for holder in holders)
        yield Finding(
            f"{where} is taken by {names or 'a process of another user'}",
            "end that process, or choose another port",
        )


def _files(settings: Settings, files: int) -> Finding:
    few = shortage(settings, files)
    if not few:
        return Finding(f"there is room for {settings.max_connections} connections of callers")
    todo = f"if that is too few, start the gateway with a limit of {needed(settings)} (LimitNOFILE=, ulimit -Hn)"
    return Finding(few, todo, wrong=False)


def _of(error: StoreError) -> Finding:
    # Texts of the store end with what to do, behind a semicolon.
    what, _, todo = str(error).rpartition("; ")
    return Finding(what, todo) if what else Finding(todo, "look at the file, its owner and its disk")


@click.command()
@data_option
@config_option
def doctor(data: Path, config: Path | None) -> None:
    """Look at state, key, settings, plugins and ports; say what to do. Exits with 1 if anything is wrong."""
    console = Console(highlight=False, soft_wrap=True)
    wrong = 0
    for finding in examine(data, config):
        mark, style = ("✓", "green") if not finding.todo else ("✗", "red") if finding.wrong else ("!", "yellow")
        console.print(Text.assemble((mark, style), " ", finding.what))
        if finding.todo:
            console.print(Text.assemble("  → ", (finding.todo, "bold")))
        wrong += bool(finding.todo) and finding.wrong
    if wrong:
        console.print(f"\n{wrong} thing{'s are' if wrong > 1 else ' is'} wrong.", markup=False)
        sys.exit(1)
    console.print("\nNothing is wrong.")
