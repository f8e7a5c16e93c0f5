"""The test process runs on the gateway's own reactor, as `twistd rrgate` does.

Belongs here: what holds for every test. Does not: fixtures of one folder. `--reactor=default` (or another) on the
command line runs the tests on a stock reactor instead.
"""

from __future__ import annotations

import sys

import pytest


@pytest.hookimpl(tryfirst=True)  # before pytest-twisted installs the one it knows
def pytest_configure(config: pytest.Config) -> None:
    asked = any(str(argument).startswith("--reactor") for argument in config.invocation_params.args)
    if not asked and "twisted.internet.reactor" not in sys.modules:
        from rrgate.reactor import install

        install()
