"""`Tally`: counts finished requests for telemetry, by proxy and by client, in memory until the batch is written.

Belongs here: which facts of a request telemetry counts, and under which keys. Does not: tables (store/telemetry.py),
the maps that are published (telemetry_view.py). One thread's; a request costs 1.2 µs.
"""

from __future__ import annotations

from collections.abc import Callable

from rrgate.metrics.figures import Figures
from rrgate.record import CALLER_LEFT, Snapshot
from rrgate.route import Route
from rrgate.store.counts import (
    GROUP,
    GROUPS,
    ONE_GROUP,
    SMOOTHING,
    Entry,
    Group,
    Places,
    Tallied,
    add_groups,
    places_of,
)


class Tally:
    """Requests, and attempts at asynchronous ones, since the last `take`."""

    def __init__(self, country: Callable[[str], str]) -> None:
        """`country`: the code of the country that an address is in."""
        self._country = country
        self.figures = Figures()
        """The same requests since the start, for metrics; times at once, statuses when they are taken."""
        self._minutes: dict[int, dict[str, _OfClient]] = {}
        self._minute: int | None = None
        self._clients: dict[str, _OfClient] = {}
        """Of that minute, which is the one that was counted under last."""

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
        minute = int(wall_started // 60)
        if minute != self._minute:
            self._turn_to(minute)
        proxy = route.proxy
        of_client = self._clients.get(proxy.client_id)
        if of_client is None:
            of_client = self._clients[proxy.client_id] = _OfClient()
        of_client.seconds.append(seconds)
        proxy_id = proxy.id
        entry = of_client.entries.get(proxy_id)
        if entry is None:
            of_client.entries[proxy_id] = [
                proxy_id, minute, 1, seconds, seconds, status, target_status, country, 1, time, target_time
            ]  # fmt: skip
            return country
        if entry[2]:
            entry[4] += SMOOTHING * (seconds - entry[4])
        else:
            entry[3] = entry[4] = seconds
        entry[2] += 1
        if entry[5] == status and entry[6] == target_status and entry[7] == country:
            entry[8] += 1
            entry[9] += time
            entry[10] += target_time
        else:
            of_client.add_group(entry, (status, target_status, country), time, target_time)
        return country

    def _count_attempt(self, route: Route, sent_at: float, status: int, country: str, seconds: float) -> None:
        """One at an asynchronous request, under the minute in which it was sent: that may be days after it came."""
        self._turn_to(minute := int(sent_at // 60))
        proxy = route.proxy
        of_client = self._clients.get(proxy.client_id)
        if of_client is None:
            of_client = self._clients[proxy.client_id] = _OfClient()
        time = int(seconds * 1_000_000 + 0.5)
        entry = of_client.entries.get(proxy.id)
        if entry is None:
            of_client.entries[proxy.id] = [proxy.id, minute, 0, 0.0, 0.0, 0, status, country, 1, 0, time]
        else:
            of_client.add_group(entry, (0, status, country), 0, time)
        self.figures.target_times.add(seconds)

    def _turn_to(self, minute: int) -> None:
        self._minute = minute
        self._clients = self._minutes.setdefault(minute, {})

    def take(self) -> Tallied:
        """What was counted since the last time; begins anew."""
        tallied: list[Entry] = []
        for minute, clients in self._minutes.items():
            for client_id, of_client in clients.items():
                entries = of_client.entries.values()
                self.figures.had([(entry[0], entry[2]) for entry in entries])
                tallied += entries
                tallied.append(whole := of_client.whole(client_id, minute))
                for place in range(GROUPS, len(whole), GROUP):
                    self.figures.ended(whole[place], whole[place + 1], whole[place + 3])
        self._minutes, self._minute, self._clients = {}, None, {}
        return tallied


class _OfClient:
    """What was counted in a minute of a client."""

    __slots__ = ("entries", "places", "seconds")

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        """By proxy."""
        self.places: dict[str, Places] = {}
        """Of those entries that have several groups."""
        self.seconds: list[float] = []
        """Of requests, in their order."""

    def add_group(self, entry: Entry, group: Group, time: int, target_time: int) -> None:
        """One more of a group that may not be the first of `entry`."""
        places = self.places.get(entry[0])
        if places is None:
            places = self.places[entry[0]] = places_of(entry)
        place = places.get(group)
        if place is None:
            places[group] = len(entry)
            entry += (*group, 1, time, target_time)
        else:
            entry[place + 3] += 1
            entry[place + 4] += time
            entry[place + 5] += target_time

    def whole(self, client_id: str, minute: int) -> Entry:
        """The client's own: the sum of its proxies', and the moving average of all requests in their order."""
        first = average = self.seconds[0] if self.seconds else 0.0
        for each in self.seconds:
            average += SMOOTHING * (each - average)
        whole: Entry = [client_id, minute, len(self.seconds), first, average]
        places: Places = {}
        for entry in self.entries.values():
            if len(entry) > ONE_GROUP:
                add_groups(whole, places, entry)
                continue
            _, _, _, _, _, status, target_status, country, number, time, target_time = entry
            place = places.get((status, target_status, country))
            if place is None:
                add_groups(whole, places, entry)
            else:
                whole[place + 3] += number
                whole[place + 4] += time
                whole[place + 5] += target_time
        return whole
