"""schemathesis before a whole gateway: everything that the document allows, and much that it does not, is asked.

Belongs here: what is asked with which ids, and what counts as found. Does not: how much of it the suite asks
(test_fuzzed.py).

A long run by hand (`make fuzz`), from the project's folder; a seed repeats one:

    .venv/bin/python -m tests.core.fuzzing --examples 300 --seed 7
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import hypothesis
import requests
import schemathesis
from attrs import Factory, define, field, frozen
from hypothesis import HealthCheck, Phase
from schemathesis import Case, GenerationMode
from schemathesis.checks import FailureGroup, not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from rrgate.core.table import document
from tests.running_gateway import GatewayClient, RunningGateway
from tests.targets import Connection, Target

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
PARTS: Final = {
    "proxyProxyCredentialId": "callerCredentialId",
    "proxyTargetId": "targetId",
    "proxyTargetCredentialId": "credentialId",
    "targetId": "testedTargetId",
}
"""Fields of bodies that name something."""

SECONDS: Final = 20
"""An answer takes at most."""


@frozen
class World:
    """A gateway with one of everything, by its name in paths. `rules`, `filters`: by the parent's plural."""

    url: str
    token: str
    ids: Mapping[str, str]

    def id_for(self, path: str, name: str) -> str | None:
        """What the world has for `{name}` of a path; None if it has none."""
        kind = path.split("/")[3] if path.count("/") > 2 else ""
        if path.endswith("/test") and name == "targetId":
            return self.ids["testedTargetId"]
        return self.ids.get(f"{name} of {kind}") or self.ids.get(name)


def answering(connection: Connection) -> None:
    while connection.request() is not None:
        connection.answer(b'{"usage": 3}', "200 OK", "Content-Type: application/json")


async def made(gateway: GatewayClient, target_url: str) -> World:
    """One of everything in `gateway`; what is tested is dialled at `target_url`."""
    proxy = await gateway.proxy(target_url)
    ids = {
        "clientId": gateway.client,
        "userId": gateway.first.user_id,
        "proxyId": proxy.id,
        "targetId": proxy.target,
        "testedTargetId": await gateway.target(target_url, targetTestPath="/"),
        "credentialId": proxy.target_credential,
        "callerCredentialId": proxy.caller_credential,
    }
    base = f"/clients/{gateway.client}"
    await gateway.call(proxy)
    ids["requestId"] = (await gateway.records(proxy))[0]["sKey"]
    rule = {"effect": "allow", "methods": ["GET"]}
    for kind, parent in (("credentials", proxy.target_credential), ("targets", proxy.target), ("proxies", proxy.id)):
        told = await gateway.ask("POST", f"{base}/{kind}/{parent}/rules", rule)
        ids[f"ruleId of {kind}"] = told.json["rules"][0]["sKey"]
    for kind, parent in (("credentials", proxy.target_credential), ("targets", proxy.target), ("proxies", proxy.id)):
        told = await gateway.ask("POST", f"{base}/{kind}/{parent}/filters", {"effect": "destroy", "jsonPaths": ["$.a"]})
        ids[f"filterId of {kind}"] = told.json["filters"][0]["sKey"]
    ids["revision"] = "1"
    meter = {"meterName": "all", "meterType": "request_count"}
    ids["meterId"] = (await gateway.ask("POST", f"{base}/proxies/{proxy.id}/meters", meter)).json["meters"][0]["sKey"]
    told = await gateway.ask("POST", f"/users/{gateway.first.user_id}/tokens", {"tokenName": "spare"})
    ids["tokenId"] = told.json["tokens"][0]["sKey"]
    told = await gateway.ask("POST", f"{base}/invites", {"inviteRoles": ["user"]})
    ids["inviteId"] = told.json["invites"][0]["sKey"]
    host, port = gateway.core_address
    return World(f"http://{host}:{port}", gateway.first.token, ids)


@define
class Fuzzer:
    """Asks. `examples`: of each operation and mode, and of walks along links; the same seed asks the same."""

    world: World
    examples: int
    seed: int = 1
    steps: int = 10
    tell: Callable[[str], object] = str
    """Called with each finding at once."""
    found: dict[tuple[str, str], str] = field(factory=dict)
    asked: Counter[str] = field(factory=Counter)
    answered: Counter[int] = field(factory=Counter)
    followed: Counter[tuple[str, int]] = field(factory=Counter)
    """Of requests with ids from answers: operation and status."""
    _random: random.Random = Factory(lambda self: random.Random(self.seed), takes_self=True)
    _session: requests.Session = field(factory=requests.Session)

    def run(self) -> None:
        """All of it. What is wrong is in `found` then: by place and kind, the first of each."""
        schema = schemathesis.openapi.from_dict(document(), config=SchemathesisConfig())
        for result in schema.get_all_operations():
            operation = result.ok()
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                with self._noted(f"{operation.label} {mode.value}"):
                    self._ask_many(operation.as_strategy(generation_mode=mode))
        with self._noted("links"):
            self._follow_links(schema)

    def _settings(self) -> hypothesis.settings:
        return hypothesis.settings(
            max_examples=self.examples,
            stateful_step_count=self.steps,
            deadline=None,
            database=None,
            derandomize=False,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
            print_blob=False,
            report_multiple_bugs=False,
        )

    def _ask_many(self, cases: Any) -> None:
        @hypothesis.seed(self.seed)
        @self._settings()
        @hypothesis.given(cases)
        def ask(case: Case) -> None:
            self.ask(case)

        ask()

    def _follow_links(self, schema: Any) -> None:
        fuzzer = self

        class Walk(schema.as_state_machine()):  # type: ignore[misc]
            linked: frozenset[str] = frozenset()

            def step(self, input: Any) -> Any:
                self.linked = frozenset(name for _, name in input.applied_parameters if name)
                return super().step(input)

            def call(self, case: Case, **_: Any) -> Any:
                answer = fuzzer.call(case, often=0.95, kept=self.linked)
                if self.linked:
                    fuzzer.followed[f"{case.method} {case.operation.path}", answer.status_code] += 1
                return answer

            def validate_response(self, response: Any, case: Case, *_: Any, **__: Any) -> None:
                fuzzer.validate(response, case)

        hypothesis.stateful.run_state_machine_as_test(
            hypothesis.seed(self.seed)(Walk), settings=self._settings()
        )

    def ask(self, case: Case) -> None:
        """One request and what is to be said of its answer."""
        self.validate(self.call(case, often=0.95), case)

    def call(self, case: Case, often: float, kept: Collection[str] = ()) -> Any:
        """The answer to `case`, with ids of the world put into it as often as that. `kept`: names of ids that came from
        an answer before."""
        operation = case.operation
        destroys = case.method == "DELETE" or operation.path.endswith("/authorize")
        for name in list(case.path_parameters or ()):
            known = self.world.id_for(operation.path, name)
            own = operation.path.endswith(f"{{{name}}}") and destroys
            if known is not None and not own and name not in kept and self._random.random() < often:
                case.path_parameters[name] = known
        if isinstance(case.body, dict):
            for name, part in PARTS.items():
                if isinstance(case.body.get(name), str) and self._random.random() < often:
                    case.body[name] = self.world.ids[part]
        self.asked[f"{case.method} {operation.path}"] += 1
        # Instead of what was thought up for the security scheme.
        case.headers = {**(case.headers or {}), "Authorization": self.world.token}
        return case.call(
            base_url=self.world.url,
            session=self._session,
            timeout=SECONDS,
            allow_redirects=False,
        )

    def validate(self, response: Any, case: Case) -> None:
        """Note an answer that is not as the document says. To raise would have Hypothesis ask again, of a gateway that
        has changed meanwhile."""
        self.answered[response.status_code] += 1
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as group:
            for failure in group.exceptions:
                where = f"{case.method} {case.operation.path} {response.status_code}"
                self._note(where, failure, f"{failure}\n{case.as_curl_command()}")

    @contextmanager
    def _noted(self, what: str) -> Iterator[None]:
        try:
            yield
        except hypothesis.errors.Unsatisfiable:
            pass  # there is nothing that it does not allow
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - whatever it is, it was found
            self._note(what, error, _told(error))

    def _note(self, where: str, error: BaseException, said: str) -> None:
        if (where, type(error).__name__) not in self.found:
            self.found[where, type(error).__name__] = f"{where}: {said}"
            self.tell(f"{where}: {said}\n")


def _told(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "\n".join(_told(each) for each in error.exceptions)
    return f"{type(error).__name__}: {error}"


def main() -> None:
    """A long run: prints what was asked and found; ends with 1 if anything was."""
    from rrgate.reactor import install

    install()
    from twisted.internet.defer import Deferred
    from twisted.internet.task import react
    from twisted.internet.threads import deferToThread

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    fuzzers: list[Fuzzer] = []

    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder, Target(answering) as target:
            gateway = RunningGateway.start(Path(folder) / "state")
            fuzzers.append(Fuzzer(await made(gateway, target.url), arguments.examples, arguments.seed, tell=print))
            await deferToThread(fuzzers[0].run)
            fuzzer = fuzzers[0]
            print(f"{sum(fuzzer.asked.values())} requests; answers: {dict(sorted(fuzzer.answered.items()))}")
            print(f"{sum(fuzzer.followed.values())} along links: {dict(fuzzer.followed)}")
            await gateway.stop()
            if fuzzer.found:
                raise SystemExit(1)

    react(lambda _: Deferred.fromCoroutine(run()), ())


if __name__ == "__main__":
    main()
