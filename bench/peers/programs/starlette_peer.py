"""Starlette on uvicorn (uvloop, httptools), and httpx for the target, streaming both ways as their pages show it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

KEY, TOKEN, TARGET = (os.environ[name] for name in ("CALLER_KEY", "TARGET_TOKEN", "TARGET_URL"))
NOT_PASSED = frozenset(("host", "connection", "keep-alive", "transfer-encoding", "x-api-key"))
NOT_ANSWERED = frozenset(("connection", "keep-alive", "transfer-encoding", "date", "server"))
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
client: httpx.AsyncClient


async def forward(request: Request) -> Response:
    """Check, swap, send on, answer."""
    if request.headers.get("x-api-key") != KEY:
        return Response(status_code=401)
    headers = [(name, value) for name, value in request.headers.items() if name not in NOT_PASSED]
    headers.append(("authorization", f"Bearer {TOKEN}"))
    body = None if request.method in ("GET", "HEAD") else request.stream()
    url = httpx.URL(TARGET + request.url.path, query=request.url.query.encode())
    answer = await client.send(client.build_request(request.method, url, headers=headers, content=body), stream=True)
    passed = {name: value for name, value in answer.headers.items() if name not in NOT_ANSWERED}
    return StreamingResponse(answer.aiter_raw(), answer.status_code, passed, background=BackgroundTask(answer.aclose))


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """The client, for as long as the server runs."""
    global client
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(limits=limits, timeout=30) as client:
        yield


uvicorn.run(
    Starlette(routes=[Route("/{path:path}", forward, methods=METHODS)], lifespan=lifespan),
    host="127.0.0.1",
    port=int(os.environ["PORT"]),
    backlog=4096,
    loop="uvloop",
    http="httptools",
    access_log=False,
    log_level="error",
)
