"""docs/hooks.md has every hook, request method, attribute and kind as the code has them, and its plugin works.

Belongs here: this page against rrgate.hookspecs and rrgate.api. Does not: what the hooks do (tests of the chain).
"""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pytest
import pytest_twisted

from rrgate import api, hookspecs, plugin_methods, testing
from rrgate.chain import Chain
from rrgate.testing import Ask, check_plugin
from tests.docs.pages import ROOT, blocks_of
from tests.house.sources import CORE
from tests.running_gateway import RunningGateway
from tests.targets import Target, echo

PAGE = ROOT / "docs" / "hooks.md"
TEXT = PAGE.read_text("utf-8")

HOOKS = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("rrgate_")}
METHODS = {
    name: method
    for protocol in vars(plugin_methods).values()
    if inspect.isclass(protocol) and protocol.__module__ == plugin_methods.__name__
    for name, method in vars(protocol).items()
    if inspect.isfunction(method) and not name.startswith("_")
}


def signature(name: str, function: Any) -> str:
    parameters = [
        f"{known}: {about.annotation}"
        for known, about in inspect.signature(function).parameters.items()
        if known != "self"
    ]
    return f"{name}({', '.join(parameters)}) -> {inspect.signature(function).return_annotation}"


def written(function: Any) -> str:
    """Its signature, as it is written in the code but for `self`."""
    return str(inspect.signature(function)).replace("'", "").replace("(self, ", "(").replace("(self)", "()")


def section(title: str) -> str:
    return re.split(r"^## ", TEXT.split(f"\n## {title}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]


def signatures(title: str) -> dict[str, str]:
    """By heading of the third level: what its first block says."""
    return dict(re.findall(r"^### (\w+)\n\n```text\n(.*?)\n```$", section(title), re.MULTILINE | re.DOTALL))


def first_column(title: str) -> list[str]:
    return re.findall(r"^\| `(\w+)` \|", section(title), re.MULTILINE)


def test_boot_hooks() -> None:
    assert signatures("Boot hooks") == {name: signature(name, hook) for name, hook in HOOKS.items()}


@pytest.mark.parametrize("hook", HOOKS)
def test_it_says_which_hooks_are_called(hook: str) -> None:
    called = any(
        isinstance(node, ast.Attribute) and node.attr == hook for source in CORE for node in ast.walk(source.tree)
    )
    said = section("Boot hooks").split(f"\n### {hook}\n")[1].partition("\n### ")[0]
    assert ("Nothing calls it yet" not in said) == called


def test_request_methods() -> None:
    assert signatures("Request methods") == {name: signature(name, method) for name, method in METHODS.items()}
    assert set(METHODS) <= set(Chain.__annotations__), "a method that the chain does not know"


def test_declarations_and_kinds() -> None:
    declared = [name for name, kind in api.Plugin.__annotations__.items() if "ClassVar" in str(kind)]
    assert first_column("What a plugin declares") == declared
    assert first_column("Places in the chain") == [kind.name for kind in sorted(api.Kind)]


def test_what_an_object_is_given() -> None:
    assert first_column("What a plugin object is given") == [each.name for each in attrs.fields(api.PluginContext)]


def test_every_name_that_plugins_import() -> None:
    assert first_column("Names of rrgate.api") == api.__all__


def test_every_name_that_their_tests_import() -> None:
    guide = (ROOT / "docs" / "plugin-guide.md").read_text("utf-8").split("\n## Names of rrgate.testing\n")[1]
    assert re.findall(r"^\| `(\w+)` \|", guide, re.MULTILINE) == testing.__all__


@pytest.mark.parametrize("helper", [api.documented, api.secret, api.ConfigError, api.Problem])
def test_configuration_helpers(helper: Any) -> None:
    assert f"```text\n{helper.__name__}{written(helper)}\n```" in section("Configuration")


CALLS = re.findall(r"`([A-Z]\w+)\((.*?)\)`", TEXT)
"""(class, what is between the parentheses) of what the page says how to make."""


def test_how_values_are_made() -> None:
    assert {"BodyNeed", "Consumes", "Denied", "Identity", "Page", "Reply"} <= {name for name, _ in CALLS}
    for name, parameters in CALLS:
        made = inspect.signature(getattr(api, name)).parameters
        said = [parameter.partition("=") for parameter in parameters.split(", ")]
        assert [known for known, _, _ in said] == list(made), name
        for known, _, default in said:
            right = made[known].default
            if not default:
                assert right is inspect.Parameter.empty, f"{name}: {known} has a default"
            elif "{" not in default:
                assert ast.literal_eval(default) == right, f"{name}: {known}={default}"


def test_class_methods() -> None:
    declared = {name: method.__func__ for name, method in vars(api.Plugin).items() if isinstance(method, classmethod)}
    assert declared
    for name, method in declared.items():
        parameters = list(inspect.signature(method).parameters)[1:]
        assert f"`{name}({', '.join(parameters)})`" in TEXT


MESSAGES = {"ex": api.Exchange, "ex.to_target": api.TargetRequest, "ex.response": api.TargetResponse}


@pytest.mark.parametrize("of", MESSAGES)
def test_what_plugins_read_and_change(of: str) -> None:
    class_: Any = MESSAGES[of]
    table = section("The request and its answer").split(f"| of `{of}` |")[1].partition("\n\n")[0]
    rows = re.findall(r"^\| (`.*?`) \| [A-Z]", table, re.MULTILINE)
    names = [name.replace("\\|", "|") for row in rows for name in re.findall("`(.*?)`", row)]
    methods = {
        name + written(method)
        for name, method in vars(class_).items()
        if inspect.isfunction(method) and not name.startswith("_")
    }
    assert {name for name in names if "(" in name} == methods
    properties = {name for name, value in vars(class_).items() if isinstance(value, property)}
    assert {name for name in names if "(" not in name} <= properties.union(class_.__slots__)


@pytest.fixture
def page_plugin() -> ModuleType:
    """The plugin in the page, as a module."""
    (block,) = (block for block in blocks_of(PAGE) if block.kind == "python file=received_at.py")
    module = ModuleType("received_at")
    exec(compile(block.code, str(PAGE), "exec"), vars(module))
    return module


def test_its_plugin_keeps_every_promise(page_plugin: ModuleType) -> None:
    check_plugin(page_plugin.ReceivedAt, bad={"a request to delete": Ask("DELETE")})


@pytest_twisted.ensureDeferred
async def test_its_plugin_works(page_plugin: ModuleType, tmp_path: Path) -> None:
    with Target(echo) as target:
        running = RunningGateway.start(tmp_path / "state", plugins=[page_plugin], wall=lambda: 1234.5)
        try:
            proxy = await running.proxy(target.url)
            answer = await running.call(proxy)
            assert ["X-Received-At", "1234"] in answer.json["headers"]
            answer = await running.call(proxy, "DELETE")
            assert (answer.status, answer.code) == (403, "proxy-access-denied")
            assert answer.json["message"] == "This gateway does not forward DELETE"
        finally:
            await running.stop()
