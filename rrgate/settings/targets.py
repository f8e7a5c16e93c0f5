"""Settings of connections to targets: what may be dialled, names, and times.

Belongs here: rows of the table. Does not: what a target itself can be told (model/target.py).
"""

from __future__ import annotations

from attrs import frozen

from rrgate.settings import values
from rrgate.settings.networks import AllowedNetwork, allowed_network
from rrgate.settings.row import setting


@frozen(kw_only=True, slots=False)
class TargetSettings:
    """What is true of the way to every target."""

    allow_networks: tuple[AllowedNetwork, ...] = setting(
        values.list_of("a network, or network:port", allowed_network, made=AllowedNetwork),
        (),
        where="connections to targets",
        help="Networks that may be dialled although they are private, loopback or otherwise not public: `network`, "
        "`network:port` or `[IPv6 network]:port`. Our own listeners and metadata addresses stay closed.",
    )
    connect_timeout: float = setting(
        values.seconds(0.1, 300),
        10.0,
        unit="seconds",
        where="connections to targets",
        help="Until a connection stands, TLS included. None of several addresses may take all of it to be reached; the "
        "first that is reached is used.",
    )
    pool_idle_timeout: float = setting(
        values.seconds(0, 3600),
        4.0,
        unit="seconds",
        where="connections to targets",
        help="How long an idle connection is kept for the next request.",
    )
    dns_timeout: float = setting(
        values.seconds(0.1, 300), 5.0, unit="seconds", where="names of targets", help="Until a name is resolved."
    )
    dns_threads: int = setting(
        values.whole(1, 256), 20, unit="threads", where="names of targets", help="Names resolved at one time."
    )
    dns_cache: float = setting(
        values.seconds(0, 86400), 30.0, unit="seconds", where="names of targets", help="How long addresses are kept."
    )
    dns_stale: float = setting(
        values.seconds(0, 604800),
        3600.0,
        unit="seconds",
        where="names of targets",
        help="How much longer addresses may be used where a name cannot be looked up anew; 0: no longer.",
    )
    dns_failure_cache: float = setting(
        values.seconds(0, 3600), 5.0, unit="seconds", where="names of targets", help="How long a failure is kept."
    )
