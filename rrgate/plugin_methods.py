"""The request methods of plugins, for type checkers: when each is called, and what it may answer.

Belongs here: one protocol for each phase. Does not: what a plugin declares (api.py), calling methods (steps.py).
For plugins: from `rrgate.api`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Protocol

from rrgate.exchange import Exchange
from rrgate.messages import Denied, Explained, Identity, Reply


class Authenticates(Protocol):
    """Auth types of the caller's side, and gates before them."""

    def authenticate(
        self, ex: Exchange
    ) -> Identity | Denied | Reply | Awaitable[Identity | Denied | Reply | None] | None:
        """Who is it? `Identity`: this caller. None: nothing here that is mine. `Denied`: mine, and bad.

        Runs first, before the credential is cut from the request. The first Identity, Denied or Reply ends the
        phase; all None is denied. Raising answers 500 and forwards nothing.
        """


class Authorizes(Protocol):
    """Rules, limits, meters."""

    def authorize(self, ex: Exchange) -> Denied | Reply | Awaitable[Denied | Reply | None] | None:
        """May this identity do this? None: no objection. Raising answers 500 and forwards nothing."""


class NeedsBody(Protocol):
    """Plugins that need the caller's body whole for some requests, and not for others."""

    def body_needed(self, ex: Exchange) -> int | None:
        """Bytes up to which this request's body is held before `prepare`, as `ex.held_body`. None: not for me.

        A body over the smallest number answers 413. Not `async`. Raising answers 500 and forwards nothing.
        """


class Prepares(Protocol):
    """Injection and target credentials."""

    def prepare(self, ex: Exchange) -> Reply | Awaitable[Reply | None] | None:
        """Write into `ex.target_request`. Runs again, on a fresh one, at every attempt.

        Raising answers 500 and sends nothing.
        """


class TransformsRequestBody(Protocol):
    """Plugins that change the caller's body as it streams."""

    def on_request_body(self, ex: Exchange, chunk: bytes, last: bool) -> bytes | Awaitable[bytes]:
        """The bytes to send for `chunk`, possibly none. Called once more with `last` and what is left to say.

        A body that is held whole (`body_need`, `body_needed`), and one that is not there, come in this one call.
        Raising answers 500, or 502 once bytes went to the target.
        """


class Renews(Protocol):
    """Target credentials that go out of date before their time."""

    def renew(self, ex: Exchange) -> bool | Awaitable[bool]:
        """The target answered 401. True: `prepare` has something else to write now; send the request once more.

        Called once a request, before `on_response` of any plugin. Where `ex.repeatable` is false the target's 401 is
        the answer, whatever this says. Else all of `prepare` runs again, on a fresh `ex.target_request`, and what the
        target answers then is its answer. Raising answers 502.
        """


class RespondsToTarget(Protocol):
    """Plugins that read or change the target's answer."""

    def on_response(self, ex: Exchange) -> Reply | Awaitable[Reply | None] | None:
        """Read or change `ex.response`. A Reply takes its place. In reverse order, only plugins that were entered.

        Entered is who was called on the way in, however that ended; who has no method there, once the request is
        sent. `ex.response` is None when the answer is a Reply of ours. Raising answers 502, or 500 if nothing was
        sent; the others that were entered are still called, and what they answer no longer counts. Nobody is called
        when the caller leaves: what must be undone for every request is undone in `on_log`.
        """


class TransformsResponseBody(Protocol):
    """Plugins that change the target's body as it streams."""

    def on_body(self, ex: Exchange, chunk: bytes, last: bool) -> bytes | Awaitable[bytes]:
        """The bytes to answer for `chunk`, possibly none; having this method turns body transformation on.

        Called once more with `last`. Raising answers 502, or closes the connection once bytes went to the caller.
        """


class Retries(Protocol):
    """Retry policies of the Async API."""

    def next_attempt(self, ex: Exchange, attempt: int) -> float | None:
        """Seconds to wait after attempt number `attempt` (from 1), or None to stop. Raising ends in a dead letter."""


class LogsRequests(Protocol):
    """Plugins that look at finished requests."""

    def on_log(self, ex: Exchange, record: Mapping[str, object]) -> None:
        """After the last byte, once for every request of the proxy, however it ended.

        `record` is what the log will hold, made when it is first read. Raising is logged and has no other effect.
        """


class Explains(Protocol):
    """Plugins that change something besides the request, and can say what they would do without doing it."""

    def explain(self, ex: Exchange, phase: str) -> Explained | Awaitable[Explained]:
        """What would `phase` (`authenticate`, `authorize` or `prepare`) do with this request?

        Called in its place where a request is explained. May write into `ex` what it would write; changes no counter,
        cache or state, and calls nobody. Raising is told as a failure of the step.
        """
