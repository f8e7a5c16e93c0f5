"""`WayOut`: how this gateway reaches anything outside of it: names, guarded addresses, pools, and plugins' calls.

Belongs here: making these from the settings. Does not: what they do (wire/, outside.py), who uses them (gateway.py).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import frozen

from rrgate.boot_values import Event
from rrgate.outside import Outside
from rrgate.outside_way import Reach
from rrgate.settings import Settings
from rrgate.wire.dialer import Dialer
from rrgate.wire.guard import AddressGuard, Opened
from rrgate.wire.pool import Pool
from rrgate.wire.resolving import resolver_of


@frozen
class WayOut:
    """`guard`: what may be dialled, by whatever of the two. `pool`: the requests'. `trial_pool`: keeps no connection,
    so that each trial tries one of its own."""

    guard: AddressGuard
    outside: Outside
    pool: Pool
    trial_pool: Pool


def open_way_out(
    settings: Settings,
    reactor: Any,
    opened_for: Callable[[str], tuple[Opened, ...]],
    closed_by: Callable[[Callable[[], Any]], None],
    tell: Callable[[Event], object],
) -> WayOut:
    """`opened_for`: networks that are opened for a client alone, by its id. `closed_by` is given what ends the threads
    that look names up. `tell`: the operator, of names that cannot be looked up. The pools are closed by whoever drains
    them."""
    resolver, end_resolver = resolver_of(settings, reactor, tell)
    closed_by(end_resolver)
    networks = tuple((entry.network, entry.port) for entry in settings.allow_networks)
    guard = AddressGuard(networks, opened_for)
    reach = Reach(reactor, resolver, guard, connect_timeout=settings.connect_timeout)
    new_pool = partial(
        Pool,
        Dialer(reactor, resolver, guard, timeout=settings.connect_timeout),
        reactor,
        own_prefix=settings.header_prefix.encode(),
        max_head=settings.max_head_bytes,
        max_fields=settings.max_head_fields,
    )
    return WayOut(guard, Outside(reach), new_pool(idle_timeout=settings.pool_idle_timeout), new_pool(idle_timeout=0))
