"""nginx, as the target of all, and as the bare peer that every figure is compared with.

Belongs here: configuring and starting it. Does not: other peers (peers/).
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from bench.certificates import HOST, Certificate
from bench.parts import BODY, CALLER_KEY, PIN, TARGET_TOKEN, Missing, Part, free_port, wait_for

_NGINX = """
daemon off; worker_processes 1; pid {folder}/{name}.pid; error_log {folder}/{name}.log error;
events {{ worker_connections {connections}; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600; client_body_temp_path {folder}/{name}-body;
  proxy_temp_path {folder}/{name}-proxy; fastcgi_temp_path {folder}/x1; uwsgi_temp_path {folder}/x2;
  scgi_temp_path {folder}/x3; client_max_body_size 0;
  {content}
}}
"""

_TARGET = """
  server {{
    listen 127.0.0.1:{port} {tls} backlog=4096; default_type application/json; {shown}
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
      proxy_pass {scheme}://target; proxy_http_version 1.1; proxy_set_header Connection "";
      {verified} proxy_set_header X-API-Key ""; proxy_set_header Authorization "Bearer {token}";
      proxy_buffers 16 64k; {more}
    }}
  }}
"""


def start_nginx(
    name: str, folder: Path, content: str, port: int, connections: int = 4096
) -> subprocess.Popen[bytes]:
    """An nginx with one worker, for at most so many `connections` of either side."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        raise Missing("nginx is not installed (Debian: nginx-light)")
    config = folder / f"{name}.conf"
    config.write_text(_NGINX.format(folder=folder, name=name, content=content, connections=connections))
    process = subprocess.Popen([*PIN, nginx, "-c", str(config), "-p", str(folder)])
    wait_for(port)
    return process


def start_target(folder: Path, port: int | None = None, shown: Certificate | None = None) -> Part:
    """A target that answers 1 KB of JSON to whoever shows the token, and refuses who shows the caller's key; under
    `/any/` it takes any `Authorization`, and at `/token` it gives the token out. `shown`: what it shows over TLS.
    """
    port = free_port() if port is None else port
    files = f"ssl_certificate {shown.certificate}; ssl_certificate_key {shown.key};" if shown else ""
    content = _TARGET.format(port=port, token=TARGET_TOKEN, body=BODY, tls="ssl" if shown else "", shown=files)
    process = start_nginx("tls-target" if shown else "target", folder, content, port)
    headers, authority = {"Authorization": f"Bearer {TARGET_TOKEN}"}, shown.authority if shown else None
    return Part("target", process, port, "/rows", headers, authority=authority)


def start_bare(folder: Path, target: Part, more: str = "", connections: int = 4096) -> Part:
    """nginx as a bare gateway. `more`: directives of its location."""
    port, authority = free_port(), target.authority
    scheme, verified = "http", ""
    if authority:
        scheme, verified = "https", f"proxy_ssl_verify on; proxy_ssl_trusted_certificate {authority}; "
        verified += f"proxy_ssl_name {HOST}; proxy_ssl_server_name on;"
    content = _GATEWAY.format(
        port=port, target=target.port, key=CALLER_KEY, token=TARGET_TOKEN, scheme=scheme, verified=verified,
        more=more,
    )  # fmt: skip
    process = start_nginx("tls-bare" if authority else "bare", folder, content, port, connections)
    return Part("nginx", process, port, "/rows", {"X-API-Key": CALLER_KEY})
