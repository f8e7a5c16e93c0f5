"""Samples of every built-in plugin, as its author would give them to `check_plugin`, by the plugin's name.

Belongs here: the samples; each new built-in plugin gets some. Does not: running them (test_built_ins.py).
"""

from __future__ import annotations

import hmac
import json
from base64 import b64encode, urlsafe_b64encode
from typing import Any
from urllib.parse import quote, quote_plus

from rrgate.api import OutsideAnswer
from rrgate.testing import Ask, OutsideCall

SECRET = "a-Secret/of-the-Sample+0001"
_BASIC = b64encode(f"ann-of-the-Sample-0001:{SECRET}".encode()).decode()
_JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"
_AWS = {"accessKeyId": "AKIDEXAMPLE", "secretAccessKey": SECRET, "region": "eu-west-1", "service": "lambda"}


def _signed(text: bytes) -> str:
    return hmac.digest(SECRET.encode(), text, "sha256").hex()


def _token(expires: float, audience: str = "us") -> str:
    """A token that the sample of jwtVerify takes until then."""
    claims = {"sub": "ann", "aud": audience, "exp": expires}
    parts = [urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=") for each in ({"alg": "HS256"}, claims)]
    signed = b".".join(parts)
    signature = hmac.digest(f"{SECRET}-of-32-bytes".encode(), signed, "sha256")
    return (signed + b"." + urlsafe_b64encode(signature).rstrip(b"=")).decode()


def _endpoint(call: OutsideCall) -> OutsideAnswer:
    """A token endpoint that knows its client."""
    pair = b64encode(f"ann-of-the-Sample-0001:{quote_plus(SECRET)}".encode()).decode()
    if call.headers.get("Authorization") != f"Basic {pair}":
        return OutsideAnswer(401, (), b'{"error": "invalid_client"}')
    return OutsideAnswer(
        200, (), b'{"access_token": "a-token/of-the-Sample+0001", "token_type": "Bearer", "expires_in": 600}'
    )


def _oauth2(**changes: object) -> dict[str, object]:
    secret = {"clientId": "ann", "clientSecret": SECRET, "tokenUrl": "https://login.test/token"}
    return {"grantType": "client_credentials", **secret, **changes}


def _custom_token(**changes: object) -> dict[str, object]:
    request = {"url": "https://login.test/session", "headers": {"X-App": SECRET}, "body": {"password": f"{SECRET}-too"}}
    return {"request": request, "tokenPath": "$.session[0]", "header": "X-Session", "prefix": "s ", **changes}


SAMPLES: dict[str, dict[str, Any]] = {
    "apiKey": {
        "config": {"key": "X-Api-Key", "value": SECRET},
        "good": {
            "in its header": Ask(headers={"X-Api-Key": SECRET}),
            "in its parameter": Ask(path="/a?x=1&X-Api-Key=a-Secret%2Fof-the-Sample%2B0001&y="),
            "in a parameter named Authorization": Ask(path="/?Authorization=a-Secret%2Fof-the-Sample%2B0001"),
        },
        "bad": {"another key": Ask(headers={"X-Api-Key": "another"})},
        "bad_configs": [
            ("key", {"key": "X Api Key", "value": SECRET}),
            ("key", {"key": "Host", "value": SECRET}),
            ("value", {"key": "X-Api-Key", "value": f"{SECRET}\n"}),
            ("value", {"key": SECRET, "addToQueryParam": True}),
        ],
        "accepted": lambda received: received.every("X-Api-Key") == [SECRET],
    },
    "bearer": {
        "config": {"token": SECRET},
        "good": {
            "in its header": Ask("POST", "/a", {"Authorization": f"Bearer {SECRET}"}, b"body"),
            "in a parameter": Ask(path="/?Authorization=Bearer+a-Secret%2Fof-the-Sample%2B0001"),
        },
        "bad": {
            "another token": Ask(headers={"Authorization": "Bearer another"}),
            "another scheme": Ask(headers={"Authorization": f"Token {SECRET}"}),
        },
        "bad_configs": [
            ("token", {"token": f" {SECRET}"}),
            ("token", {"token": ""}),
            ("prefix", {"token": SECRET, "prefix": " Bearer"}),
            ("addToHeader", {"token": SECRET, "addToHeader": False}),
        ],
        "accepted": lambda received: received.every("Authorization") == [f"Bearer {SECRET}"],
    },
    "oauth2": {
        "config": {
            "grantType": "client_credentials",
            "tokenUrl": "https://login.test/token",
            "clientId": "ann-of-the-Sample-0001",
            "clientSecret": SECRET,
            "extraParams": {"resource": "a-Further/Secret-0001+of-it"},
        },
        "good": Ask("POST", "/a", {}, b"body"),
        "bad_configs": [
            ("tokenUrl", _oauth2(tokenUrl="ftp://login.test/token")),
            ("tokenUrl", _oauth2(tokenUrl="https://ann:pw@login.test/token")),
            ("clientSecret", _oauth2(clientSecret=None)),
            ("refreshToken", _oauth2(refreshToken="a-refresh-token")),
            ("refreshToken", _oauth2(grantType="refresh_token")),
            ("extraParams.client_id", _oauth2(extraParams={"client_id": "another"})),
            ("scope", _oauth2(scope="a\nb")),
        ],
        "accepted": lambda received: received.every("Authorization") == ["Bearer a-token/of-the-Sample+0001"],
        "outside": _endpoint,
        "secrets": ["a-token/of-the-Sample+0001"],
    },
    "customToken": {
        "config": _custom_token(),
        "good": Ask("POST", "/a", {}, b"body"),
        "bad_configs": [
            ("request.url", _custom_token(request={"url": f"https://ann:{SECRET}@login.test/"})),
            ("request.method", _custom_token(request={"url": "https://login.test/", "method": SECRET})),
            ("tokenPath", _custom_token(tokenPath="$..token")),
            ("expiresInPath", _custom_token(expiresInPath="expires")),
            ("ttl", _custom_token(ttl=0)),
            ("header", _custom_token(header="Content-Length")),
        ],
        "accepted": lambda received: received.every("X-Session") == ["s a-token/of-the-Sample+0001"],
        "outside": OutsideAnswer(200, (), b'{"session": ["a-token/of-the-Sample+0001"]}'),
        "secrets": ["a-token/of-the-Sample+0001"],
    },
    "basicAuth": {
        "config": {"username": "ann-of-the-Sample-0001", "password": SECRET},
        "good": {
            "in its header": Ask(headers={"Authorization": f"Basic {_BASIC}"}),
            "in a parameter": Ask(path=f"/?a=b&Authorization=basic%20{quote(_BASIC, safe='')}"),
        },
        "bad": {
            "another password": Ask(headers={"Authorization": "Basic " + b64encode(b"ann:another").decode()}),
            "another scheme": Ask(headers={"Authorization": f"Bearer {_BASIC}"}),
            "no base64": Ask(headers={"Authorization": "Basic ?"}),
        },
        "bad_configs": [
            ("username", {"username": f"a:{SECRET}", "password": ""}),
            ("password", {"username": "", "password": f"{SECRET}\0"}),
            ("password", {"username": "", "password": ""}),
        ],
        "accepted": lambda received: received.every("Authorization") == [f"Basic {_BASIC}"],
        "secrets": [_BASIC],
    },
    "jwt": {
        "config": {"token": _JWT},
        "good": {
            "raw in its header": Ask(headers={"Authorization": _JWT}),
            "behind a scheme": Ask(headers={"Authorization": f"bearer {_JWT}"}),
            "in a parameter": Ask(path=f"/?Authorization={_JWT}"),
        },
        "bad": {"another token": Ask(headers={"Authorization": "Bearer e30.e30.another"})},
        "bad_configs": [
            ("token", {"token": f"Bearer {_JWT}"}),
            ("token", {"token": SECRET}),
            ("signingKey", {"signingKey": SECRET, "algorithm": "HS256"}),
            ("claims.exp", {"signingKey": 2 * SECRET, "algorithm": "HS256", "claims": {"exp": 1}}),
        ],
        "accepted": lambda received: received.every("Authorization") == [_JWT],
    },
    "jwtVerify": {
        "config": {"sharedSecret": f"{SECRET}-of-32-bytes", "audience": "us"},
        "good": {
            "in its header": lambda at: Ask(headers={"Authorization": f"Bearer {_token(at.now + 60)}"}),
            "in a parameter": lambda at: Ask(path=f"/?Authorization=Bearer%20{_token(at.now + 60)}"),
        },
        "bad": {
            "an old one": lambda at: Ask(headers={"Authorization": f"Bearer {_token(at.now - 60)}"}),
            "another scheme": lambda at: Ask(headers={"Authorization": f"JWT {_token(at.now + 60)}"}),
            "for another": lambda at: Ask(headers={"Authorization": f"Bearer {_token(at.now + 60, 'them')}"}),
        },
        "bad_configs": [
            ("sharedSecret", {"sharedSecret": SECRET[:20]}),
            ("jwksUri", {"audience": "us"}),
            ("publicKey", {"publicKey": SECRET}),
            ("algorithms", {"sharedSecret": f"{SECRET}-of-32-bytes", "algorithms": ["RS256"]}),
        ],
    },
    "custom": {
        "config": {"headers": {"X-App": SECRET}, "queryParams": {"sig": f"{SECRET}-too"}},
        "bad_configs": [
            ("headers", {"headers": {f"X {SECRET}": "a"}}),
            ("headers.Host", {"headers": {"Host": SECRET}}),
            ("headers.X-App", {"headers": {"X-App": f"{SECRET}\r\n"}}),
            ("queryParams", {"queryParams": {"": SECRET}}),
            ("queryParams", {"queryParams": {"sig": f"{SECRET}\0"}}),
        ],
        "accepted": lambda received: received.every("X-App") == [SECRET] and "sig=a-Secret%2F" in received.query,
    },
    "awsSigV4": {
        "config": {**_AWS, "sessionToken": f"{SECRET}-of-a-session"},
        "good": {
            "without a body": Ask(path="/a?b=1"),
            "with a body": Ask("POST", "/a", {"X-Amz-Target": "a.B"}, b"{}"),
        },
        "bad": {"signed chunks": Ask("PUT", "/", {"X-Amz-Content-Sha256": "STREAMING-AWS4-HMAC-SHA256"}, b"0")},
        "bad_configs": [
            ("accessKeyId", {**_AWS, "accessKeyId": "a,b/c"}),
            ("secretAccessKey", {**_AWS, "secretAccessKey": f"{SECRET}\n"}),
            ("sessionToken", {**_AWS, "sessionToken": ""}),
            ("region", {**_AWS, "region": "eu/west"}),
            ("service", {**_AWS, "service": ""}),
            ("unsignedPayload", {**_AWS, "unsignedPayload": True}),
        ],
        "accepted": lambda received: received["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"),
    },
    "hmac": {
        "config": {"secret": SECRET, "header": "X-Signature", "template": "{method} {body}"},
        "good": {"without a body": Ask(), "with a body": Ask("POST", "/a", {}, b"body")},
        "bad_configs": [
            ("secret", {"secret": "", "header": "X-Signature"}),
            ("secret", {"secret": SECRET, "secretEncoding": "hex", "header": "X-Signature"}),
            ("header", {"secret": SECRET, "header": "Content-Length"}),
            ("template", {"secret": SECRET, "header": "X-Signature", "template": "{boddy}"}),
            ("template", {"secret": SECRET, "header": "X-Signature", "template": "{body"}),
            ("prefix", {"secret": SECRET, "header": "X-Signature", "prefix": "{body}"}),
            ("timestampHeader", {"secret": SECRET, "header": "X-Signature", "template": "{timestamp}"}),
        ],
        "accepted": lambda received: received["X-Signature"] == _signed(f"{received.method} ".encode() + received.body),
    },
    "none": {},
    "cors": {
        "settings": {"proxyCors": {"origins": ["https://app.example.com"], "headers": ["X-Api-Key"], "maxAge": 5}},
        "good": Ask(headers={"Origin": "https://app.example.com"}),
        "bad": {
            "a preflight of another origin": Ask(
                "OPTIONS", "/", {"Origin": "https://app.example.com:8443", "Access-Control-Request-Method": "GET"}
            ),
        },
        "bad_configs": [
            ("proxyCors.origins", {"proxyCors": {"origins": []}}),
            ("proxyCors.origins.0", {"proxyCors": {"origins": ["https://acme.test/a-path"]}}),
            ("proxyCors.maxAge", {"proxyCors": {"origins": ["https://app.example.com"], "maxAge": -1}}),
        ],
        "accepted": lambda received: received.every("Origin") == ["https://app.example.com"],
    },
    "anonymous-callers": {
        "anonymous": True,
        "good": {
            "of no page": Ask(),
            "of a page of ours": Ask(headers={"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}),
        },
        "bad": {
            "of another site's page": Ask(headers={"Sec-Fetch-Site": "cross-site"}),
            "of another origin": Ask(headers={"Origin": "http://localhost.evil.test"}),
        },
    },
    "allowed-networks": {
        "settings": {"proxyAllowedNetworks": ["203.0.113.0/24"]},  # where the callers of a gateway in memory are
        "bad_configs": [("proxyAllowedNetworks", {"proxyAllowedNetworks": ["a value of some length"]})],
    },
    "data-injection": {
        "settings": {"proxyAdditionalData": {"added": "yes"}},
        "good": Ask("POST", "/", {"Content-Type": "application/json"}, b'{"own":1}'),
        "bad": {"a body that is no JSON": Ask("POST", "/", {"Content-Type": "application/json"}, b"{own:")},
        "accepted": lambda received: received.body == b'{"own":1,"added":"yes"}',
    },
    "rule-checks": {
        "settings": {"proxyDefaultRuleEffect": "deny"},
        "rules": [
            {"effect": "allow", "methods": ["GET", "POST"], "path": "^/a"},
            {"effect": "deny", "query": [{"name": "^b$"}]},
        ],
        "good": {"allowed": Ask(path="/a/b?c=1"), "with a body": Ask("POST", "/a", {"X-A": "1"}, b"body")},
        "bad": {
            "a method that no rule allows": Ask("PUT", "/a"),
            "a path that no rule allows": Ask(path="/b"),
            "a parameter that a rule denies": Ask(path="/a?%62=1"),
        },
        "bad_configs": [("proxyDefaultRuleEffect", {"proxyDefaultRuleEffect": "perhaps"})],
    },
    "answer-filters": {
        "filters": [
            {"effect": "destroy", "jsonPaths": ["$..password"], "path": "^/a"},
            {"effect": "retain", "jsonPaths": ["$.a"], "path": "^/a", "body": [{"jsonPath": "^b$"}]},
        ],
        "good": {
            "one that is not filtered": Ask(),
            "one that is, of which nothing comes": Ask("HEAD", "/a"),
            "one whose body is looked at": Ask("POST", "/b", {"Content-Type": "application/json"}, b'{"b": 1}'),
        },
    },
    "header-injection": {
        "settings": {"proxyAdditionalHeaders": {"X-Added": "yes"}},
        "bad_configs": [
            ("proxyAdditionalHeaders", {"proxyAdditionalHeaders": {"X Added": "a value of some length"}}),
            ("proxyAdditionalHeaders", {"proxyAdditionalHeaders": {"Host": "a value of some length"}}),
            ("proxyAdditionalHeaders", {"proxyAdditionalHeaders": {"X-Added": "a value of some length\r\n"}}),
        ],
        "accepted": lambda received: received.every("X-Added") == ["yes"],
    },
    "query-injection": {
        "settings": {"proxyAdditionalQueryParams": {"added": "y&s"}},
        "good": Ask(path="/?own=1&added=theirs"),
        "bad_configs": [
            ("proxyAdditionalQueryParams", {"proxyAdditionalQueryParams": {"": "a value of some length"}}),
            ("proxyAdditionalQueryParams", {"proxyAdditionalQueryParams": {"a": "a value of some length\0"}}),
        ],
        "accepted": lambda received: received.query == "own=1&added=y%26s",
    },
    "request-size": {
        "settings": {"proxyMaxRequestBytes": 4},
        "good": Ask("POST", "/", (), b"four"),
        "bad": {"a body that is too long": Ask("POST", "/", (), b"more than four")},
    },
    "backoff": {
        "settings": {"proxyRetryPolicy": {"base": 2, "maxRetries": 3, "statuses": [503]}},
        "bad_configs": [
            ("proxyRetryPolicy", {"proxyRetryPolicy": {"maxRetries": 11}}),
            ("proxyRetryPolicy", {"proxyRetryPolicy": {"window": 1000}}),
            ("proxyRetryPolicy", {"proxyRetryPolicy": {"statuses": [200]}}),
        ],
    },
    "attempt-header": {"settings": {"proxyAttemptHeader": True}},
    "response-size": {
        "settings": {"proxyMaxResponseBytes": 1000},
        "bad_configs": [("proxyMaxResponseBytes", {"proxyMaxResponseBytes": 1 << 30, "proxyStreaming": "never"})],
    },
    "request-limits": {
        "settings": {"proxyMaxRequestsPerMinute": 1000, "proxyMaxRequestsPerDay": 1000},
        "meters": [
            {"meterName": "all", "meterType": "request_count", "limits": {"hour": 1000}},
            {
                "meterName": "with a body",
                "meterType": "request_count",
                "meterMode": "conditional",
                "predicates": {"methods": ["POST"], "body": [{"jsonPath": {"pattern": "^a$"}}]},
                "limits": {"month": 1},
            },
            {
                "meterName": "nothing passes",
                "meterType": "request_count",
                "meterMode": "conditional",
                "predicates": {"path": {"path": {"pattern": "^/never"}}},
                "limits": {"day": 0.5},
            },
        ],
        "good": {"with a body": Ask("POST", "/", {"Content-Type": "application/json"}, b'{"b": 1}')},
        "bad": {"for a meter without room": Ask(path="/never")},
        "bad_configs": [
            ("proxyMaxRequestsPerMinute", {"proxyMaxRequestsPerMinute": 0}),
            ("proxyMaxRequestsPerDay", {"proxyMaxRequestsPerDay": "a value of some length"}),
        ],
    },
    "answer-meters": {
        "meters": [
            {
                "meterName": "used",
                "meterType": "response_value",
                "extraction": {"location": "body", "path": "$.used"},
            },
            {
                "meterName": "cost",
                "meterType": "response_value",
                "extraction": {"location": "header", "name": "X-Cost"},
            },
        ],
    },
}
