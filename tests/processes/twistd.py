"""`Twistd`: a gateway in a process of its own, started as an operator starts it.

Belongs here: starting, signalling and ending it. Does not: what is expected of it.
"""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from tempfile import NamedTemporaryFile

from rrgate.cli.init import FirstUser
from tests.callers import call
from tests.leak_search import LeakSearch
from tests.processes.forks import Fork, fork
from tests.running_gateway import GatewayClient
from tests.targets import closed_ports

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def rrgate(*arguments: str | Path) -> str:
    """What the command `rrgate` prints; a fork of what has imported it (forks.py)."""
    with NamedTemporaryFile("r") as printed:
        status = fork(["rrgate", *arguments], Path(printed.name)).wait(30)
        told = printed.read()
    assert status == 0, told
    return told


class Twistd:
    """`twistd -n rrgate` with its state in `data`, its output in `data.log`. Use as a context: it ends with it,
    and raises AssertionError if a secret that it was told is anywhere where none may be.
    """

    def __init__(
        self, data: Path, *arguments: str, environ: dict[str, str] | None = None, anew: bool = False, reactor: str = ""
    ) -> None:
        """`anew`: the command itself, which imports everything; else a fork of what has (forks.py)."""
        self.data, self.search = data, LeakSearch.of(data)
        self.log = data.with_suffix(".log")
        self.port, self.core_port = closed_ports(2)
        self.log.touch()  # for those who look before a fork has opened it
        command = [
            "-n",
            "--pidfile=",
            *([f"--reactor={reactor}"] if reactor else []),
            "rrgate",
            f"--data={data}",
            f"--listen=tcp:{self.port}:interface=127.0.0.1",
            f"--core-listen=tcp:{self.core_port}:interface=127.0.0.1",
            "--allow-network=127.0.0.0/8",
            *arguments,
        ]
        self.process: Fork | subprocess.Popen[bytes]
        if not anew:
            self.process = fork(["twistd", *command], self.log, environ=environ)
            return
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [BIN / "twistd", *command],
                cwd=ROOT,
                env={**os.environ, **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> Twistd:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self.process.poll() is None:
            self.search.look_at_state(self.data)  # with its WAL
            self.process.kill()
        self.process.wait()
        if kind is None:
            self.search.look_at_state(self.data)
            self.search.add("the log", self.output())
            self.search.end()

    def ready(self, tls: ssl.SSLContext | None = None) -> Twistd:
        """Wait until it takes requests."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if call(("127.0.0.1", self.port), "GET", "/readyz", tls=tls).status == 200:
                    return self
            except OSError:
                time.sleep(0.02)
        raise AssertionError(f"it did not start:\n{self.log.read_text()}")

    def client(self, first: FirstUser) -> GatewayClient:
        """Asks it."""
        return GatewayClient(first, ("127.0.0.1", self.port), ("127.0.0.1", self.core_port), self.search)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def ended(self, seconds: float = 20) -> int:
        """Wait for its end; the status it ended with, negative for a signal."""
        return self.process.wait(seconds)

    def output(self) -> str:
        return self.log.read_text()

    def takes_connections(self) -> bool:
        """Whether its port is open."""
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
        except ConnectionRefusedError:
            return False
        return True

    def memory(self, name: str = "VmRSS") -> int:
        """Its resident memory now, or at its peak (`VmHWM`), in bytes."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {name} in /proc/PID/status")
