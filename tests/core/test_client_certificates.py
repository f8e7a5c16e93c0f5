"""`targetClientCertificate`: checked and sealed when it is saved, and never answered.

Belongs here: that. Does not: showing it (tests/gateway/test_mutual_tls.py).
"""

from __future__ import annotations

import hashlib
import re
import ssl
from typing import Any

import pytest
import pytest_twisted
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from rrgate.core.client_certificates import warnings_of
from rrgate.model.client_certificate import read_client_certificate
from tests.certificates import Authority
from tests.core.doubles import NOW, Core
from tests.odd_keys import dsa_pem, rsa_pem

CLIENTS = Authority("whose clients are")
BETWEEN = Authority("between", CLIENTS)
PEM = CLIENTS.client("the gateway")
CERTIFICATE, KEY = PEM[: PEM.index("-----BEGIN PRIV")], PEM[PEM.index("-----BEGIN PRIV") :]
TARGET = {"targetName": "mutual", "targetRegion": "us-east-1", "targetBaseURL": "https://target.test"}


def secret_of(pem: str) -> str:
    """What of the key is in no answer: a line of its base64."""
    return pem[pem.index("PRIVATE KEY-----") :].splitlines()[1]


@pytest_twisted.ensureDeferred
async def test_it_is_sealed_and_told_of_but_never_answered(core: Core) -> None:
    made = await core.make("targets", {**TARGET, "targetClientCertificate": PEM})
    der = ssl.PEM_cert_to_DER_cert(CERTIFICATE)
    assert "targetClientCertificate" not in made
    assert made["targetClientCertificateFingerprint"] == hashlib.sha256(der).hexdigest()
    assert made["targetClientCertificateSubject"] == "CN=the gateway"
    ends = x509.load_pem_x509_certificate(CERTIFICATE.encode()).not_valid_after_utc
    assert made["targetClientCertificateExpiresAt"] == ends.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    kept = core.directory.targets[made["sKey"]]
    prefix = f"{kept.client_id}|targets/{kept.id}/client-certificate|".encode()
    assert kept.sealed_client_certificate == prefix + PEM.encode()[::-1]
    assert secret_of(PEM) not in f"{kept!r}"
    for path in ("targets", f"targets/{kept.id}", "audit"):
        told = await core.ask("GET", f"/clients/acme/{path}")
        assert (told.status, secret_of(PEM) in told.raw.decode()) == (200, False)


@pytest_twisted.ensureDeferred
async def test_it_is_replaced_and_removed_and_otherwise_stays(core: Core) -> None:
    made = await core.make("targets", {**TARGET, "targetClientCertificate": PEM})
    path = f"/clients/acme/targets/{made['sKey']}"
    # Read, changed, written back.
    told = await core.ask("PUT", path, {**made, "targetName": "renamed", "warnings": ["whatever"]})
    assert told.status == 200, told.raw.decode()
    (kept,) = told.document["targets"]
    assert kept["targetClientCertificateFingerprint"] == made["targetClientCertificateFingerprint"]
    told = await core.ask("PUT", path, {"targetClientCertificate": CLIENTS.client("another")})
    assert told.document["targets"][0]["targetClientCertificateSubject"] == "CN=another"
    told = await core.ask("PUT", path, {"targetClientCertificate": None})
    (kept,) = told.document["targets"]
    assert {kept[f"targetClientCertificate{what}"] for what in ("Subject", "Fingerprint", "ExpiresAt")} == {None}
    assert core.directory.targets[made["sKey"]].sealed_client_certificate is None


@pytest_twisted.ensureDeferred
async def test_it_is_for_https(core: Core) -> None:
    plain = {**TARGET, "targetBaseURL": "http://target.test"}
    told = await core.ask("POST", "/clients/acme/targets", {**plain, "targetClientCertificate": PEM})
    assert (told.status, list(told.problems)) == (400, ["targetClientCertificate"])
    made = await core.make("targets", {**TARGET, "targetClientCertificate": PEM})
    path = f"/clients/acme/targets/{made['sKey']}"
    told = await core.ask("PUT", path, {"targetBaseURL": "http://target.test"})
    assert (told.status, list(told.problems)) == (400, ["targetClientCertificate"])
    told = await core.ask("PUT", path, {"targetBaseURL": "http://target.test", "targetClientCertificate": None})
    assert told.status == 200


def encrypted(pem: str) -> str:
    key = load_pem_private_key(pem.encode(), None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")).decode()


def legacy(pem: str) -> str:
    key = load_pem_private_key(pem.encode(), None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"word")).decode()


def with_odd_key(bits: int, **exponents: int) -> str:
    """A certificate and its key, which is as large as is said, and not right."""
    key = load_pem_private_key(rsa_pem(bits).encode(), None, unsafe_skip_rsa_key_validation=True)
    made = CLIENTS.client("x", key=key)
    return made[: made.index("-----BEGIN PRIV")] + rsa_pem(bits, **exponents)


def with_unknown_curve() -> str:
    """A certificate of a key on a curve that nobody has named, and a key."""
    der = ssl.PEM_cert_to_DER_cert(CERTIFICATE).replace(bytes.fromhex("2a8648ce3d030107"), b"\x2a\x86H\xce=\x03\x01w")
    return ssl.DER_cert_to_PEM_cert(der) + KEY


BAD: list[tuple[Any, str]] = [
    (5, "a string or null"),
    ("", "a certificate and its private key"),
    (KEY, "a certificate and its private key"),
    (CERTIFICATE, "a certificate and its private key"),
    (PEM + KEY, "a certificate and its private key"),
    (PEM.replace("MII", "!!!"), "cannot be read"),
    (CERTIFICATE + KEY.replace("MIG", "AAA"), "cannot be read"),
    (with_unknown_curve(), "cannot be read"),
    (CERTIFICATE + encrypted(KEY), "not be encrypted"),
    (CERTIFICATE + legacy(KEY), "not be encrypted"),
    (CLIENTS.client("x").split("-----BEGIN PRIV")[0] + KEY, "not that of the first certificate"),
    (CLIENTS.pem + PEM, "not that of the first certificate"),
    (PEM + BETWEEN.pem, "in order"),
    (BETWEEN.client("x") + CLIENTS.pem + BETWEEN.pem, "in order"),
    (PEM + 11 * CLIENTS.pem, "at most 10"),
    (PEM + " " * 70_000, "at most 65536"),
    (PEM + "-----BEGIN A-----" * 20, "and little else"),
    (CLIENTS.client("x", key=rsa.generate_private_key(65537, 1024)), "2048 to 4096 bits"),
    (with_odd_key(4352), "2048 to 4096 bits"),
    (CERTIFICATE + dsa_pem(3000, 2000), "RSA, ECDSA or EdDSA"),
    (with_odd_key(2048, exponent_bits=2049), "exponents no longer than"),
    (with_odd_key(2048, prime_exponent_bits=2049), "exponents no longer than"),
    (CLIENTS.client("x", key=dsa.generate_private_key(1024)), "RSA, ECDSA or EdDSA"),
    (PEM + "é", None),
]


@pytest.mark.parametrize(("pem", "said"), BAD)
@pytest_twisted.ensureDeferred
async def test_what_is_refused(core: Core, pem: Any, said: str | None) -> None:
    told = await core.ask("POST", "/clients/acme/targets", {**TARGET, "targetClientCertificate": pem})
    if said is None:
        assert told.status == 200  # text around the blocks is as common as harmless
        return
    assert (told.status, list(told.problems)) == (400, ["targetClientCertificate"])
    assert said in told.problems["targetClientCertificate"]
    for block in re.findall(r"^[A-Za-z0-9+/=]{30,}$", str(pem), re.MULTILINE):
        assert block not in told.raw.decode()


@pytest.mark.parametrize(
    "pem",
    [
        KEY + CERTIFICATE,
        BETWEEN.client("x") + BETWEEN.pem + CLIENTS.pem,
        CLIENTS.client("x", key=ec.generate_private_key(ec.SECP384R1())),
        CLIENTS.client("x", key=rsa.generate_private_key(65537, 2048)),
        with_odd_key(4096, exponent_bits=4096, prime_exponent_bits=2048),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_is_taken(core: Core, pem: str) -> None:
    await core.make("targets", {**TARGET, "targetClientCertificate": pem})


def test_two_are_equal_if_their_certificates_are() -> None:
    one, again = read_client_certificate(PEM), read_client_certificate(KEY + CERTIFICATE)
    assert (one, hash(one), repr(one)) == (again, hash(again), repr(again))
    assert one != read_client_certificate(CLIENTS.client("the gateway"))
    assert one != PEM


@pytest_twisted.ensureDeferred
async def test_its_end_is_warned_of(core: Core) -> None:
    made = await core.make("targets", {**TARGET, "targetClientCertificate": PEM})
    kept = core.directory.targets[made["sKey"]]
    day = 86_400_000
    for ends, said in ((31 * day, []), (29 * day, ["expires"]), (-day, ["has expired"]), (None, [])):
        at = None if ends is None else int(NOW * 1000) + ends
        changed = type(kept)(**{**_attributes(kept), "client_certificate_expires_at": at})
        told = warnings_of(core.house, changed)
        assert [word in sentence for word, sentence in zip(said, told, strict=True)] == [True] * len(said)


def _attributes(noun: Any) -> dict[str, Any]:
    return {each.name: getattr(noun, each.name) for each in noun.__attrs_attrs__}


@pytest_twisted.ensureDeferred
async def test_the_present_one_written_once_more_changes_nothing(core: Core) -> None:
    made = await core.make("targets", {**TARGET, "targetClientCertificate": PEM})
    kept, entries = core.directory.targets[made["sKey"]], len(core.store.entries)
    core.seconds += 1
    where = f"/clients/acme/targets/{made['sKey']}"
    assert (await core.ask("PUT", where, {"targetClientCertificate": PEM})).document["targets"] == [made]
    assert core.directory.targets[made["sKey"]] is kept
    assert len(core.store.entries) == entries
    other = CLIENTS.client("another")
    assert (await core.ask("PUT", where, {"targetClientCertificate": other})).document["targets"] != [made]
