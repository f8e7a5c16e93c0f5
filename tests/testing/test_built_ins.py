"""Every built-in plugin keeps every promise of the contract, as `check_plugin` tries it.

Belongs here: that. Does not: what a plugin does beyond the contract (tests/plugins/).
"""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import rrgate_plugins
from rrgate.api import Plugin
from rrgate.testing import check_plugin
from tests.testing.samples import SAMPLES

BUILT_IN: list[type[Plugin]] = rrgate_plugins.rrgate_plugins()


@pytest.mark.parametrize("plugin", BUILT_IN, ids=lambda plugin: plugin.__name__)
def test_it_keeps_its_promises(plugin: type[Plugin]) -> None:
    assert plugin.name in SAMPLES, "give samples of it in tests/testing/samples.py"
    check_plugin(plugin, **SAMPLES[plugin.name])


def test_there_are_no_samples_of_anything_else() -> None:
    assert set(SAMPLES) <= {plugin.name for plugin in BUILT_IN}


def test_every_class_that_is_written_is_built_in() -> None:
    """A module that nobody listed would be tried by nobody."""
    written = set()
    for found in pkgutil.iter_modules(rrgate_plugins.__path__, "rrgate_plugins."):
        module = importlib.import_module(found.name)
        written |= {
            each
            for each in vars(module).values()
            if isinstance(each, type) and issubclass(each, Plugin) and each.__module__ == found.name
            if "name" in vars(each)
        }
    assert written == set(BUILT_IN)
