"""`LeakSearch`: what a gateway of a test was told as secrets, looked for in everything that it leaves when it stops.

Belongs here: what counts as a secret, and which places are sinks. Does not: the search itself
(rrgate/testing/canary.py), starting and stopping gateways, which is where it is called (running_gateway.py, twistd.py).

Nothing is asked of a test for it: secrets are seen on their way to the Core API, answers on their way back.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import attrs
from twisted.logger import LogEvent, eventAsText, globalLogPublisher

from rrgate.careful_log import CarefulObserver
from rrgate.model import Side
from rrgate.outside import Outside
from rrgate.outside_values import OutsideAnswer
from rrgate.registry import Registry, load_registry
from rrgate.store import keyfile
from rrgate.testing import Canary, Finding
from rrgate.testing.canary import LEAST
from tests import callers
from tests.callers import Address, Answer

GRANTED = "proxy-access-granted"
"""The code on what is the target's own answer, which may show what the target was shown."""
KEYS = frozenset({"master.key", "state.lock"})
"""Files of a state that are not searched: the key is a secret."""
GIVEN_OUTSIDE = ("access_token", "refresh_token", "id_token")
"""Members of answers of servers that plugins call."""
LOG = "log.db"
"""A file that every gateway makes in its state, and nothing else but tests of that file alone."""
SETTLING = 2_000_000_000
"""Nanoseconds in which a gateway whose start failed may still close its files."""
SHOWN_IN = frozenset({"authorization", "x-api-key"})
"""Headers, folded, in which tests show tokens and keys."""


_PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----(.*?)-----END", re.DOTALL)
_LINE = re.compile(rb"[A-Za-z0-9+/]{48,64}")


class LeakSearch:
    """The secrets of one state, and what has been seen of its gateways; several may run on it one after the other."""

    _of: dict[Path, LeakSearch] = {}  # noqa: RUF012 - of the whole run
    searched: dict[Path, int] = {}  # noqa: RUF012 - of the whole run
    """When each state was last searched: nanoseconds since the epoch."""

    def __init__(self) -> None:
        self._secrets: dict[str, str] = {}
        self._contents: dict[tuple[str, bytes], None] = {}
        self._observer = CarefulObserver(self._logged)
        self._addresses: list[Address] = []
        self._states: set[Path] = set()
        self.listens = False
        """Whether this process's log is taken down."""

    @classmethod
    def of(cls, data: Path) -> LeakSearch:
        """The one for the state in `data`."""
        return cls._of.setdefault(data, cls())

    def know(self, name: str, value: str) -> None:
        """Look for `value`; one so short that it may occur by chance is not looked for."""
        if len(value) >= LEAST:
            self._secrets.setdefault(value, name)

    def add(self, sink: str, content: bytes | str) -> None:
        """Look into `content`."""
        self._contents[sink, content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content] = None

    # While it runs.

    def begin_log(self) -> None:
        """Take down this process's log, as `twistd rrgate` writes it."""
        globalLogPublisher.addObserver(self._observer)
        self.listens = True

    def end_log(self) -> None:
        globalLogPublisher.removeObserver(self._observer)
        self.listens = False

    def watch(self, gateway: Address, core: Address) -> None:
        """See what is said to these listeners, and what they answer."""
        callers.WATCHERS[gateway] = Watcher(self, "answers to callers")
        callers.WATCHERS[core] = Watcher(self, "answers of the Core API")
        self._addresses += [gateway, core]

    def look_at_state(self, data: Path) -> None:
        """All files of a state: databases, their WAL, copies; but not its key, which is looked for, too."""
        if (data / "master.key").exists():
            for key in keyfile.read(data / "master.key").keys.values():
                self.know("a master key", keyfile.as_text(key))
        for path in sorted(data.rglob("*")):
            if path.is_file() and path.name not in KEYS:
                with suppress(FileNotFoundError):  # SQLite takes its files beside a database away when that is closed
                    self.add(str(path.relative_to(data)), path.read_bytes())
                if path.name == LOG:
                    self._states.add(path.parent.resolve())

    def _logged(self, event: LogEvent) -> None:
        self.add("the log", eventAsText(event))

    # Its end.

    def findings(self) -> list[Finding]:
        """What has been found so far. Whatever was added is let go of."""
        canary = Canary()
        for value, name in self._secrets.items():
            canary.know(name, value)
        joined: dict[str, list[bytes]] = {}
        for sink, content in self._contents:
            joined.setdefault(sink, []).append(content)
        self._contents.clear()
        for sink, contents in joined.items():
            canary.add(sink, b"\n".join(contents))
        return canary.findings()

    def end(self) -> None:
        """The gateway has stopped. Raises AssertionError if a secret is where none may be; it does not say which."""
        for address in self._addresses:
            callers.WATCHERS.pop(address, None)
        self._addresses.clear()
        self.searched.update(dict.fromkeys(self._states, time.time_ns()))
        self._states.clear()
        found = self.findings()
        if found:
            told = "\n".join(f"  {each.sink}: {each.secret}, {each.spelling}, at byte {each.offset}" for each in found)
            raise AssertionError(f"secrets are where none may be:\n{told}")


def unsearched(folder: Path) -> list[Path]:
    """The states below `folder` in which a gateway wrote its log, and that were not searched since."""
    return [
        path.parent
        for path in sorted(folder.rglob(LOG))
        if (path.parent / "master.key").exists()
        and path.stat().st_mtime_ns > LeakSearch.searched.get(path.parent.resolve(), 0) + SETTLING
    ]


def search_states(folder: Path, secrets: Iterable[str], outputs: Iterable[str] = ()) -> None:
    """Look for `secrets` in every state below `folder`, whose gateways have stopped, and in what these have printed.

    Raises AssertionError if one is there. For gateways that a test does not speak to through a `GatewayClient`.
    """
    search = LeakSearch()
    for number, secret in enumerate(secrets):
        search.know(f"secret {number}", secret)
    for key in folder.rglob("master.key"):
        search.look_at_state(key.parent)
    for output in outputs:
        search.add("the output", output)
    search.end()


class Watcher:
    """Sees what one listener is asked and answers."""

    def __init__(self, search: LeakSearch, sink: str) -> None:
        self._search = search
        self._sink = sink

    def asked(self, headers: Iterable[tuple[str, str]], body: object) -> None:
        """Secrets in a request: tokens and keys in headers, and what is to become a credential."""
        if isinstance(body, bytes):
            for key in _PRIVATE_KEY.findall(body.replace(rb"\n", b"\n")):
                for line in _LINE.findall(key):
                    self._search.know("a line of a private key", line.decode())
        for name, value in headers:
            if name.lower() in SHOWN_IN:
                self._search.know(f"what a caller shows in {name}", value.removeprefix("Bearer "))
        if isinstance(body, bytes) and b"credentialSecret" in body:
            try:
                document = json.loads(body)
            except ValueError:
                return
            for name, value in secrets_of(document) if isinstance(document, dict) else ():
                self._search.know(name, value)

    def answered(self, answer: Answer) -> None:
        """The gateway's own answers: all of the Core API, and errors of the Proxy API."""
        if any(name.lower().endswith("proxy-code") and value == GRANTED for name, value in answer.headers):
            return
        if answer.status == 303:
            return  # to a provider: the browser is given its state and its cookie
        if self._sink == "answers of the Core API" or answer.status >= 400:
            self._search.add(self._sink, f"{answer.reason} {answer.headers}".encode() + answer.body)

    def ended(self, raw: bytes) -> None:
        """All that came until the connection was closed."""
        if GRANTED.encode() not in raw:
            self._search.add(self._sink, raw)


def secrets_of(document: Mapping[str, Any], registry: Registry | None = None) -> Iterator[tuple[str, str]]:
    """(name, value) of every text in a `credentialSecret`, but for fields that its auth type does not call secret."""
    given = document.get("credentialSecret")
    open_fields = _open_fields(registry or _registry(), document.get("credentialAuthType"))
    if isinstance(given, Mapping):
        if "value" in given:  # it is secret, and the key is a header's name then
            open_fields |= {"key"}
        given = {name: value for name, value in given.items() if name not in open_fields}
    yield from _texts("credentialSecret", given)


def _open_fields(registry: Registry, auth_type: object) -> set[str]:
    for side in Side:
        plugin = registry.auth_type(str(auth_type), side)
        if plugin is not None:
            fields = [field for field in attrs.fields(plugin.Config) if not field.metadata.get("secret")]
            return {spelling for field in fields for spelling in (field.name, _published(field.name))}
    return set()


def _tokens_in(answer: OutsideAnswer) -> Iterator[tuple[str, str]]:
    try:
        document = json.loads(answer.body)
    except ValueError:
        return
    if isinstance(document, dict):
        for name in GIVEN_OUTSIDE:
            yield from _texts(f"a provider's {name}", document.get(name))


_call_outside = Outside.request


async def _watched(self: Outside, *args: Any, **kwargs: Any) -> OutsideAnswer:
    """Tokens that a gateway is given while it runs are secrets as well."""
    answer = await _call_outside(self, *args, **kwargs)
    for search in tuple(LeakSearch._of.values()):
        if search._addresses:
            for name, value in _tokens_in(answer):
                search.know(name, value)
    return answer


Outside.request = _watched  # type: ignore[method-assign]


@cache
def _registry() -> Registry:
    return load_registry()


def _published(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _texts(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(f"{name}.{key}", each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(name, each)
