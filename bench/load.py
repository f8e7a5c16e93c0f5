"""Load by wrk, and what it cost: the CPU of a process tree before and after, from the kernel's own accounts.

Belongs here: one round. Does not: what is compared (__main__.py).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from attrs import evolve, frozen

from bench.parts import BODY, PIN, Missing, Part

_TICK = os.sysconf("SC_CLK_TCK")
_TRIES = 3
_STALLED = 0.02
"""Of a round's time: a round is done again when the machine was without its processor for longer."""


@frozen
class Round:
    """One round's figures. `cpu`: µs of user and system time a request. `tries`: rounds until the machine let one
    be."""

    cpu: float
    p50: float
    p99: float
    requests: int
    rss: float
    tries: int = 1


@frozen
class Load:
    """What wrk sends. `script`: Lua, for other requests than GET. `refused`: the gateway is to answer an error."""

    connections: int
    seconds: int
    script: str = ""
    refused: bool = False


POST_800 = """
local n = 0
local body = string.rep("x", 800)
request = function()
  n = n + 1
  local headers = {}
  for i = 1, 14 do headers["X-Header-" .. i] = "a value of some length, number " .. i end
  headers["Content-Type"] = "application/json"
  headers["X-Request-Id"] = "req-" .. n
  headers["X-API-Key"] = "KEY"
  return wrk.format("POST", nil, headers, body)
end
"""
"""A POST of 800 bytes with 17 headers; its id changes, so that remembering header blocks cannot win."""


def verify(part: Part) -> None:
    """Refuse to measure a gateway that does not do the job. Raises AssertionError."""
    url = f"http://127.0.0.1:{part.port}{part.path}"
    for data in (None, b"x" * 800):
        with urllib.request.urlopen(urllib.request.Request(url, data=data, headers=part.headers)) as answer:
            assert answer.status == 200, part.name
            assert answer.read() == BODY.encode(), f"{part.name} answers another body"
    for headers in ({}, {"X-API-Key": "wrong"}):
        assert _status(url, headers) == 401, f"{part.name} lets a wrong key in"


def _status(url: str, headers: dict[str, str]) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def run(part: Part, load: Load, folder: Path) -> Round:
    """One round of `load` against `part`, done again if the machine stalled.

    Raises Missing without wrk, AssertionError for other answers.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise Missing("wrk is not installed (Debian: wrk)")
    command = [*PIN, wrk, "--timeout", "20s", "-t1", f"-c{load.connections}", f"-d{load.seconds}s", "--latency"]
    if lua := load.script or part.script:
        script = folder / "load.lua"
        script.write_text(lua.replace("KEY", part.headers.get("X-API-Key", "")))
        command += ["-s", str(script)]
    else:
        for name, value in part.headers.items():
            command += ["-H", f"{name}: {value}"]
    command.append(f"http://127.0.0.1:{part.port}{part.path}")
    for tries in range(1, _TRIES + 1):
        part.before()
        stolen = _stolen()
        found = evolve(_round(part, load, command), tries=tries)
        if found.requests and _stolen() - stolen <= _STALLED * load.seconds:
            break
    assert found.requests, f"{part.name} answered nothing in {load.seconds} s"
    return found


def _round(part: Part, load: Load, command: Sequence[str]) -> Round:
    before = cpu_of(part.process.pid)
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    spent = cpu_of(part.process.pid) - before
    assert ("Non-2xx" in text) is load.refused, text
    assert "Socket errors" not in text, text
    matched = re.search(r"(\d+) requests in", text)
    assert matched is not None, text
    requests = int(matched[1])
    rss = rss_of(part.process.pid)
    return Round(spent / max(1, requests) * 1e6, _latency(text, "50%"), _latency(text, "99%"), requests, rss)


def _stolen() -> float:
    """Seconds in which the host let the pinned processor wait, since it was started."""
    fields = re.search(r"^cpu0 (.*)$", Path("/proc/stat").read_text(), re.MULTILINE)
    return int(fields[1].split()[7]) / _TICK if fields else 0.0


def _latency(text: str, which: str) -> float:
    """Milliseconds."""
    matched = re.search(rf"{re.escape(which)}\s+([\d.]+)(us|ms|s)\b", text)
    assert matched is not None, text
    return float(matched[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[matched[2]]


def tree(pid: int) -> list[int]:
    """The process `pid` and all that it has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in tree(int(child)))]


def cpu_of(pid: int) -> float:
    """Seconds of user and system time of the tree under `pid`."""
    total = 0
    for each in tree(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICK


def precise_cpu_of(pid: int) -> float:
    """The same to the nanosecond, of `pid` alone."""
    tasks = Path(f"/proc/{pid}/task")
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9


def rss_of(pid: int) -> float:
    """MB resident in the tree."""
    pages = sum(int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in tree(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
