"""What verifying a caller's token costs a request, in this process: `python -m bench.tokens`.

Belongs here: `authenticate` alone, with a token that was verified before and with one that was not, beside a stored
token. Does not: requests over sockets (bench/__main__.py).
"""

from __future__ import annotations

import time
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from twisted.internet.task import Clock
from twisted.logger import Logger

from rrgate.api import Body, Exchange, PluginContext, Side
from rrgate.configuring import configure
from rrgate.registry import load_registry

SECRET = "a-secret-of-the-bench-that-is-as-long-as-the-hash-of-HS512-wants-it"
CLAIMS = {"iss": "https://login.example.com/", "sub": "auth0|0123456789", "aud": "https://api.example.com"}
CLAIMS |= {"scope": "orders:read orders:write", "azp": "0123456789abcdef0123456789abcdef"}
KEYS: dict[str, Any] = {
    "HS256": OctKey.import_key(SECRET),
    "RS256": RSAKey.generate_key(2048),
    "PS256": RSAKey.generate_key(2048),
    "ES256": ECKey.generate_key("P-256"),
    "ES384": ECKey.generate_key("P-384"),
    "ES512": ECKey.generate_key("P-521"),
    "Ed25519": OKPKey.generate_key("Ed25519"),
}


def made(auth_type: str, secret: dict[str, Any]) -> Any:
    """The plugin object of a credential."""
    plugin = load_registry().auth_type(auth_type, Side.PROXY)
    assert plugin is not None
    context = PluginContext(Clock(), time.time, Logger(), "requestrocket-")
    return plugin(configure(plugin.Config, secret, "credentialSecret"), context)


def cost(plugin: Any, token: str, count: int, *, forget: bool = False) -> float:
    """CPU µs a request, the best of five runs."""
    fields = [(b"authorization", b"Authorization", b"Bearer " + token.encode())]
    nobody: Any = None
    runs = []
    for _ in range(5):
        requests = [
            Exchange("id", b"GET", b"/", fields, Body(None), 0, False, "127.0.0.1", 0.0, 0.0, nobody)
            for _ in range(count)
        ]
        begun = time.process_time()
        for ex in requests:
            if forget:
                plugin._verified.__init__()
            plugin.authenticate(ex)
        runs.append((time.process_time() - begun) / count * 1e6)
    return min(runs)


def main() -> None:
    """Print a row for each algorithm."""
    stored = made("bearer", {"token": "t" * 400})
    print(f"{'a stored token of 400 bytes':30} {cost(stored, 't' * 400, 5000):22.1f} µs")
    for name, key in KEYS.items():
        token = jwt.encode({"alg": name}, {**CLAIMS, "exp": int(time.time()) + 3600}, key, algorithms=[name])
        source = {"sharedSecret": SECRET} if name == "HS256" else {"publicKey": key.as_pem().decode()}
        plugin = made("jwtVerify", {**source, "audience": CLAIMS["aud"], "issuer": CLAIMS["iss"]})
        known, unknown = cost(plugin, token, 5000), cost(plugin, token, 300, forget=True)
        print(f"{name:10} {len(token):4} bytes: verified before {known:8.1f} µs, not yet {unknown:8.1f} µs")


if __name__ == "__main__":
    main()
