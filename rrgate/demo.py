"""The demonstration: a gateway, a target of its own to call through it, and their configuration, in one process.

Belongs here: what `rrgate demo` runs. Does not: its options and its state (cli/demo.py), nor anything that a gateway
outside of the demonstration needs.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.web.client import Agent
from twisted.web.http import OK, UNAUTHORIZED
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from rrgate.gateway import Gateway
from rrgate.settings import load
from rrgate.waiting import run_deferred

REGION: Final = "demo"
DRAIN_SECONDS: Final = 5
ANSWER_SECONDS: Final = 10


class DemoError(Exception):
    """What keeps the demonstration from running, in a sentence for whoever started it."""


def fingerprint(secret: str) -> str:
    """8 hex digits by which one sees that two secrets are the same, and no more."""
    return sha256(secret.encode()).hexdigest()[:8]


class DemoTarget(Resource):
    """An API that wants a bearer token of its own and answers with what it received."""

    isLeaf = True

    def __init__(self, token: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._token = token

    def render(self, request: Request) -> bytes:
        """Any method on any path: 200 with the right token, else 401. The token itself is never answered."""
        headers: dict[str, str] = {}
        for name, values in request.requestHeaders.getAllRawHeaders():
            headers[name.decode("latin-1")] = ", ".join(value.decode("latin-1") for value in values)
        shown = headers.pop("Authorization", "")
        scheme, _, token = shown.partition(" ")
        path, _, query = request.uri.decode("latin-1").partition("?")
        document: dict[str, Any] = {"target": "rrgate demo", "method": request.method.decode("latin-1"), "path": path}
        if secrets.compare_digest(token.encode("latin-1"), self._token.encode()):
            request.setResponseCode(OK)
            content: Any = request.content
            document |= {
                "query": query,
                "credential": f"{scheme} token with the fingerprint {fingerprint(token)}",
                "otherHeaders": headers,
                "bodyBytes": len(content.read()),
            }
        else:
            request.setResponseCode(UNAUTHORIZED)
            document["error"] = "This target wants its own bearer token; the gateway has it."
        request.setHeader(b"Content-Type", b"application/json")
        return json.dumps(document, indent=2).encode() + b"\n"


class CoreApi:
    """Asks one Core API as one user."""

    def __init__(self, reactor: Any, url: str, token: str) -> None:
        self._http = HTTPClient(Agent(reactor))
        self._reactor = reactor
        self._url = url
        self._token = token

    async def ask(self, method: str, path: str, document: object = None) -> dict[str, Any]:
        """The document of a 200. Raises DemoError for anything else."""
        headers: dict[bytes | str, bytes | str] = {"Authorization": self._token}
        data = None
        if document is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(document).encode()
        response = await self._http.request(
            method, self._url + path, headers=headers, data=data, reactor=self._reactor, timeout=ANSWER_SECONDS
        )
        answer: dict[str, Any] = await response.json()
        if response.code != OK:
            raise DemoError(f"the Core API answered {response.code} to {method} {path}: {answer.get('message')}")
        return answer

    async def client_id(self) -> str:
        """The first client that the user belongs to, or a new one."""
        clients = (await self.ask("GET", "/clients?limit=1"))["clients"]
        if not clients:
            clients = (await self.ask("POST", "/clients", {"clientName": "demo"}))["clients"]
        return str(clients[0]["sKey"])

    async def keep(self, client: str, plural: str, wanted: dict[str, object]) -> dict[str, Any]:
        """The object of a client that is named as `wanted` is, changed to be like it; made if there is none."""
        (name,) = (field for field in wanted if field.endswith("Name"))
        where = f"/clients/{client}/{plural}"
        for known in (await self.ask("GET", where))[plural]:
            if known[name] == wanted[name]:
                answer = await self.ask("PUT", f"{where}/{known['sKey']}", wanted)
                break
        else:
            answer = await self.ask("POST", where, wanted)
        kept: dict[str, Any] = answer[plural][0]
        return kept


async def configure_demo(core: CoreApi, target_url: str, caller_key: str, target_token: str) -> str:
    """Make or renew the demo's credentials, target and proxy; answers the proxy's URL. Raises DemoError."""
    client = await core.client_id()
    caller = await core.keep(
        client,
        "credentials",
        {
            "credentialName": "demo: what callers show",
            "credentialType": "proxy",
            "credentialAuthType": "apiKey",
            "credentialRegion": REGION,
            "credentialSecret": {"key": "X-API-Key", "value": caller_key},
        },
    )
    towards = await core.keep(
        client,
        "credentials",
        {
            "credentialName": "demo: what the target is shown",
            "credentialType": "target",
            "credentialAuthType": "bearer",
            "credentialRegion": REGION,
            "credentialSecret": {"token": target_token},
            # The target has another port each time; that is said before it moves.
            "credentialAllowedHosts": [urlsplit(target_url).netloc],
        },
    )
    target = await core.keep(
        client, "targets", {"targetName": "demo", "targetRegion": REGION, "targetBaseURL": target_url}
    )
    proxy = await core.keep(
        client,
        "proxies",
        {
            "proxyName": "demo",
            "proxyRegion": REGION,
            "proxyProxyCredentialId": caller["sKey"],
            "proxyTargetId": target["sKey"],
            "proxyTargetCredentialId": towards["sKey"],
        },
    )
    return str(proxy["proxyURL"])


class Demo:
    """A running demonstration. `start` and `stop` are called once each, on the reactor's thread."""

    def __init__(self, reactor: Any, data: Path, token: str, port: int, core_port: int) -> None:
        """`token`: a user token that is valid for the state in `data`. A port of 0 is any free one."""
        self._reactor = reactor
        self._data = data
        self._token = token
        self._ports = {"--port": port, "--core-port": core_port}
        self._target_port: Any = None
        self._gateway: Gateway | None = None

    async def start(self) -> str:
        """Start everything; answers what to tell the user. Raises DemoError, StoreError and PluginLoadError."""
        target_token, caller_key = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        site = Site(DemoTarget(target_token), reactor=self._reactor)
        self._target_port = self._reactor.listenTCP(0, site, interface="127.0.0.1")
        target_address = f"127.0.0.1:{self._target_port.getHost().port}"
        settings = load(
            {
                "data": self._data,
                "listen": f"tcp:{self._ports['--port']}:interface=127.0.0.1",
                "core_listen": f"tcp:{self._ports['--core-port']}:interface=127.0.0.1",
                "allow_networks": target_address,
                "drain_timeout": DRAIN_SECONDS,
            },
            {},
            None,
        )
        gateway = Gateway(settings, self._reactor)
        try:
            gateway.startService()
        except CannotListenError as error:
            raise self._taken(error) from error
        self._gateway = gateway
        core = CoreApi(self._reactor, gateway.core_public_url, self._token)
        proxy_url = await configure_demo(core, f"http://{target_address}", caller_key, target_token)
        return (
            f"The gateway is at {gateway.public_url}, its Core API at {gateway.core_public_url},"
            f" a target to call at http://{target_address}.\n"
            "This line answers 200 through the gateway:\n\n"
            f"curl -i -H 'X-API-Key: {caller_key}' '{proxy_url}/hello?from=me'\n\n"
            f"The target wants a token of its own, with the fingerprint {fingerprint(target_token)}; the gateway puts\n"
            "it in place of your key. The Core API takes this user token until the demo is started again:\n\n"
            f"  curl -H 'Authorization: {self._token}' {gateway.core_public_url}/clients\n\n"
            f"The state is kept in {self._data}. Ctrl-C ends the demo."
        )

    def _taken(self, error: CannotListenError) -> DemoError:
        option = next((option for option, port in self._ports.items() if port == error.port), "--port")
        reason = getattr(error.socketError, "strerror", None) or error.socketError
        return DemoError(
            f"port {error.port} cannot be opened ({reason}); end what listens there, or choose another with {option}"
        )

    async def stop(self) -> None:
        """Stop what was started: requests under way end, the log is written."""
        if self._gateway is not None:
            await self._gateway.stopService()
        if self._target_port is not None:
            await self._target_port.stopListening()


def run_demo(reactor: Any, demo: Demo, show: Callable[[str], None]) -> None:
    """Run `demo` on `reactor`, installed and not running, until SIGINT or SIGTERM. Raises what `start` raises."""
    problems: list[BaseException] = []

    async def start() -> None:
        try:
            show(await demo.start())
        except Exception as error:  # noqa: BLE001 - raised again, once everything is closed
            problems.append(error)
            with suppress(ReactorNotRunning):  # a signal may have stopped it already
                reactor.stop()

    def begin() -> Deferred[None]:
        return run_deferred(start())

    reactor.callWhenRunning(begin)
    reactor.addSystemEventTrigger("before", "shutdown", lambda: run_deferred(demo.stop()))
    reactor.run()
    if problems:
        raise problems[0]
