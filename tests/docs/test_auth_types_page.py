"""docs/auth-types.md has each built-in auth type, its sides, and the fields of its secret, as the plugins have them.

Belongs here: the page's tables against the plugins. Does not: its examples (test_code_blocks.py).
"""

from __future__ import annotations

import json
import re

import attrs
import pytest

from rrgate.api import Plugin, Side
from rrgate.complaints import expected, published_name
from rrgate.registry import load_registry
from tests.docs.pages import ROOT, prose_of

PAGE = prose_of(ROOT / "docs" / "auth-types.md")
REGISTRY = load_registry()
TYPES = {
    plugin.name: plugin
    for side in Side
    for name in REGISTRY.auth_type_names(side)
    if (plugin := REGISTRY.auth_type(name, side)) is not None and plugin.__module__.startswith("rrgate_plugins.")
}


def field_rows(config: type) -> list[str]:
    """The table of a Config's fields as the page should have it."""
    attrs.resolve_types(config)
    rows = []
    for field in attrs.fields(config):
        if not field.init:
            continue
        default = field.default
        if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
            default = default.factory()  # type: ignore[union-attr]
        shown = "required" if default is attrs.NOTHING else f"`{json.dumps(default)}`"
        about = field.metadata["help"]
        rows.append(f"| `{published_name(field)}` | {in_words(field.type)} | {shown} | {about} |")
    return rows


def in_words(type_: object) -> str:
    return "an object of strings" if type_ == dict[str, str] else expected(type_)


def test_every_type_is_in_the_table() -> None:
    said = {}
    for names, callers, targets in re.findall(r"^\| \[(.+?)\]\(#\w+\) \| (.*?) \| (.*?) \|", PAGE, re.MULTILINE):
        first, *others = names.replace("`", "").split(", ")
        said[first] = (tuple(others), bool(callers.strip()), bool(targets.strip()))
    assert said == {
        name: (plugin.aliases, Side.PROXY in plugin.sides, Side.TARGET in plugin.sides)
        for name, plugin in TYPES.items()
    }


@pytest.mark.parametrize("plugin", TYPES.values(), ids=TYPES)
def test_fields(plugin: type[Plugin]) -> None:
    section = re.split(r"^## ", PAGE.split(f"\n## {plugin.name}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]
    assert re.findall(r"^\| `\w+` \|.*$", section, re.MULTILINE) == field_rows(plugin.Config)
