"""examples/plugin_hmac, built and installed as a stranger's distribution, is found, listed and used by a gateway.

Belongs here: that distribution from outside. Does not: what its own tests say (they are run here, as they are).
"""

from __future__ import annotations

import ast
import hashlib
import hmac
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import pytest_twisted

from rrgate.cli.init import create_state
from tests.house.sources import ROOT, within
from tests.processes.forks import fork
from tests.processes.twistd import Twistd
from tests.running_gateway import MadeProxy
from tests.targets import Target, echo

EXAMPLE = ROOT / "examples" / "plugin_hmac"
KEY, SECRET = "orders-app", "a-secret/of-both-sides+01"
CREDENTIAL = ("signed", {"key": KEY, "secret": SECRET})


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy: building writes beside the source."""
    copy = tmp_path_factory.mktemp("source") / "plugin_hmac"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    return copy


@pytest.fixture(scope="module")
def installed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the distribution in it, and nothing else; no network was used."""
    folder = tmp_path_factory.mktemp("installed")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--no-input", "--disable-pip-version-check"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", folder, source],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def environ(installed: Path) -> dict[str, str]:
    return {"PYTHONPATH": f"{installed}:{ROOT}"}


def test_its_own_tests_pass(source: Path, installed: Path, tmp_path: Path) -> None:
    shutil.rmtree(source / "rrgate_hmac")  # what is installed is tested
    told = tmp_path / "told"
    none_but_pytest = {**environ(installed), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # it asks for no more
    done = fork(["pytest", "-q", "-p", "no:cacheprovider", "tests"], told, source, none_but_pytest)
    assert done.wait(120) == 0, told.read_text()
    assert " passed in " in told.read_text()


def test_the_code_of_its_readme_signs(source: Path, installed: Path, tmp_path: Path) -> None:
    code = (source / "README.md").read_text().split("```python\n")[1].partition("```")[0]
    (tmp_path / "signs.py").write_text(f"{code}\nprint(value.decode())")
    told = tmp_path / "told"
    assert fork([tmp_path / "signs.py"], told, environ=environ(installed)).wait(60) == 0, told.read_text()
    assert told.read_text().startswith("HMAC-SHA256 key=orders-app, date=")


def test_it_knows_the_public_doors_alone() -> None:
    for folder, door in (("rrgate_hmac", "rrgate.api"), ("tests", "rrgate.testing")):
        for path in sorted((EXAMPLE / folder).glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not [name for name in names if within(name, "rrgate") and name != door], path


def signed(method: str, target: str, body: bytes, date: int, secret: str = SECRET) -> Mapping[str, str]:
    """As the README says, by a client that shares no code with the plugin."""
    digest = hashlib.sha256(body).hexdigest()
    text = "\n".join(["HMAC-SHA256", method, target, str(date), digest])
    signature = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return {"Authorization": f"HMAC-SHA256 key={KEY}, date={date}, body={digest}, signature={signature}"}


@pytest_twisted.ensureDeferred
async def test_a_gateway_finds_it_and_lets_signed_requests_through(installed: Path, tmp_path: Path) -> None:
    data = tmp_path / "state"
    first = create_state(data)
    with Target(echo) as target, Twistd(data, environ=environ(installed)) as gateway:
        client = gateway.ready().client(first)
        unknown = {"credentialName": "x", "credentialType": "proxy", "credentialAuthType": "unknown"}
        told = await client.ask(
            "POST",
            f"/clients/{first.client_id}/credentials",
            {**unknown, "credentialRegion": "local", "credentialSecret": {}},
        )
        assert ", signed" in told.body.decode()
        proxy: MadeProxy = await client.proxy(f"{target.url}/v1", caller=CREDENTIAL, towards=CREDENTIAL)
        here = f"{proxy.path}/orders%2F7?page=2"
        now, body = int(time.time()), b'{"order":7}'
        headers = signed("POST", here, body, now)
        answer = await client.call(proxy, "POST", "/orders%2F7?page=2", headers, body, key=None)
        assert answer.status == 200
        assert answer.json["line"] == "POST /v1/orders%2F7?page=2 HTTP/1.1"
        assert answer.json["body"] == body.decode()
        (shown,) = (value for name, value in answer.json["headers"] if name == "Authorization")
        date = int(shown.partition("date=")[2].partition(",")[0])
        assert shown == signed("POST", "/v1/orders%2F7?page=2", body, date)["Authorization"]
        for wrong in ({}, signed("POST", here, b"another", now), signed("GET", here, body, now)):
            refused = await client.call(proxy, "POST", "/orders%2F7?page=2", wrong, body, key=None)
            assert (refused.status, refused.code) == (401, "proxy-access-denied")
        late = signed("POST", here, body, now - 302)
        assert (await client.call(proxy, "POST", "/orders%2F7?page=2", late, body, key=None)).status == 401
        gateway.terminate()
        assert gateway.ended() == 0
        assert SECRET not in gateway.output()
