"""A started gateway and its Core API, as bench.scale asks them: each question, change and list, and what it takes.

Belongs here: asking and timing once. Does not: how often, and the tables (scale.py); making the state (many.py).
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import field, frozen

from bench import load
from bench.many import TARGETS
from bench.parts import CALLER_KEY, PIN, Part, free_port
from rrgate.cli.init import FirstUser

CHANGES = 100
KEY = {"X-API-Key": CALLER_KEY}


@frozen
class Started:
    """A gateway that has answered a first request. `wall`, `cpu`: seconds since it was started; `rss`: MB."""

    process: subprocess.Popen[bytes] = field(repr=False)
    port: int
    core_port: int
    wall: float
    cpu: float
    rss: float

    def stop(self) -> None:
        """End it, and wait."""
        self.process.terminate()
        self.process.wait(60)


def start(data: Path, target: Part, proxy: str) -> Started:
    """Run `twistd rrgate`, and ask `proxy` until it answers."""
    port, core_port = free_port(), free_port()
    begun = time.monotonic()
    process = subprocess.Popen(
        [
            *PIN, str(Path(sys.executable).parent / "twistd"), "-n", f"--pidfile={data}.pid", f"--logfile={data}.log",
            "rrgate", "--data", str(data), "--listen", f"tcp:{port}:interface=127.0.0.1:backlog=4096",
            "--core-listen", f"tcp:{core_port}:interface=127.0.0.1", "--allow-network", f"127.0.0.1/32:{target.port}",
        ]
    )  # fmt: skip
    while True:
        try:
            status = ask(port, "GET", f"/api/{proxy}/rows", KEY)[0]
        except ConnectionRefusedError:
            assert process.poll() is None, f"it ended; see {data}.log"
            time.sleep(0.005)
        else:
            assert status == 200, status
            return Started(
                process, port, core_port, time.monotonic() - begun, load.cpu_of(process.pid), load.rss_of(process.pid)
            )


def ask(
    port: int, method: str, path: str, headers: dict[str, str], document: object | None = None
) -> tuple[int, bytes]:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = None if document is None else json.dumps(document).encode()
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


@frozen
class Core:
    """The Core API of a gateway, for one client."""

    started: Started
    first: FirstUser

    def __call__(self, method: str, path: str, document: object | None = None) -> Any:
        headers = {"Authorization": self.first.token, "Content-Type": "application/json"}
        whole = f"/clients/{self.first.client_id}/{path}"
        status, body = ask(self.started.core_port, method, whole, headers, document)
        assert status == 200, body
        return json.loads(body)

    def status(self, proxy: str, key: str = CALLER_KEY) -> int:
        """What `proxy` answers now."""
        return ask(self.started.port, "GET", f"/api/{proxy}/rows", {"X-API-Key": key})[0]


Change = Callable[[int], Callable[[], bool]]
"""Makes the change of a number, and answers what tells whether it is in force."""


def changes(core: Core, proxies: Sequence[str]) -> dict[str, Change]:
    """Each kind to proxies of its own; the last is for numbers below `TARGETS`."""
    shown = [core("GET", f"proxies/{proxy}")["proxies"][0] for proxy in proxies[: 3 * CHANGES]]

    def caller(number: int) -> Callable[[], bool]:
        new, proxy = f"another-{number}", proxies[number]
        secret = {"key": "X-API-Key", "value": new, "addToHeader": True}
        core("PUT", f"credentials/{shown[number]['proxyProxyCredentialId']}", {"credentialSecret": secret})
        return lambda: (core.status(proxy), core.status(proxy, new)) == (401, 200)

    def rule(number: int) -> Callable[[], bool]:
        proxy = proxies[CHANGES + number]
        core("POST", f"proxies/{proxy}/rules", {"effect": "deny", "methods": ["GET"]})
        return lambda: core.status(proxy) == 403

    def proxy(number: int) -> Callable[[], bool]:
        proxy = proxies[2 * CHANGES + number]
        core("PUT", f"proxies/{proxy}", {"proxyActive": False})
        return lambda: core.status(proxy) == 503

    def target(number: int) -> Callable[[], bool]:
        path = f"targets/{shown[number]['proxyTargetId']}"
        core("PUT", path, {"targetTimeout": 7})
        return lambda: core("GET", path)["targets"][0]["targetTimeout"] == 7

    return {
        "PUT of a credential, new secret": caller,
        "POST of a rule": rule,
        "PUT of a proxy": proxy,
        f"PUT of a target of {len(proxies) // TARGETS} proxies": target,
    }


def lists(core: Core, proxies: Sequence[str]) -> dict[str, str]:
    """Paths by name."""
    cursor = "cursor=" + core("GET", "credentials?limit=1000")["nextCursor"]
    return {
        "one proxy": f"proxies/{proxies[7]}",
        "proxies, a page of 100": "proxies?limit=100",
        "credentials, a page of 100": "credentials?limit=100",
        "credentials, a page of 100 behind the first 1000": f"credentials?limit=100&{cursor}",
        "credentials, a page of 1000": "credentials?limit=1000",
        "rules of a proxy": f"proxies/{proxies[7]}/rules",
    }


def timed(core: Core, work: Callable[[], object], into: list[tuple[float, float]]) -> Any:
    """Do it, and note milliseconds of the wall and of the gateway's CPU."""
    cpu, begun = load.precise_cpu_of(core.started.process.pid), time.perf_counter()
    done = work()
    into.append(
        ((time.perf_counter() - begun) * 1e3, (load.precise_cpu_of(core.started.process.pid) - cpu) * 1e3)
    )
    return done


def disk(folder: Path) -> list[tuple[float, float]]:
    """What one durable write of 4 KB takes here, by the wall."""
    taken = []
    with (folder / "disk").open("wb", buffering=0) as file:
        for _ in range(CHANGES):
            begun = time.perf_counter()
            file.write(b"x" * 4096)
            os.fsync(file.fileno())
            taken.append(((time.perf_counter() - begun) * 1e3, 0.0))
    return taken
