"""The search for secrets finds them in every spelling, and nothing where there is none.

Belongs here: `rrgate.testing.canary` alone. Does not: whether the gateway keeps its secrets
(tests/gateway/test_leaks.py).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from rrgate.testing import Canary

SPELLINGS: dict[str, Callable[[str], bytes]] = {
    "plain": lambda secret: secret.encode(),
    "inside of a text": lambda secret: f"token={secret}; path=/".encode(),
    "in a repr": lambda secret: repr({"key": secret.encode()}).encode(),
    "cut off behind": lambda secret: secret[:20].encode() + b"...",
    "cut off before": lambda secret: b"..." + secret[-20:].encode(),
    "in JSON": lambda secret: json.dumps({"a": [secret]}).encode(),
    "in JSON that escapes slashes": lambda secret: json.dumps(secret).replace("/", "\\/").encode(),
    "in base64": lambda secret: base64.b64encode(secret.encode()),
    "in base64 behind one byte": lambda secret: base64.b64encode(b"u" + secret.encode() + b"x"),
    "in base64 behind two bytes": lambda secret: base64.b64encode(b"u:" + secret.encode() + b"xy"),
    "in URL-safe base64": lambda secret: base64.urlsafe_b64encode(b"user:" + secret.encode()),
    "in base64 without padding": lambda secret: base64.b64encode(secret.encode()).rstrip(b"="),
    "quoted": lambda secret: quote(secret).encode(),
    "quoted with its slashes": lambda secret: quote_plus(secret).encode(),
    "every byte percent-encoded": lambda secret: "".join(f"%{ord(letter):02x}" for letter in secret).encode(),
    "every byte in capitals": lambda secret: "".join(f"%{ord(letter):02X}" for letter in secret).encode(),
    "some bytes percent-encoded": lambda secret: secret.replace(secret[5], f"%{ord(secret[5]):02x}").encode(),
    "in hexadecimal": lambda secret: secret.encode().hex().encode(),
    "in capital hexadecimal": lambda secret: secret.encode().hex().upper().encode(),
    "in a hex dump": lambda secret: secret.encode().hex(" ").encode(),
    "in UTF-16": lambda secret: secret.encode("utf-16"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_found_in_every_spelling(spelling: str) -> None:
    for _ in range(20):
        canary = Canary()
        canary.secret("another")
        secret = canary.secret("the key")
        canary.add("a sink", b"\0\xff before " * 10 + SPELLINGS[spelling](secret) + b" behind \xff" * 10)
        canary.add("a clean sink", "nothing")
        found = canary.findings()
        assert {(each.secret, each.sink) for each in found} == {("the key", "a sink")}
        assert secret not in repr(found)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_found_wherever_it_stands(spelling: str) -> None:
    canary, sinks = Canary(), set()
    for secret in ("sixteen/bytes+16", "a-much-longer-secret/of-40-characters+40"):
        canary.know(secret, secret)
        for before in range(17):
            for behind in range(9):
                sinks.add(f"{secret} {before} {behind}")
                canary.add(f"{secret} {before} {behind}", b"." * before + SPELLINGS[spelling](secret) + b"." * behind)
    assert {each.sink for each in canary.findings()} == sinks


def test_what_is_no_secret_is_not_found() -> None:
    canary, other = Canary(), Canary()
    canary.secret("the key")
    for spelling in SPELLINGS.values():
        canary.add("a sink", spelling(other.secret("not ours")))
    canary.add("a file that is not there", Path("/nowhere/at/all"))
    assert canary.findings() == []


def test_files_are_read(tmp_path: Path) -> None:
    canary = Canary()
    (tmp_path / "log").write_text(canary.secret("the key"))
    canary.add("log", tmp_path / "log")
    assert [each.sink for each in canary.findings()] == ["log"]


def test_secrets_differ_and_prefixes_stand_before_them() -> None:
    canary = Canary()
    made = {canary.secret("token", prefix="u-") for _ in range(100)}
    assert len(made) == 100
    assert all(secret.startswith("u-") for secret in made)


def test_what_may_occur_by_chance_is_refused() -> None:
    with pytest.raises(ValueError, match="the pin is shorter than 16"):
        Canary().know("the pin", "1234")
