"""Every setting of the gateway: its name, default, unit, range, where it applies and what it means. One table.

Reading options, environment and file is in settings_sources.py; what a value may look like in settings_values.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from attrs import fields, frozen

from rrgate import settings_values as values
from rrgate.setting import SettingsError, setting
from rrgate.settings_sources import read_sources
from rrgate.settings_values import AllowedNetwork, Network

__all__ = ["AllowedNetwork", "Settings", "SettingsError", "load"]


@frozen(kw_only=True)
class Settings:
    """What the operator decided. Every value is checked and in range, also when this class is called directly.

    Raises SettingsError otherwise, with everything that is wrong in its first wrong field.
    """

    data: Path = setting(
        values.folder(), where="everything", help="Folder of the databases, keys and counters. Has no default."
    )
    key_command: tuple[str, ...] = setting(
        values.command(),
        (),
        where="everything",
        help="Program and arguments that print the master key, run once at the start, without a shell. Empty: "
        "`master.key` in `data`, or the variable `RRGATE_MASTER_KEY`.",
    )

    listen: str = setting(
        values.text_of("a Twisted endpoint string", values.endpoint, optional=True),
        "tcp:8080:interface=127.0.0.1",
        where="gateway listener",
        help="Where callers connect: a Twisted endpoint string. Empty, in an embedding service only: nowhere.",
    )
    core_listen: str = setting(
        values.text_of("a Twisted endpoint string", values.endpoint, optional=True),
        "tcp:8081:interface=127.0.0.1",
        where="Core API listener",
        help="Where the Core API is served: a Twisted endpoint string. Empty, in an embedding service only: nowhere.",
    )
    public_url: str = setting(
        values.text_of("an absolute URL", values.base_url, optional=True),
        "",
        where="answers",
        help="The gateway's address as callers see it, for `proxyURL` and `Location`. Empty: from the bound address; "
        "without a listener `proxyURL` is then `/api/…` alone.",
    )
    core_public_url: str = setting(
        values.text_of("an absolute URL", values.base_url, optional=True),
        "",
        where="answers",
        help="The Core API's address as users see it, for `redirect_uri`. Empty: from the bound address, "
        "and nobody can authorize a credential.",
    )
    hosts: tuple[str, ...] = setting(
        values.list_of("a host without scheme and port", values.host_name),
        (),
        where="both listeners",
        help="Names that a `Host` header may carry; others get 421. Empty: the bound address, `localhost` and the "
        "hosts of the two public URLs.",
    )
    regions: tuple[str, ...] = setting(
        values.list_of("a region such as us-east-1", values.region),
        (),
        where="gateway listener",
        help="Regions that this node serves; a proxy of another one answers 404. Empty: all.",
    )
    trusted_proxies: tuple[Network, ...] = setting(
        values.list_of("a network", values.network, made=(IPv4Network, IPv6Network)),
        (),
        where="gateway listener",
        help="Networks whose `X-Forwarded-For` tells the caller's address. Empty: nobody's.",
    )
    allow_networks: tuple[AllowedNetwork, ...] = setting(
        values.list_of("a network, or network:port", values.allowed_network, made=AllowedNetwork),
        (),
        where="connections to targets",
        help="Networks that may be dialled although they are private, loopback or otherwise not public: `network`, "
        "`network:port` or `[IPv6 network]:port`. Our own listeners and metadata addresses stay closed.",
    )
    default_client: str = setting(
        values.text_of("the id of a client", values.uuid, optional=True),
        "",
        where="gateway listener",
        help="Client whose aliases `/api/{alias}/…` finds, by id. Empty: aliases need a client's id before them.",
    )
    query_credentials: bool = setting(
        values.switch(),
        True,
        where="gateway listener",
        help="Whether callers may present a credential in the query.",
    )
    allow_anonymous_proxies: bool = setting(
        values.switch(),
        False,
        where="gateway listener",
        help="Whether a proxy may let in callers who show no credential. Where it is off, those that would answer 401.",
    )
    header_prefix: str = setting(
        values.text_of("a header name's beginning that ends in '-'", values.header_prefix),
        "requestrocket-",
        where="answers and requests to targets",
        help="What the names of the gateway's own headers begin with.",
    )

    max_target_bytes: int = setting(
        values.whole(256, 1 << 20),
        16384,
        unit="bytes",
        where="gateway listener",
        help="Longest request target; 414 beyond.",
    )
    max_head_bytes: int = setting(
        values.whole(1024, 1 << 22),
        65536,
        unit="bytes",
        where="both sides",
        help="Largest head, first line included; 431 beyond, and 502 for a target's.",
    )
    max_head_fields: int = setting(
        values.whole(10, 10_000),
        100,
        unit="fields",
        where="both sides",
        help="Most header fields in a head; 431 beyond, and 502 for a target's.",
    )

    head_timeout: float = setting(
        values.seconds(0.1, 3600),
        10.0,
        unit="seconds",
        where="gateway listener",
        help="Until a request's head is whole, from its first byte or the connection's start; 408 beyond.",
    )
    body_timeout: float = setting(
        values.seconds(0.1, 3600),
        30.0,
        unit="seconds",
        where="gateway listener",
        help="Between two bytes of a request's body; 408 beyond.",
    )
    keep_alive_timeout: float = setting(
        values.seconds(0.1, 3600),
        75.0,
        unit="seconds",
        where="gateway listener",
        help="How long a caller's idle connection stays open.",
    )
    send_timeout: float = setting(
        values.seconds(0.1, 3600),
        60.0,
        unit="seconds",
        where="gateway listener",
        help="How long a caller may read nothing of its answer; then its connection is dropped.",
    )

    connect_timeout: float = setting(
        values.seconds(0.1, 300),
        10.0,
        unit="seconds",
        where="connections to targets",
        help="Until a connection stands, TLS included.",
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
    dns_failure_cache: float = setting(
        values.seconds(0, 3600), 5.0, unit="seconds", where="names of targets", help="How long a failure is kept."
    )

    plugin_timeout: float = setting(
        values.seconds(0.1, 3600),
        30.0,
        unit="seconds",
        where="plugins",
        help="How long one step of a plugin may wait for what it awaits, bodies aside; 500 beyond, 502 once sent.",
    )
    block_warning: float = setting(
        values.seconds(0, 60),
        0.25,
        unit="seconds",
        where="plugins",
        help="How long the reactor's thread may be kept from its next turn before the log says by whom; 0: never.",
    )

    drain_timeout: float = setting(
        values.seconds(0, 3600),
        30.0,
        unit="seconds",
        where="process",
        help="How long requests in flight may take to end once the process is told to stop.",
    )
    max_in_flight: int = setting(
        values.whole(1, 1_000_000),
        10_000,
        unit="requests",
        where="process",
        help="Requests under way at one time; 503 beyond.",
    )
    held_answers_bytes: int = setting(
        values.whole(0, 1 << 40),
        256 * 1024 * 1024,
        unit="bytes",
        where="process",
        help="Answers held back in all until their size is known; beyond it they stream.",
    )

    journal_batch: int = setting(
        values.whole(1, 10_000), 500, unit="rows", where="journal", help="Most rows in one transaction."
    )
    journal_interval: float = setting(
        values.seconds(0.01, 60), 0.2, unit="seconds", where="journal", help="Longest wait before rows are written."
    )
    journal_queue: int = setting(
        values.whole(100, 10_000_000),
        100_000,
        unit="rows",
        where="journal",
        help="Rows that may wait; beyond it log rows are shed and counted, telemetry is not.",
    )
    log_retention_days: int = setting(
        values.whole(1, 3650), 90, unit="days", where="journal", help="How long request logs are kept."
    )
    log_level: str = setting(
        values.one_of("debug", "info", "warn", "error", "critical"),
        "info",
        where="process",
        help="Least severe message of the process's own log: debug, info, warn, error or critical.",
    )

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


def load(options: Mapping[str, object], environ: Mapping[str, str], toml_path: Path | None) -> Settings:
    """The settings from `options` over `RRGATE_…` variables of `environ` over the file over the defaults.

    `options`: values by name, with `-` or `_`; None is not given. `toml_path`: None is no file.
    Raises SettingsError with everything that is wrong in any source, each named: unknown names, values that cannot be
    used (also those that another source overrules), a file that cannot be read, and a missing `data`.
    """
    given, problems = read_sources(fields(Settings), options, environ, toml_path)
    if not problems and "data" not in given:
        problems = ["data is not set: give the option --data, the variable RRGATE_DATA or the key `data` in the file"]
    if problems:
        raise SettingsError(problems)
    return Settings(**given)
