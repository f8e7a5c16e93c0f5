"""aiohttp on uvloop: its server, and its client session for the target. Bodies are small, and read whole."""

from __future__ import annotations

import os

import aiohttp
import uvloop
from aiohttp import web

KEY, TOKEN, TARGET = (os.environ[name] for name in ("CALLER_KEY", "TARGET_TOKEN", "TARGET_URL"))
NOT_PASSED = frozenset(("host", "connection", "keep-alive", "transfer-encoding", "content-length", "x-api-key"))
NOT_ANSWERED = frozenset(("connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"))
SESSION = web.AppKey("session", aiohttp.ClientSession)


async def forward(request: web.Request) -> web.Response:
    """Check, swap, send on, answer."""
    if request.headers.get("X-API-Key") != KEY:
        return web.Response(status=401)
    headers = [(name, value) for name, value in request.headers.items() if name.lower() not in NOT_PASSED]
    headers.append(("Authorization", f"Bearer {TOKEN}"))
    body = await request.read() if request.can_read_body else None
    async with request.app[SESSION].request(
        request.method, TARGET + request.raw_path, headers=headers, data=body, allow_redirects=False
    ) as answer:
        passed = [(name, value) for name, value in answer.headers.items() if name.lower() not in NOT_ANSWERED]
        return web.Response(status=answer.status, headers=passed, body=await answer.read())


async def opened(app: web.Application) -> None:
    """The session needs a running loop."""
    app[SESSION] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64), auto_decompress=False)


app = web.Application(client_max_size=1 << 30)
app.router.add_route("*", "/{path:.*}", forward)
app.on_startup.append(opened)
web.run_app(
    app,
    host="127.0.0.1",
    port=int(os.environ["PORT"]),
    backlog=4096,
    access_log=None,
    print=None,
    loop=uvloop.new_event_loop(),
)
