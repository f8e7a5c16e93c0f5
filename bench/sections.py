"""What `python -m bench` measures: its sections, which gateways each has, and their rounds in turns.

Belongs here: starting what a section needs, verifying it, and measuring it. Does not: one round (load.py), tables
(tables.py).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from attrs import field, frozen

from bench import load, parts
from bench.certificates import make_certificate
from bench.load import POST_800, Load, Round
from bench.nginx import start_bare, start_target
from bench.parts import Missing, Part, start_rrgate
from bench.peers.starting import PEERS, SHOWN, start_peer
from bench.rules import KINDS

Rounds = dict[str, list[Round]]
"""By gateway."""
Start = Callable[[Path, Part], Part]
NGINX = "nginx"
FASTIFY = SHOWN["fastify"]
RRGATE = "rrgate"
WARM_UP = 3
"""Seconds before the first round; Node.js compiles what it runs, which takes more than one."""


@frozen
class Section:
    """A kind of load, given the seconds of a round. `tls`: to the target."""

    title: str
    load: Callable[[int], Load]
    tls: bool = False


SECTIONS = {
    "get": Section("GET, 1 KB JSON, 32 connections", lambda seconds: Load(32, seconds)),
    "post": Section("POST, 800 bytes, 17 headers, 32 connections", lambda seconds: Load(32, seconds, POST_800)),
    "one": Section("GET, 1 KB JSON, 1 connection", lambda seconds: Load(1, max(2, seconds // 2))),
    "tls": Section("GET, 1 KB JSON, 32 connections, TLS to the target", lambda seconds: Load(32, seconds), tls=True),
}


def gateways(rules: bool = False) -> dict[str, Start]:
    """By name, how each is started, in the order of the tables.

    `rules`: nginx, and gateways that differ in 800 rules that they have, of which none matches.
    """
    found: dict[str, Start] = {NGINX: start_bare}
    if rules:
        found[RRGATE] = start_rrgate
        for kind, checks in KINDS.items():
            name = f"rules: {kind}"
            found[name] = partial(start_rrgate, name=name, rules=checks)
        return found
    found["haproxy"] = partial(start_peer, "haproxy")
    found[RRGATE] = start_rrgate
    alone = "rrgate, the job alone"
    found[alone] = partial(start_rrgate, name=alone, everything=False)
    stock = "rrgate, stock reactor"
    found[stock] = partial(start_rrgate, name=stock, arguments=("--reactor=epoll",))
    if python := parts.debians_python():
        debians = "rrgate, Debian's Python"
        found[debians] = partial(start_rrgate, name=debians, python=python)
        both = f"{alone}, Debian's Python"
        found[both] = partial(start_rrgate, name=both, everything=False, python=python)
    for name in PEERS:
        found.setdefault(SHOWN.get(name, name), partial(start_peer, name))
    return found


@frozen
class Run:
    """How one is to be done, and what came of it."""

    folder: Path
    rounds: int
    seconds: int
    wanted: dict[str, Start]
    results: dict[str, Rounds] = field(factory=dict)
    """By section."""
    missing: dict[str, str] = field(factory=dict)
    """Gateways that are not in the tables, and why."""

    def measure(self, names: Sequence[str], done: Callable[[str], None]) -> None:
        """The sections of these names; `done` is called after each. Raises Missing without nginx or wrk."""
        for tls in (False, True):
            those = [name for name in names if SECTIONS[name].tls is tls]
            if those:
                with self._started(tls) as started:
                    for name in those:
                        self.results[name] = self._section(SECTIONS[name], started)
                        done(name)

    @contextmanager
    def _started(self, tls: bool) -> Iterator[list[Part]]:
        """All that are wanted and do the job, nginx first, to a target of their own."""
        folder = self.folder / ("tls" if tls else "plain")
        folder.mkdir()
        running = [start_target(folder, shown=make_certificate(folder) if tls else None)]
        try:
            started = []
            for name, start in self.wanted.items():
                if name in self.missing:
                    continue
                try:
                    part = start(folder, running[0])
                    running.append(part)
                    load.verify(part)
                except (Missing, OSError, AssertionError) as why:
                    if start in (start_bare, start_rrgate):
                        raise
                    self.missing[name] = _said(why)
                else:
                    started.append(part)
            yield started
        finally:
            for part in reversed(running):
                part.stop()

    def _section(self, section: Section, started: Sequence[Part]) -> Rounds:
        """In turns: each once in every round."""
        found: Rounds = {part.name: [] for part in started}
        work = section.load(self.seconds)
        for turn in range(self.rounds + 1):
            for part in started:
                if part.name in found:
                    try:
                        if not turn:
                            load.run(part, Load(work.connections, WARM_UP, work.script), self.folder)
                        else:
                            found[part.name].append(load.run(part, work, self.folder))
                    except AssertionError as why:
                        if part.name.startswith((NGINX, RRGATE)):
                            raise
                        self.missing[f"{part.name}: {section.title}"] = _said(why)
                        del found[part.name]
        return found


def _said(why: BaseException) -> str:
    lines = str(why).strip().splitlines()
    return lines[-1] if lines else type(why).__name__


def shown_of(words: Sequence[str]) -> dict[str, Start]:
    """The gateways whose name begins with one of `words`, in any case, and nginx. Exits where a word is of none."""
    every = gateways()
    chosen = {NGINX}
    for word in words:
        of_it = {name for name in every if name.lower().startswith(word.lower())}
        if not of_it:
            sys.exit(f"python -m bench: no gateway's name begins with {word!r}; they are: {'; '.join(every)}")
        chosen |= of_it
    return {name: start for name, start in every.items() if name in chosen}
