"""`Java`: a process that compiles and runs samples in Java (RunsSamples.java).

Belongs here: starting, asking and ending it. Does not: what is missing where it cannot be started (test_samples.py).
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from threading import Timer


class Java:
    """Use as a context: it ends with it."""

    def __init__(self, class_path: str, environment: Mapping[str, str]) -> None:
        """`environment`: all variables of the samples."""
        # Most of the time is the compiler's, which is not worth its own optimization.
        command = ["java", "-XX:TieredStopAtLevel=1", "-cp", class_path, Path(__file__).with_name("RunsSamples.java")]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, env=dict(environment), stdin=pipe, stdout=pipe)

    def __enter__(self) -> Java:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def run(self, source: Path, seconds: float) -> str:
        """What the class in `source` printed. Fails if it does not compile, or not end well in so many seconds."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        late = Timer(seconds, process.kill)
        late.start()
        try:
            process.stdin.write(f"{source}\n".encode())
            process.stdin.flush()
            status, size = map(int, process.stdout.readline().split())
            printed = process.stdout.read(size).decode()
        finally:
            late.cancel()
        assert status == 0, printed
        return printed
