"""Imports point one way: the floors of rrgate/ as docs/architecture.md draws them, and the one door for plugins.

Belongs here: who may import whom. Does not: what a file looks like (test_files.py).
"""

from __future__ import annotations

import graphlib
import subprocess
import sys

import pytest

from rrgate.registry import load_registry
from tests.house.sources import CORE, EVERY, PLUGINS, ROOT, Source, imports, strings, within

FLOORS = (
    # What a request and a noun are, and what needs nothing of the gateway.
    {
        "rrgate",
        "rrgate.answer_headers",
        "rrgate.answers",
        "rrgate.body",
        "rrgate.chain",
        "rrgate.door",
        "rrgate.careful_log",
        "rrgate.authorization_values",
        "rrgate.boot_values",
        "rrgate.checks",
        "rrgate.core_files",
        "rrgate.countries",
        "rrgate.config_values",
        "rrgate.counting_values",
        "rrgate.exchange",
        "rrgate.ids",
        "rrgate.kept_bodies",
        "rrgate.loads",
        "rrgate.route",
        "rrgate.json_log",
        "rrgate.json_text",
        "rrgate.log_output",
        "rrgate.open_files",
        "rrgate.messages",
        "rrgate.node",
        "rrgate.model",
        "rrgate.names",
        "rrgate.retry_after",
        "rrgate.outside_values",
        "rrgate.paths",
        "rrgate.plugin_context",
        "rrgate.plugin_methods",
        "rrgate.plugin_values",
        "rrgate.private_keys",
        "rrgate.patience",
        "rrgate.reactor",
        "rrgate.settings",
        "rrgate.settings.delivery",
        "rrgate.settings.listeners",
        "rrgate.settings.networks",
        "rrgate.settings.process",
        "rrgate.settled",
        "rrgate.settings.row",
        "rrgate.settings.sources",
        "rrgate.settings.state",
        "rrgate.settings.targets",
        "rrgate.settings.values",
        "rrgate.shared",
        "rrgate.state_values",
        "rrgate.transports",
        "rrgate.upstream",
        "rrgate.waiting",
        "rrgate.websocket.handshake",
        "rrgate.websocket.slots",
        "rrgate.websocket.stream",
    },
    # The contract for plugins.
    {"rrgate.api"},
    # What is made of plugins and nouns before a request comes, and the state on disk.
    {
        "rrgate.chaining",
        "rrgate.complaints",
        "rrgate.configuring",
        "rrgate.counters",
        "rrgate.declarations",
        "rrgate.hookspecs",
        "rrgate.joining",
        "rrgate.model.documents",
        "rrgate.model.rule_documents",
        "rrgate.overlap",
        "rrgate.places",
        "rrgate.proxy_plugins",
        "rrgate.registry",
        "rrgate.schemas",
        "rrgate.store",
        "rrgate.structuring",
    },
    # A request's way.
    {
        "rrgate.authorizing",
        "rrgate.background",
        "rrgate.blaming",
        "rrgate.body_log",
        "rrgate.boot",
        "rrgate.compiling",
        "rrgate.reaching",
        "rrgate.credential_state",
        "rrgate.deliveries",
        "rrgate.directory",
        "rrgate.explained_caller",
        "rrgate.explained_request",
        "rrgate.explaining",
        "rrgate.explanation",
        "rrgate.held_answers",
        "rrgate.journal",
        "rrgate.outgoing",
        "rrgate.own_request",
        "rrgate.pages",
        "rrgate.metrics",
        "rrgate.notice_texts",
        "rrgate.notifier",
        "rrgate.pipeline",
        "rrgate.pipeline_parts",
        "rrgate.plugin_objects",
        "rrgate.record",
        "rrgate.record_view",
        "rrgate.redaction",
        "rrgate.relay",
        "rrgate.repeating",
        "rrgate.steps",
        "rrgate.streams",
        "rrgate.tally",
        "rrgate.telemetry_view",
        "rrgate.token_watch",
        "rrgate.trial",
        "rrgate.watchdog",
        "rrgate.websocket",
    },
    # The two planes' edges: bytes, and the Core API.
    {
        "rrgate.agent",
        "rrgate.agent_response",
        "rrgate.core",
        "rrgate.delivery",
        "rrgate.entrance",
        "rrgate.outside",
        "rrgate.outside_way",
        "rrgate.produced_body",
        "rrgate.resource",
        "rrgate.wire",
    },
    # What the composition root opens, part by part.
    {
        "rrgate.gateway_metrics",
        "rrgate.opened_core",
        "rrgate.opened_delivery",
        "rrgate.opened_plugins",
        "rrgate.opened_state",
        "rrgate.way_out",
    },
    # The composition root.
    {"rrgate.gateway"},
    # What starts it, a host's door to it, and what an operator does beside it.
    {
        "rrgate.cli",
        "rrgate.demo",
        "rrgate.embedding",
        "rrgate.service",
        "rrgate.simulation",
        "rrgate.testing",
        "rrgate.torture",
        "rrgate.workers",
    },
)
"""From the lowest. A package's modules stand where the package stands, unless they are named themselves."""

STRANGERS = (
    ("rrgate.pipeline", "rrgate.store", "the pipeline reads no database"),
    ("rrgate.relay", "rrgate.store", "the request path reads no database"),
    ("rrgate.steps", "rrgate.store", "the request path reads no database"),
    ("rrgate.outgoing", "rrgate.store", "the request path reads no database"),
    ("rrgate.directory", "rrgate.store", "the Directory is given its nouns"),
    ("rrgate.delivery", "rrgate.wire", "delivery is given what it sends with"),
    ("rrgate.delivery", "rrgate.core", "the planes meet in the Directory"),
    ("rrgate.core", "rrgate.delivery", "the planes meet in the Directory"),
    ("rrgate.wire", "rrgate.store", "the wire moves bytes"),
    ("rrgate.wire", "rrgate.core", "the planes meet in the Directory"),
    ("rrgate.wire", "rrgate.pipeline", "the wire is given what serves a request"),
    ("rrgate.core", "rrgate.wire", "the planes meet in the Directory"),
    ("rrgate.core", "rrgate.pipeline", "the planes meet in the Directory"),
    ("rrgate.store", "rrgate.directory", "the Store hands nouns over"),
    ("rrgate.cli", "rrgate.core", "commands work on the state itself"),
    ("rrgate.cli", "rrgate.wire", "commands work on the state itself"),
)
"""Pairs that the floors alone would allow."""

GENERIC = frozenset({"basic", "key", "none", "oauth2"})
"""Spellings of auth types that are words for much else too."""

ELSEWHERE = {"rrgate.core.openapi.document": {"apiKey"}}
"""Spellings that another's language has too: of OpenAPI it is how a token stands raw in a header."""

CONFIGURES_AS_A_USER = frozenset({"rrgate.demo", "rrgate.simulation", "rrgate.torture.process"})
"""They make credentials through the Core API, and so name auth types as any user does."""


def floor_of(module: str) -> int:
    named = [(len(entry), floor) for floor, entries in enumerate(FLOORS) for entry in entries if within(module, entry)]
    # `rrgate` alone is the package's own file: everything else must be placed on purpose.
    named = [each for each in named if each[0] > len("rrgate") or module == "rrgate"]
    assert named, f"{module} stands on no floor: give it one in FLOORS, and in docs/architecture.md if it is a room"
    return max(named)[1]


@pytest.mark.parametrize("source", CORE, ids=lambda source: source.name)
def test_imports_point_downwards(source: Source) -> None:
    upwards = [
        f"{source.where}:{each.line} imports {each.module}"
        for each in imports(source)
        if within(each.module, "rrgate") and floor_of(each.module) > floor_of(source.name)
    ]
    strangers = [
        f"{source.where}:{each.line} imports {each.module}, but {why}"
        for each in imports(source)
        for importer, imported, why in STRANGERS
        if within(source.name, importer) and within(each.module, imported)
    ]
    assert not upwards + strangers


def test_every_entry_exists() -> None:
    names = {source.name for source in CORE}
    assert {entry for entries in FLOORS for entry in entries} <= names
    assert {package for pair in STRANGERS for package in pair[:2]} <= names


def test_no_cycles() -> None:
    graph = {
        source.name: {each.module for each in imports(source) if within(each.module, "rrgate")} for source in CORE
    }
    graphlib.TopologicalSorter(graph).prepare()


def test_nothing_imports_the_built_in_plugins() -> None:
    importing = [
        f"{source.where}:{each.line}"
        for source in CORE
        for each in imports(source)
        if within(each.module, "rrgate_plugins") or within(each.module, "plugins")
    ]
    assert not importing


def test_nothing_names_a_built_in_plugin() -> None:
    registry = load_registry()
    built_in = {
        spelling
        for plugin in {*registry.plugins, *registry._by_name.values()}
        if within(plugin.__module__, "rrgate_plugins")
        for spelling in (plugin.name, *plugin.aliases, plugin.__name__)
    }
    assert len(built_in) > 10
    naming = [
        f"{source.where}:{line}: {text!r}"
        for source in CORE
        if source.name not in CONFIGURES_AS_A_USER
        for line, text in strings(source)
        if text in built_in - GENERIC - ELSEWHERE.get(source.name, set()) or "rrgate_plugins" in text
    ]
    assert not naming


@pytest.mark.parametrize("source", PLUGINS, ids=lambda source: source.name)
def test_plugins_know_the_api_alone(source: Source) -> None:
    others = [
        f"{source.where}:{each.line} imports {each.module}"
        for each in imports(source)
        if within(each.module, "rrgate") and each.module != "rrgate.api"
    ]
    assert not others


def test_nothing_chooses_the_reactor_when_it_is_loaded() -> None:
    written = [
        f"{source.where}:{each.line}"
        for source in EVERY
        for each in imports(source)
        if each.at_load and each.module == "twisted.internet.reactor"
    ]
    assert not written
    # The libraries that they import must not either.
    loading = f"""
import importlib, sys
for name in {[source.name for source in EVERY]!r}:
    importlib.import_module(name)
    assert "twisted.internet.reactor" not in sys.modules, name
"""
    done = subprocess.run([sys.executable, "-c", loading], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
