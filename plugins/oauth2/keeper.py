"""`TokenKeeper`: the one token of a credential in this process: fetched once however many wait, and ahead of need.

Belongs here: when a token is fetched, and who gets it. Does not: how (grants.py).
"""

from __future__ import annotations

import math
from typing import Final

from attrs import field, frozen
from twisted.internet.defer import CancelledError, Deferred

from rrgate.api import Event, PluginContext
from rrgate_plugins.oauth2.answers import NoToken
from rrgate_plugins.oauth2.grants import LONGEST_WAIT, UNKNOWN_LIFE, Grant, Held, wait_after

AHEAD: Final = 60.0
"""Seconds before its end at which a token in use is replaced; at most a fifth of its life."""
MARGIN: Final = 5.0
"""Seconds before its end from which it is not sent any more; at most a twentieth of its life."""
BETWEEN_REJECTIONS: Final = 30.0
"""Seconds between two tokens that are fetched because a target refused one: it may refuse for another reason."""


@frozen(eq=False)
class Token:
    """Ready to be sent; times by the monotonic clock."""

    header: bytes = field(repr=False)
    access_token: str = field(repr=False)
    ahead: float
    until: float
    renewable: bool


class TokenKeeper:
    """One object a credential and version of its secret. All on the reactor's thread."""

    def __init__(self, grant: Grant, context: PluginContext, prefix: bytes = b"Bearer ") -> None:
        """`prefix`: what stands before a token in its header."""
        self.token: Token | None = None
        """The present one; whether it still serves is for its user to see."""
        self._grant = grant
        self._prefix = prefix
        self._context = context
        self._clock = context.clock
        self._id = context.credential.id if context.credential else ""
        self._shown_as_needing = context.credential is not None and context.credential.needs_authorization
        self._waiting: list[Deferred[Token]] = []
        self._fetching = False
        self._failure: NoToken | None = None
        self._failures = 0
        self._not_before = -math.inf
        self._rejection_counts_from = -math.inf

    async def get(self) -> Token:
        """A token that serves, waited for. Raises NoToken, at once while the last try is not long enough ago."""
        if not self._fetching:
            now = self._clock.seconds()
            if self._failure is not None and now < self._not_before:
                raise NoToken(str(self._failure), wait=self._not_before - now)
        return await self._fetched(None)

    def get_ahead(self) -> None:
        """The present token ends soon: have the next one fetched while it serves."""
        if not self._fetching and self._clock.seconds() >= self._not_before:
            self._fetch(None)

    async def replace(self, rejected: bytes, *, wait: bool) -> bool:
        """A target refused what was sent as `rejected`; whether there is another token to be sent now.

        `wait`: for one that is fetched. Does not raise.
        """
        token = self.token
        if token is None or token.header != rejected:
            return token is not None and self._clock.seconds() < token.until
        if not token.renewable:
            return False
        now = self._clock.seconds()
        if not self._fetching and (now < self._rejection_counts_from or now < self._not_before):
            return False
        self._rejection_counts_from = now + BETWEEN_REJECTIONS
        fetched = self._fetched(token.access_token)
        if not wait:
            fetched.addErrback(lambda failure: failure.trap(NoToken))
            return False
        try:
            return (await fetched).header != rejected
        except NoToken:
            return False

    def accept(self, held: Held) -> Token:
        """`held` is the present token from now on."""
        # Its life is by the wall's time, over which restarts count; from here on by a clock that nobody sets.
        now = self._clock.seconds()
        life, ahead, until = held.life, math.inf, math.inf
        if life is None and held.renewable:
            life = UNKNOWN_LIFE
        if life is not None:
            end = now + min(life, held.since + life - self._context.wall())
            until = end - min(MARGIN, life / 20)
            ahead = end - min(AHEAD, life / 5) if held.renewable else math.inf
        text = held.access_token
        token = self.token = Token(self._prefix + text.encode(), text, ahead, until, held.renewable)
        self._failure, self._failures, self._not_before = None, 0, -math.inf
        return token

    def _fetched(self, rejected: str | None) -> Deferred[Token]:
        """The next token; whoever leaves keeps it from nobody else."""
        waiting: Deferred[Token] = Deferred(self._left)
        self._waiting.append(waiting)
        if not self._fetching:
            self._fetch(rejected)
        return waiting

    def _left(self, waiting: Deferred[Token]) -> None:
        if waiting in self._waiting:
            self._waiting.remove(waiting)

    def _fetch(self, rejected: str | None) -> None:
        self._fetching = True
        self._context.background(self._get_next(rejected))

    async def _get_next(self, rejected: str | None) -> None:
        old = rejected
        if old is None and self.token is not None:
            old = self.token.access_token
        failure: NoToken | None = NoToken("this gateway could not ask for one; its log says why")
        token = None
        try:
            token = self.accept(await self._grant.next(old))
            if self._shown_as_needing:
                # It was authorized by way of another process, or of one that ended before it could show that.
                self._shown_as_needing = False
                await self._context.state.authorization_needed(False)
        except NoToken as error:
            # At once: while it is shown, somebody may authorize it anew, and that is later then.
            failure = None
            self._failed(error, rejected)
            if error.grant_is_over:
                self._shown_as_needing = True
                await self._context.state.authorization_needed(True)
        except CancelledError:
            failure = NoToken("this gateway stops")
            raise
        finally:
            self._fetching = False
            if token is None and failure is not None:
                self._failed(failure, rejected)
            self._tell_all(token)

    def _tell_all(self, token: Token | None) -> None:
        failure = self._failure
        if failure is None:
            token = token or self.token
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if token is not None:
                each.callback(token)
            else:
                each.errback(NoToken(str(failure), wait=self._not_before - self._clock.seconds()))

    def _failed(self, failure: NoToken, rejected: str | None) -> None:
        self._failure = failure
        self._failures += 1
        wait = LONGEST_WAIT if failure.grant_is_over else wait_after(self._failures)
        self._not_before = self._clock.seconds() + max(wait, failure.wait)
        if failure.grant_is_over:
            if rejected is not None:
                self.token = None  # refused by the target, and no other will come
            text = f"credential {self._id} must be authorized anew, or be given a new secret: {failure}"
            self._context.tell(Event("credential-needs-authorization", text, self._id))
        else:
            text = f"credential {self._id} has no new token: {failure}; this is tried again"
            self._context.tell(Event("credential-failed", text, self._id))
