"""Checks that several nouns share: whose it is, whether a setting is carried out, and gathering problems.

Belongs here: what needs the directory or the installed plugins and is true of more than one noun. Does not: forms of
values (model/values.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from rrgate.api import ConfigError, Problem
from rrgate.core.answers import conflict, missing, not_right
from rrgate.core.house import CoreHouse
from rrgate.core.routes import Call
from rrgate.model import Credential, Parts, Proxy, Target
from rrgate.model.published import published_fields

N = TypeVar("N", Credential, Target, Proxy)

NOT_ANONYMOUS = (
    "lets in callers who show no credential, and this gateway does not: its operator would set allow_anonymous_proxies"
)


def check_room(call: Call, plural: str) -> None:
    """Raises Refused with 409 where the call's client has as much as the operator lets one have."""
    most = call.house.resources_per_client
    if call.house.directory.census.of(call.client.id) >= most:
        told = f"this client has {most} credentials, targets, proxies, rules, filters and meters"
        raise conflict(plural, f"{told}, which is the most that it can have in all")


def owned(nouns: Mapping[str, N], call: Call, name: str) -> N:
    """The noun that the path names by `{name}`. Raises Refused with 404 unless it belongs to the call's client."""
    noun = nouns.get(call.ids[name])
    if noun is None or noun.client_id != call.client.id:
        raise missing()
    return noun


@contextmanager
def gathered(problems: list[Problem]) -> Iterator[None]:
    """Adds the problems of a ConfigError raised inside, so that the next check can add its own."""
    try:
        yield
    except ConfigError as error:
        problems += error.problems


def refuse_if(problems: list[Problem]) -> None:
    """Raises Refused with 400 if there are any, each once."""
    if problems:
        raise not_right(list(dict.fromkeys(problems)))


def plugins_say(house: CoreHouse, parts: Parts) -> list[Problem]:
    """What every plugin has against working on a proxy that joins `parts`."""
    problems: list[Problem] = []
    for plugin in house.registry.plugins:
        try:  # not `gathered`, which takes longer than most of them, and a target may have thousands of proxies
            plugin.for_proxy(parts)
        except ConfigError as error:
            problems += error.problems
    return problems


def check_carried_out(house: CoreHouse, noun: type[Any], values: Mapping[str, Any], prefix: str = "") -> None:
    """A setting that nothing carries out is refused, never kept and ignored.

    `values`: by attribute name. `prefix`: stands before names in what is told. Raises ConfigError naming every field
    that is not at its default and that neither the core nor an installed plugin serves.
    """
    problems = [
        Problem(prefix + known.name, "is not served by any installed plugin: leave it out; install one that does")
        for known in published_fields(noun)
        if known.by_plugin
        and known.attribute in values
        and values[known.attribute] != known.default
        and known.name not in house.registry.served_settings
    ]
    if problems:
        raise ConfigError(*problems)
