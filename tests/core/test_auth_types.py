"""/auth-types: what is installed, for every user, and nothing that is not.

Belongs here: the route. Does not: schemas (test_schemas.py).
"""

from __future__ import annotations

import importlib.metadata

import pytest
import pytest_twisted
from attrs import evolve, frozen
from jsonschema import Draft202012Validator

from rrgate.api import hookimpl
from rrgate.registry import PluginLoadError, Registry, load_registry, new_manager
from tests.core.doubles import Core
from tests.core.made_up_plugins import Key


@pytest_twisted.ensureDeferred
async def test_every_auth_type_and_nothing_else(core: Core) -> None:
    told = await core.ask("GET", "/auth-types", token="u-bob")
    assert told.status == 200
    assert (await core.ask("GET", "/api/auth-types")).document == told.document
    assert set(told.document) == {"authTypes", "message"}
    api_key, bearer = told.document["authTypes"]
    assert api_key == {
        "name": "apiKey",
        "aliases": ["key"],
        "sides": ["proxy", "target"],
        "credentialSecret": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "key": {"type": "string"},
                "value": {
                    "type": ["string", "null"],
                    "description": "The key.",
                    "writeOnly": True,
                    "default": None,
                },
                "addToHeader": {"type": "boolean", "default": True},
            },
            "additionalProperties": False,
            "required": ["key"],
        },
        "distribution": None,
        "version": None,
    }
    assert (bearer["name"], bearer["aliases"], bearer["sides"]) == ("bearer", [], ["target"])


@pytest_twisted.ensureDeferred
async def test_the_installed_ones_name_their_distribution(core: Core) -> None:
    core._port.factory.house = evolve(core.house, registry=load_registry())
    told = await core.ask("GET", "/auth-types")
    names = [each["name"] for each in told.document["authTypes"]]
    assert names == sorted(names)
    assert {"apiKey", "bearer", "none"} <= set(names)
    for each in told.document["authTypes"]:
        assert (each["distribution"], each["version"]) == ("rrgate", importlib.metadata.version("rrgate"))
        assert each["sides"]
        Draft202012Validator.check_schema(each["credentialSecret"])


@pytest_twisted.ensureDeferred
async def test_who_shows_nothing_is_of_a_side_where_the_operator_allows_it(core: Core) -> None:
    for allowed, sides in ((False, ["target"]), (True, ["proxy", "target"])):
        core._port.factory.house = evolve(core.house, registry=load_registry(), allow_anonymous=allowed)
        told = await core.ask("GET", "/auth-types")
        (nothing,) = (each for each in told.document["authTypes"] if each["name"] == "none")
        assert nothing["sides"] == sides


def test_a_config_whose_types_name_nothing_does_not_load() -> None:
    @frozen
    class WrongConfig:
        token: NotThere  # type: ignore[name-defined]  # noqa: F821

    class Wrong(Key):
        Config = WrongConfig

    class Brings:
        @hookimpl
        def rrgate_plugins(self) -> list[type[Key]]:
            return [Wrong]

    manager = new_manager()
    manager.register(Brings())
    with pytest.raises(PluginLoadError, match=r"'apiKey' of .*: its Config is not right: .*NotThere"):
        Registry(manager)
