"""Samples of every built-in plugin, as its author would give them to `check_plugin`, by the plugin's name.

Belongs here: the samples; each new built-in plugin gets some. Does not: running them (test_built_ins.py).
"""

from __future__ import annotations

from typing import Any

from rrgate.testing import Ask

SECRET = "a-Secret/of-the-Sample+0001"

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
    "data-injection": {
        "settings": {"proxyAdditionalData": {"added": "yes"}},
        "good": Ask("POST", "/", {"Content-Type": "application/json"}, b'{"own":1}'),
        "bad": {"a body that is no JSON": Ask("POST", "/", {"Content-Type": "application/json"}, b"{own:")},
        "accepted": lambda received: received.body == b'{"own":1,"added":"yes"}',
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
    "response-size": {
        "settings": {"proxyMaxResponseBytes": 1000},
        "bad_configs": [("proxyMaxResponseBytes", {"proxyMaxResponseBytes": 1 << 30, "proxyStreaming": "never"})],
    },
}
