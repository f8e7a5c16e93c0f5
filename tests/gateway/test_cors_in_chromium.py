"""`proxyCors` before a real browser, and that browser.py judges as it does. Skips where there is no Chromium.

Belongs here: a few fetches from pages of three origins, each in a frame. Does not: all that `proxyCors` can be set to
(test_cors.py).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import frozen

from tests.callers import Answer, Caller, in_thread
from tests.gateway.browser import NetworkError, Page
from tests.real_parts import missing
from tests.running_gateway import KEY, MadeProxy, RunningGateway
from tests.targets import Connection, Target

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
KEYED = {"X-Api-Key": KEY}
JSON = {"Content-Type": "application/json"}
GRANTED = "200 proxy-access-granted reached"
ERROR = "TypeError"


@frozen
class Case:
    """A fetch and what becomes of it. `frame`: whose page; `cors`: of the proxy, `ALLOWED` for the first page."""

    name: str
    becomes: str
    method: str = "GET"
    headers: Mapping[str, str] = KEYED
    body: str | None = None
    cors: Mapping[str, Any] | None = {"origins": ["ALLOWED"]}
    frame: str = "allowed"
    credentials: bool = False


CASES = (
    Case("a key in a header", GRANTED),
    Case("a method that is asked for", GRANTED, "DELETE"),
    Case("a JSON body", GRANTED, "POST", {**KEYED, **JSON}, "{}"),
    Case("a PATCH", GRANTED, "PATCH", {**KEYED, **JSON}, "{}"),
    Case("an Authorization header", GRANTED, "GET", {**KEYED, "Authorization": "Bearer x"}),
    Case("every origin", GRANTED, "PUT", {**KEYED, "Authorization": "x"}, "", {"origins": ["*"]}),
    Case("every method", GRANTED, "REPORT", cors={"origins": ["ALLOWED"], "methods": ["*"]}),
    Case("a refusal can be read", "401 proxy-access-denied", headers={}),
    Case("a refusal after a preflight", "401 proxy-access-denied", headers={"X-Api-Key": "wrong"}),
    Case("credentials", GRANTED, "PUT", KEYED, "", {"origins": ["ALLOWED"], "credentials": True}, credentials=True),
    Case("credentials that are not allowed", ERROR, credentials=True),
    Case("credentials with *", ERROR, cors={"origins": ["*"]}, credentials=True),
    Case("a method that is not allowed", ERROR, "REPORT"),
    Case("a header that is not allowed", ERROR, cors={"origins": ["ALLOWED"], "headers": ["X-Other"]}),
    Case("no proxyCors", ERROR, cors=None),
    Case("no proxyCors and no preflight", ERROR, headers={}, cors=None),
    Case("another origin", ERROR, frame="foreign"),
    Case("another origin without a preflight", ERROR, headers={}, frame="foreign"),
    Case("another origin, where all are allowed", GRANTED, cors={"origins": ["*"]}, frame="foreign"),
    Case("a sandbox", ERROR, frame="sandboxed"),
    Case("a sandbox, where all are allowed", GRANTED, cors={"origins": ["*"]}, frame="sandboxed"),
)

SCRIPT = """
const told = {};
(async () => {
  for (const one of CASES) {
    try {
      const how = {method: one.method, headers: one.headers, credentials: one.credentials ? "include" : "omit"};
      if (one.body !== null) how.body = one.body;
      const answer = await fetch(one.url, how);
      const text = await answer.text();
      const code = answer.headers.get("requestrocket-proxy-code");
      told[one.name] = answer.status + " " + code + (answer.ok ? " " + text : "");
    } catch (error) {
      told[one.name] = error.name;
    }
  }
  await fetch(HOME + "/told", {method: "POST", mode: "no-cors", body: JSON.stringify(told)});
})();
"""


def reached(connection: Connection) -> None:
    while connection.request() is not None:
        connection.answer(b"reached", "200 OK", "Access-Control-Allow-Methods: *")


class Site(Target):
    """Serves the pages of the three frames, and keeps what they tell."""

    def __init__(self) -> None:
        self.cases: dict[str, list[dict[str, Any]]] = {"allowed": [], "foreign": [], "sandboxed": []}
        self.told: dict[str, str] = {}
        self.left = threading.Semaphore(0)
        super().__init__(self._serve_pages)
        self.origins = {
            "allowed": f"http://localhost:{self.port}",
            "foreign": f"http://127.0.0.1:{self.port}",
            "sandboxed": "null",
        }

    def _serve_pages(self, connection: Connection) -> None:
        while (received := connection.request()) is not None:
            page = b""
            if received.path == "/told":
                self.told.update(json.loads(received.body))
                self.left.release()
            elif received.path == "/":
                page = (
                    f'<iframe src="{self.origins["allowed"]}/allowed"></iframe>'
                    f'<iframe src="{self.origins["foreign"]}/foreign"></iframe>'
                    f'<iframe src="{self.origins["allowed"]}/sandboxed" sandbox="allow-scripts"></iframe>'
                ).encode()
            elif received.path[1:] in self.cases:
                values = f"const CASES = {json.dumps(self.cases[received.path[1:]])}, HOME = '{self.url}';"
                page = f"<script>{values}{SCRIPT}</script>".encode()
            connection.answer(page, "200 OK", "Content-Type: text/html")

    def visit(self, program: str, profile: Path) -> dict[str, str]:
        """What the frames told. Blocks."""
        command = [program, "--headless", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={profile}"]
        if os.geteuid() == 0:
            command.append("--no-sandbox")
        process = subprocess.Popen(
            [*command, f"{self.origins['allowed']}/"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            for _ in self.cases:
                assert self.left.acquire(timeout=60), "a frame told nothing"
        finally:
            process.kill()
            process.wait()
        return self.told


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as running:
        yield running


def as_the_double_says(gateway: RunningGateway, proxy: MadeProxy, case: Case, origin: str) -> str:
    def ask(method: str, headers: Sequence[tuple[str, str]], body: bytes | None) -> Answer:
        with Caller(gateway.address) as caller:
            return caller.call(method, proxy.path + "/x", headers, body)

    body = None if case.body is None else case.body.encode()
    try:
        read = Page(origin, case.credentials).fetch(ask, case.method, [*case.headers.items()], body)
    except NetworkError:
        return ERROR
    code = read.headers.get("requestrocket-proxy-code")
    return f"{read.status} {code}" + (f" {read.body.decode()}" if read.status == 200 else "")


@pytest_twisted.ensureDeferred
async def test_what_a_browser_makes_of_it(gateway: RunningGateway, site: Site, tmp_path: Path) -> None:
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        missing("Chromium", "install Debian's `chromium`")
    expected = {case.name: case.becomes for case in CASES}
    doubles = {}
    with Target(reached) as target:
        for case in CASES:
            cors = json.loads(json.dumps(case.cors).replace("ALLOWED", site.origins["allowed"]))
            proxy = await gateway.proxy(target.url, proxyCors=cors)
            doubles[case.name] = await in_thread(as_the_double_says, gateway, proxy, case, site.origins[case.frame])
            host, port = gateway.address
            site.cases[case.frame].append(
                {
                    "name": case.name,
                    "url": f"http://{host}:{port}{proxy.path}/x",
                    "method": case.method,
                    "headers": dict(case.headers),
                    "body": case.body,
                    "credentials": case.credentials,
                }
            )
        assert doubles == expected
        assert await in_thread(site.visit, program, tmp_path / "profile") == expected
