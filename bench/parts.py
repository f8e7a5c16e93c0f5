"""The programs that a run measures or needs: a target, nginx as the bare peer, and rrgate, each its own process tree.

Belongs here: starting and stopping them, configured for one and the same job. Does not: load (load.py) or figures.
The job: check `X-API-Key`, take it out, put the target's bearer token in, forward, answer.
"""

from __future__ import annotations

import json
import os
import shutil
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


_NGINX = """
daemon off; worker_processes 1; pid {folder}/{name}.pid; error_log {folder}/{name}.log error;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600; client_body_temp_path {folder}/{name}-body;
  proxy_temp_path {folder}/{name}-proxy; fastcgi_temp_path {folder}/x1; uwsgi_temp_path {folder}/x2;
  scgi_temp_path {folder}/x3; client_max_body_size 0;
  {content}
}}
"""

_TARGET = """
  server {{
    listen 127.0.0.1:{port} backlog=4096; default_type application/json;
    location / {{
      if ($http_authorization != "Bearer {token}") {{ return 401 "no token"; }}
      if ($http_x_api_key) {{ return 400 "the caller's key came through"; }}
      return 200 '{body}';
    }}
    location /any/ {{
      if ($http_authorization = "") {{ return 401 "no credential"; }}
      if ($http_x_api_key) {{ return 400 "the caller's key came through"; }}
      return 200 '{body}';
    }}
    location = /token {{
      return 200 '{{"access_token": "{token}", "token_type": "Bearer", "expires_in": 86400}}';
    }}
  }}
"""

_GATEWAY = """
  upstream target {{ server 127.0.0.1:{target}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      if ($http_x_api_key != "{key}") {{ return 401; }}
      proxy_pass http://target; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header X-API-Key ""; proxy_set_header Authorization "Bearer {token}";
      proxy_buffers 16 64k;
    }}
  }}
"""


def start_nginx(name: str, folder: Path, content: str, port: int) -> subprocess.Popen[bytes]:
    """An nginx with one worker."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        raise Missing("nginx is not installed (Debian: nginx-light)")
    config = folder / f"{name}.conf"
    config.write_text(_NGINX.format(folder=folder, name=name, content=content))
    process = subprocess.Popen([*PIN, nginx, "-c", str(config), "-p", str(folder)])
    wait_for(port)
    return process


def start_target(folder: Path, port: int | None = None) -> Part:
    """A target that answers 1 KB of JSON to whoever shows the token, and refuses who shows the caller's key; under
    `/any/` it takes any `Authorization`, and at `/token` it gives the token out.
    """
    port = free_port() if port is None else port
    process = start_nginx("target", folder, _TARGET.format(port=port, token=TARGET_TOKEN, body=BODY), port)
    return Part("target", process, port, "/rows", {"Authorization": f"Bearer {TARGET_TOKEN}"})


def start_bare(folder: Path, target: Part) -> Part:
    """nginx as a bare gateway."""
    port = free_port()
    content = _GATEWAY.format(port=port, target=target.port, key=CALLER_KEY, token=TARGET_TOKEN)
    process = start_nginx("bare", folder, content, port)
    return Part("nginx", process, port, "/rows", {"X-API-Key": CALLER_KEY})


def start_rrgate(
    folder: Path,
    target: Part,
    name: str = "rrgate",
    arguments: tuple[str, ...] = (),
    rules: Callable[[int], dict[str, object]] | None = None,
    python: str = sys.executable,
) -> Part:
    """A gateway as `twistd` runs it, with everything on that exists; configured over its Core API.

    `rules`: the checks of the deny rule of a number; 200 are made in each of the four scopes, which is the most.
    `python`: as `start_gateway`.
    """
    process, port, core = start_gateway(folder, target, name, arguments, python=python)
    caller = core.credential("proxy", "apiKey", {"key": "X-API-Key", "value": CALLER_KEY, "addToHeader": True})
    towards = core.credential("target", "bearer", {"token": TARGET_TOKEN})
    where = core.target(f"http://127.0.0.1:{target.port}")
    proxy = core.proxy(caller, where, towards)
    if rules is not None:
        parents = (f"credentials/{caller}", f"credentials/{towards}", f"targets/{where}", f"proxies/{proxy}")
        for number in range(MOST_RULES * len(parents)):
            core.make(f"{parents[number % len(parents)]}/rules", effect="deny", **rules(number))
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
) -> tuple[subprocess.Popen[bytes], int, Core]:
    """A gateway as `twistd` runs it, which may dial `target` alone: its process, its port, and its Core API.

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
            "--allow-network", f"127.0.0.1/32:{target.port}",
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

    def target(self, url: str) -> str:
        """A new target."""
        return self.make("targets", targetName="target", targetRegion=REGION, targetBaseURL=url)

    def proxy(self, caller: str, target: str, towards: str) -> str:
        """A new proxy, with the one additional header that all in the bench have."""
        return self.make(
            "proxies",
            proxyName="bench", proxyRegion=REGION, proxyProxyCredentialId=caller, proxyTargetId=target,
            proxyTargetCredentialId=towards, proxyAdditionalHeaders={"X-Bench": "1"},
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
