"""The published samples work before a whole gateway, with addresses, placeholder ids and aliases replaced.

Belongs here: running each language's, and what must be printed. Does not: the samples (samples.txt), whether they
stand in the pages (compare.py, run by hand).
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_twisted
from attrs import evolve, field, frozen

from tests.callers import call, in_thread
from tests.published.java import Java
from tests.published.samples import Place, Sample, samples
from tests.real_parts import missing
from tests.running_gateway import KEY, MadeProxy, RunningGateway
from tests.targets import Connection, Target

SAMPLES = samples()
GSON = ("/usr/share/java/gson.jar",)
SECONDS = 120


def answering(connection: Connection) -> None:
    while (received := connection.request()) is not None:
        connection.answer(json.dumps({"authorization": received.every("Authorization")}).encode())


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with Target(answering) as running:
        yield running


@pytest_twisted.async_yield_fixture(scope="module")  # type: ignore[untyped-decorator]
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningGateway]:
    running = RunningGateway.start(tmp_path_factory.mktemp("published") / "state")
    yield running
    await running.stop()


@frozen
class Languages:
    """Runs samples. `folder`: for files; `token`: the user's; `ending`: what ends when they have run."""

    folder: Path
    token: str = field(repr=False)
    ending: ExitStack
    _java: list[Java] = field(factory=list)

    def run(self, sample: Sample, place: Place, **also: str) -> str:
        """What `sample` printed. Skips where the machine does not have the language."""
        ids = place.ids
        environment = {
            "PATH": os.environ["PATH"],
            "USER_TOKEN": self.token,
            "CLIENT_ID": ids.get("{clientId}", ""),
            "PROXY_ID": ids.get("{proxyId}", ""),
            "REQUEST_ID": ids.get("{requestId}", ""),
            **also,
        }
        code = place.put_into(sample.code)
        match sample.language:
            case "js":
                command = [self._program("node", "install Node"), "--input-type=module", "-"]
                code = _given(ids, "const {name} = {value};\n", camel=True) + code
            case "py":
                command = [sys.executable, "-"]
                code = _given(ids, "{name} = {value}\n", camel=False) + code
            case "sh":
                self._program("curl", "install curl")
                command = ["/bin/sh", "-s"]
                code = code.replace("curl ", "curl --silent --show-error ")
            case _:
                return self._ran_by_java(code, environment)
        return _ran(command, environment, code)

    def _ran_by_java(self, code: str, environment: Mapping[str, str]) -> str:
        if shutil.which("javac") is None:
            pytest.skip("there is no JDK here")  # which no machine is asked to have
        gson = next((path for path in GSON if Path(path).exists()), None)
        if gson is None:
            missing("Gson", "install Debian's libgoogle-gson-java")
        name = code.partition("public class ")[2].split(" ")[0]
        folder = self.folder / secrets.token_hex(4)
        folder.mkdir()
        (folder / f"{name}.java").write_text(code, "utf-8")
        if not self._java:
            # One for all samples: those in Java read the token from a variable, and no id.
            self._java.append(self.ending.enter_context(Java(gson, environment)))
        return self._java[0].run(folder / f"{name}.java", SECONDS)

    @staticmethod
    def _program(name: str, how: str) -> str:
        return shutil.which(name) or missing(name, how)


def _given(ids: Mapping[str, str], form: str, *, camel: bool) -> str:
    """The variables that a sample does not set itself."""
    names = {"{clientId}": "clientId", "{proxyId}": "proxyId", "{requestId}": "requestId"}
    spelled = {name: name if camel else name.replace("Id", "_id") for name in names.values()}
    return "".join(
        form.format(name=spelled[name], value=json.dumps(ids[placeholder]))
        for placeholder, name in names.items()
        if placeholder in ids
    )


def _ran(command: list[str], environment: Mapping[str, str], code: str) -> str:
    done = subprocess.run(
        command, input=code, capture_output=True, text=True, timeout=SECONDS, env=dict(environment), check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def languages(gateway: RunningGateway, tmp_path: Path) -> Iterator[Languages]:
    with ExitStack() as ending:
        yield Languages(tmp_path, gateway.first.token, ending)


def place_of(gateway: RunningGateway, target: Target, proxy: MadeProxy | None = None, **ids: str) -> Place:
    """Where the samples run; `proxy`: whose parts stand for the pages'."""
    host, port = gateway.core_address
    known = {"{clientId}": gateway.client, "your-client-id": gateway.client, "{user_token}": gateway.first.token}
    if proxy is not None:
        known |= {
            "cred_123": proxy.caller_credential,
            "tgt_456": proxy.target,
            "cred_789": proxy.target_credential,
        }
    gateway_url = "http://{}:{}".format(*gateway.address)
    return Place(
        core_url=f"http://{host}:{port}",
        gateway_url=gateway_url,
        target_url=target.url,
        ids=known | ids,
    )


def with_id(place: Place, name: str, value: str) -> Place:
    """`place` with an id of the pages' in both its forms."""
    return evolve(place, ids={**place.ids, f"{{{name}Id}}": value, f"your-{name}-id": value})


PRINTED = {
    ("proxies.create", "js"): "Created proxy:",
    ("proxies.create", "py"): "Created proxy: Production Payment Gateway",
    ("proxies.create", "java"): '"message":"Success"',
    ("proxies.create", "sh"): '"message":"Success"',
    ("proxies.list", "js"): "Proxies: [",
    ("proxies.list", "py"): "Found ",
    ("proxies.list", "java"): "Found ",
    ("proxies.list", "sh"): '"proxyName":"Production Payment Gateway"',
    ("proxies.get", "js"): "proxyName: 'Production Payment Gateway'",
    ("proxies.get", "py"): "Proxy: Production Payment Gateway",
    ("proxies.get", "java"): '"proxyName":"Production Payment Gateway"',
    ("proxies.get", "sh"): '"proxyName":"Production Payment Gateway"',
    ("proxies.update", "js"): "proxyName: 'Updated Proxy Name'",
    ("proxies.update", "py"): "Updated: Success",
    ("proxies.update", "java"): '"proxyName":"Updated Proxy Name"',
    ("proxies.update", "sh"): '"proxyActive":false',
    ("proxies.delete", "js"): "Proxy deleted successfully",
    ("proxies.delete", "py"): "Proxy deleted successfully",
    ("proxies.delete", "java"): "Proxy deleted successfully",
    ("proxies.delete", "sh"): "Proxy deleted successfully",
    ("requests.list", "js"): "Found 1 requests",
    ("requests.list", "py"): "Found 1 requests",
    ("requests.list", "java"): "Found 1 requests",
    ("requests.list", "sh"): '"totalRequests":1',
    ("requests.get", "js"): "Request: GET /v1/customers\nStatus: 200, Duration: ",
    ("requests.get", "py"): "Request: GET /v1/customers\nStatus: 200, Duration: ",
    ("requests.get", "java"): "Request: GET /v1/customers\nStatus: 200, Duration: ",
    ("requests.get", "sh"): '"statusCode":200',
}
"""What a sample prints must have."""


@pytest.mark.parametrize("language", ["js", "py", "sh", "java"])
@pytest_twisted.ensureDeferred
async def test_samples_of_proxies_and_requests(
    language: str, gateway: RunningGateway, target: Target, languages: Languages
) -> None:
    proxy = await gateway.proxy(target.url)
    place = evolve(place_of(gateway, target, proxy), alias=f"payment-gateway-{language}")

    async def works(name: str) -> None:
        printed = await in_thread(languages.run, SAMPLES[name, language], place)
        assert PRINTED[name, language] in printed

    await works("proxies.create")
    (made,) = [
        each
        for each in (await gateway.ask("GET", f"/clients/{gateway.client}/proxies")).json["proxies"]
        if each["proxyAlias"] == place.alias
    ]
    place = with_id(place, "proxy", made["sKey"])
    await works("proxies.list")
    await works("proxies.get")
    called = evolve(proxy, id=made["sKey"])
    assert (await gateway.call(called, path="/v1/customers")).status == 200
    (record,) = await gateway.records(called)
    place = with_id(place, "request", record["sKey"])
    await works("requests.list")
    await works("requests.get")
    await works("proxies.update")
    assert (await gateway.call(called, path="/v1/customers")).status == 503
    await works("proxies.delete")
    assert (await gateway.call(called, path="/v1/customers")).status == 404


@pytest_twisted.ensureDeferred
async def test_complete_setup_and_a_call_through_the_proxy_it_made(
    gateway: RunningGateway, target: Target, languages: Languages
) -> None:
    key = f"stripe-{secrets.token_hex(16)}"
    sample = SAMPLES["setup", "js"]
    started = evolve(
        sample,
        code=f"{sample.code}\nconsole.log(JSON.stringify(await setupCompleteProxy(clientId, process.env.USER_TOKEN)));",
    )
    told = json.loads(await in_thread(languages.run, started, place_of(gateway, target), STRIPE_KEY=key))
    assert told["proxy"]["proxyName"] == "Stripe Proxy"
    path = told["proxyURL"].removeprefix("http://{}:{}".format(*gateway.address))
    answer = await in_thread(call, gateway.address, "GET", f"{path}/v1/customers", {"X-API-Key": "app-key"}, None)
    assert (answer.status, answer.json) == (200, {"authorization": [f"Bearer {key}"]})
    refused = await in_thread(call, gateway.address, "GET", f"{path}/v1/customers", {"X-API-Key": "wrong"}, None)
    assert refused.status == 401


@pytest_twisted.ensureDeferred
async def test_samples_of_the_overview(gateway: RunningGateway, target: Target, languages: Languages) -> None:
    proxy = await gateway.proxy(target.url, caller=("bearer", {"token": KEY}))
    place = place_of(gateway, target, proxy)
    ids = {"{proxyId}": proxy.id, "{your_user_token}": gateway.first.token, "{your_proxy_credential}": KEY}
    place = evolve(place, ids={**place.ids, **ids})
    assert "Bearer" in await in_thread(languages.run, SAMPLES["call", "sh"], place)
    assert '"message":"Success"' in await in_thread(languages.run, SAMPLES["clients", "sh"], place)


@pytest_twisted.ensureDeferred
async def test_published_requests_as_they_stand(gateway: RunningGateway, target: Target) -> None:
    proxy = await gateway.proxy(target.url)
    await gateway.call(proxy)
    (record,) = await gateway.records(proxy)
    place = evolve(place_of(gateway, target, proxy), alias="payment-gateway-http")
    place = with_id(with_id(place, "proxy", proxy.id), "request", record["sKey"])
    asked = [sample for sample in SAMPLES.values() if sample.language == "http"]
    assert len(asked) == 8
    for sample in sorted(asked, key=lambda sample: "delete" in sample.name):
        head, _, body = place.put_into(sample.code).strip().partition("\n\n")
        line, *fields = head.split("\n")
        method, path, _ = line.split(" ")
        headers = dict(field.split(": ") for field in fields)
        assert headers.pop("Host") == "{}:{}".format(*gateway.core_address)  # which `call` writes itself
        answer = await in_thread(call, gateway.core_address, method, path, headers, body.encode() or None)
        assert answer.status == 200, (sample.name, answer.body)


NOW = datetime.now(timezone(timedelta(hours=13)))
WEEK_AGO = NOW - timedelta(days=7)
TIMES = {
    "JavaScript and curl": "2024-01-15T00:00:00Z",
    "Python": WEEK_AGO.replace(tzinfo=None).isoformat(),
    "Go, RFC3339, as it is": WEEK_AGO.isoformat(timespec="seconds"),
    "Go, RFC3339, encoded": quote(WEEK_AGO.isoformat(timespec="seconds")),
    "Go, RFC3339, in UTC": WEEK_AGO.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    "Java, ISO_DATE_TIME": WEEK_AGO.strftime("%Y-%m-%dT%H:%M:%S.123456789"),
    "Java, without seconds": WEEK_AGO.strftime("%Y-%m-%dT%H:%M"),
    "JavaScript's toISOString": WEEK_AGO.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.123Z"),
}


@pytest_twisted.ensureDeferred
async def test_times_as_the_samples_write_them(gateway: RunningGateway, target: Target) -> None:
    proxy = await gateway.proxy(target.url)
    await gateway.call(proxy)
    await gateway.records(proxy)
    where = f"/api/clients/{gateway.client}/proxies/{proxy.id}/requests?limit=100"
    for who, time in TIMES.items():
        after = await gateway.ask("GET", f"{where}&processedAfter={time}")
        assert (after.status, after.json["totalRequests"]) == (200, 1), (who, after.body)
        before = await gateway.ask("GET", f"{where}&processedBefore={time}")
        assert (before.status, before.json["totalRequests"]) == (200, 0), (who, before.body)
