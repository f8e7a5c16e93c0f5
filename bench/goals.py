"""What a run is to reach, and whether it did; and the one table of a whole run.

Belongs here: both, made of the rounds of a run. Does not: measuring (sections.py).
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from attrs import frozen

from bench.load import Round
from bench.sections import FASTIFY, NGINX, RRGATE, SECTIONS, Rounds
from bench.tables import Table, spread

Figure = Callable[[Round], float]


def cpu(each: Round) -> float:
    """µs a request."""
    return each.cpu


def p50(each: Round) -> float:
    """ms."""
    return each.p50


@frozen
class Goal:
    """At most so many times what another takes, in the same round of the same section."""

    said: str
    section: str
    figure: Figure
    beside: str
    most: float


GOALS = (
    Goal("GET, CPU", "get", cpu, NGINX, 3.0),
    Goal("GET, CPU", "get", cpu, FASTIFY, 0.6),
    Goal("POST, CPU", "post", cpu, NGINX, 3.5),
    Goal("GET with TLS to the target, CPU", "tls", cpu, NGINX, 3.0),
    Goal("GET, 1 connection, median latency", "one", p50, NGINX, 2.0),
)


def goals(results: dict[str, Rounds]) -> Table:
    """Of those whose section was measured."""
    headings = ("figure", "beside", "at most", "median (least–most)", "reached")
    table = Table("Goals, of rrgate with everything on", headings)
    for goal in GOALS:
        found = results.get(goal.section, {})
        if ratios := _ratios(found, RRGATE, goal.beside, goal.figure):
            reached = "yes" if statistics.median(ratios) <= goal.most else "no"
            table.add(goal.said, goal.beside, f"{goal.most:g} ×", spread(ratios, 2), reached)
    return table


def section_table(name: str, found: Rounds) -> Table:
    """All figures of one section."""
    headings = ("gateway", "CPU µs a request", "× nginx", "p50 ms", "p99 ms", "RSS MB")
    table = Table(SECTIONS[name].title, headings)
    for gateway, rounds in found.items():
        table.add(
            gateway,
            spread([each.cpu for each in rounds], 1),
            spread(_ratios(found, gateway, NGINX, cpu), 2),
            spread([each.p50 for each in rounds], 3),
            spread([each.p99 for each in rounds], 2),
            f"{max(each.rss for each in rounds):.0f}",
        )
    return table


_COLUMNS: Sequence[tuple[str, str, Callable[[Rounds, str], str]]] = (
    ("get", "GET c32, CPU µs", lambda found, name: spread([each.cpu for each in found[name]], 1)),
    ("get", "× nginx", lambda found, name: spread(_ratios(found, name, NGINX, cpu), 2)),
    ("get", "× fastify", lambda found, name: _median(_ratios(found, name, FASTIFY, cpu), 2)),
    ("get", "p99 ms", lambda found, name: _median([each.p99 for each in found[name]], 1)),
    ("post", "POST c32, CPU µs", lambda found, name: spread([each.cpu for each in found[name]], 1)),
    ("post", "× nginx", lambda found, name: spread(_ratios(found, name, NGINX, cpu), 2)),
    ("one", "GET c1, p50 ms", lambda found, name: spread([each.p50 for each in found[name]], 3)),
    ("one", "× nginx", lambda found, name: spread(_ratios(found, name, NGINX, p50), 2)),
    ("tls", "TLS to the target c32, CPU µs", lambda found, name: spread([each.cpu for each in found[name]], 1)),
    ("tls", "× nginx", lambda found, name: spread(_ratios(found, name, NGINX, cpu), 2)),
    ("get", "RSS MB", lambda found, name: f"{max(each.rss for each in found[name]):.0f}"),
)


def whole_table(results: dict[str, Rounds], missing: dict[str, str]) -> Table:
    """A row each, a few columns for each section."""
    columns = [column for column in _COLUMNS if column[0] in results]
    table = Table("Median (least–most) of the rounds", ("gateway", *(heading for _, heading, _ in columns)))
    for gateway in dict.fromkeys(name for found in results.values() for name in found):
        cells = [
            write(results[section], gateway) if gateway in results[section] else "–" for section, _, write in columns
        ]
        table.add(gateway, *cells)
    for gateway, why in missing.items():
        table.add(gateway, f"missing: {why}")
    return table


def _ratios(found: Rounds, one: str, other: str, figure: Figure) -> list[float]:
    """Of pairs of one round; none where one of the two was not measured."""
    pairs = zip(found.get(one, ()), found.get(other, ()), strict=False)
    return [figure(mine) / figure(its) for mine, its in pairs]


def _median(values: Sequence[float], digits: int) -> str:
    return f"{statistics.median(values):.{digits}f}" if values else "–"
