"""Installs the peers, pinned, into directories of their own that git ignores: `python -m bench.peers.installing`.

Belongs here: what of npm, PyPI and Debian is needed, and where it lies. Does not: how they are run (starting.py).
The bench calls it when it needs one; nothing of it is mixed with the project's own packages, or with the system's.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.parts import Missing

HERE = Path(__file__).parent
PLACE = HERE / ".installed"
HAPROXY = ("haproxy", "liblua5.3-0", "libopentracing1", "libopentracing-c-wrapper0")
"""Debian's packages: what a plain Debian has is not among them."""


def python_of(name: str) -> Path:
    """The interpreter, of this Python's version, of the environment with the packages of `requirements-NAME.txt`."""
    wanted = HERE / f"requirements-{name}.txt"
    place = PLACE / name
    python = place / "bin" / "python"

    def make() -> None:
        shutil.rmtree(place, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(place)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(wanted)])

    _once(place / "installed", _print_of(wanted, sys.version), make)
    return python


def node() -> str:
    """Node.js, with the packages of `package-lock.json` where its programs find them."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if found is None or npm is None:
        raise Missing("node and npm are not installed (Debian: nodejs, npm)")

    def make() -> None:
        _run([npm, "ci", "--prefix", str(HERE), "--no-audit", "--no-fund", "--loglevel=error"])

    _once(HERE / "node_modules" / ".installed", _print_of(HERE / "package-lock.json"), make)
    return found


def haproxy() -> tuple[str, dict[str, str]]:
    """haproxy, and the environment that it needs: the system's, or Debian's package, unpacked."""
    if found := shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin"):
        return found, {}
    place = PLACE / "haproxy"
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise Missing("haproxy is not installed (Debian: haproxy)")

    def make() -> None:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        _run(["apt-get", "download", "-qq", *HAPROXY], place)
        for package in sorted(place.glob("*.deb")):
            _run(["dpkg-deb", "-x", str(package), str(place)])

    _once(place / "installed", " ".join(HAPROXY), make)
    libraries = {str(each.parent) for each in (place / "usr/lib").rglob("*.so.*")}
    return str(place / "usr/sbin/haproxy"), {"LD_LIBRARY_PATH": os.pathsep.join(libraries)}


def _once(stamp: Path, state: str, make: Callable[[], None]) -> None:
    """`make`, unless that was done for the same `state`. Raises Missing if it cannot be done."""
    if stamp.exists() and stamp.read_text() == state:
        return
    try:
        make()
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise Missing(f"it could not be installed: {said[-1] if said else error}") from error
    stamp.write_text(state)


def _print_of(file: Path, *more: str) -> str:
    return hashlib.sha256("\0".join((file.read_text(), *more)).encode()).hexdigest()


def _run(command: Sequence[str], folder: Path | None = None) -> None:
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def main() -> int:
    """Install all; says what is missing."""
    missing = 0
    kinds: dict[str, Callable[[], object]] = {
        "haproxy": haproxy,
        "fastify, undici": node,
        "aiohttp, Starlette, treq": lambda: python_of("python"),
        "mitmproxy": lambda: python_of("mitmproxy"),
    }
    for name, install in kinds.items():
        try:
            install()
            print(f"{name}: installed")
        except Missing as why:
            print(f"{name}: {why}")
            missing = 1
    return missing


if __name__ == "__main__":
    raise SystemExit(main())
