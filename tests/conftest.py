"""The test process runs on the gateway's own reactor, as `twistd rrgate` does; no gateway goes unsearched for secrets.

Belongs here: what holds for every test. Does not: fixtures of one folder. `--reactor=default` (or another) on the
command line runs the tests on a stock reactor instead.
"""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from rrgate.settled import YOUNG

# A busy machine is no fault of the code, and speed is checked by `make bench`.
settings.register_profile("rrgate", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("rrgate")

# All that is imported and collected stays: to look through it for garbage takes a quarter of the time, in vain.
gc.disable()


@pytest.hookimpl(tryfirst=True)  # before pytest-twisted installs the one it knows
def pytest_configure(config: pytest.Config) -> None:
    asked = any(str(argument).startswith("--reactor") for argument in config.invocation_params.args)
    if not asked and "twisted.internet.reactor" not in sys.modules:
        from rrgate.reactor import install

        install()


LONGEST = ("tests/docs/", "tests/processes/", "tests/published/", "tests/core/test_fuzzed.py", "tests/examples/")
"""Where single tests take seconds: these begin, so that none of them is left over for one processor at the end."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_collection_finish() -> None:
    """What is there before the first test stays: the collector need not look through it again and again.

    What tests leave it looks through as seldom as in a gateway: that is a fifth of the time of those in memory.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG)
    gc.enable()


STATES_ALONE = (
    "tests/store/",
    "tests/cli/test_backup.py",
    "tests/core/test_with_the_store.py",
    "tests/gateway/test_tampered_state.py::test_it_is_refused",
)
"""Tests that make the files of a state without a gateway, by the beginning of their ids."""
DIGITS = "0123456789"


@pytest.fixture(scope="session", autouse=True)
def _no_gateway_is_unsearched(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """However a test starts one: what it leaves is looked through for what it was told (tests/leak_search.py)."""
    from tests import memory_leaks, new_databases
    from tests.leak_search import unsearched

    memory_leaks.watch()
    new_databases.copy_them()
    yield
    # As `tmp_path` names its folders.
    names = [item.name for item in request.session.items if item.nodeid.startswith(STATES_ALONE)]
    alone = {re.sub(r"\W", "_", name)[:30].rstrip(DIGITS) for name in names}
    base = tmp_path_factory.getbasetemp()
    left = [path for path in unsearched(base) if path.relative_to(base).parts[0].rstrip(DIGITS) not in alone]
    told = f"no LeakSearch has ended for these gateways (if no gateway ran there, see STATES_ALONE): {left}"
    assert request.session.testsfailed or not left, told


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """The same for gateways in memory, after each test."""
    from tests import memory_leaks

    memory_leaks.search()
