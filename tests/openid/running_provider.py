"""`RunningProvider`: npm's oidc-provider as a process of its own (provider.mjs), and what tests ask of it.

Belongs here: starting, stopping, plain requests to it. Does not: any expectation, the gateway.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.real_parts import missing

HERE = Path(__file__).parent

SERVICE = {"clientId": "service", "clientSecret": "service-secret: with % and + and : -0001"}
"""A client of its own account, which shows its secret in a header."""
SERVICE_POST = {"clientId": "service-post", "clientSecret": "service-post-secret-0001-of-tests"}
"""One that shows it in the body."""
WEB = {"clientId": "web", "clientSecret": "web-secret-0001-of-every-test-here"}
"""A client of people's accounts: code flow with PKCE, refresh tokens that are replaced at every use."""

API = "urn:tests:api"
"""The audience of its JWTs."""


class RunningProvider:
    """An OpenID provider on loopback, with a protected resource beside it."""

    def __init__(self, **given: Any) -> None:
        """`redirectUris`: of the client `web`; `lifetime`: of access tokens, in seconds.

        Skips the test where Node.js or the package is missing.
        """
        node = shutil.which("node")
        if node is None:
            missing("Node.js", "install it, and then: npm ci --prefix tests/openid")
        if not (HERE / "node_modules" / "oidc-provider").is_dir():
            missing("npm's oidc-provider", "install it with: npm ci --prefix tests/openid")
        self._process = subprocess.Popen(
            [node, str(HERE / "provider.mjs"), json.dumps(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self.issuer: str = json.loads(self._process.stdout.readline())["issuer"]

    @property
    def token_url(self) -> str:
        return f"{self.issuer}/token"

    @property
    def authorization_url(self) -> str:
        return f"{self.issuer}/auth"

    @property
    def resource(self) -> str:
        """A target that answers 200, with what the provider says of the token, to a token that is active; else 401."""
        return f"{self.issuer}/resource"

    def token_requests(self) -> int:
        """How many have come."""
        return int(self._get("/tests/token-requests"))

    @property
    def jwks_uri(self) -> str:
        """Where the keys are that it signs with."""
        return f"{self.issuer}/jwks"

    def key_set_requests(self) -> int:
        """How many have come."""
        return int(self._get("/tests/key-set-requests"))

    def sign_with(self, signing: str, *published: str) -> None:
        """From now on the key named `signing` signs access tokens, and only it and those `published` are in the key
        set. Keys are made when they are first named; at first there is `first`."""
        names = [("published", name) for name in (signing, *published)]
        self._get(f"/tests/keys?{urlencode([('signing', signing), *names])}")

    def access_token(self) -> str:
        """A new JWT for `API`, of the client `service-post`."""
        asked = urlencode(
            {
                "grant_type": "client_credentials",
                "client_id": SERVICE_POST["clientId"],
                "client_secret": SERVICE_POST["clientSecret"],
                "scope": "api:read",
                "resource": API,
            }
        )
        with urllib.request.urlopen(self.token_url, data=asked.encode(), timeout=10) as answer:
            token: str = json.load(answer)["access_token"]
        return token

    def refresh_token(self) -> str:
        """A new grant's, for the client `web`."""
        return self._get("/tests/refresh-token")

    def revoke_all(self) -> None:
        """No access token that was issued so far is active any more."""
        self._get("/tests/revoke-all")

    def stop(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(self.issuer + path, timeout=10) as answer:
            told: str = answer.read().decode()
        return told
