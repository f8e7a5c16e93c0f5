"""Whom targets' certificates must be for and by, over TLS in memory.

Belongs here: Trust and what it verifies. Does not: bytes after the handshake (test_tls.py).
"""

from __future__ import annotations

import os
import ssl
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import DNSName, GeneralName, IPAddress
from twisted.internet.error import ConnectionDone, ConnectionLost

from rrgate.model.client_certificate import read_client_certificate
from rrgate.route import Endpoint
from rrgate.wire import trust
from rrgate.wire.tls import reason_of
from rrgate.wire.trust import NotTrusted, Trust, name_to_verify, new_context
from tests.certificates import Authority
from tests.wire.dialling import Attempt, Network_
from tests.wire.tls_ends import Ends, Server

OURS, OTHER = Authority("ours"), Authority("another")
BETWEEN = Authority("between", OURS)
A_NAME, AN_ADDRESS = (DNSName("a.test"),), (IPAddress(ip_address("192.0.2.1")),)


def shown_to(place: Path, host: str, *, bundle: str | None = OURS.pem, by: Authority = OURS, **more: Any) -> Ends:
    """A connection to `host` after its handshake, or what came of it; `more`: of the certificate that it shows."""
    ends = Ends(Server(by.server_context("a.test", place, **more)), new_context(bundle, None), name_to_verify(host))
    ends.move().lose()
    return ends


@pytest.mark.parametrize(
    ("names", "host"),
    [
        (A_NAME, "a.test"),
        ((DNSName("A.Test"),), "a.TEST"),
        ((DNSName("other.test"), DNSName("a.test")), "a.test"),
        ((DNSName("*.a.test"),), "b.a.test"),
        ((DNSName("xn--mnchen-3ya.test"),), "münchen.test"),
        ((DNSName("xn--mnchen-3ya.test"),), "xn--mnchen-3ya.test"),
        (AN_ADDRESS, "192.0.2.1"),
        ((IPAddress(ip_address("2001:db8::1")),), "2001:db8:0::1"),
    ],
)
def test_a_certificate_for_the_host_is_right(tmp_path: Path, names: tuple[GeneralName, ...], host: str) -> None:
    ends = shown_to(tmp_path, host, names=names)
    assert (ends.inner.handshakes, ends.server.ready) == (1, True)


@pytest.mark.parametrize(
    ("names", "host"),
    [
        (A_NAME, "b.test"),
        (A_NAME, "b.a.test"),
        ((DNSName("*.a.test"),), "a.test"),
        ((DNSName("*.a.test"),), "c.b.a.test"),
        ((DNSName("*.test"),), "a.test"),
        ((DNSName("*"),), "a.test"),
        ((DNSName("b*.a.test"),), "b1.a.test"),
        ((DNSName("b.*.test"),), "b.a.test"),
        ((), "a.test"),  # the common name alone
        ((DNSName("b.test"),), "a.test"),  # the common name would do
        ((DNSName("192.0.2.1"),), "192.0.2.1"),
        (AN_ADDRESS, "192.0.2.2"),
        (A_NAME, "192.0.2.1"),
    ],
)
def test_a_certificate_for_another_is_refused(tmp_path: Path, names: tuple[GeneralName, ...], host: str) -> None:
    ends = shown_to(tmp_path, host, names=names)
    assert (ends.inner.handshakes, ends.server.received) == (0, b"")
    assert ends.server.error is not None  # it was told
    assert reason_of(ends.inner.error) == "certificate verify failed: it is for another name"


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"bundle": OTHER.pem}, "unable to get local issuer certificate"),
        ({"bundle": ""}, "unable to get local issuer certificate"),
        ({"bundle": None}, "unable to get local issuer certificate"),
        ({"by": BETWEEN}, "unable to get local issuer certificate"),
        ({"bundle": BETWEEN.pem, "by": BETWEEN}, "unable to get issuer certificate"),
        ({"hours": -1}, "certificate has expired"),
    ],
)
def test_a_certificate_of_somebody_else_is_refused(tmp_path: Path, how: dict[str, Any], why: str) -> None:
    ends = shown_to(tmp_path, "a.test", **how)
    assert ends.inner.handshakes == 0
    assert reason_of(ends.inner.error) == f"certificate verify failed: {why}"


@pytest.mark.parametrize("error", [ConnectionLost(), ConnectionDone()])
def test_a_connection_that_ends_inside_the_handshake_is_told_in_words(error: Exception) -> None:
    assert reason_of(error) == "the connection was closed"


@pytest.mark.parametrize("host", ["a..test", "a b", ".test", "", "a" * 64 + ".test", "a.test\0.evil.test"])
def test_a_host_that_cannot_be_verified_is_refused(host: str) -> None:
    with pytest.raises(NotTrusted):
        name_to_verify(host)


@pytest.mark.parametrize(("host", "named"), [("a.test", "a.test"), ("192.0.2.1", None), ("2001:db8::1", None)])
def test_the_server_is_told_whom_is_meant_by_name(tmp_path: Path, host: str, named: str | None) -> None:
    told: list[str | None] = []
    context = OURS.server_context("a.test", tmp_path)
    context.sni_callback = lambda connection, name, of: told.append(name)  # type: ignore[assignment,misc]
    Ends(Server(context), new_context(OURS.pem, None), host).move()
    assert told == [named]


def test_old_versions_and_weak_ciphers_are_not_offered() -> None:
    context = new_context(None, None)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    names = [each["name"] for each in context.get_ciphers()]
    assert names
    weak = ("NULL", "RC4", "3DES", "DES-", "MD5", "PSK", "SRP", "ADH", "AECDH", "EXP", "DSS", "CAMELLIA", "SEED")
    assert [name for name in names if any(each in name for each in weak)] == []
    assert context.security_level >= 2


# What is trusted, and kept


def test_a_bundle_is_trusted_alone_and_may_hold_other_text() -> None:
    def count(bundle: str) -> int:
        return new_context(bundle, None).cert_store_stats()["x509"]

    assert [count(each) for each in ("", "a comment\n", "not -----END CERTIFICATE----- one")] == [0, 0, 0]
    assert count(f"Größe\n{OURS.pem}\nand\n{OTHER.pem}{OURS.pem}") == 2


@pytest.mark.parametrize("inside", ["nonsense", "bm9uc2Vuc2U=", "Größe", ""])
def test_a_bundle_that_does_not_parse_is_an_error(inside: str) -> None:
    bundle = f"{OURS.pem}-----BEGIN CERTIFICATE-----\n{inside}\n-----END CERTIFICATE-----\n"
    with pytest.raises(NotTrusted, match="CA bundle does not parse"):
        new_context(bundle, None)


class Kept:
    """A Trust whose thread is this one."""

    def __init__(self) -> None:
        self.network = Network_()
        self.trust = Trust(self.network)

    def context_for(self, endpoint: Endpoint) -> ssl.SSLContext:
        attempt = Attempt(self.trust.context_for(endpoint))
        if not attempt.over:
            self.network.threads.end()
        assert self.trust.kept(endpoint) is attempt.result
        return attempt.result  # type: ignore[no-any-return]


def test_targets_that_need_nothing_of_their_own_share_a_context() -> None:
    kept = Kept()
    shown = read_client_certificate(OURS.client("us"))
    plain = kept.context_for(Endpoint(True, "a.test", 443))
    others = [
        Endpoint(True, "a.test", 443, OURS.pem),
        Endpoint(True, "a.test", 443, OTHER.pem),
        Endpoint(True, "a.test", 443, OURS.pem, shown),
        Endpoint(True, "a.test", 443, None, shown),
    ]
    assert kept.context_for(Endpoint(True, "b.test", 8443)) is plain
    contexts = [kept.context_for(each) for each in others]
    assert len({id(each) for each in [plain, *contexts]}) == 5
    assert [kept.context_for(each) for each in others] == contexts


def test_contexts_are_not_kept_without_end_and_those_in_use_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "MOST_CONTEXTS", 2)
    kept = Kept()
    in_use = kept.context_for(Endpoint(True, "a.test", 443, ""))
    for bundle in ("1", "2", "3"):
        kept.context_for(Endpoint(True, "a.test", 443, bundle))
        assert len(kept.trust._contexts) <= 2
        assert kept.context_for(Endpoint(True, "a.test", 443, "")) is in_use


def test_an_interpreter_of_another_system_trusts_this_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bundle = tmp_path / "system.pem"
    bundle.write_text(OURS.pem)
    nowhere = ssl.get_default_verify_paths()._replace(cafile=None, capath=None)
    monkeypatch.setattr(trust, "SYSTEM_BUNDLES", (str(tmp_path / "missing"), str(bundle)))
    with_its_own = new_context(None, None).cert_store_stats()["x509"]
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nowhere)
    assert new_context(None, None).cert_store_stats()["x509"] == with_its_own + 1


def test_a_client_certificate_is_in_no_file_for_longer_than_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = read_client_certificate(OURS.client("us"))
    opened: list[Any] = []
    really = os.fdopen

    def note(*arguments: Any) -> Any:
        opened.append(really(*arguments))
        assert os.readlink(f"/proc/self/fd/{opened[-1].fileno()}").startswith("/memfd:")
        return opened[-1]

    monkeypatch.setattr(os, "fdopen", note)
    new_context(None, shown)

    def refuse(*arguments: object) -> None:
        raise ssl.SSLError("no")

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", refuse)
    with pytest.raises(NotTrusted, match="client certificate cannot be shown"):
        new_context(None, shown)
    assert [each.closed for each in opened] == [True, True]
