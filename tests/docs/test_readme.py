"""`rrgate demo`, which `make run` starts, prints a line that answers 200 when it is pasted; its ends are clean.

Belongs here: the demonstration as its user sees it. Does not: the README's other code (test_code_blocks.py).
"""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.leak_search import search_states

RRGATE = Path(sys.executable).with_name("rrgate")


@contextmanager
def running_demo(place: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """(its process, what it has printed up to its last line). Ends it however the block ends."""
    process = subprocess.Popen(
        [RRGATE, "demo", "--port", "0", "--core-port", "0", *options],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background of a shell ignores SIGINT, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    assert process.stdout is not None
    told = ""
    try:
        for line in process.stdout:
            told += line
            if "Ctrl-C" in line:
                break
        yield process, told
    finally:
        process.kill()
        process.communicate()


def line_of(told: str) -> str:
    (line,) = (line for line in told.splitlines() if line.startswith("curl "))
    return line


def paste(line: str) -> tuple[str, str]:
    """(head, body) of what the line answers."""
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=20, check=True)
    head, _, body = done.stdout.partition("\n\n")
    return head, body


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM], ids=lambda ending: ending.name)
def test_the_line_answers_200(tmp_path: Path, ending: signal.Signals) -> None:
    with running_demo(tmp_path) as (process, told):
        head, body = paste(line_of(told))
        assert head.startswith("HTTP/1.1 200 ")
        document = json.loads(body)
        print_of_the_targets_token = re.search(r"with the fingerprint ([0-9a-f]{8})", told)
        assert print_of_the_targets_token is not None
        assert document["credential"] == f"Bearer token with the fingerprint {print_of_the_targets_token[1]}"
        assert (document["method"], document["path"], document["query"]) == ("GET", "/hello", "from=me")
        key = re.search(r"X-API-Key: ([\w-]+)", told)
        assert key is not None
        assert key[1] not in body
        head, _ = paste(line_of(told).replace(key[1], "another"))
        assert head.startswith("HTTP/1.1 401 ")
        core = re.search(r"^  (curl .*)$", told, re.MULTILINE)
        assert core is not None
        asked = subprocess.run(["sh", "-c", core[1]], capture_output=True, text=True, timeout=20, check=True)
        assert json.loads(asked.stdout)["message"] == "Success"
        process.send_signal(ending)
        _, errors = process.communicate(timeout=20)
        assert (process.returncode, errors) == (0, "")
    search_states(tmp_path, [key[1]])


def test_again_on_the_same_state(tmp_path: Path) -> None:
    urls = set()
    for _ in range(2):
        with running_demo(tmp_path, "--data", "state") as (_process, told):
            head, _body = paste(line_of(told))
            assert head.startswith("HTTP/1.1 200 ")
            found = re.search(r"/api/[0-9a-f-]+", line_of(told))
            assert found is not None
            urls.add(found[0])
    assert len(urls) == 1, "the second run made another proxy"
    search_states(tmp_path, re.findall(r"X-API-Key: ([\w-]+)", told))


@pytest.mark.parametrize("option", ["--port", "--core-port"])
def test_a_taken_port(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"--port": "0", "--core-port": "0", option: str(port)}
        done = subprocess.run(
            [RRGATE, "demo", *(part for pair in ports.items() for part in pair)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    search_states(tmp_path, [], [done.stderr])
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"Error: port {port} cannot be opened")
    assert done.stderr.rstrip().endswith(option)


def test_a_directory_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    done = subprocess.run(
        [RRGATE, "demo", "--data", tmp_path], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 1
    assert "notes.txt" in done.stderr
    assert not list(tmp_path.glob("*.db"))
