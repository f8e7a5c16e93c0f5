"""The programs that a run measures or needs, each its own process tree, and rrgate as one of them.

Belongs here: starting and stopping rrgate, configured for the job. Does not: nginx, also as the target (nginx.py),
other peers (peers/), load (load.py) or figures.
The job: check `X-API-Key`, take it out, put the target's bearer token in, forward, answer.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from bench.certificates import HOST
from rrgate.model.rule import MOST_RULES

CALLER_KEY = "bench-caller-key-5c1f0a"
TARGET_TOKEN = "bench-target-token-91d2e7"
BODY = json.dumps({"rows": [{"id": n, "name": f"row number {n}", "ok": True} for n in range(21)]})[:1020].ljust(1024)
REGION = "us-east-1"
PIN = ["taskset", "-c", "0"]
# This checkout, whichever is installed, and what it needs.
_PACKAGES = os.pathsep.join((str(Path(__file__).parents[1]), sysconfig.get_path("purelib")))
_DEBIANS = "/usr/bin/python3.11"


@frozen
class Part:
    """A running program. `path` is what is asked for on `port`."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    path: str
    headers: dict[str, str]
    script: str = ""
    """Lua for wrk in place of `headers`."""
    before: Callable[[], object] = lambda: None
    """Called before each round."""
    authority: Path | None = None
    """Of a target: who signed the certificate that it shows; None where it speaks no TLS."""

    @property
    def url(self) -> str:
        """Its root, by the name that its certificate has."""
        return f"https://{HOST}:{self.port}" if self.authority else f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End it, and wait."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Missing(Exception):
    """A program that is not installed; its rows are left out, and said to be."""


def debians_python() -> str | None:
    """Debian's interpreter, if it is there, of this version, and not the one that runs this."""
    if sys.version_info[:2] != (3, 11) or not Path(_DEBIANS).exists() or Path(sys.executable).samefile(_DEBIANS):
        return None
    return _DEBIANS


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_for(port: int, seconds: float = 15) -> None:
    """Return when something listens on `port`."""
    until = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


UNMATCHED: Sequence[Mapping[str, object]] = (
    {"methods": ["DELETE"], "path": "^/rows"},
    {"path": "^/admin/"},
    {"headers": [{"name": "^x-debug$"}]},
    {"query": [{"name": "^debug$"}]},
)
"""What the deny rules check that are there when everything is on: one of each scope, and none matches."""
A_MINUTE = 1_000_000_000
"""A limit that is counted, and not reached."""


def start_rrgate(
    folder: Path,
    target: Part,
    name: str = "rrgate",
    arguments: tuple[str, ...] = (),
    rules: Callable[[int], dict[str, object]] | None = None,
    python: str = sys.executable,
    everything: bool = True,
) -> Part:
    """A gateway as `twistd` runs it, configured over its Core API.

    `everything`: a deny rule on each scope and a minute's limit, beside one additional header, log and telemetry.
    `rules`: the checks of the deny rule of a number; 200 are made in each of the four scopes, which is the most, in
    place of those. `python`: as `start_gateway`.
    """
    process, port, core = start_gateway(folder, target, name, arguments, python=python)
    caller = core.credential("proxy", "apiKey", {"key": "X-API-Key", "value": CALLER_KEY, "addToHeader": True})
    towards = core.credential("target", "bearer", {"token": TARGET_TOKEN})
    where = core.target(target.url, target.authority)
    limits: dict[str, object] = {"proxyMaxRequestsPerMinute": A_MINUTE} if everything else {}
    proxy = core.proxy(caller, where, towards, **limits)
    parents = (f"credentials/{caller}", f"credentials/{towards}", f"targets/{where}", f"proxies/{proxy}")
    if rules is not None:
        for number in range(MOST_RULES * len(parents)):
            core.make(f"{parents[number % len(parents)]}/rules", effect="deny", **rules(number))
    elif everything:
        for parent, checks in zip(parents, UNMATCHED, strict=True):
            core.make(f"{parent}/rules", effect="deny", **checks)
    return Part(name, process, port, f"/api/{proxy}/rows", {"X-API-Key": CALLER_KEY})


def start_gateway(
    folder: Path,
    target: Part,
    name: str,
    arguments: tuple[str, ...] = (),
    *,
    settings: Sequence[str] = (),
    again: Core | None = None,
    python: str = sys.executable,
    before: str = "",
    also: Sequence[Part] = (),
) -> tuple[subprocess.Popen[bytes], int, Core]:
    """A gateway as `twistd` runs it, which may dial `target` and what is in `also`: its process, port and Core API.

    `settings`: further ones, as `NAME=VALUE`. `again`: the Core API of one that was stopped, whose state it has.
    `python`: the interpreter that runs it, with the packages of this one. `before`: Python that is run there first.
    """
    environment = {**os.environ, "PYTHONPATH": _PACKAGES}
    data = folder / name
    if again is None:
        init = [python, "-c", "from rrgate.cli import main; main()", "init", "--data", str(data), "--json"]
        told = subprocess.run(init, check=True, capture_output=True, env=environment).stdout
        client, token = json.loads(told)["clientId"], json.loads(told)["userToken"]
    else:
        client, token = again.base.rpartition("/")[2], again.token
    port, core_port = free_port(), free_port()
    process = subprocess.Popen(
        [
            *PIN, python, "-c", f"{before}\nfrom twisted.scripts.twistd import run; run()", *arguments, "-n",
            f"--pidfile={folder}/{name}.pid", f"--logfile={folder}/{name}.log", "rrgate", "--data", str(data),
            "--listen", f"tcp:{port}:interface=127.0.0.1:backlog=4096",
            "--core-listen", f"tcp:{core_port}:interface=127.0.0.1",
            *(word for each in (target, *also) for word in ("--allow-network", f"127.0.0.1/32:{each.port}")),
            *(word for setting in settings for word in ("--set", setting)),
        ],
        env=environment,
    )  # fmt: skip
    wait_for(core_port, 15 if again is None else 600)  # a large log may have to be brought up to date
    return process, port, Core(f"http://127.0.0.1:{core_port}/clients/{client}", token)


@frozen
class Core:
    """Just enough of the Core API to set a gateway up. All answer ids."""

    base: str
    token: str

    def credential(self, side: str, auth_type: str, secret: Mapping[str, object]) -> str:
        """A new credential."""
        return self.make(
            "credentials",
            credentialName=f"{side} {auth_type}", credentialType=side, credentialAuthType=auth_type,
            credentialRegion=REGION, credentialSecret=dict(secret),
        )  # fmt: skip

    def target(self, url: str, authority: Path | None = None) -> str:
        """A new target, whose certificate `authority` signed."""
        bundle = {"targetCABundle": authority.read_text()} if authority else {}
        return self.make("targets", targetName="target", targetRegion=REGION, targetBaseURL=url, **bundle)

    def proxy(self, caller: str, target: str, towards: str, **more: object) -> str:
        """A new proxy, with the one additional header that all in the bench have."""
        return self.make(
            "proxies",
            proxyName="bench", proxyRegion=REGION, proxyProxyCredentialId=caller, proxyTargetId=target,
            proxyTargetCredentialId=towards, proxyAdditionalHeaders={"X-Bench": "1"}, **more,
        )  # fmt: skip

    def make(self, noun: str, **document: object) -> str:
        """Whatever else."""
        made: str = self._ask("POST", noun, document)[noun.rpartition("/")[2]][0]["sKey"]
        return made

    def change(self, path: str, **document: object) -> None:
        """PUT what changes of a noun."""
        self._ask("PUT", path, document)

    def _ask(self, method: str, path: str, document: Mapping[str, object]) -> Any:
        request = urllib.request.Request(
            f"{self.base}/{path}",
            data=json.dumps(document).encode(),
            headers={"Authorization": self.token, "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)
