"""/clients/{clientId}/configuration: what holds for all of a client's proxies, to read and to change.

Belongs here: the published form, and who sets which field. Does not: carrying it out (plugins, wire/guard.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import evolve

from rrgate.api import ConfigError, Problem
from rrgate.complaints import unknown_field
from rrgate.core.access import OPERATORS, Role
from rrgate.core.answers import Answer, Refused
from rrgate.core.authentication import acts_as_operator
from rrgate.core.checking import check_carried_out, gathered
from rrgate.core.house import CoreHouse
from rrgate.core.routes import Call, Route
from rrgate.core.shapes import Success
from rrgate.json_text import same_json
from rrgate.model import Client, Configuration
from rrgate.model.documents import read_field
from rrgate.model.published import PublishedField, published_fields
from rrgate.structuring import CONVERTER

NAME: Final = "configuration"

FIELDS: Final[Mapping[str, PublishedField]] = {known.name: known for known in published_fields(Configuration)}
"""By published name, with a dot where it lies in an object."""

GROUPS: Final = frozenset(name.partition(".")[0] for name in FIELDS if "." in name)


def document_of(house: CoreHouse, configuration: Configuration) -> dict[str, Any]:
    """As it is published: limits, ceilings and retention as they hold, wherever they come from."""
    shown = evolve(
        configuration,
        limit_per_minute=configuration.requests_per_minute,
        limit_per_day=configuration.requests_per_day,
        ceiling_per_minute=configuration.most_per_minute,
        ceiling_per_day=configuration.most_per_day,
        log_retention_days=configuration.retention_days(house.log_retention_days),
    )
    document: dict[str, Any] = {}
    for name, known in FIELDS.items():
        group, _, member = name.rpartition(".")
        inside = document.setdefault(group, {}) if group else document
        inside[member] = CONVERTER.unstructure(getattr(shown, known.attribute), unstructure_as=known.type)
    return document


def changes_of(house: CoreHouse, configuration: Configuration, document: Mapping[str, Any]) -> dict[str, Any]:
    """What a PUT changes, by attribute; what is as it is, or as it is published, is left out.

    `document`: the fields, or an object with them under `configuration`. Raises ConfigError with every problem.
    """
    prefix = ""
    if NAME in document:
        wrapped, prefix = document, f"{NAME}."
        document = wrapped[NAME] if isinstance(wrapped[NAME], dict) else {}
        problems = [unknown_field(name, (NAME,)) for name in wrapped if name != NAME]
        if not isinstance(wrapped[NAME], dict):
            problems.append(Problem(NAME, "must be an object"))
    else:
        problems = []
    present = dict(_leaves(document_of(house, configuration), "", []))
    changes: dict[str, Any] = {}
    for name, value in _leaves(document, prefix, problems):
        if not same_json(value, present[name]):
            read_field(FIELDS[name], value, changes, problems, prefix)
    changes = {name: value for name, value in changes.items() if value != getattr(configuration, name)}
    with gathered(problems):
        _check_ceilings(house, configuration, changes, prefix)
    with gathered(problems):
        check_carried_out(house, Configuration, changes, prefix)
    if problems:
        raise ConfigError(*problems)
    return changes


def _leaves(document: Mapping[str, Any], prefix: str, problems: list[Problem]) -> Iterator[tuple[str, Any]]:
    """Every field in `document`, by its name in `FIELDS`."""
    for name, value in document.items():
        if name in FIELDS and "." not in name:
            yield name, value
        elif name not in GROUPS:
            known = {each.partition(".")[0] for each in FIELDS}
            problems.append(unknown_field(name, known, prefix.rstrip(".")))
        elif not isinstance(value, dict):
            problems.append(Problem(f"{prefix}{name}", "must be an object"))
        else:
            for member, inner in value.items():
                if f"{name}.{member}" in FIELDS and "." not in member:
                    yield f"{name}.{member}", inner
                else:
                    members = [each.partition(".")[2] for each in FIELDS if each.startswith(f"{name}.")]
                    problems.append(unknown_field(member, members, f"{prefix}{name}"))


def _check_ceilings(
    house: CoreHouse, configuration: Configuration, changes: Mapping[str, Any], prefix: str
) -> None:
    """What is set does not go beyond what the operator allows, as it would be. Raises ConfigError."""
    after = evolve(configuration, **changes)
    bounds = {
        "limit_per_minute": after.most_per_minute,
        "limit_per_day": after.most_per_day,
        "log_retention_days": house.log_retention_days,
    }
    problems = []
    for name, known in ((known.attribute, known) for known in FIELDS.values()):
        value, most = changes.get(name), bounds.get(name)
        if value is not None and most is not None and value > most:
            problems.append(Problem(prefix + known.name, f"must be at most {most}, which the operator has set"))
    if problems:
        raise ConfigError(*problems)


def check_who(call: Call, changes: Mapping[str, Any]) -> None:
    """Raises Refused with 403, naming every field that who asks may not set."""
    assert call.token is not None
    operator = acts_as_operator(call.user, call.token)
    problems = []
    for name, known in FIELDS.items():
        if known.attribute in changes:
            if name in OPERATORS and not operator:
                problems.append(Problem(name, "is set by operators"))
            elif name not in OPERATORS and call.role is not Role.OWNER:
                problems.append(Problem(name, "is set by owners of the client"))
    if problems:
        raise Refused(403, "Some of these fields are not yours to set; see details.", problems)


async def show_configuration(call: Call) -> Answer:
    return _shown(call.house, call.client)


async def update_configuration(call: Call) -> Answer:
    house, client = call.house, call.client
    changes = changes_of(house, client.configuration, call.document)
    check_who(call, changes)
    if changes:
        before = document_of(house, client.configuration)
        client = evolve(client, configuration=evolve(client.configuration, **changes))
        if client.configuration.log_bodies:
            # What the log seals for the client needs a key that is kept: this makes it, if there is none.
            house.store.secrets.seal(client.id, "", b"")
        await call.configure(client, before, document_of(house, client.configuration))
    return _shown(house, client)


def _shown(house: CoreHouse, client: Client) -> Answer:
    return Answer(200, {NAME: document_of(house, client.configuration), "message": "Success"})


def check_region(client: Client, field: str, region: object) -> None:
    """Raises ConfigError for a region in which the client may create nothing."""
    if isinstance(region, str) and not client.configuration.may_lie_in(region):
        allowed = ", ".join(client.configuration.allowed_regions)
        raise ConfigError(Problem(field, f"must be one of this client's allowedRegions: {allowed}"))


_SUCCESS: Final = Success(name=NAME, of=Configuration, listed=False)

ROUTES = (
    Route(
        method="GET",
        template="/clients/{clientId}/configuration",
        handler=show_configuration,
        success=_SUCCESS,
        help="What holds for all of its proxies.",
    ),
    Route(
        method="PUT",
        template="/clients/{clientId}/configuration",
        handler=update_configuration,
        noun=Configuration,
        success=_SUCCESS,
        help="Change any of it; each field is set by owners or by operators.",
    ),
)

