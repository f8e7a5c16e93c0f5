"""`CorsPolicy`: which pages of other origins may read a proxy's answers in a browser.

Belongs here: its fields. Does not: their forms, and what is answered (a plugin).
"""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class CorsPolicy:
    """`proxyCors`. `max_age`: seconds for which a browser may keep the answer to a preflight."""

    origins: tuple[str, ...]
    methods: tuple[str, ...] = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
    headers: tuple[str, ...] = ("*",)
    expose_headers: tuple[str, ...] = ()
    max_age: int = 600
    credentials: bool = False
