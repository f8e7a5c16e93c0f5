"""A gateway in memory whose callers show tokens of an issuer that it fetches the keys of, on a clock that is turned.

Belongs here: calling it, and what its issuer answers. Does not: any expectation.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from rrgate.api import OutsideAnswer, OutsideError
from rrgate.model import Proxy
from rrgate.testing import Call, MemoryGateway, OutsideCall
from tests.plugins.jwt.signing import CLAIMS, ec_jwk, ec_key, es, key_set, token

URL = "https://issuer.test/jwks"


def answering(document: object, status: int = 200) -> OutsideAnswer:
    return OutsideAnswer(status, ((b"Content-Type", b"application/json"),), json.dumps(document).encode())


OLD, NEW = ec_jwk(kid="old"), ec_jwk(key=ec_key("P-256", "new"), kid="new")
OF_OLD, OF_NEW = answering(key_set(OLD)), answering(key_set(NEW))
OF_BOTH = answering(key_set(OLD, NEW))
DOWN = OutsideError("the server did not answer in time")


class House:
    """A gateway, and what became of calls with tokens."""

    def __init__(self, says: OutsideAnswer | Exception | Callable[[OutsideCall], Any] = OF_OLD) -> None:
        self.gateway = MemoryGateway()
        self.outside = self.gateway.outside
        self.outside.says = says
        self.first = self.proxy()

    def proxy(self, **secret: Any) -> Proxy:
        return self.gateway.proxy(caller=("jwtVerify", {"jwksUri": URL, "audience": "us", **secret}))

    def begun(self, kid: str | None = "old", proxy: Proxy | None = None, **more: Any) -> Call:
        """A call with a token of that key that nobody has shown before."""
        made = self.token(kid, **more)
        return self.gateway.call("GET", proxy or self.first, "/", {"Authorization": f"Bearer {made}"})

    def token(self, kid: str | None = "old", signer: str | None = None, **claims: Any) -> str:
        """`signer`: whose key signs; that of the `kid` unless it is given."""
        name = "new" if (signer or kid) == "new" else "ours"
        header = {"alg": "ES256"} | ({} if kid is None else {"kid": kid})
        now = self.gateway.clock.wall()
        said = {**CLAIMS, "exp": now + 600, "jti": now, **claims}
        return token(header, said, es(key=ec_key("P-256", name))).decode()

    def status(self, kid: str | None = "old", proxy: Proxy | None = None, **more: Any) -> int:
        return self.begun(kid, proxy, **more).answer.status

    def after(self, seconds: float) -> None:
        self.gateway.clock.advance(seconds)

    @property
    def fetches(self) -> int:
        return len(self.outside.calls)

    def told(self) -> list[tuple[str, str]]:
        return [(event.kind, event.subject) for event in self.gateway.events]
