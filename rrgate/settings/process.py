"""Settings of the process: its plugins, its end, its bounds, its journal and its log.

Belongs here: rows of the table. Does not: anything of a connection (listeners.py, targets.py).
"""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from rrgate.settings import values
from rrgate.settings.row import setting


@frozen(kw_only=True, slots=False)
class ProcessSettings:
    """What is true of the process as a whole."""

    plugin_timeout: float = setting(
        values.seconds(0.1, 3600),
        30.0,
        unit="seconds",
        where="plugins",
        help="How long one step of a plugin may wait for what it awaits, bodies aside; 500 beyond, 502 once sent.",
    )
    tenant_plugins: tuple[str, ...] = setting(
        values.list_of("a plugin's name", str),
        (),
        where="plugins",
        help="Installed plugins that proxies may list in `proxyPlugins`.",
    )
    block_warning: float = setting(
        values.seconds(0, 60),
        0.25,
        unit="seconds",
        where="plugins",
        help="How long the reactor's thread may be kept from its next turn before the log says by whom; 0: never.",
    )
    workers: int = setting(
        values.whole(0, 64),
        0,
        unit="processes",
        where="process",
        help="Processes that serve, under a parent that replaces them and has SIGHUP put new ones in their place. 0: "
        "the one process that was started serves itself.",
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
    proxy_share: int = setting(
        values.whole(1, 100),
        50,
        unit="percent",
        where="process",
        help="Of `max_in_flight`, what one proxy may have while no other has any, and less as others have more; 503 "
        "beyond. 100: all.",
    )
    core_requests_per_minute: int = setting(
        values.whole(0, 1_000_000),
        0,
        unit="requests",
        where="Core API listener",
        help="Requests of one user in a minute of the clock; 429 beyond. 0: any number.",
    )
    resources_per_client: int = setting(
        values.whole(1, 100_000_000),
        500_000,
        unit="resources",
        where="Core API listener",
        help="Credentials, targets, proxies, rules, filters and meters that one client may have, all together; 409 to "
        "create more. What there is stays, and may be changed.",
    )
    held_bodies_bytes: int = setting(
        values.whole(0, 1 << 40),
        512 * 1024 * 1024,
        unit="bytes",
        where="process",
        help="Bodies of requests held in all, where something needs them whole: a rule, a signature, the Async API. A "
        "proxy may hold as much as is left; 503 beyond.",
    )
    held_answers_bytes: int = setting(
        values.whole(0, 1 << 40),
        256 * 1024 * 1024,
        unit="bytes",
        where="process",
        help="Answers held back in all until their size is known and their callers have taken them; beyond it they "
        "stream. Of those that `proxyStreaming: never` holds to their end a proxy may hold as much as is left; 503 "
        "beyond.",
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
    country_file: Path | None = setting(
        values.path_of("a MaxMind database", optional=True),
        None,
        where="journal",
        help="A MaxMind database with countries, such as GeoLite2 Country, for `country` in the request log and in "
        "telemetry; read anew when it is replaced. Empty: every country is `ZZ`.",
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
    log_format: str = setting(
        values.one_of("text", "json"),
        "text",
        where="process",
        help="Form of the process's own log: text, or json for one object a line.",
    )
    core_files: bool = setting(
        values.switch(),
        False,
        where="process",
        help="Whether a crash may leave a core file, if the system allows one: secrets are in it, in clear.",
    )
