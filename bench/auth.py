"""What each auth type costs a request beside `apiKey` in and `bearer` out: `python -m bench.auth [--pairs N]`.

Belongs here: the auth types that are compared, and their table. Does not: one round (load.py), the programs (parts.py).

One gateway has a proxy for each. In every round each is measured right beside the base, first and second in turns; a
ratio is that of such a pair.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen
from joserfc import jwt
from joserfc.jwk import ECKey
from rich.console import Console

from bench import load, nginx, parts
from bench.load import Load, Round
from bench.parts import CALLER_KEY, TARGET_TOKEN, Core, Missing, Part
from bench.tables import Table, spread

PAIRS = 7
CONNECTIONS = 32
COLD_TOKENS = 10_000
"""The gateway remembers about half as many, those that came last, and none after a change of its credential."""
BASE = "apiKey → bearer"
Secret = dict[str, Any]


@frozen
class Pair:
    """An auth type on one side, with the usual one on the other."""

    name: str
    caller: tuple[str, Secret] = ("apiKey", {"key": "X-API-Key", "value": CALLER_KEY, "addToHeader": True})
    towards: tuple[str, Secret] = ("bearer", {"token": TARGET_TOKEN})
    headers: dict[str, str] = field(factory=lambda: {"X-API-Key": CALLER_KEY})
    script: str = ""
    path: str = ""
    """Of the target's base: `/any` where it is not the token that the target is shown."""


def pairs(token_url: str, folder: Path) -> list[Pair]:
    """What is compared, `BASE` first. `folder`: where the tokens of callers are written that come once each."""
    key = ECKey.generate_key("P-256")
    verify = ("jwtVerify", {"publicKey": key.as_pem(private=False).decode(), "audience": "us"})
    plain = b64encode(b"ann:what-callers-show").decode()
    stored = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"
    client = {"clientId": "bench", "clientSecret": "bench-secret-4d1a77", "tokenUrl": token_url}
    asked = {"request": {"url": token_url, "method": "POST"}, "tokenPath": "$.access_token", "ttl": 86400}
    signing = {"signingKey": "32-bytes-or-more-that-nobody-is-shown", "algorithm": "HS256", "prefix": "Bearer "}
    aws = {"accessKeyId": "AKIDBENCH", "secretAccessKey": "bench-9b02", "region": "us-east-1", "service": "execute-api"}
    return [
        Pair(BASE),
        Pair("→ oauth2, token at hand", towards=("oauth2", {"grantType": "client_credentials", **client})),
        Pair("→ customToken, token at hand", towards=("customToken", asked)),
        Pair("→ apiKey", towards=("apiKey", {"key": "Authorization", "value": f"Bearer {TARGET_TOKEN}"})),
        Pair("→ custom", towards=("custom", {"headers": {"Authorization": f"Bearer {TARGET_TOKEN}"}})),
        Pair("→ basicAuth", towards=("basicAuth", {"username": "us", "password": "for-them"}), path="/any"),
        Pair("→ jwt, signed here", towards=("jwt", signing), path="/any"),
        Pair("→ hmac", towards=("hmac", {"secret": "bench-77c1", "header": "Authorization"}), path="/any"),
        Pair("→ awsSigV4", towards=("awsSigV4", aws), path="/any"),
        Pair("bearer →", ("bearer", {"token": CALLER_KEY}), headers={"Authorization": f"Bearer {CALLER_KEY}"}),
        Pair(
            "basicAuth →",
            ("basicAuth", {"username": "ann", "password": "what-callers-show"}),
            headers={"Authorization": f"Basic {plain}"},
        ),
        Pair("jwt →", ("jwt", {"token": stored}), headers={"Authorization": stored}),
        Pair("jwtVerify ES256 →, verified before", verify, headers={"Authorization": f"Bearer {token_of(key, -2)}"}),
        Pair(
            "jwtVerify ES256 →, not yet",
            verify,
            headers={"Authorization": f"Bearer {token_of(key, -1)}"},
            script=cold(key, folder / "tokens"),
        ),
    ]


def token_of(key: ECKey, number: int) -> str:
    """A token as issuers make them, of which no two are the same."""
    now = int(time.time())
    said = {"iss": "https://login.example.com/", "sub": "auth0|0123456789", "aud": "us", "jti": number, "iat": now}
    return jwt.encode({"alg": "ES256"}, {**said, "exp": now + 86400}, key, algorithms=["ES256"])


def cold(key: ECKey, file: Path) -> str:
    """Lua that shows each of the tokens that it writes to `file`, one after the other."""
    file.write_text("".join(f"{token_of(key, number)}\n" for number in range(COLD_TOKENS)))
    return f"""
local tokens, n = {{}}, 0
for token in io.lines("{file}") do tokens[#tokens + 1] = "Bearer " .. token end
request = function()
  n = n % #tokens + 1
  return wrk.format("GET", nil, {{["Authorization"] = tokens[n]}})
end
"""


def main() -> int:
    """Measure, print, and say what was missing."""
    parser = argparse.ArgumentParser(prog="python -m bench.auth", description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--only", default="", metavar="TEXT", help="auth types whose row's name holds this")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prog := "rrgate-bench") as name:
        try:
            table = measured(Path(name), given.pairs, given.seconds, given.only)
        except Missing as missing:
            print(f"{prog}: {missing}", file=sys.stderr)
            return 1
    table.show(Console(width=140))
    return 0


def measured(folder: Path, turns: int, seconds: int, only: str = "") -> Table:
    """The table of all, or of those whose name holds `only`. Raises Missing."""
    started: list[Part] = []
    try:
        started.append(target := nginx.start_target(folder))
        base = f"http://127.0.0.1:{target.port}"
        process, port, core = parts.start_gateway(folder, target, "rrgate")
        started.append(Part("rrgate", process, port, "", {}))
        targets = {path: core.target(base + path) for path in ("", "/any")}
        compared = []
        for pair in pairs(f"{base}/token", folder):
            if pair.name != BASE and only not in pair.name:
                continue
            caller, towards = core.credential("proxy", *pair.caller), core.credential("target", *pair.towards)
            proxy = core.proxy(caller, targets[pair.path], towards)
            path = f"/api/{proxy}/rows"
            part = Part(pair.name, process, port, path, pair.headers, pair.script)
            if pair.script:
                part = evolve(part, before=partial(_forget, core, caller, pair.caller, count(1)))
            compared.append(part)
        for part in compared:
            load.verify(part)
        return _table(_rounds(compared, folder, turns, seconds))
    finally:
        for part in reversed(started):
            part.stop()


def _forget(core: Core, credential: str, caller: tuple[str, Secret], numbers: Iterator[int]) -> None:
    """Have the gateway forget whose tokens it has verified."""
    auth_type, secret = caller
    changed = {**secret, "clockTolerance": next(numbers)}
    core.change(f"credentials/{credential}", credentialAuthType=auth_type, credentialSecret=changed)


def _rounds(measured: Sequence[Part], folder: Path, number: int, seconds: int) -> dict[str, list[tuple[Round, Round]]]:
    """By name, the rounds of each with those of the base beside them."""
    base, *others = measured
    results: dict[str, list[tuple[Round, Round]]] = {part.name: [] for part in others}
    for part in measured:
        load.run(part, Load(CONNECTIONS, 1), folder)
    for turn in range(number):
        for part in others:
            order = (part, base) if turn % 2 else (base, part)
            cost = {each.name: load.run(each, Load(CONNECTIONS, seconds), folder) for each in order}
            results[part.name].append((cost[part.name], cost[BASE]))
    return results


def _table(results: dict[str, list[tuple[Round, Round]]]) -> Table:
    table = Table(
        f"GET, 1 KB JSON, {CONNECTIONS} connections, by auth type; median (least–most)",
        ("callers → target", "CPU µs a request", f"× {BASE}"),
    )
    table.add(BASE, spread([base.cpu for beside in results.values() for _, base in beside], 1), "1.00")
    for name, beside in results.items():
        ratios = [mine.cpu / base.cpu for mine, base in beside]
        table.add(name, spread([mine.cpu for mine, _ in beside], 1), spread(ratios, 2))
    return table


if __name__ == "__main__":
    raise SystemExit(main())
