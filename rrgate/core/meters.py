"""/clients/{clientId}/proxies/{proxyId}/meters: what is counted of a proxy's requests, and what was counted so far.

Belongs here: that a meter can be carried out by a plugin, and showing its counts. Does not: counting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rrgate.api import ConfigError, Problem
from rrgate.core.answers import Answer, conflict, deleted, listed, missing, shown
from rrgate.core.changes import changed
from rrgate.core.checking import check_room, gathered, owned
from rrgate.core.house import CoreHouse
from rrgate.core.queries import PAGING, page_of
from rrgate.core.routes import Call, Route
from rrgate.core.shapes import MeterCounts
from rrgate.ids import new_id
from rrgate.json_text import plain_number
from rrgate.model import Meter, Proxy
from rrgate.model.documents import Extra, publish, read_changes, read_new
from rrgate.model.meter import MOST_METERS
from rrgate.model.rule_documents import third_spelling
from rrgate.names import is_token

COUNTS = "meterCounts"
EXTRAS = (
    Extra(
        COUNTS,
        "an object",
        help="What was counted in the `minute`, `hour`, `day` and `month` that it is, in UTC.",
        shape=MeterCounts,
    ),
)
_PREDICATES = "predicates"
_WINDOWS = ("minute", "hour", "day", "month")


def document_of(house: CoreHouse, meter: Meter) -> dict[str, Any]:
    """A meter as published, with its running counts."""
    counts = house.counters.counter("meter", meter.id).read()
    counted = {window: plain_number(getattr(counts, window)) for window in _WINDOWS}
    return publish(meter, **{COUNTS: counted})


def check_meter(house: CoreHouse, meter: Meter) -> None:
    """Raises ConfigError unless its parts go together, and a plugin carries out all that it says."""
    problems = [*_odd_extraction(meter), *_odd_predicates(meter)]
    if meter.type == "request_count":
        problems += [
            Problem(f"limits.{window}", "must be a whole number: this meter counts requests")
            for window in _WINDOWS
            if (most := getattr(meter.limits, window)) is not None and most != int(most)
        ]
    able = [plugin for plugin in house.registry.plugins if meter.type in plugin.measures]
    if not able:
        problems.append(Problem("meterType", "is carried out by no installed plugin"))
    if not problems:
        for plugin in able:
            with gathered(problems):
                plugin.check_meter(meter)
    if problems:
        raise ConfigError(*problems)


def _odd_extraction(meter: Meter) -> list[Problem]:
    extraction = meter.extraction
    if meter.type == "request_count":
        if extraction is None:
            return []
        return [Problem("extraction", "is for meters whose meterType is response_value: leave it out")]
    if extraction is None:
        return [Problem("extraction", "is required where meterType is response_value")]
    wanted, unwanted = ("path", "name") if extraction.location == "body" else ("name", "path")
    problems = []
    if getattr(extraction, wanted) is None:
        problems.append(Problem(f"extraction.{wanted}", f"is required where location is {extraction.location}"))
    if getattr(extraction, unwanted) is not None:
        problems.append(Problem(f"extraction.{unwanted}", f"has no meaning where location is {extraction.location}"))
    if extraction.name is not None and not is_token(extraction.name.encode()):
        problems.append(Problem("extraction.name", "must be the name of a header, such as X-Usage"))
    return problems


def _odd_predicates(meter: Meter) -> list[Problem]:
    if meter.mode == "all":
        if meter.predicates is None:
            return []
        return [Problem(_PREDICATES, "is for meters whose meterMode is conditional: leave it out")]
    rule = meter.as_rule
    if rule is None or not rule.checks:
        return [Problem(_PREDICATES, "must have a check where meterMode is conditional")]
    return [Problem(f"{_PREDICATES}.{each.field}", each.problem) for each in rule.misformed()]


def _spelled(document: Mapping[str, Any]) -> dict[str, Any]:
    """`document` with its predicates in the third spelling, and without counts, which have moved on since."""
    spelled = {field: value for field, value in document.items() if field != COUNTS}
    if isinstance(spelled.get(_PREDICATES), dict):
        try:
            spelled[_PREDICATES] = third_spelling(spelled[_PREDICATES])
        except ConfigError as error:
            raise ConfigError(
                *(Problem(f"{_PREDICATES}.{each.field}", each.problem) for each in error.problems)
            ) from None
    return spelled


def owned_meter(call: Call) -> tuple[Proxy, Meter]:
    """The meter that the path names, and its proxy. Raises Refused with 404 unless the two belong together."""
    proxy = owned(call.house.directory.proxies, call, "proxyId")
    meter = call.house.directory.meters.get(call.ids["meterId"])
    if meter is None or meter.parent_id != proxy.id:
        raise missing()
    return proxy, meter


async def list_meters(call: Call) -> Answer:
    proxy = owned(call.house.directory.proxies, call, "proxyId")
    meters, cursor = page_of(call.house.directory.meters, proxy.id, call.query)
    return listed("meters", (document_of(call.house, meter) for meter in meters), cursor)


async def create_meter(call: Call) -> Answer:
    house = call.house
    proxy = owned(house.directory.proxies, call, "proxyId")
    values = read_new(Meter, _spelled(call.document))
    now = house.now()
    meter = Meter(
        id=new_id(),
        client_id=proxy.client_id,
        user_id=call.user.id,
        parent_id=proxy.id,
        created_at=now,
        updated_at=now,
        **values,
    )
    check_meter(house, meter)
    check_room(call, "meters")
    if len(house.directory.meters_of(proxy.id)) >= MOST_METERS:
        raise conflict("meters", f"this proxy has {MOST_METERS} meters, which is the most that it can have")
    await call.save(meter)
    return shown("meters", document_of(house, meter))


async def show_meter(call: Call) -> Answer:
    return shown("meters", document_of(call.house, owned_meter(call)[1]))


async def update_meter(call: Call) -> Answer:
    house = call.house
    _, meter = owned_meter(call)
    changes = read_changes(meter, document_of(house, meter), _spelled(call.document))
    meter = changed(house, meter, changes)
    check_meter(house, meter)
    await call.save(meter)
    return shown("meters", document_of(house, meter))


async def delete_meter(call: Call) -> Answer:
    await call.delete(owned_meter(call)[1])
    return deleted("Meter")


_ALL = "/clients/{clientId}/proxies/{proxyId}/meters"
_ONE = f"{_ALL}/{{meterId}}"
ROUTES = (
    Route(method="GET", template=_ALL, handler=list_meters, parameters=PAGING, help="The meters of a proxy."),
    Route(
        method="POST",
        template=_ALL,
        handler=create_meter,
        noun=Meter,
        help=f"Create a meter of a proxy; it can have {MOST_METERS}.",
    ),
    Route(method="GET", template=_ONE, handler=show_meter, help="One meter, with what it has counted so far."),
    Route(method="PUT", template=_ONE, handler=update_meter, noun=Meter, help="Change a meter; its counts stay."),
    Route(method="DELETE", template=_ONE, handler=delete_meter, help="Delete a meter."),
)
