"""`Places`: how many requests may be under way at one time, and how many of them may be one proxy's or one target's;
and how much of their bodies may be held.

Belongs here: who is let in, and what is said to who is not. Does not: connections (wire/), limits of users' (plugins).

A proxy may have as many requests under way as places are left, times a factor: alone half of all (by default), of two
each a third, and whoever has none gets any place that is left, whoever else has how many. This is the rule by which
switches share a buffer (dynamic thresholds, Choudhury and Hahne 1998): it looks at two numbers and needs no tuning. All
proxies of one target together have a larger share, three quarters by default: so neither does a slow target that many
proxies lead to take all, nor one of its proxies the share of the others. A request costs 0.5 µs for it.

Of the bytes that are held of bodies, a proxy may have as many as are left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from rrgate.answers import overloaded, unavailable
from rrgate.body import NoRoom
from rrgate.boot_values import Event
from rrgate.exchange import Exchange
from rrgate.loads import Gathers, Load
from rrgate.messages import Reply
from rrgate.settings import Settings

BOUNDS: Final[tuple[str, ...]] = ("gateway", "proxy", "target", "bodies", "answers", "connections")
"""What keeps somebody out: of requests `max_in_flight`, a proxy's share of it, a target's, and `held_bodies_bytes`; of
answers `held_answers_bytes`; of connections `max_connections`."""


class Places:
    """The places of one gateway. All on the reactor's thread."""

    def __init__(
        self,
        settings: Settings,
        in_flight: Callable[[], int],
        is_ready: Callable[[], bool],
        tell: Callable[[Event], object],
    ) -> None:
        """`in_flight`: requests under way, with the one that is asked about. `is_ready`: whether any are taken.
        `tell`: told of each refusal; it thins them out itself.
        """
        self._most, share = settings.max_in_flight, settings.proxy_share
        # Of `p` percent where nobody else is: n places taken and `most - n` left are in this proportion. A target's
        # proxies may leave half of what one proxy must leave.
        self._of_proxy = share / (100 - share) if share < 100 else None
        self._of_target = (100 + share) / (100 - share) if share < 100 else None
        self._in_flight = in_flight
        self._is_ready = is_ready
        self._tell = tell
        self._left = 0
        self._most_held = settings.held_bodies_bytes
        self._held = 0
        self.holding: dict[Exchange, int] = {}
        """Bytes by the requests whose bodies are held."""
        self.refused: Counter[str] = Counter(dict.fromkeys(BOUNDS, 0))
        """How often somebody was kept out, by what."""

    def refusal(self) -> Reply | None:
        """See `rrgate.pipeline_parts.Admits`."""
        left = self._left = self._most - self._in_flight()
        if left < 0:
            message = f"{self._most} requests are under way, which is as many as the gateway takes"
            return self._refuse("gateway", message, "", "The gateway has as many requests under way as it takes")
        return None if self._is_ready() else unavailable("The gateway is draining; it takes no new requests")

    def take(self, ex: Exchange) -> Reply | None:
        """See `rrgate.pipeline_parts.Admits`."""
        route = ex.route
        assert route is not None
        proxy, target = route.loads
        ex.place = (proxy, target, self)
        proxy.now += 1
        target.now += 1
        if self._of_proxy is None or self._of_target is None:
            return None
        left = self._left
        # The first may take the last place there is.
        if proxy.now > 1 and proxy.now > left * self._of_proxy:
            message = f"the proxy {route.proxy.id} has {proxy.now - 1} requests under way, and {left} places are left"
            return self._refuse("proxy", message, route.proxy.id, "This proxy has too many requests under way")
        if target.now > 1 and target.now > left * self._of_target:
            target_id = route.proxy.target_id
            message = f"the target {target_id} has {target.now - 1} requests under way, and {left} places are left"
            return self._refuse("target", message, target_id, "This proxy's target has too many requests under way")
        return None

    async def hold(self, ex: Exchange, gather: Gathers, limit: int) -> bytes | None:
        """What `gather` comes to within `limit`, which counts until `let_go`. Raises NoRoom, and what it raises.

        What is held for one request alone may be any size.
        """
        route, place = ex.route, ex.place
        assert route is not None
        assert place is not None
        load = place[0]
        own = 0

        def count(size: int) -> None:
            nonlocal own
            own += size
            load.held += size
            self._held += size
            left = self._most_held - self._held
            if self._held > own and (left < 0 or (load.held > own and load.held > left)):
                told = f"bodies of {self._held} bytes are held, {load.held} of them for the proxy {route.proxy.id}"
                answered = "Too many bodies of requests are held at the moment"
                raise NoRoom(self._refuse("bodies", told, route.proxy.id, answered).message, 503)

        held = None
        try:
            held = await gather(limit, count)
        finally:
            self.holding[ex] = own
            if held is None:
                self.let_go(ex, load)
        return held

    def let_go(self, ex: Exchange, load: Load) -> None:
        """The body of `ex` is held no longer, if it was; `load`: of its proxy."""
        held = self.holding.pop(ex, 0)
        load.held -= held
        self._held -= held

    def answer_refused(self, ex: Exchange, held: int) -> None:
        """What `ex` is answered could not be held; `held`: bytes of all answers that are."""
        assert ex.route is not None
        proxy_id = ex.route.proxy.id
        self._refuse("answers", f"answers of {held} bytes are held, too many of the proxy {proxy_id}", proxy_id, "")

    def connection_refused(self) -> None:
        """A caller's connection was turned away."""
        self._refuse("connections", "there are as many connections of callers as the gateway takes", "", "")

    def _refuse(self, bound: str, told: str, subject: str, answered: str) -> Reply:
        self.refused[bound] += 1
        self._tell(Event("overloaded", f"{told}; further ones are answered 503", subject or bound))
        return overloaded(answered)
