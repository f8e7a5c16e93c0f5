"""Takes one piece of code after the other out, and shows whether a test notices; run by hand, not by pytest.

Belongs here: running the tests of a file with a piece of it replaced. Does not: which pieces (tests/*/mutations.py).

Each mutation runs in a process of its own, forked from one that has loaded all but the project.
"""

from __future__ import annotations

import importlib.machinery
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs  # noqa: F401 - loaded here, like others below, so that the forks need not
import cattrs  # noqa: F401
import cryptography.x509  # noqa: F401
import httptools  # noqa: F401
import hypothesis  # noqa: F401
import joserfc.jwk  # noqa: F401
import jsonpath_rfc9535  # noqa: F401
import OpenSSL.SSL  # noqa: F401
import orjson  # noqa: F401
import prometheus_client  # noqa: F401
import pytest
import re2  # noqa: F401
import service_identity  # noqa: F401
import sqlite_utils  # noqa: F401
import twisted.internet.defer
import twisted.internet.testing
import twisted.web.http  # noqa: F401

ROOT = Path(__file__).parents[1]
LONGEST = 300
"""Seconds after which tests that hang are ended; they noticed, but not by a test that fails."""
_ENDS = {0: "SURVIVED", 1: "killed", -signal.SIGALRM: "HANGS"}

Mutation = tuple[str, str, str]
"""File, a text in it, and what is put in the place of each such text."""


def run(mutations: Sequence[Mutation], notices: Mapping[str, Sequence[str]], words: Sequence[str]) -> int:
    """Try those of `mutations` that hold all `words`, print those that no test notices; 1 if there are any.

    `notices`: by file, the tests that must notice. They must pass as the code is, which is tried first: a test that
    fails anyway would seem to notice everything.
    """
    os.chdir(ROOT)
    chosen = [each for each in mutations if all(any(word in part for part in each) for word in words)]
    begun = time.monotonic()
    counts: dict[str, dict[str, int]] = {}
    bad = [each for each, result in _results(_unchanged(chosen, notices), notices) if result != "SURVIVED"]
    for file, _, _ in bad:
        print(f"FAIL ANYWAY      {file}\n    {' '.join(notices[file])}", flush=True)
    if bad:
        return 1
    for mutation, result in _results(chosen, notices):
        counts.setdefault(mutation[0], {}).setdefault(result, 0)
        counts[mutation[0]][result] += 1
        if result != "killed":
            bad.append(mutation)
            file, old, new = mutation
            print(f"{result:16} {file}\n    - {old.strip()!r}\n    + {new.strip()!r}", flush=True)
    print(f"{'file':32} {'checks':>7} {'killed':>7}")
    for file, ends in counts.items():
        print(f"{file:32} {sum(ends.values()):7} {ends.get('killed', 0):7}")
    print(f"{len(chosen)} checks taken out, {len(chosen) - len(bad)} noticed, in {time.monotonic() - begun:.0f} s")
    return 1 if bad else 0


def _unchanged(chosen: Sequence[Mutation], notices: Mapping[str, Sequence[str]]) -> list[Mutation]:
    """Mutations that change nothing, one for each sequence of tests."""
    return list({tuple(notices[file]): (file, "", "") for file, _, _ in chosen}.values())


def _results(chosen: Sequence[Mutation], notices: Mapping[str, Sequence[str]]) -> Iterator[tuple[Mutation, str]]:
    """Each mutation with what became of it, as they end; as many at a time as there are processors for this process."""
    running: dict[int, Mutation] = {}
    waiting = list(reversed(chosen))
    while waiting or running:
        while waiting and len(running) < len(os.sched_getaffinity(0)):
            mutation = waiting.pop()
            file, old, new = mutation
            source = (ROOT / file).read_text()
            if source.count(old) == 0:
                yield mutation, "NOT IN ITS FILE"
                continue
            try:
                compile(mutated := source.replace(old, new), file, "exec")
            except SyntaxError:
                yield mutation, "NO PYTHON"
                continue
            running[_run_with(file, mutated, notices[file])] = mutation
        if running:
            child, status = os.wait()
            code = os.waitstatus_to_exitcode(status)
            yield running.pop(child), _ENDS.get(code, f"BROKEN ({code})")


def _run_with(file: str, source: str, tests: Sequence[str]) -> int:
    """The process that runs `tests` with `source` in the place of `file`, and ends with pytest's exit code."""
    child = os.fork()
    if child:
        return child
    path = str(ROOT / file)
    get_code = importlib.machinery.SourceFileLoader.get_code

    def mutated(self: importlib.machinery.SourceFileLoader, name: str) -> object:
        found = self.get_filename(name)
        return compile(source, found, "exec") if os.path.realpath(found) == path else get_code(self, name)

    importlib.machinery.SourceFileLoader.get_code = mutated  # type: ignore[method-assign,assignment]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    code = 4
    signal.alarm(LONGEST)
    try:
        code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=1", *tests]))
    finally:
        os._exit(code)
