"""What an installation needs of this checkout: the dropin for twistd, the entry point for plugins, the package files.

Belongs here: quick checks. Does not: installing the built archives, which `.ci/check_distribution` does.
"""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import rrgate
from rrgate.api import Plugin
from rrgate.registry import ENTRY_POINT_GROUP
from tests.house.sources import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_dropin() -> None:
    assert (ROOT / "twisted/plugins/rrgate_dropin.py").is_file()
    # Either file would hide Twisted's own plugins, or Twisted itself.
    assert not (ROOT / "twisted/__init__.py").exists()
    assert not (ROOT / "twisted/plugins/__init__.py").exists()


def test_twistd_lists_rrgate(tmp_path: Path) -> None:
    twistd = Path(sys.executable).with_name("twistd")
    told = subprocess.run([twistd, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert any(line.split()[:1] == ["rrgate"] for line in told.splitlines())


def test_the_plugins_come_through_their_entry_point() -> None:
    (found,) = entry_points(group=ENTRY_POINT_GROUP, name="builtin")
    assert found.value == PROJECT["project"]["entry-points"][ENTRY_POINT_GROUP]["builtin"]
    module = found.load()
    assert Path(module.__file__).resolve() == (ROOT / "plugins/__init__.py").resolve()
    assert all(issubclass(each, Plugin) for each in module.rrgate_plugins())


def test_package_files() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    # One mapping alone: with a second one, an editable install hides the dropin from twistd.
    assert setup["options"]["package_dir"].split() == ["=", "."]
    included = setup["options.packages.find"]["include"].split()
    assert {"rrgate", "rrgate_plugins", "twisted.plugins"} <= set(included)
    for package, files in setup["options.package_data"].items():
        for file in files.split():
            assert (ROOT / package / file).is_file()
    assert os.readlink(ROOT / "rrgate_plugins") == "plugins"


def test_one_version() -> None:
    assert PROJECT["project"]["version"] == rrgate.__version__
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"## [{rrgate.__version__}]" in changes
