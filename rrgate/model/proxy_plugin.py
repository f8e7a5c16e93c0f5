"""`ProxyPlugin`: one of the plugins that a proxy lists, and its configuration there.

Belongs here: its fields, and how many a list may have. Does not: which plugins may be listed and what they take
(rrgate/proxy_plugins.py), their secrets (core/listing_plugins.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import field, frozen

from rrgate.json_text import json_text
from rrgate.model.published import WrongParts, asks

MOST_PLUGINS: Final = 20
LARGEST_CONFIGURATION: Final = 65_536
"""Bytes of one, as compact JSON."""
LONGEST_NAME: Final = 200


def _as_json(value: Mapping[str, Any]) -> str:
    # To `==` true is 1, and 1.0 is 1.
    return json_text(value, sort=True)


@frozen
class ProxyPlugin:
    """A plugin by its name. `configuration`: as it is shown, without its secrets, which are sealed beside it
    (`Proxy.sealed_plugins`). `fingerprint`: tells two configurations apart by their secrets too; None of one that
    holds none."""

    name: str = field(metadata={"help": "Of an installed plugin, as `GET /proxy-plugins` tells it."})
    configuration: Mapping[str, Any] = field(
        factory=dict,
        repr=False,
        eq=_as_json,
        metadata={"help": "What it takes, by its schema. Answered without what is secret in it."},
    )
    fingerprint: str | None = field(
        default=None,
        metadata={
            "help": "Tells two configurations apart, secrets included; null where nothing in it is secret. Read only: "
            "leave it out, or send its present value."
        },
    )


@asks(maxItems=MOST_PLUGINS)
def proxy_plugins(value: Sequence[ProxyPlugin]) -> tuple[ProxyPlugin, ...]:
    """`value`, unless it is too long or too large."""
    if len(value) > MOST_PLUGINS:
        raise ValueError(f"must list at most {MOST_PLUGINS} plugins")
    wrong: dict[str, str] = {}
    for place, each in enumerate(value):
        if not 1 <= len(each.name) <= LONGEST_NAME:
            wrong[f"{place}.name"] = f"must have 1 to {LONGEST_NAME} characters"
        if len(_as_json(each.configuration).encode("utf-8", "surrogatepass")) > LARGEST_CONFIGURATION:
            wrong[f"{place}.configuration"] = f"must have at most {LARGEST_CONFIGURATION} bytes"
    if wrong:
        raise WrongParts(wrong)
    return tuple(value)
