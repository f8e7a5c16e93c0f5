"""`proxyPlugins` of a proxy: judged by the plugins, its secrets sealed and bound to the target's host.

Belongs here: what a list in a document becomes, and what of the present one is kept. Does not: which plugins may be
listed (rrgate/proxy_plugins.py), opening what is sealed; nothing here can.

Who may change a proxy may not read its secrets, and so must not be able to have them sent elsewhere: with any change of
a configuration that has some, or of the target's host, they are to be given again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from attrs import evolve, frozen

from rrgate.api import ConfigError, Plugin, Problem
from rrgate.core.answers import Refused, conflict, some_of
from rrgate.core.house import CoreHouse
from rrgate.core.rotation import plaintext_of
from rrgate.model import Proxy, Target
from rrgate.model.hosts import address_of, allows
from rrgate.model.proxy_plugin import ProxyPlugin
from rrgate.proxy_plugins import Configured
from rrgate.store.errors import BrokenSecret
from rrgate.store.sealed_parts import pack, unpack
from rrgate.store.secrets import plugin_row

FIELD: Final = "proxyPlugins"


@frozen
class Entry:
    """One of a list. `configured`: what its plugin makes of it, or None where it is `before`, the present one, and so
    keeps its secrets."""

    wanted: ProxyPlugin
    configured: Configured | None
    before: ProxyPlugin | None


def judged(house: CoreHouse, wanted: Sequence[ProxyPlugin], present: Sequence[ProxyPlugin] = ()) -> list[Entry]:
    """The entries of a list, `present` being the one in force. Raises ConfigError with every problem."""
    problems: list[Problem] = []
    entries = []
    seen: set[str | type[Plugin]] = set()
    known = {each.name: each for each in present}
    for place, each in enumerate(wanted):
        before = known.get(each.name)
        if each.fingerprint is not None and (before is None or each.fingerprint != before.fingerprint):
            problems.append(
                Problem(f"{FIELD}.{place}.fingerprint", "is read only: leave it out, or send its present value")
            )
        configured = None
        if before is None or evolve(each, fingerprint=before.fingerprint) != before:
            try:
                configured = house.proxy_plugins.configured(each.name, each.configuration, f"{FIELD}.{place}")
            except ConfigError as error:
                problems += error.problems
        # By its class, where that is installed: it may have several names.
        identity = house.proxy_plugins.installed.get(each.name, each.name)
        if identity in seen:
            problems.append(Problem(f"{FIELD}.{place}.name", "is listed already: each plugin once"))
        seen.add(identity)
        entries.append(Entry(each, configured, before))
    if problems:
        raise ConfigError(*problems)
    return entries


def sealed(
    house: CoreHouse, client_id: str, proxy_id: str, target_id: str, entries: Sequence[Entry], before: Proxy | None
) -> dict[str, Any]:
    """The attributes of a proxy to that target that hold `entries`; `before` is the proxy as it was.

    Where neither the list nor the target is another one, nothing, whatever state it is in. Raises Refused with 409 if
    secrets are to be given again.
    """
    stay = tuple(entry.before for entry in entries if entry.configured is None)
    if before is not None and (target_id, stay, len(entries)) == (before.target_id, before.plugins, len(stay)):
        return {}
    target = house.directory.targets.get(target_id)
    address = None if target is None else address_of(target.base_url)
    host = None if before is None else before.plugins_host
    present = {} if before is None else _parts(before)
    stays = address is None or (host is not None and allows((host,), address))
    plugins, parts, given = [], {}, False
    for place, entry in enumerate(entries):
        name, configured = entry.wanted.name, entry.configured
        if configured is None:
            assert entry.before is not None
            if entry.before.fingerprint is not None:
                if not stays:
                    raise conflict(
                        f"{FIELD}.{place}.configuration",
                        "whoever changes where secrets go must know them: send them in the same request",
                    )
                if name not in present:
                    raise conflict(
                        f"{FIELD}.{place}.configuration",
                        "its secrets are lost: send them in the same request",
                    )
                parts[name] = present[name]
            plugins.append(entry.before)
        elif configured.has_secrets:
            given = True
            shown, parts[name] = _sealed(house, client_id, proxy_id, entry, configured, present.get(name))
            plugins.append(shown)
        elif entry.before is not None and entry.before.fingerprint is not None:
            raise conflict(
                f"{FIELD}.{place}.configuration",
                "has secrets, to be sent with any change of it; to do without them, take it off the list first",
            )
        else:
            plugins.append(ProxyPlugin(name, configured.public))
    if given and not stays:
        host = None if address is None else address.entry
    return {"plugins": tuple(plugins), "sealed_plugins": pack(parts), "plugins_host": host if parts else None}


def _parts(proxy: Proxy) -> Mapping[str, bytes]:
    """What is sealed of its plugins; nothing where it was damaged: to be given again, as what is not there."""
    try:
        return unpack(proxy.sealed_plugins)
    except BrokenSecret:
        return {}


def _sealed(
    house: CoreHouse, client_id: str, proxy_id: str, entry: Entry, configured: Configured, present: bytes | None
) -> tuple[ProxyPlugin, bytes]:
    """(as it is shown, as it is kept) of an entry that has secrets."""
    secrets, row = house.store.secrets, plugin_row(proxy_id, entry.wanted.name)
    plaintext = plaintext_of(entry.wanted.configuration)
    shown = ProxyPlugin(entry.wanted.name, configured.public, secrets.fingerprint(row, plaintext))
    if present is not None and secrets.holds(client_id, row, present, plaintext):
        return shown, present
    return shown, secrets.seal(client_id, row, plaintext)


def put_back(present: Iterable[ProxyPlugin], after: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What a PUT would have to say to make `present` the list that a revision shows, with the secrets that it has now.

    Raises Refused with 409 for a plugin that had secrets then, and has none now: without them it may do less.
    """
    has_secrets = {each.name for each in present if each.fingerprint is not None}
    document = []
    for place, each in enumerate(after):
        if each["fingerprint"] is not None and each["name"] not in has_secrets:
            raise conflict(
                f"{FIELD}.{place}.configuration", "had secrets, which are gone: list it by PUT, secrets included"
            )
        document.append({**each, "fingerprint": None})
    return document


def check_move(house: CoreHouse, target: Target, base_url: str) -> None:
    """Raises Refused with 409 if a proxy's plugins have secrets that may not go to where `base_url` leads `target`."""
    address = address_of(base_url)
    refused: list[str] = []
    for proxy in house.directory.proxies_using(target.id):
        host = proxy.plugins_host
        if proxy.client_id == target.client_id and host is not None and not allows((host,), address):
            refused.append(proxy.id)
    if refused:
        raise _not_there(address.entry, sorted(refused))


def _not_there(entry: str, proxy_ids: list[str]) -> Refused:
    return conflict(
        "targetBaseURL",
        f"plugins of proxies have secrets that may not go to {entry}: {some_of(proxy_ids)}; make another target, "
        f"and name it in these proxies with their {FIELD}, secrets included, in the same request",
    )
