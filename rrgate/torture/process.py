"""`GatewayProcess`: a gateway under twistd, on ports of its own, that can be killed; and its Core API.

Belongs here: starting, killing, asking it. Does not: when (run.py).
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

START_SECONDS: Final = 60.0
ANSWER_SECONDS: Final = 20.0
REGION: Final = "torture"
CALLER_KEY: Final = "what-callers-of-the-torture-show"
_TWISTD: Final = "from twisted.scripts.twistd import run; run()"


class TortureError(Exception):
    """What keeps the torture from going on, in a sentence for whoever started it."""


class GatewayProcess:
    """On a state, which others may run on as well; one process at a time."""

    def __init__(self, data: Path, token: str, client_id: str, number: int = 0, trusted: Path | None = None) -> None:
        """`data`: with a state. `token`: of an owner of the client. `number`: tells it from others. `trusted`: the
        certificates that it trusts, in the place of the system's."""
        self.port, self._core_port = _free_port(), _free_port()
        self.log = data.with_name(f"{data.name}{f'-{number}' if number else ''}.log")
        self._data = data
        self._token = token
        self._environ = {**os.environ, **({} if trusted is None else {"SSL_CERT_FILE": str(trusted)})}
        self._where = f"/clients/{client_id}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs; 0 for none."""
        return 0 if self._process is None else self._process.pid

    def start(self) -> None:
        """Start one; it is not ready yet."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    _TWISTD,
                    "-n",
                    "--pidfile=",
                    "rrgate",
                    f"--data={self._data}",
                    f"--listen=tcp:{self.port}:interface=127.0.0.1",
                    f"--core-listen=tcp:{self._core_port}:interface=127.0.0.1",
                    "--allow-network=127.0.0.0/8",
                    "--set=async_in_flight_per_target=30",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environ,
            )

    def wait(self) -> None:
        """Until it takes requests. Raises TortureError."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            try:
                with _asking(self.port) as connection:
                    connection.request("GET", "/readyz")
                    if connection.getresponse().status == 200:
                        return
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)
        raise TortureError(f"the gateway did not start; its output is in {self.log}")

    def kill(self) -> None:
        """SIGKILL. Raises TortureError if it had ended by itself."""
        ended = None if self._process is None else self._process.poll()
        self.close()
        if ended is not None:
            raise TortureError(f"the gateway ended by itself with {ended}; its output is in {self.log}")

    def close(self) -> None:
        """End it, however it is."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def ask(self, method: str, path: str, document: object = None) -> Any:
        """The Core API's answer, behind the client's address. Raises TortureError."""
        headers = {"Authorization": self._token, "Content-Type": "application/json"}
        with _asking(self._core_port) as connection:
            connection.request(
                method, self._where + path, None if document is None else json.dumps(document), headers
            )
            answer = connection.getresponse()
            body = answer.read()
        if answer.status != 200:
            raise TortureError(f"the Core API answered {answer.status} to {method} {path}: {body!r}")
        return json.loads(body)

    def make(self, kind: str, document: Mapping[str, object]) -> str:
        """The id of a new noun."""
        return str(self.ask("POST", f"/{kind}", document)[kind][0]["sKey"])

    def new_proxy(self, target_port: int, callback_hosts: Sequence[str] = ()) -> str:
        """The id of a new proxy to a target on loopback, with retries that come quickly."""

        def credential(side: str, auth_type: str, secret: dict[str, str]) -> str:
            document = {"credentialName": side, "credentialType": side, "credentialRegion": REGION}
            return self.make("credentials", {**document, "credentialAuthType": auth_type, "credentialSecret": secret})

        url = f"http://127.0.0.1:{target_port}"
        target = {"targetName": "recording", "targetRegion": REGION, "targetBaseURL": url}
        return self.make(
            "proxies",
            {
                "proxyName": "torture",
                "proxyRegion": REGION,
                "proxyProxyCredentialId": credential("proxy", "apiKey", {"key": "X-Api-Key", "value": CALLER_KEY}),
                "proxyTargetId": self.make("targets", target),
                "proxyTargetCredentialId": credential("target", "bearer", {"token": "what-the-target-is-shown"}),
                "proxyAttemptHeader": True,
                "proxyRetryPolicy": {"base": 0.1, "factor": 1.5, "cap": 0.3},
                "proxyCallbackHosts": [*callback_hosts],
            },
        )

    def new_callback_secret(self, proxy_id: str) -> bytes:
        """By which who takes the proxy's callbacks knows them."""
        made = self.ask("POST", f"/proxies/{proxy_id}/callback-secret")
        return str(made["callbackSecret"]["secret"]).encode()


def _asking(port: int) -> _Asking:
    return _Asking("127.0.0.1", port, timeout=ANSWER_SECONDS)


class _Asking(http.client.HTTPConnection):
    def __enter__(self) -> _Asking:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
