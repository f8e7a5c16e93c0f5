"""Every built-in plugin keeps every promise of the contract, as `check_plugin` tries it.

Belongs here: that. Does not: what a plugin does beyond the contract (tests/plugins/).
"""

from __future__ import annotations

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
