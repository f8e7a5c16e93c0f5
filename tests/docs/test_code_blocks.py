"""The code in README.md and docs/ does what it says, before a gateway that it starts itself.

Belongs here: running blocks. Does not: how blocks are marked (pages.py).

Four things are put in place of what stands in the page: free ports for 8080, 8081 and 8000; an httpbin on loopback,
which the gateway is allowed to dial, for https://httpbin.org; a `pip` that installs without a network into a folder of
the page's; and, but for the README, commands that have imported the project before (tests/processes/forks.py).
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, Block, blocks_of
from tests.leak_search import search_states
from tests.processes.forks import commands

SECONDS = 90

PIP = """#!/bin/sh
[ "$*" = "install -q -e ." ] || {{ echo "a page may only say: pip install -q -e ." >&2; exit 2; }}
exec {python} -m pip install -q --no-deps --no-build-isolation --no-index --disable-pip-version-check \\
    --target "$HOME/.installed" .
"""


def runs(block: Block) -> bool:
    return block.kind in ("sh", "sh server", "python") or file_of(block) != ""


def file_of(block: Block) -> str:
    """The file that it is written into, or nothing."""
    return block.kind.partition("file=")[2] or block.kind.partition("add=")[2]


SECRET = re.compile(r'"(?:value|token|password|secret)": *"([^"$]{16,})"')
"""In what a page gives a credential to keep."""


WITH_CODE = [page for page in PAGES if any(map(runs, blocks_of(page)))]


def free_ports(count: int) -> list[int]:
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in taken]
    for each in taken:
        each.close()
    return ports


def script_of(blocks: list[Block], core_port: int) -> str:
    """One shell script of a page: what block number N prints is in out.N, where it fails is told."""
    # It ends by the signal itself on reactors of Twisted's under twistd.
    lines = ["set -e", 'stop() { if [ -n "$server" ]; then kill -TERM $server; wait $server || [ $? = 143 ]; fi; }']
    for number, block in enumerate(blocks):
        if block.kind == "sh":
            lines.append(f"{{ : ; {block.code}\n}} > out.{number}")
        elif block.kind == "sh server":
            lines += [
                "stop",
                f"(exec {block.code.strip()}) > out.{number} 2>&1 &",
                "server=$!",
                f"until curl -sf http://127.0.0.1:{core_port}/readyz > ready",
                f"do kill -0 $server || {{ cat out.{number} >&2; exit 1; }}; sleep 0.1; done",
            ]
        elif " file=" in block.kind:
            lines.append(f"cat block.{number} > {file_of(block)}")
        elif " add=" in block.kind:
            lines.append(f"(echo; echo; cat block.{number}) >> {file_of(block)}")
        elif block.kind == "python":
            lines.append(f"python block.{number}.py > out.{number}")
    lines += ["stop", "echo done > done"]
    return "\n".join(lines) + "\n"


def pattern_of(expected: str) -> str:
    """A regular expression for an output in which `…` stands for anything."""
    return ".*".join(re.escape(part) for part in expected.rstrip("\n").split("…"))


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.name)
def test_code(page: Path, tmp_path: Path, httpbin: str) -> None:
    port, core_port, host_port = free_ports(3)
    places = {
        "127.0.0.1:8080": f"127.0.0.1:{port}",
        "127.0.0.1:8081": f"127.0.0.1:{core_port}",
        "127.0.0.1:8000": f"127.0.0.1:{host_port}",
        "tcp:8000": f"tcp:{host_port}",
        "tcp:8080": f"tcp:{port}",
        "tcp:8081": f"tcp:{core_port}",
        "https://httpbin.org": httpbin,
    }
    blocks = []
    for number, block in enumerate(blocks_of(page)):
        code = block.code
        for written, real in places.items():
            code = code.replace(written, real)
        blocks.append(Block(block.line, block.kind, code))
        if block.kind == "python":
            (tmp_path / f"block.{number}.py").write_text(code)
        elif file_of(block):
            (tmp_path / f"block.{number}").write_text(code)
    (tmp_path / "page.sh").write_text(script_of(blocks, core_port))
    pip = tmp_path / ".bin" / "pip"
    pip.parent.mkdir()
    if page.name != "README.md":
        commands(pip.parent)
    pip.write_text(PIP.format(python=sys.executable))
    pip.chmod(0o755)
    environ = {
        "PATH": f"{pip.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # who reads a page has not installed what our own tests need
        "PYTHONPATH": f"{tmp_path}:{tmp_path}/.installed:{ROOT}",
        "RRGATE_LISTEN": f"tcp:{port}:interface=127.0.0.1",
        "RRGATE_CORE_LISTEN": f"tcp:{core_port}:interface=127.0.0.1",
        "RRGATE_ALLOW_NETWORKS": "127.0.0.0/8",
    }
    with (tmp_path / "errors").open("w") as errors:
        shell = subprocess.Popen(
            ["sh", "page.sh"], cwd=tmp_path, env=environ, stdout=errors, stderr=errors, start_new_session=True
        )
        try:
            status = shell.wait(SECONDS)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            if shell.poll() is None or not (tmp_path / "done").exists():
                with suppress(ProcessLookupError):
                    os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
    printed = {number: tmp_path / f"out.{number}" for number in range(len(blocks))}
    last = max((number for number, path in printed.items() if path.exists()), default=0)
    said = (tmp_path / "errors").read_text() + (printed[last].read_text() if printed[last].exists() else "")
    assert status == 0, f"{page.name}:{blocks[last].line} failed or hung ({status}):\n{said}"
    for number, block in enumerate(blocks):
        if block.kind == "text output":
            found = printed[number - 1 if runs(blocks[number - 1]) else number - 2].read_text().rstrip("\n")
            assert re.fullmatch(pattern_of(block.code), found, re.DOTALL), f"{page.name}:{block.line}: printed\n{found}"
    servers = [printed[number].read_text() for number, block in enumerate(blocks) if block.kind == "sh server"]
    search_states(tmp_path, {secret for block in blocks for secret in SECRET.findall(block.code)}, servers)
