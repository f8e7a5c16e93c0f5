"""Targets over HTTP, and the forms of their values.

Belongs here: /clients/{clientId}/targets. Does not: what all routes share (test_every_route.py).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.core.doubles import TARGET, Core

PATH = "/clients/acme/targets"


@pytest_twisted.ensureDeferred
async def test_create_change_delete(core: Core) -> None:
    target = await core.make("targets", TARGET)
    assert {name: target[name] for name in TARGET} == TARGET
    assert target["targetTimeout"] == 30
    assert b'"targetTimeout":30,' in (await core.ask("GET", f"/clients/acme/targets/{target['sKey']}")).raw
    where = f"{PATH}/{target['sKey']}"
    core.seconds += 1
    told = await core.ask("PUT", where, {**target, "targetTimeout": 900, "targetTestPath": None})
    assert told.document["targets"] == [
        {
            **target,
            "targetTimeout": 900.0,
            "targetTestPath": None,
            "targetUpdatedAt": "2025-12-12T05:26:58.621Z",
        }
    ]
    assert (await core.ask("DELETE", where)).document == {"message": "Target deleted successfully"}
    assert (await core.ask("GET", where)).status == 404


@pytest_twisted.ensureDeferred
async def test_a_target_in_use_is_deleted_by_force_only(core: Core) -> None:
    proxy = await core.make("proxies", await core.make_parts())
    where = f"{PATH}/{proxy['proxyTargetId']}"
    assert (await core.ask("DELETE", where)).status == 409
    assert (await core.ask("DELETE", f"{where}?force=true")).status == 200
    # The proxy stays, and can still be read, changed and deleted.
    at = f"/clients/acme/proxies/{proxy['sKey']}"
    assert (await core.ask("PUT", at, {"proxyActive": False})).status == 200
    assert (await core.ask("DELETE", at)).status == 200


@pytest_twisted.ensureDeferred
async def test_everything_wrong_is_said_at_once(core: Core) -> None:
    document = {
        "targetRegion": "US",
        "targetBaseURL": "ftp://x",
        "targetTimeout": 0,
        "targetIdleTimeout": "60",
        "targetRawPaths": 1,
        "targetDefaultRuleEffect": "deny",
        "targetBaseUrl": "http://x",
    }
    told = await core.ask("POST", PATH, document)
    assert told.status == 400
    assert set(told.problems) == {*document, "targetName"} - {"targetDefaultRuleEffect"}
    assert told.problems["targetBaseUrl"] == "is not a known field; did you mean targetBaseURL?"
    told = await core.ask("POST", PATH, {**TARGET, "targetBaseUrl": "http://x"})
    assert told.document["message"] == "targetBaseUrl is not a known field; did you mean targetBaseURL?"
    told = await core.ask("POST", PATH, {**TARGET, "targetDefaultRuleEffect": "deny"})
    assert list(told.problems) == ["targetDefaultRuleEffect"]


@pytest.mark.parametrize(
    "url",
    [
        "https://api.stripe.com",
        "http://localhost:8000/",
        "HTTP://API.Example.com./v1",
        "https://127.0.0.1:65535/a/b",
        "https://[2001:db8::1]:1/x",
        "https://bücher.example/a%20b",
        "http://my_service:80",
        "https://x.test/a;b/~c/%2Fd/...",
    ],
)
@pytest_twisted.ensureDeferred
async def test_good_base_urls(core: Core, url: str) -> None:
    assert (await core.make("targets", {**TARGET, "targetBaseURL": url}))["targetBaseURL"] == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.stripe.com",
        "//api.stripe.com",
        "https:/api.stripe.com",
        "https://",
        "https:///path",
        "file:///etc/passwd",
        "https://user@x.test",
        "https://user:pass@x.test",
        "https://x.test?a=1",
        "https://x.test/?",
        "https://x.test/#",
        "https://x.test:0",
        "https://x.test:65536",
        "https://x.test:",
        "https://x.test:8a",
        "https://x.test:٣",
        "https://x.test:80:80",
        "https://x..test",
        "https://-x.test",
        "https://x.test/../a",
        "https://x.test/a/./b",
        "https://x.test/%2e%2E/a",
        "https://x.test/a%2f..%2fb",
        "https://x.test/..;x/",
        "https://x.test/a%5cb",
        "https://x.test/a\\b",
        "https://x.test/%00",
        "https://x.test/%0d%0a",
        "https://x.test/a\r\nb",
        "https://x.test/a b",
        "https://x.test/%zz",
        "https://x.test/%4",
        "https://x.test//a",
        "https://x.test/ü",
        "https://127.1",
        "https://2130706433",
        "https://0x7f000001",
        "https://127.0.0.01",
        "https://1.2.3.4.",
        "https://[::1",
        "https://::1",
        "https://[fe80::1%25eth0]",
        "https://[1.2.3.4]",
        "https://[::1]x",
        "https://" + "a" * 64 + ".test",
        "https://x.test/" + "a" * 2000,
    ],
)
@pytest_twisted.ensureDeferred
async def test_bad_base_urls(core: Core, url: str) -> None:
    told = await core.ask("POST", PATH, {**TARGET, "targetBaseURL": url})
    assert told.status == 400
    assert list(told.problems) == ["targetBaseURL"]
    assert told.problems["targetBaseURL"].startswith("must ")


def certificate() -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2024, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


@pytest_twisted.ensureDeferred
async def test_certificates(core: Core) -> None:
    pem, private = certificate()
    made = await core.make("targets", {**TARGET, "targetCABundle": pem + pem})
    assert made["targetCABundle"] == pem + pem
    for bad in ("", "x", pem.replace("A", "é"), pem[:200], pem + private, 5):
        told = await core.ask("POST", PATH, {**TARGET, "targetCABundle": bad})
        assert list(told.problems) == ["targetCABundle"]
        assert private[40:60] not in told.raw.decode()


@pytest.mark.parametrize(
    ("field", "bad", "good"),
    [
        ("targetTimeout", [0.5, 901, True, "30", None, 10**400, [1]], [1, 900, 12.5]),
        ("targetIdleTimeout", [0, 3601], [1, 3600]),
        ("targetTestPath", ["", "a", "/../a", "/a b", "/a#b", "/%zz", "/a?b=%", "/\n"], ["/", "/a?b=c&d=%20", None]),
        ("targetRegion", ["", "-a", "A", "a_b", "a" * 64, "é", "us east", "a\n"], ["us-east-1", "0", "a" * 63]),
        ("targetName", ["", " ", "x" * 201, "a\x00", "a\x7f", 5, None], ["x", "x" * 200, "Ünïcødé 🚀"]),
        ("targetStrictPath", ["true", 1, None], [True, False]),
        ("targetAllowPlaintext", [0], [True]),
        ("targetDefaultRuleEffect", ["Allow", None], ["allow"]),
    ],
)
@pytest_twisted.ensureDeferred
async def test_values(core: Core, field: str, bad: list[Any], good: list[Any]) -> None:
    for value in bad:
        told = await core.ask("POST", PATH, {**TARGET, field: value})
        assert told.status == 400
        assert list(told.problems) == [field]
    for value in good:
        assert (await core.make("targets", {**TARGET, field: value}))[field] == value


@pytest_twisted.ensureDeferred
async def test_a_change_that_a_proxy_would_not_work_with(core: Core) -> None:
    parts = await core.make_parts()
    slow = await core.make("proxies", {**parts, "proxyAdditionalQueryParams": {"slow": "1"}})
    await core.make("proxies", parts)
    where = f"{PATH}/{parts['proxyTargetId']}"
    before = core.directory.targets[parts["proxyTargetId"]]
    told = await core.ask("PUT", where, {"targetTimeout": 5})
    assert told.status == 409
    assert told.problems == {
        f"proxies.{slow['sKey']}.proxyAdditionalQueryParams.slow": "wants a targetTimeout of 10 seconds or more"
    }
    assert core.directory.targets[before.id] is before
    assert (await core.ask("PUT", where, {"targetTimeout": 10})).status == 200


@pytest_twisted.ensureDeferred
async def test_what_was_wrong_before_does_not_hold_a_target_up(core: Core) -> None:
    parts = await core.make_parts()
    slow = await core.make("proxies", {**parts, "proxyAdditionalQueryParams": {"slow": "1"}})
    target = core.directory.targets[parts["proxyTargetId"]]
    core.directory.put(evolve(target, timeout=5.0))
    told = await core.ask("PUT", f"{PATH}/{target.id}", {"targetName": "Renamed", "targetTimeout": 6})
    assert told.status == 200
    assert slow["proxyTargetId"] == target.id
