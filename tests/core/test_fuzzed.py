"""schemathesis asks what the document allows, and what it does not, and follows its links: a bounded, repeatable run.

Belongs here: how much the suite asks. Does not: asking (fuzzing.py, which also says how to ask for long).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_twisted

from rrgate.core.table import ROUTES
from tests.callers import in_thread
from tests.core.fuzzing import Fuzzer, answering, made
from tests.core.openapi_parts import DOCUMENT, JSON
from tests.running_gateway import RunningGateway
from tests.targets import Target

EXAMPLES = 3


@pytest.fixture
def target() -> Iterator[Target]:
    with Target(answering) as running:
        yield running


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    running = RunningGateway.start(tmp_path / "state")
    yield running
    await running.stop()


@pytest_twisted.ensureDeferred
async def test_every_answer_is_as_the_document_says(gateway: RunningGateway, target: Target) -> None:
    fuzzer = Fuzzer(await made(gateway, target.url), examples=EXAMPLES)
    await in_thread(fuzzer.run)
    assert "\n\n".join(fuzzer.found.values()) == ""
    assert set(fuzzer.asked) == {f"{route.method} {route.template}" for route in ROUTES}
    assert {200, 400, 404} <= set(fuzzer.answered)
    assert fuzzer.followed


@pytest_twisted.ensureDeferred
async def test_what_the_document_does_not_say_is_found(
    gateway: RunningGateway, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = {**DOCUMENT, "paths": {"/healthz": DOCUMENT["paths"]["/healthz"]}}
    operation = dict(document["paths"]["/healthz"]["get"])
    nothing = {"200": {"description": "", "content": {JSON: {"schema": {"type": "array"}}}}}
    document["paths"] = {"/healthz": {"get": {**operation, "responses": nothing}}}
    monkeypatch.setattr("tests.core.fuzzing.document", lambda: document)
    fuzzer = Fuzzer(await made(gateway, target.url), examples=1)
    await in_thread(fuzzer.run)
    assert ("GET /healthz 200", "JsonSchemaError") in fuzzer.found
