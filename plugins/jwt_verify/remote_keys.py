"""Key sets that are fetched: kept by URL, renewed in time, once for all who wait (docs/auth-types.md, jwtVerify).

Belongs here: when a set is fetched, and which one is in force meanwhile. Does not: what is in it (keys.py).

A set is fresh for 10 minutes. Then it is fetched again, and serves on until the new one is there; only where nobody
had asked for as long again does the request wait. Where fetching fails it serves on for a day.
"""

from __future__ import annotations

import weakref
from typing import Any, Final
from urllib.parse import urlsplit

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from rrgate.api import CallsOutside, Event, OutsideAnswer, OutsideError, PluginContext
from rrgate_plugins.jwt_verify.keys import MOST_KEYS, KeySet, WrongKey, key_of_jwk
from rrgate_plugins.jwt_verify.strict import NotStrict, object_from

FRESH: Final = 600.0
LIFETIME: Final = 24 * 3600.0
"""Seconds for which a set serves that cannot be fetched again."""
PAUSE: Final = 60.0
"""Seconds from one fetch to the next, while there is a set."""
COLD_PAUSE: Final = 5.0
"""The same while there is none."""
_TIMEOUT: Final = 10.0
_MOST_BYTES: Final = 256 * 1024


class NoKeys(Exception):
    """There is no key set, and none can be fetched now."""


class WrongKeySet(ValueError):
    """What was fetched is no key set. The text quotes nothing."""


class RemoteKeys:
    """The key set at one URL."""

    def __init__(self, url: str, context: PluginContext) -> None:
        """`context`: of the plugin object that asks first: its clock, its log, and how the operator is told."""
        self._url = url
        self._host = urlsplit(url).netloc
        self._clock: IReactorTime = context.clock
        self._log = context.log
        self._tell = context.tell
        self._keys: KeySet | None = None
        self._body = b""
        self._fetched_at = 0.0
        self._tried_at = float("-inf")
        self._failed = False
        self._fetch: Deferred[None] | None = None
        self._waiting: list[Deferred[None]] = []
        self._timer: Any = None

    def in_force(self) -> KeySet | None:
        """The set as it was fetched last, unless that is too long ago."""
        if self._keys is not None and self._clock.seconds() - self._fetched_at >= LIFETIME:
            self._keys, self._body = None, b""
        return self._keys

    def keep_fresh(self, now: float, http: CallsOutside) -> None:
        """Have the set fetched again if it is out of date, and serve on. For requests that need no key: where all that
        are shown are tokens that were verified before, those of a key that was withdrawn must end in time, too.

        `now`: seconds of the clock.
        """
        if now - self._fetched_at >= FRESH and self._may_fetch():
            self._begin(http)

    def now(self, key_id: str | None, http: CallsOutside) -> KeySet | None:
        """The set for a token with this `kid`, if it is there and knows that; else ask `later`."""
        keys = self.in_force()
        if keys is None:
            return None
        age = self._clock.seconds() - self._fetched_at
        if age >= FRESH and self._may_fetch():
            if age >= 2 * FRESH and not self._failed:
                return None
            self._begin(http)
        return keys if keys.knows(key_id) else None

    async def later(self, key_id: str | None, http: CallsOutside) -> KeySet:
        """The set, fetched again unless it just was. Raises NoKeys. To be cancelled at any time: the fetch goes on."""
        if self._may_fetch():
            self._begin(http)
        if self._fetch is not None:
            fetched: Deferred[None] = Deferred()
            self._waiting.append(fetched)
            await fetched
        keys = self.in_force()
        if keys is None:
            raise NoKeys
        if not keys.knows(key_id):
            self._plan(http)
        return keys

    def close(self) -> None:
        """No fetch any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._fetch is not None:
            self._fetch.cancel()

    def _may_fetch(self) -> bool:
        pause = PAUSE if self._keys is not None else COLD_PAUSE
        return self._fetch is None and self._clock.seconds() - self._tried_at >= pause

    def _plan(self, http: CallsOutside) -> None:
        """One fetch more, when that may be: somebody knows a key that is not in the set."""
        if self._timer is None:
            itself = weakref.ref(self)  # a set that nobody needs any more is not fetched
            pause = max(0.0, self._tried_at + PAUSE - self._clock.seconds())
            self._timer = self._clock.callLater(pause, _begin_planned, itself, http)

    def _begin(self, http: CallsOutside) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._tried_at = self._clock.seconds()
        self._failed = True  # until it has not
        self._fetch = Deferred()  # so that it is there if the fetch ends at once
        fetch = Deferred.fromCoroutine(self._fetch_once(http))
        fetch.addBoth(self._ended)
        if self._fetch is not None:
            self._fetch = fetch

    async def _fetch_once(self, http: CallsOutside) -> None:
        try:
            answer = await http.request(
                "GET",
                self._url,
                headers={"Accept": "application/jwk-set+json, application/json"},
                timeout=_TIMEOUT,
                limit=_MOST_BYTES,
            )
            # One that has not changed stays, and with it the tokens that were verified with it.
            if self._keys is None or answer.status != 200 or answer.body != self._body:
                self._keys, self._body = key_set_of(answer), answer.body
            self._fetched_at, self._failed = self._clock.seconds(), False
        except (OutsideError, WrongKeySet) as error:
            left = "the one that is known serves on" if self.in_force() else "there is none: requests are refused"
            self._tell(Event("keys-unreachable", f"the key set of {self._host}: {error}; {left}", self._host))

    def _ended(self, result: Failure | None) -> None:
        """Those who waited go on, each with the error if it is none that was reckoned with."""
        self._fetch = None
        waiting, self._waiting = self._waiting, []
        broke = result is not None and result.check(CancelledError) is None
        if broke and not waiting:
            self._log.failure("the key set of {host} cannot be read", failure=result, host=self._host)
        for each in waiting:
            each.callback(result if broke else None)


def _begin_planned(reference: weakref.ref[RemoteKeys], http: CallsOutside) -> None:
    keys = reference()
    if keys is not None:
        keys._timer = None
        if keys._fetch is None:
            keys._begin(http)


class RemoteKeySets:
    """The sets of one gateway by URL, each for as long as a credential has it."""

    def __init__(self) -> None:
        self._known: weakref.WeakValueDictionary[str, RemoteKeys] = weakref.WeakValueDictionary()

    def at(self, url: str, context: PluginContext) -> RemoteKeys:
        """The set at `url`, as it is configured: another spelling is another set."""
        known = self._known.get(url)
        if known is None:
            known = self._known[url] = RemoteKeys(url, context)
        return known

    def close(self) -> None:
        """No fetch any more."""
        for each in list(self._known.values()):
            each.close()


def key_set_of(answer: OutsideAnswer) -> KeySet:
    """The keys in an answer; those that are of no use here are left out (RFC 7517 5). Raises WrongKeySet."""
    if answer.status != 200:
        raise WrongKeySet(f"its server answered {answer.status}")
    try:
        members = object_from(answer.body).get("keys")
    except NotStrict as error:
        raise WrongKeySet(f"what its server answered is not right: {error}") from None
    if not isinstance(members, list) or len(members) > MOST_KEYS:
        raise WrongKeySet(f"what its server answered has no `keys`, or more than {MOST_KEYS}")
    found = []
    for member in members:
        try:
            key = key_of_jwk(member)
        except WrongKey:
            continue
        if key is not None:
            found.append(key)
    return KeySet(tuple(found))
