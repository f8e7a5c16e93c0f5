"""No secret is anywhere but where it was sent on purpose: seeded secrets are searched for in whatever a run leaves.

Belongs here: driving a gateway well and badly, and looking into every sink. The same search finds what is planted in
each sink on purpose, or it would prove nothing. Does not: the search (rrgate/testing/canary.py).
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_twisted
from attrs import field, frozen
from twisted.logger import eventAsText, globalLogPublisher

from rrgate.api import Consumes, Exchange, Identity, Kind, NoConfig, Plugin, Side, hookimpl, secret
from rrgate.testing import Canary
from tests.callers import Answer, Caller, in_thread
from tests.running_gateway import REGION, MadeProxy, RunningGateway
from tests.targets import Connection, Target, closed_port


@frozen
class IndiscreetConfig:
    """One secret."""

    word: str = secret("A secret.")


class Indiscreet(Plugin):
    """An auth type of both sides that raises with its secret in the text, in the phase that the caller names."""

    name = "indiscreet"
    sides = frozenset({Side.PROXY, Side.TARGET})
    Config = IndiscreetConfig

    def __init__(self, config: IndiscreetConfig, context: Any) -> None:
        super().__init__(config, context)
        self.consumes = Consumes(headers={b"X-Word"})

    def _perhaps(self, ex: Exchange, phase: bytes) -> None:
        if ex.header(b"X-Raise") == phase:
            try:
                {}[self.config.word]
            except KeyError as error:
                raise RuntimeError(f"cannot use {self.config.word!r}") from error

    def authenticate(self, ex: Exchange) -> Identity | None:
        self._perhaps(ex, b"authenticate")
        return Identity("somebody") if ex.header(b"X-Word") == self.config.word.encode() else None

    def prepare(self, ex: Exchange) -> None:
        self._perhaps(ex, b"prepare")
        ex.to_target.set_header(b"X-Word", self.config.word.encode())


class Watching(Plugin):
    """Looks at each request from inside, raises where it is told to, and logs a failure through its own log."""

    name = "watching"
    kind = Kind.OWN
    Config = NoConfig
    seen: list[Exchange] = []  # noqa: RUF012 - plugin objects come and go

    @classmethod
    def for_proxy(cls, parts: Any) -> NoConfig:
        return NoConfig()

    def _perhaps(self, ex: Exchange, phase: bytes) -> None:
        if ex.header(b"X-Raise") == phase:
            raise ValueError(dict(ex.to_target.injected), [value for _, _, value in ex.fields])

    def on_response(self, ex: Exchange) -> None:
        self._perhaps(ex, b"on_response")
        if ex.header(b"X-Raise") == b"own log":
            try:
                raise ValueError(ex.fields)
            except ValueError:
                self.context.log.failure("something failed")

    def on_log(self, ex: Exchange, record: Any) -> None:
        self.seen.append(ex)
        self._perhaps(ex, b"on_log")


class Plugins:
    @hookimpl
    def rrgate_plugins(self) -> list[type[Plugin]]:
        return [Indiscreet, Watching]


@frozen
class Run:
    """What a run leaves behind."""

    gateway: RunningGateway
    seeded: Canary
    planted: Canary
    data: Path
    logged: list[str] = field(factory=list)
    answers: list[Answer] = field(factory=list)

    def add(self, sink: str, content: bytes | str | Path) -> None:
        for canary in (self.seeded, self.planted):
            canary.add(sink, content)


SINKS = {"rrgate.db", "log.db", "the operator's log", "answers of the Core API", "answers to callers", "reprs"}


@pytest_twisted.async_yield_fixture(scope="module")  # type: ignore[untyped-decorator]
async def run(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Run]:
    """A gateway that has seen everything below, stopped, with all that it left behind added to both canaries."""
    data = tmp_path_factory.mktemp("leaks") / "state"
    gateway = RunningGateway.start(data, plugins=[Plugins()], allow_anonymous_proxies=True)
    this = Run(gateway, Canary(), Canary(), data)

    def observe(event: Any) -> None:
        text = eventAsText(event, includeTraceback=True)
        failure = event.get("log_failure")
        this.logged.append(f"{text}\n{event!r}\n{failure.getTraceback(detail='verbose') if failure else ''}")

    globalLogPublisher.addObserver(observe)
    try:
        await _everything(this)
        await gateway.gateway.journal.flush()
        _look_at_objects(this)
        _look_at_files(this)  # with their WAL
    finally:
        await gateway.stop()
        globalLogPublisher.removeObserver(observe)
    _look_at_files(this)
    this.add("the operator's log", "\n".join(this.logged))
    for answer in this.answers:
        this.add("answers to callers", f"{answer.reason}\n{answer.headers}\n".encode("latin-1") + answer.body)
    yield this


def _look_at_files(run: Run) -> None:
    for path in sorted(run.data.rglob("*")):
        if path.is_file() and path.name != "master.key":
            run.add(path.name.removesuffix("-wal").removesuffix("-shm"), path)


def _look_at_objects(run: Run) -> None:
    directory = run.gateway.gateway.directory
    shown: list[Any] = [*directory.credentials.values(), *directory.targets.values(), *directory.proxies.values()]
    for route in directory.routes():
        shown += [route, route.chain, route.endpoint, route.pool_key]
        for phase in (route.chain.authenticate, route.chain.prepare, route.chain.on_response, route.chain.on_log):
            for step in phase:
                plugin = step.call.__self__  # type: ignore[attr-defined]
                shown += [step, plugin, plugin.config, plugin.context, plugin.consumes]
    for ex in Watching.seen:
        shown += [ex, ex.identity, ex.target_request, ex.response, ex.route, ex.request_body]
    shown += [run.gateway.gateway, *directory.token_by_hash.values(), *directory.users.values(), run.gateway.first]
    run.add("reprs", "\n".join(f"{each!r} {each!s}" for each in shown))


def serve(connection: Connection) -> None:
    """By path: what a target could do to bring a secret of the request to light."""
    while (seen := connection.request()) is not None:
        what = seen.path.split("?")[0].rpartition("/")[2]
        shown = " ".join(value for _, value in seen.headers)
        if what == "moved":
            connection.answer(
                b"",
                "302 Found",
                f"Location: http://127.0.0.1{seen.path}",
                f"Content-Location: {seen.path}",
                f"Refresh: 1; url={seen.path}",
                f'Link: <{seen.path}>; rel="self", <http://127.0.0.1{seen.path}&page=2>; rel="next"',
            )
        elif what == "echo":
            connection.answer(seen.path.encode(), "200 OK", f"X-Echo: {shown}", f"Set-Cookie: {shown}")
        elif what == "status-line":
            connection.send(f"HTTP/1.1 2OO {shown}\r\n\r\n".encode("latin-1"))
            return
        elif what == "field-line":
            connection.send(f"HTTP/1.1 200 OK\r\n{shown}\0: x\r\n\r\n".encode("latin-1"))
            return
        elif what == "chunk":
            connection.send(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{shown}\r\n".encode("latin-1"))
            return
        elif what == "reset":
            connection.reset()
            return
        elif what == "silent":
            connection.closed_by_peer()
            return
        else:
            connection.answer(b"ok")


async def _everything(run: Run) -> None:
    gateway, seeded, planted = run.gateway, run.seeded, run.planted
    seeded.know("the user token", gateway.first.token)
    with Target(serve) as target:
        caller_key, target_key = seeded.secret("a caller's key"), seeded.secret("a target's key")
        bare_key, token = seeded.secret("a key without a name"), seeded.secret("a target's token")
        ours, theirs = seeded.secret("a caller's word"), seeded.secret("a target's word")
        old, new = seeded.secret("a secret before its change"), seeded.secret("a secret after its change")
        wrong = seeded.secret("what a stranger shows")
        in_header = ("apiKey", {"key": "X-Api-Key", "value": caller_key})
        proxies: list[tuple[MadeProxy, dict[str, str], str]] = []
        for caller, towards, headers, query in [
            (in_header, ("bearer", {"token": token}), {"X-Api-Key": caller_key}, ""),
            (in_header, ("apiKey", {"key": "api_key", "value": target_key, "addToQueryParam": True}), {},
             f"X-Api-Key={caller_key.replace('/', '%2F').replace('+', '%2B')}"),
            (("key", {"key": bare_key}), ("bearer", {"token": token}), {"Authorization": bare_key}, ""),
            (("indiscreet", {"word": ours}), ("indiscreet", {"word": theirs}), {"X-Word": ours}, ""),
            *_static_types(seeded),
        ]:  # fmt: skip
            proxy = await gateway.proxy(
                target.url, caller=caller, towards=towards, target={"targetTimeout": 1}, proxyMaxResponseBytes=1000
            )
            proxies.append((proxy, headers, query))
        for proxy, headers, query in proxies:
            await _requests(run, proxy, headers, query, wrong)
        dead = await gateway.proxy(f"http://127.0.0.1:{closed_port()}", caller=in_header)
        run.answers.append(await gateway.call(dead, headers={"X-Api-Key": caller_key}, key=None))
        silent = await gateway.proxy(target.url, caller=in_header, target={"targetTimeout": 1})
        run.answers.append(await gateway.call(silent, "GET", "/silent", {"X-Api-Key": caller_key}, key=None))
        await _core(run, proxies[0][0], old, new)
        # On purpose: what is no secret is shown.
        named = await gateway.proxy(target.url, caller=in_header, proxyName=planted.secret("a name"))
        shown = planted.secret("a harmless parameter")
        answer = await gateway.call(named, "GET", f"/echo?page={shown}", {"X-Api-Key": caller_key}, key=None)
        run.add("answers to callers", answer.body)
        run.add("answers of the Core API", (await gateway.ask("GET", f"/clients/{gateway.client}/proxies")).body)
        gateway.gateway.boot._log.error("{told}", told=planted.secret("what is logged"))


def _static_types(seeded: Canary) -> list[tuple[Any, Any, dict[str, str], str]]:
    """Caller's and target's credential, the headers and the query that show the first: of every static auth type.

    Values that are derived from a secret are as secret.
    """
    user, password = seeded.secret("a caller's user name"), seeded.secret("a caller's password")
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    seeded.know("a caller's user name and password", pair)
    us, ours = seeded.secret("a target's user name"), seeded.secret("a target's password")
    seeded.know("a target's user name and password", base64.b64encode(f"{us}:{ours}".encode()).decode())
    jwt, their_jwt = _jwt(seeded, "a caller's JWT"), _jwt(seeded, "a target's JWT")
    custom = {
        "headers": {"X-App": seeded.secret("a header"), "Authorization": seeded.secret("a target's Authorization")},
        "queryParams": {"sig": seeded.secret("a parameter")},
        "data": {"auth": {"key": seeded.secret("a member of a body")}},
    }
    in_body = {"key": "api_key", "value": seeded.secret("a key in a body"), "addToBody": True}
    aws = {
        "accessKeyId": "AKIDEXAMPLE",
        "secretAccessKey": seeded.secret("a secret access key"),
        "sessionToken": seeded.secret("a session token"),
        "region": "eu-west-1",
        "service": "execute-api",
    }
    signing = {"signingKey": seeded.secret("what tokens are signed with"), "algorithm": "HS256"}
    webhook = {"secret": seeded.secret("what webhooks are signed with"), "header": "X-Signature"}
    return [
        (("basicAuth", {"username": user, "password": password}), ("basicAuth", {"username": us, "password": ours}),
         {"Authorization": f"Basic {pair}"}, ""),
        (("basic", {"username": user, "password": password}), ("custom", custom),
         {}, "Authorization=" + quote(f"basic {pair}", safe="")),
        (("jwt", {"token": jwt}), ("jwt", {"token": their_jwt}), {"Authorization": f"Bearer {jwt}"}, ""),
        (("jwt", {"token": jwt}), ("apiKey", in_body), {}, f"Authorization={jwt}"),
        (("none", {}), ("custom", custom), {}, ""),
        (("jwt", {"token": jwt}), ("awsSigV4", aws), {"Authorization": jwt}, ""),
        (("jwt", {"token": jwt}), ("hmac", webhook), {"Authorization": jwt}, ""),
        (("jwt", {"token": jwt}), ("jwt", signing), {"Authorization": jwt}, ""),
    ]  # fmt: skip


def _jwt(seeded: Canary, name: str) -> str:
    """A JWT whose claims and signature are secrets of their own, decoded too."""
    parts = ["eyJhbGciOiJIUzI1NiJ9"]
    for what in ("claims", "signature"):
        parts.append(base64.urlsafe_b64encode(seeded.secret(f"{what} of {name}").encode()).decode().rstrip("="))
        seeded.know(f"{what} of {name}, encoded", parts[-1])
    return ".".join(parts)


async def _requests(run: Run, proxy: MadeProxy, headers: dict[str, str], query: str, wrong: str) -> None:
    gateway = run.gateway
    mark = f"?{query}" if query else ""
    for what in ("", "moved", "status-line", "field-line", "chunk", "reset", "..", "%zz"):
        run.answers.append(await gateway.call(proxy, "GET", f"/{what}{mark}", headers, key=None))
    for phase in ("authenticate", "prepare", "on_response", "on_log", "own log"):
        raising = headers | {"X-Raise": phase}
        run.answers.append(await gateway.call(proxy, "GET", f"/{mark}", raising, key=None))
    for kind, body in (("application/json", b'{"a":1}'), ("multipart/form-data; boundary=b", b"--b--"), ("a/b", b"x")):
        typed = headers | {"Content-Type": kind}
        run.answers.append(await gateway.call(proxy, "POST", f"/{mark}", typed, body, key=None))
    # The target tells its caller what it was shown; that is theirs, but it is not the log's.
    await gateway.call(proxy, "GET", f"/echo{mark}", headers, key=None)
    for field_name in ("X-Api-Key", "Authorization", "X-Word", "Cookie", "X-Own"):
        shown = {**headers, field_name: wrong}
        run.answers.append(await gateway.call(proxy, "GET", "/", shown, key=None))
        twice = f"/?Authorization={wrong}&X-Api-Key={wrong}"
        run.answers.append(await gateway.call(proxy, "GET", twice, shown, key=None))

    def malformed() -> list[bytes]:
        beginnings = (
            f"GET {proxy.path} HTTP/1.1\r\nHost: x\r\nX-Api-Key : {wrong}\r\n\r\n",
            f"GET {proxy.path} HTTP/1.1\r\nHost: {wrong}\r\n\r\n",
            f"GET {proxy.path} {wrong} HTTP/1.1\r\n\r\n",
            f"{wrong} / HTTP/1.1\r\n\r\n",
            f"POST {proxy.path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {wrong}\r\n\r\n",
            f"POST {proxy.path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: {wrong}\r\n\r\n",
            f"GET {proxy.path} HTTP/1.1\r\nHost: localhost\r\nExpect: {wrong}\r\n\r\n",
        )
        told = []
        for beginning in beginnings:
            with Caller(gateway.address) as caller:
                caller.socket.sendall(beginning.encode())
                told.append(caller.rest())
        return told

    for answer in await in_thread(malformed):
        assert answer.startswith(b"HTTP/1.1 4")
        run.add("answers to callers", answer)


async def _core(run: Run, proxy: MadeProxy, old: str, new: str) -> None:
    """Everything that the Core API can be asked about secrets, right and wrong."""
    gateway = run.gateway
    where = f"/clients/{gateway.client}"
    whole = {
        "credentialName": "changing",
        "credentialType": "target",
        "credentialAuthType": "bearer",
        "credentialRegion": REGION,
        "credentialSecret": {"token": old},
    }
    told = await gateway.ask("POST", f"{where}/credentials", whole)
    made = told.json["credentials"][0]["sKey"]
    asked: list[tuple[str, str, Any]] = [
        ("PUT", f"{where}/credentials/{made}", {"credentialSecret": {"token": new}}),
        ("GET", f"{where}/credentials/{made}", None),
        ("GET", f"{where}/credentials", None),
        ("GET", f"{where}/targets", None),
        ("GET", f"{where}/proxies/{proxy.id}", None),
        ("GET", where, None),
        ("GET", f"{where}/members", None),
        ("DELETE", f"{where}/credentials/{made}", None),
    ]
    bad_tokens = (
        {"token": [old]},
        {"token": {"a": old}},
        {"token": old, "prefix": [new]},
        {"token": f"{old}\r\n"},
        {"token": f"é{old}"},
        {"tokn": old},
        {"token": None, "also": old},
        old,
        [old],
        None,
    )
    bad_keys = (
        {"key": old, "addToHeader": True},
        {"key": old, "addToQueryParam": True},
        {"key": "X-Key", "value": f" {old}"},
        {"key": "X-Key", "value": old, "addToHeader": old},
        {"key": f"{old} ", "value": new},
    )
    wrong = [whole | {"credentialSecret": each} for each in bad_tokens]
    wrong += [whole | {"credentialAuthType": "apiKey", "credentialSecret": each} for each in bad_keys]
    wrong += [whole | {"credentialAuthType": kind, "credentialSecret": each} for kind, each in _bad_secrets(old, new)]
    asked += [("POST", f"{where}/credentials", each) for each in wrong]
    asked += [
        ("POST", f"{where}/credentials", whole | {"credentialRegion": old}),
        ("POST", f"{where}/credentials", whole | {"credentialType": old}),
        ("POST", f"{where}/credentials", whole | {"credentialActive": old}),
        ("POST", f"{where}/credentials", whole | {"credentialExpiresAt": old}),
        ("POST", f"{where}/targets", {"targetName": "x", "targetRegion": REGION,
                                      "targetBaseURL": f"https://u:{old.replace('/', '')}@x.test"}),
        ("GET", f"{where}/proxies/{proxy.id}/requests", None),
    ]  # fmt: skip
    for method, path, document in asked:
        told = await gateway.ask(method, path, document)
        run.add("answers of the Core API", f"{told.headers}".encode() + told.body)
        assert told.status in (200, 400, 404), (method, path, told.body)
    (newest, *_) = await gateway.records(proxy)
    detail = await gateway.record(proxy, newest["sKey"])
    run.add("answers of the Core API", repr(detail))
    for token in (run.seeded.secret("a wrong user token", prefix="u-"), f"Bearer {run.seeded.secret('another')}"):
        told = await gateway.ask("GET", where, token=token)
        assert told.status == 401
        run.add("answers of the Core API", f"{told.headers}".encode() + told.body)


def _bad_secrets(old: str, new: str) -> list[tuple[str, Any]]:
    """(auth type, a `credentialSecret` that it refuses)."""
    return [
        ("basicAuth", {"username": f"{old}:{new}", "password": new}),
        ("basicAuth", {"username": f"{old}\n", "password": f"{new}\0"}),
        ("basic", {"username": [old], "password": {new: new}}),
        ("basic", {"user": old, "password": new}),
        ("jwt", {"token": old}),
        ("jwt", {"token": f"Bearer eyJhbGciOiJIUzI1NiJ9.{old}.{new}"}),
        ("jwt", {"signingKey": old, "algorithm": "HS256", "claims": {"sub": new}}),
        ("custom", {"headers": {f"X-App: {old}": new}}),
        ("custom", {"headers": {"X-App": f"{old}\r\n"}, "queryParams": {"": old, "a": f"{new}\n"}}),
        ("custom", {"headers": {"X-App": [old]}, "queryParams": old, "data": [new]}),
        ("custom", {"data": {"a": f"{old}\ud800", new: "\ud800"}}),
        ("none", {"key": old}),
    ]


def test_no_secret_is_in_any_sink(run: Run) -> None:
    assert run.seeded.findings() == []


def test_what_is_planted_is_found_in_every_sink(run: Run) -> None:
    found = {each.sink for each in run.planted.findings()}
    assert found == SINKS


def test_the_run_was_as_bad_as_it_was_meant_to_be(run: Run) -> None:
    statuses = [answer.status for answer in run.answers]
    assert {200, 302, 400, 401, 415, 500, 502, 504} <= set(statuses)
    logged = "\n".join(run.logged)
    for phase in ("authenticate", "prepare", "on_response", "on_log"):
        assert f"failed in {phase}" in logged
    # Types and places are there, so that the operator can find the fault.
    assert "builtins.RuntimeError" in logged
    assert "raised from builtins.KeyError" in logged
    assert "test_leaks.py" in logged
    assert "in _perhaps" in logged
    assert "something failed" in logged
