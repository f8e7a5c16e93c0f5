"""docs/configuration.md lists exactly the settings that exist, with the defaults, units and meanings they have."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from attrs import NOTHING, Attribute, fields

from rrgate.settings import Settings, SettingsError, load

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
HEAD = ["| Name | Default | Unit | Applies to | Meaning |", "| --- | --- | --- | --- | --- |"]


def shown(value: Any) -> str:
    """A default as an operator would write it in the file."""
    if value is NOTHING:
        return "none"
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    if isinstance(value, int | float):
        return f"`{value:.10g}`"
    return "empty" if not value else f"`{value}`"


def row(attribute: Attribute[Any]) -> str:
    about = attribute.metadata
    cells = (f"`{attribute.name}`", shown(attribute.default), about["unit"], about["where"], about["help"])
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def test_the_table_is_the_settings() -> None:
    expected = "\n".join([*HEAD, *map(row, fields(Settings))])
    table = "\n".join(line for line in PAGE.splitlines() if line.startswith("|"))
    assert table == expected, f"docs/configuration.md should have this table:\n{expected}"


def test_the_file_in_the_page_can_be_used(tmp_path: Path) -> None:
    text = PAGE.split("```toml\n")[1].split("```")[0]
    (tmp_path / "rrgate.toml").write_text(text)
    settings = load({}, {}, tmp_path / "rrgate.toml")
    assert set(tomllib.loads(text)) <= {attribute.name for attribute in fields(Settings)}
    assert settings.query_credentials is False
    assert [str(network) for network in settings.allow_networks][1] == "127.0.0.1/32:9000"


def test_the_complaint_in_the_page_is_the_one_that_is_made(tmp_path: Path) -> None:
    path = tmp_path / "rrgate.toml"
    path.write_text("log_level = 'loud'")
    with pytest.raises(SettingsError) as caught:
        load({"data": "d"}, {"RRGATE_DNS_TREADS": "40"}, path)
    said = str(caught.value).replace(str(path), "/etc/rrgate.toml")
    assert said in PAGE
