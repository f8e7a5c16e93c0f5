"""Starts the peers, each for the one job: check `X-API-Key`, take it out, put the bearer token in, forward, answer.

Belongs here: how each is run. Does not: what they are made of (programs/), or installing them (installing.py). nginx,
which every figure is compared with, is in bench/parts.py.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from bench.certificates import HOST
from bench.parts import CALLER_KEY, PIN, TARGET_TOKEN, Part, free_port, wait_for
from bench.peers import installing

PROGRAMS = Path(__file__).parent / "programs"
_STARTING = 60.0
"""Seconds that a peer may take, on a machine that is busy."""

_HAPROXY = """
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout http-keep-alive 600s
frontend callers
  bind 127.0.0.1:{port} backlog 4096
  http-request deny deny_status 401 unless {{ req.hdr(X-API-Key) -m str {key} }}
  http-request del-header X-API-Key
  http-request set-header Authorization "Bearer {token}"
  default_backend target
backend target
  http-reuse always
  server target 127.0.0.1:{target} {tls}
"""


def _haproxy(folder: Path, target: Part, port: int) -> tuple[Sequence[str], dict[str, str]]:
    program, environment = installing.haproxy()
    tls = ""
    if target.authority:
        tls = f"ssl verify required ca-file {target.authority} sni str({HOST}) verifyhost {HOST}"
    config = folder / f"haproxy-{port}.cfg"
    config.write_text(_HAPROXY.format(port=port, key=CALLER_KEY, token=TARGET_TOKEN, target=target.port, tls=tls))
    return [program, "-db", "-q", "-f", str(config)], environment


def _on_node(program: str) -> Command:
    return lambda folder, target, port: ([installing.node(), str(PROGRAMS / f"{program}.mjs")], {})


def _on_python(program: str) -> Command:
    return lambda folder, target, port: (
        [str(installing.python_of("python")), str(PROGRAMS / f"{program}_peer.py")],
        {},
    )


def _mitmproxy(folder: Path, target: Part, port: int) -> tuple[Sequence[str], dict[str, str]]:
    where = urlsplit(target.url)
    settings = [f"confdir={folder}/mitmproxy", "flow_detail=0", "termlog_verbosity=error", "http2=false"]
    if target.authority:
        settings.append(f"ssl_verify_upstream_trusted_ca={target.authority}")
    program = installing.python_of("mitmproxy").parent / "mitmdump"
    return [
        str(program), "--listen-host", "127.0.0.1", "--listen-port", str(port),
        "--mode", f"reverse:{where.scheme}://{where.netloc}", "-s", str(PROGRAMS / "mitmproxy_peer.py"),
        *(word for setting in settings for word in ("--set", setting)),
    ], {}  # fmt: skip


Command = Callable[[Path, Part, int], tuple[Sequence[str], dict[str, str]]]
"""What runs a peer on a port, and what is in its environment. Raises Missing."""

PEERS: dict[str, Command] = {
    "haproxy": _haproxy,
    "undici": _on_node("undici"),
    "fastify": _on_node("fastify"),
    "aiohttp": _on_python("aiohttp"),
    "treq": _on_python("treq"),
    "mitmproxy": _mitmproxy,
    "Starlette": _on_python("starlette"),
}
"""By the first word of the names that the tables show."""

SHOWN = {
    "undici": "undici, bare",
    "fastify": "fastify, @fastify/http-proxy",
    "aiohttp": "aiohttp on uvloop",
    "treq": "twisted.web Site, treq",
    "Starlette": "Starlette, httpx",
}
"""What the tables call them."""


def start_peer(name: str, folder: Path, target: Part) -> Part:
    """Start it, installing it first if need be. Raises Missing."""
    port = free_port()
    command, environment = PEERS[name](folder, target, port)
    given = {
        **os.environ, **environment, "PORT": str(port), "TARGET_URL": target.url, "CALLER_KEY": CALLER_KEY,
        "TARGET_TOKEN": TARGET_TOKEN, "NODE_ENV": "production",
    }  # fmt: skip
    if target.authority:
        given |= {"NODE_EXTRA_CA_CERTS": str(target.authority), "SSL_CERT_FILE": str(target.authority)}
    with (folder / f"{name}-{port}.log").open("wb") as log:
        process = subprocess.Popen([*PIN, *command], env=given, stdout=log, stderr=log)
    part = Part(SHOWN.get(name, name), process, port, target.path, {"X-API-Key": CALLER_KEY})
    try:
        wait_for(port, _STARTING)
    except OSError:
        part.stop()
        raise
    return part
