"""`check_plugin`: the contract tests that anyone runs on his plugin, in any test runner.

Belongs here: the list of promises, and telling which are broken. Does not: how each is found out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from attrs import frozen

from rrgate.api import OutsideAnswer, Plugin
from rrgate.testing.contract import callers, conduct, configuration, targets
from rrgate.testing.contract.samples import Asks, Samples
from rrgate.testing.messages import Received
from rrgate.testing.outside import OutsideCall

PROMISES: Final[Mapping[str, Callable[[Samples], Iterator[str]]]] = {
    "it can be loaded": configuration.loads,
    "a good configuration is read": configuration.is_read,
    "a bad configuration is refused, by its field and without its values": configuration.is_refused,
    "it works on the proxies that it should": configuration.works_where_it_should,
    "it does its work": conduct.does_its_work,
    "who shows a good credential is identified": callers.lets_in,
    "who shows none is nobody": callers.knows_nobody_without,
    "who shows a bad one is denied": callers.refuses,
    "what a caller shows is cut": callers.is_cut,
    "its credential wins": targets.wins,
    "a further attempt is prepared the same": targets.repeats,
    "it ends when the caller leaves": conduct.heeds_cancellation,
    "it fails closed": conduct.fails_closed,
    # Of all that was done above.
    "it keeps its secrets": conduct.keeps_secrets,
    "it blocks nothing": conduct.blocks_nothing,
}
"""Every promise, in the order in which they are looked at."""
_FIRST: Final = ("it can be loaded", "a good configuration is read")
"""Without these nothing else can be tried."""


@frozen
class BrokenPromise:
    """One promise that a plugin does not keep, and how that showed."""

    promise: str
    how: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.how}"


class BrokenPromises(AssertionError):
    """What `check_plugin` raises; `broken` has each, and the text all of them."""

    def __init__(self, plugin: type[Plugin], broken: Iterable[BrokenPromise]) -> None:
        self.broken = tuple(broken)
        promises = "1 promise" if len(self.broken) == 1 else f"{len(self.broken)} promises"
        lines = [f"{plugin.__name__} breaks {promises} of rrgate.api:", *map(str, self.broken)]
        super().__init__("\n  - ".join(lines))


def check_plugin(
    plugin: type[Plugin],
    *,
    config: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    rules: Iterable[Mapping[str, Any]] = (),
    filters: Iterable[Mapping[str, Any]] = (),
    meters: Iterable[Mapping[str, Any]] = (),
    good: Asks | Mapping[str, Asks] | None = None,
    bad: Mapping[str, Asks] | None = None,
    bad_configs: Iterable[tuple[str, Mapping[str, Any]]] = (),
    accepted: Callable[[Received], bool] | None = None,
    outside: OutsideAnswer | Callable[[OutsideCall], OutsideAnswer | Exception] | None = None,
    secrets: Iterable[str] = (),
    varies: Iterable[str] = (),
    anonymous: bool = False,
) -> None:
    """Try `plugin` out in gateways in memory. Raises BrokenPromises, an AssertionError, naming all that it breaks.

    Auth types are tried on every side that they serve; other plugins on a proxy with `settings`, which lists those that
    are `listed`.

    - `config`: for auth types a good `credentialSecret`, for `listed` plugins a good configuration; their secrets of 16
      characters or more.
    - `settings`: for others, the published settings of a proxy on which it works.
    - `rules`: rules of that proxy, as the Core API takes them, for those that judge by rules.
    - `filters`, `meters`: those of that proxy, in the same way, for plugins that carry them out.
    - `good`: a request that is let through (`Ask`), or several by name: each way in which a credential can be shown.
      Where it depends on the time or the proxy's address, a function that makes it for an `Occasion`.
    - `bad`: requests that are refused, by what is wrong with them.
    - `bad_configs`: (field, configuration) for each way in which one can be wrong; for those that have no `config`
      (published setting, settings).
    - `accepted`: whether a target would take what it received (`Received`).
    - `outside`: what servers answer that it calls through `context.http`.
    - `secrets`: further values that may be shown nowhere, such as those derived from the configuration.
    - `varies`: headers and parameters whose value may be another at each attempt.
    - `anonymous`: for others than auth types, callers of the proxy show nothing. Of an auth type that is so on purpose
      it is declared.
    """
    __tracebackhide__ = True  # pytest shows the caller's line in place of this function
    given: dict[str, Any] = {"config": config, "settings": settings, "good": good, "bad": bad}
    samples = Samples(
        plugin=plugin,
        rules=tuple(rules),
        filters=tuple(filters),
        meters=tuple(meters),
        bad_configs=tuple(bad_configs),
        accepted=accepted,
        outside=outside,
        secrets=tuple(secrets),
        varies=frozenset(varies),
        anonymous=plugin.anonymous if plugin.sides else anonymous,
        **{name: value for name, value in given.items() if value is not None},
    )
    broken: list[BrokenPromise] = []
    for promise, find in PROMISES.items():
        try:
            broken += [BrokenPromise(promise, how) for how in dict.fromkeys(find(samples))]
        except Exception as error:
            error.add_note(f"while trying out {plugin.__name__}: {promise}")
            raise
        if broken and promise in _FIRST:
            break
    if broken:
        raise BrokenPromises(plugin, broken)
