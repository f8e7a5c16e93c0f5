"""A plugin that does not load stops `twistd rrgate`, in one line that names its distribution, version and reason.

Belongs here: installed distributions that are broken, as the process finds them. Does not: every way of breaking the
contract (tests/plugins/test_registry.py), plugins that fail later (tests/plugins/test_faulty_plugins.py).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rrgate.cli.init import create_state
from tests.processes.twistd import ROOT, Twistd

HOOK = """
from rrgate.api import Kind, Migrations, Page, Plugin, Reply, hookimpl

@hookimpl
def {hook}({arguments}):
    {body}
"""


def hook(name: str, body: str, arguments: str = "") -> str:
    return HOOK.format(hook=name, body=body, arguments=arguments)


def installed(folder: Path, module: str | None) -> dict[str, str]:
    """The environment in which the distribution acme-thing 1.2.3 is installed, with this `acme_thing.py`, or none."""
    info = folder / "acme_thing-1.2.3.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-thing\nVersion: 1.2.3\n")
    (info / "entry_points.txt").write_text("[rrgate]\nacme = acme_thing\n")
    if module is not None:
        (folder / "acme_thing.py").write_text(module)
    return {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (None, "cannot load: ModuleNotFoundError: No module named 'acme_thing'"),
        ("import rrgate.apis", "cannot load: ModuleNotFoundError: No module named 'rrgate.apis'"),
        ("def (", "cannot load: SyntaxError: "),
        ("import sys; sys.exit(0)", "cannot load: SystemExit: 0"),
        (hook("rrgate_plugins", "return [object]"), "object is not a subclass of rrgate.api.Plugin"),
        (hook("rrgate_plugins", "raise OSError('no licence')"), "rrgate_plugins failed: OSError: no licence"),
        (
            hook("rrgate_plugins", "return [type('A', (Plugin,), {'name': 'bearer'})]"),
            "takes the name 'bearer' that ",
        ),
        (hook("rrgate_migrations", "return [Migrations('other')]"), "must be named 'acme_thing' after its distr"),
        (hook("rrgate_resources", "return [1]", "gateway"), "rrgate_resources must answer rrgate.api.Page"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) and "\n" not in value else None,
)
def test_it_stops_the_start(tmp_path: Path, module: str | None, reason: str) -> None:
    create_state(tmp_path / "state")
    with Twistd(tmp_path / "state", environ=installed(tmp_path / "packages", module)) as gateway:
        assert gateway.ended() not in (0, None)
        output = gateway.output()
    (line,) = [line for line in output.splitlines() if reason in line]
    assert "plugin 'acme' (acme_thing) of acme-thing 1.2.3" in line
    assert "Traceback" not in output
    assert not gateway.takes_connections()
