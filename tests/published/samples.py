"""The code samples of the published pages, as they were cut out of them: samples.txt holds each under its page's name.

Belongs here: reading them, and putting a gateway's addresses and ids in place of the pages'. Does not: running them
(test_samples.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import frozen

FILE: Final = Path(__file__).with_name("samples.txt")


@frozen
class Sample:
    """One sample. `name`: what of what, such as `proxies.list`; `language`: as files of it end."""

    page: str
    name: str
    language: str
    code: str


def samples() -> dict[tuple[str, str], Sample]:
    """All of them, by name and language."""
    found = {}
    for part in re.split(r"^=== ", FILE.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        head, _, code = part.partition("\n")
        page, full = head.split(" ")
        name, _, language = full.rpartition(".")
        found[name, language] = Sample(page, name, language, code)
    return found


@frozen(kw_only=True)
class Place:
    """Where a sample runs: the addresses of a gateway, and ids for the placeholders."""

    core_url: str
    gateway_url: str
    target_url: str
    ids: Mapping[str, str]
    alias: str = "payment-gateway"

    def put_into(self, code: str) -> str:
        """`code` with these in place of base URLs, hosts, placeholder ids and the alias; and nothing else."""
        replaced = {
            "https://api.requestrocket.com": self.core_url,
            "https://${region}.requestrocket.com": self.gateway_url,
            "https://us-east-1.requestrocket.com": self.gateway_url,
            "api.requestrocket.com": self.core_url.removeprefix("http://"),
            "https://api.stripe.com": self.target_url,
            "payment-gateway": self.alias,
            **{name: self.ids.get(name, "") for name in PLACEHOLDERS},
        }
        # A brace behind `$` is JavaScript's: a variable and no placeholder.
        wanted = "|".join(("(?<![$])" if name[0] == "{" else "") + re.escape(name) for name in replaced)
        return re.sub(wanted, lambda match: replaced[match[0]], code)


PLACEHOLDERS: Final = (
    "your-client-id",
    "your-proxy-id",
    "your-request-id",
    "cred_123",
    "tgt_456",
    "cred_789",
    "{clientId}",
    "{proxyId}",
    "{requestId}",
    "{user_token}",
    "{your_user_token}",
    "{your_proxy_credential}",
)
