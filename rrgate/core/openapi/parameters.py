"""Query and path parameters: what each takes, by its name, which means the same on every route.

Belongs here: a row for each query parameter of a route. Does not: reading them (core/queries.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen

from rrgate.core.queries import MOST
from rrgate.core.requests import STATES
from rrgate.core.revisions import KINDS
from rrgate.core.routes import Route
from rrgate.core.telemetry import USUALLY
from rrgate.schemas import Schema
from rrgate.store.counts import INTERVALS


@frozen
class Parameter:
    """What a query parameter takes."""

    schema: Schema
    help: str


def _time(help: str) -> Parameter:
    return Parameter({"type": "string", "format": "date-time"}, f"{help} ISO 8601; no zone means UTC.")


def _flag(help: str) -> Parameter:
    return Parameter({"type": "boolean", "default": False}, help)


_LIMIT: Final = f"How many objects at most; {MOST} if left out, and {USUALLY} of telemetry."

PARAMETERS: Final[Mapping[str, Parameter]] = {
    "limit": Parameter({"type": "integer", "minimum": 1, "maximum": MOST}, _LIMIT),
    "cursor": Parameter({"type": "string"}, "The `nextCursor` of the answer before."),
    "all": _flag("Those too that you are no member of; for operators."),
    "force": _flag("Delete it although it is in use, and what is in it."),
    "includeTemporary": _flag("List those too that nobody has authorized yet."),
    "processedAfter": _time("Those that came after this."),
    "processedBefore": _time("Those that came before this."),
    "createdAfter": _time("Those made after this."),
    "createdBefore": _time("Those made before this."),
    "startDate": _time("From this on, inclusive."),
    "endDate": _time("Until this, inclusive."),
    "status": Parameter({"type": "integer", "minimum": 100, "maximum": 599}, "Those answered with this status."),
    "method": Parameter({"type": "string", "pattern": "^[A-Za-z-]{1,32}$"}, "Those of this method."),
    "state": Parameter({"enum": list(STATES)}, "Those that ended well, or badly, or have not yet."),
    "resource": Parameter({"enum": list(KINDS)}, "Those of objects of this kind."),
    "interval": Parameter({"enum": list(INTERVALS), "default": "hour"}, "How long a span is."),
    "resourceId": Parameter({"type": "string"}, "Those that tell of the object with this `sKey`."),
}
"""By name. Whoever adds a parameter to a route adds its row here."""


def parameters_of(route: Route) -> list[dict[str, Any]]:
    """The parameters of a route's path and query. Raises LookupError for one without a row."""
    found: list[dict[str, Any]] = []
    for name in names_in(route.template):
        what = name.removesuffix("Id")
        help = f"The `sKey` of the {what}." if name != what else f"The {name} that was given out."
        found.append(_parameter(name, "path", {"type": "string", "minLength": 1}, help, required=True))
    for name in route.parameters:
        known = PARAMETERS.get(name)
        if known is None:
            raise LookupError(f"the query parameter {name} has no row in PARAMETERS of {__name__}")
        found.append(_parameter(name, "query", known.schema, known.help))
    return found


def names_in(template: str) -> list[str]:
    """The names in a path's template, in order."""
    return [part[1:-1] for part in template.split("/") if part.startswith("{")]


def _parameter(name: str, place: str, schema: Schema, help: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": place, **more, "description": help, "schema": schema}
