"""/docs: a page that has all of the document, needs no other host and no script, and that a browser shows.

Belongs here: the page's bytes, and Chromium's word that its policy lets it be as it is meant. Does not: the document
(test_openapi.py).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import pytest_twisted
import treq

from rrgate.core.openapi.page import POLICY, page_of
from tests.core.doubles import Core
from tests.core.openapi_parts import DOCUMENT, SCHEMAS, operations
from tests.real_parts import missing

PAGE = page_of(DOCUMENT)
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
EMPTY = {"meta", "wbr"}


class Elements(HTMLParser):
    """The elements of a page: their names and attributes, what ids and links there are, and whether all are closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def test_it_has_every_operation_and_object_once_and_links_that_lead_somewhere() -> None:
    page = Elements(PAGE)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    wanted = {each.told["operationId"] for each in operations()} | set(SCHEMAS)
    assert wanted <= set(page.ids)
    assert {link for link in page.links if not link.startswith("#")} == {"openapi.json"}
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    for each in operations():
        assert each.path in page.words


def test_it_has_no_script_and_nothing_of_another_host() -> None:
    page = Elements(PAGE)
    assert not page.names & {"script", "img", "link", "iframe", "object", "form", "base"}
    assert not {name for name in page.attributes if name.startswith("on") or name in ("style", "src")}
    style = PAGE.partition("<style>")[2].partition("</style>")[0]
    assert not re.search(r"url\(|@import", style)


def test_words_of_the_document_are_no_markup() -> None:
    document = {**DOCUMENT, "info": {**DOCUMENT["info"], "title": '<script>"&', "description": "<b>`<i>`"}}
    page = Elements(page_of(document))
    assert not page.names & {"script", "b", "i"}


@pytest_twisted.ensureDeferred
async def test_anybody_can_read_it(core: Core) -> None:
    answer = await treq.get(f"http://127.0.0.1:{core.port}/docs")
    assert answer.code == 200
    assert await answer.text() == PAGE
    for name, value in POLICY:
        assert answer.headers.getRawHeaders(name) == [value]
    policy = answer.headers.getRawHeaders("Content-Security-Policy")[0]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@contextmanager
def served(page: str) -> Iterator[str]:
    """The URL of `page` under the policy, until the end."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/docs" else 404)
            for name, value in POLICY:
                self.send_header(name, value)
            self.end_headers()
            if self.path == "/docs":
                self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/docs"
        server.shutdown()


def shown(url: str, profile: Path) -> tuple[str, list[str]]:
    """What a browser makes of the page at `url`, and what it says of it on its console."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        missing("Chromium", "install Debian's `chromium`")
    command = [program, "--headless", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={profile}"]
    command += ["--enable-logging=stderr", "--dump-dom", url]
    if os.geteuid() == 0:
        command.append("--no-sandbox")
    told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return told.stdout, [line for line in told.stderr.splitlines() if ":CONSOLE" in line]


@pytest.mark.parametrize(
    ("before", "after", "refused"),
    [("", "", False), (":root {", ":root  {", True), ("<h2", '<h2 style="color: red"', True)],
)
def test_a_browser_shows_it_as_it_is_and_nothing_else(before: str, after: str, refused: bool, tmp_path: Path) -> None:
    with served(PAGE.replace(before, after, 1)) as url:
        seen, said = shown(url, tmp_path / "profile")
    assert Elements(seen).ids == Elements(PAGE).ids
    assert bool(said) == refused, said
    assert all("Content Security Policy" in line for line in said)
