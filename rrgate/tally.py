"""`Tally`: counts finished requests for telemetry, by proxy and by client, in memory until the batch is written.

Belongs here: which facts of a request telemetry counts, and under which keys. Does not: tables (store/telemetry.py),
the maps that are published (telemetry_view.py). One thread's; a request costs 1.2 µs.
"""

from __future__ import annotations

from collections.abc import Callable

from rrgate.metrics.figures import Figures
from rrgate.record import CALLER_LEFT, Snapshot
from rrgate.route import Route
from rrgate.store.counts import SMOOTHING, Moment, Tallied


class Tally:
    """Requests, and attempts at asynchronous ones, since the last `take`."""

    def __init__(self, country: Callable[[str], str]) -> None:
        """`country`: the code of the country that an address is in."""
        self._country = country
        self.figures = Figures()
        """The same requests since the start, for metrics; times at once, statuses when they are taken."""
        self._tallied: Tallied = {}
        self._of_proxies: list[tuple[str, Moment, Moment]] = []
        self._places: dict[Route, _Place] = {}

    def count(self, seen: Snapshot) -> str:
        """Count a finished request, under the minute in which it came, or attempt; answers its country."""
        (
            *_,
            route,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            final_status,
            answered_status,
            _,
            started,
            wall_started,
            sent_at,
            response_at,
            answered_at,
            _,
            address,
            story,
            _,
        ) = seen
        country = self._country(address)
        if route is None:
            return country
        # As in record_view.py: what the log says was the last of it.
        ended = answered_at or max(response_at, sent_at, started)
        if story != "whole" and story != "beginning":  # counted when it was taken, but for its attempts
            if sent_at and (story == "last" or story == "attempt"):
                target_time = (response_at or ended) - sent_at
                self._count_attempt(
                    route, wall_started + sent_at - started, answered_status or final_status, country, target_time
                )
            return country
        minute = int(wall_started // 60)
        place = self._places.get(route)
        if place is None or place[0] != minute:
            place = self._place(route, minute)
        _, moment, of_client = place
        seconds = ended - started
        time = int(seconds * 1_000_000 + 0.5)
        status = final_status or CALLER_LEFT
        if sent_at:
            # Without an answer it is counted under what the caller got for that.
            target_status = answered_status or status
            target_seconds = (response_at or ended) - sent_at
            target_time = int(target_seconds * 1_000_000 + 0.5)
            self.figures.target_times.add(target_seconds)
        else:
            target_status = target_time = 0
        self.figures.proxy_times.add(seconds)
        if moment[0]:
            moment[2] += SMOOTHING * (seconds - moment[2])
        else:
            moment[1] = moment[2] = seconds
        moment[0] += 1
        if of_client[0]:
            of_client[2] += SMOOTHING * (seconds - of_client[2])
        else:
            of_client[1] = of_client[2] = seconds
        of_client[0] += 1
        group = (status, target_status, country)
        sums = moment[3].get(group)
        if sums is None:
            moment[3][group] = [1, time, target_time]
        else:
            sums[0] += 1
            sums[1] += time
            sums[2] += target_time
        return country

    def _count_attempt(self, route: Route, sent_at: float, status: int, country: str, seconds: float) -> None:
        """One at an asynchronous request, under the minute in which it was sent: that may be days after it came."""
        _, moment, _ = self._place(route, int(sent_at // 60))
        sums = moment[3].setdefault((0, status, country), [0, 0, 0])
        sums[0] += 1
        sums[2] += int(seconds * 1_000_000 + 0.5)
        self.figures.target_times.add(seconds)

    def _place(self, route: Route, minute: int) -> _Place:
        """Where the requests of a Route in a minute are counted."""
        proxy = route.proxy
        client = proxy.client_id, minute
        of_client = self._tallied.get(client)
        if of_client is None:
            of_client = self._tallied[client] = [0, 0.0, 0.0, {}]
        moment = self._tallied.get((proxy.id, minute))
        if moment is None:
            moment = self._tallied[proxy.id, minute] = [0, 0.0, 0.0, {}]
            self._of_proxies.append((proxy.id, moment, of_client))
        place = self._places[route] = (minute, moment, of_client)
        return place

    def take(self) -> Tallied:
        """What was counted since the last time; begins anew."""
        tallied = self._tallied
        clients: dict[int, Moment] = {}
        # Clients' groups are the sums of their proxies': here they are added once for many requests.
        for proxy_id, (requests, _, _, groups), of_client in self._of_proxies:
            self.figures.had(proxy_id, requests)
            clients[id(of_client)] = of_client
            sums = of_client[3]
            for group, (number, time, target_time) in groups.items():
                known = sums.get(group)
                if known is None:
                    sums[group] = [number, time, target_time]
                else:
                    known[0] += number
                    known[1] += time
                    known[2] += target_time
        for of_client in clients.values():
            for (status, target_status, _), (number, _, _) in of_client[3].items():
                self.figures.ended(status, target_status, number)
        self._tallied, self._of_proxies, self._places = {}, [], {}
        return tallied


_Place = tuple[int, Moment, Moment]
"""The minute, and what is counted of a proxy and of its client in it."""
