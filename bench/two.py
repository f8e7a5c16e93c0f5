"""Gateways with two proxies, so that what is done to the one can be measured by the other.

Belongs here: starting them. Does not: what is done or measured (hanging.py, slow.py).
"""

from __future__ import annotations

from pathlib import Path

from bench.nginx import start_nginx
from bench.parts import CALLER_KEY, TARGET_TOKEN, Part, free_port, start_gateway

KEY = "apikey"
"""The header, or query parameter, in which callers show their key."""

_BARE = """
  upstream target {{ server 127.0.0.1:{target}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    set $shown "$http_apikey$arg_apikey"; if ($shown != "{key}") {{ return 401; }}
    proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_set_header apikey ""; proxy_set_header Authorization "Bearer {token}";
    location / {{ proxy_pass http://target; }}
    location ~ ^/(hang|down|up|events) {{ proxy_pass http://127.0.0.1:{origin}; proxy_read_timeout 600s;
      proxy_max_temp_file_size 0; proxy_request_buffering off; }}
  }}
"""


def bare(folder: Path, target: Part, origin: Part) -> tuple[Part, Part]:
    """(what leads to `target`, what leads to `origin`) of an nginx."""
    port = free_port()
    content = _BARE.format(port=port, target=target.port, origin=origin.port, key=CALLER_KEY, token=TARGET_TOKEN)
    process = start_nginx("bare", folder, content, port, 20_000)
    headers = {KEY: CALLER_KEY}
    return Part("nginx", process, port, "/rows", headers), Part("nginx", process, port, "", headers)


def rrgate(folder: Path, target: Part, origin: Part, name: str, *settings: str) -> tuple[Part, Part]:
    """(what leads to `target`, what leads to `origin`) of one gateway."""
    process, port, core = start_gateway(folder, target, name, settings=settings, also=[origin])
    caller = core.credential("proxy", "apiKey", {"key": KEY, "value": CALLER_KEY, "addToHeader": True})
    found = []
    for each, timeout, path in ((target, 30, "/rows"), (origin, 600, "")):
        where = core.target(f"http://127.0.0.1:{each.port}")
        core.change(f"targets/{where}", targetTimeout=timeout)
        # Each its own: a credential goes to the hosts of its first target only.
        proxy = core.proxy(caller, where, core.credential("target", "bearer", {"token": TARGET_TOKEN}))
        found.append(Part(name, process, port, f"/api/{proxy}{path}", {KEY: CALLER_KEY}))
    return found[0], found[1]
