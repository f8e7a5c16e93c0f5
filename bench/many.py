"""Fills the state of a gateway with as many nouns as a large one has, through the Store, with really sealed secrets.

Belongs here: made-up proxies, credentials and rules. Does not: measuring a gateway that has them (scale.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from attrs import frozen

from bench.parts import CALLER_KEY, REGION, TARGET_TOKEN
from rrgate.ids import new_id
from rrgate.json_text import json_text
from rrgate.model import Credential, Proxy, Rule, Side, Target
from rrgate.model.hosts import address_of
from rrgate.model.rule import PathCheck, Pattern
from rrgate.store import Store
from rrgate.store.inventory import Noun
from rrgate.store.secrets import Secrets, credential_row

TARGETS = 100
"""Each with a credential of its own; the proxies take them in turns."""
_BATCH = 5000
_NOW = 1_790_000_000_000


@frozen
class Many:
    """How many of each there are to be."""

    proxies: int = 10_000
    credentials: int = 100_000
    rules: int = 50_000


def fill(data: Path, client: str, user: str, target: str, many: Many) -> list[str]:
    """Write `many` nouns of `client` into the state of a gateway that is not running; answers the proxies' ids.

    Every proxy has a caller's credential of its own, whose key is `CALLER_KEY`, and rules on both; what is left of the
    credentials is used by none. All targets are the one at the URL `target`.
    """
    store = Store.open(data)
    try:
        nouns = list(_nouns(store.secrets, {"client_id": client, "user_id": user}, target, many))
        waiting = iter(nouns)
        while batch := list(islice(waiting, _BATCH)):
            store.save(*batch)
    finally:
        store.close()
    return [noun.id for noun in nouns if isinstance(noun, Proxy)]


def _nouns(secrets: Secrets, whose: dict[str, str], target: str, many: Many) -> Iterator[Noun]:
    """What others name before them."""
    stamp = _NOW

    def common() -> dict[str, Any]:
        nonlocal stamp
        stamp += 1
        return {"id": new_id(), "created_at": stamp, "updated_at": stamp, **whose}

    def credential(side: Side, auth_type: str, secret: dict[str, Any], **settings: Any) -> Credential:
        known, plain = common(), json_text(secret, sort=True).encode()
        row = credential_row(known["id"])
        return Credential(
            name=f"credential {stamp}", side=side, auth_type=auth_type, region=REGION,
            sealed_secret=secrets.seal(whose["client_id"], row, plain), fingerprint=secrets.fingerprint(row, plain),
            **known, **settings,
        )  # fmt: skip

    key = {"key": "X-API-Key", "value": CALLER_KEY, "addToHeader": True}
    hosts = (address_of(target).entry,)
    targets = [Target(name=f"target {n}", region=REGION, base_url=target, **common()) for n in range(TARGETS)]
    towards = [
        credential(Side.TARGET, "bearer", {"token": TARGET_TOKEN}, allowed_hosts=hosts) for _ in range(TARGETS)
    ]
    callers = [credential(Side.PROXY, "apiKey", key) for _ in range(many.credentials - TARGETS)]
    proxies = [
        Proxy(
            name=f"proxy {n}", region=REGION, alias=f"proxy-{n}", additional_headers={"X-Bench": "1"},
            proxy_credential_id=callers[n].id, target_id=targets[n % TARGETS].id,
            target_credential_id=towards[n % TARGETS].id, **common(),
        )
        for n in range(many.proxies)
    ]  # fmt: skip
    yield from targets
    yield from towards
    yield from callers
    yield from proxies
    for n in range(many.rules):
        # Four of a proxy and one of its caller's credential.
        parent = (callers if n % 5 == 4 else proxies)[n // 5 % many.proxies]
        path = PathCheck(Pattern(f"^/v1/resource{n}/[0-9]+$"))
        yield Rule(parent_id=parent.id, effect="deny", path=path, **common())
