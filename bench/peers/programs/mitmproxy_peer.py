"""An addon of mitmproxy, which is a reverse proxy of the target: the key is checked, and the credential swapped."""

from __future__ import annotations

import os

from mitmproxy import http

KEY, TOKEN = os.environ["CALLER_KEY"], os.environ["TARGET_TOKEN"]


def requestheaders(flow: http.HTTPFlow) -> None:
    """Before the body is there; an answer that is set here ends it."""
    if flow.request.headers.get("X-API-Key") != KEY:
        flow.response = http.Response.make(401)
        return
    del flow.request.headers["X-API-Key"]
    flow.request.headers["Authorization"] = f"Bearer {TOKEN}"
