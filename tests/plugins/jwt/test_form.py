"""Tokens that are not what RFC 7515 says, or could be read in two ways, by class, with the section each is from.

Belongs here: bytes, JSON and signatures. Does not: algorithms and keys (test_choosing_a_key.py), claims
(test_claims.py).
"""

from __future__ import annotations

import json

import pytest

from tests.plugins.jwt.cases import ES, HS, RS, Case, Classes, cases, check, claiming, good, resigned, with_claims
from tests.plugins.jwt.signing import CLAIMS, SECRET, as_json, b64, ed, es, es_der, hs, ps, rs, rsa_key, token

BITS = "bits that stand for nothing"
FORM, BASE64, JSON, SIGNATURE = "three parts", "no base64url", "no JSON", "signature is not right"
THEIRS = rsa_key("theirs")
OURS = b'"aud":"us","iss":"https://issuer.test"}'
ORDER = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
OTHER = b64(as_json({**HS, "x": 1}))
LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def parts(whole: bytes) -> list[bytes]:
    return whole.split(b".")


def padded(whole: bytes, place: int) -> bytes:
    found = parts(whole)
    found[place] += b"=" * (-len(found[place]) % 4 or 4)
    return b".".join(found)


def loose(text: bytes) -> bytes:
    """base64url whose last letter has a bit set that stands for nothing."""
    assert len(text) % 4
    return text[:-1] + LETTERS[LETTERS.index(text[-1]) + 1 :][:1]


def uneven(value: object) -> bytes:
    """`value` in base64url that has bits over."""
    text = as_json(value)
    return b64(text if len(text) % 3 else text + b" ")


def signed_as_it_is(header: object, claims: bytes) -> bytes:
    """`claims` are not encoded; neither is a `header` of bytes."""
    signed = (header if isinstance(header, bytes) else b64(as_json(header))) + b"." + claims
    return signed + b"." + b64(hs()(signed))


CLASSES: Classes = {
    "encodings": [
        ("padding in the header, RFC 7515 2", "secret", padded(good(HS, hs()), 0), BASE64),
        ("padding in the signature", "secret", padded(good(HS, hs()), 2), BASE64),
        ("the other alphabet", "set", parts(good())[0] + b"+/." + b".".join(parts(good())[1:]), BASE64),
        ("a line end in it", "secret", signed_as_it_is(HS, b"\n" + b64(as_json(dict(CLAIMS)))), "payload is not right"),
        ("a line end behind it", "secret", good(HS, hs()) + b"\n", BASE64),
        ("a space behind it", "secret", good(HS, hs()) + b" ", BASE64),
        ("a NUL behind it", "secret", good(HS, hs()) + b"\0", BASE64),
        ("one letter over, RFC 4648 3.5", "secret", good(HS, hs()) + b"AA", "no base64url"),
        ("bits over in the signature", "secret", loose(good(HS, hs())), BITS),
        ("bits over in the header", "secret", signed_as_it_is(loose(uneven(HS)), b64(as_json(dict(CLAIMS)))), BITS),
        ("bits over in the claims", "secret", signed_as_it_is(HS, loose(uneven(dict(CLAIMS)))), BITS),
        ("a letter of no alphabet", "secret", good(HS, hs())[:-1] + b"\xe9", BASE64),
        ("UTF-8 that is none, RFC 7515 5.2", "secret", with_claims(b'{"sub":"\xff","exp":1800000000}'), JSON),
        ("UTF-8 in too many bytes", "secret", with_claims(b'{"sub":"\xc0\xaf","exp":1800000000}'), JSON),
        ("UTF-16", "secret", with_claims(json.dumps(CLAIMS).encode("utf-16")), JSON),
        ("a byte order mark, RFC 8259 8.1", "secret", with_claims(b"\xef\xbb\xbf" + as_json(dict(CLAIMS))), JSON),
        ("half of a pair, RFC 7493 2.1", "secret", with_claims(b'{"sub":"\\ud800","exp":1800000000}'), JSON),
        ("half of a pair in a name", "secret", with_claims(b'{"\\udfff":1,"exp":1800000000}'), JSON),
        ("a whole pair", "secret", with_claims(json.dumps({**CLAIMS, "sub": "😀"}).encode()), ""),
        ("a header in half a pair", "secret", token(b'{"alg":"HS256","x":"\\ud800"}', CLAIMS, hs()), JSON),
    ],
    "form": [
        ("nothing", "secret", b"", FORM),
        ("one part", "secret", b"e30", FORM),
        ("two parts, RFC 7515 7.1", "secret", b".".join(parts(good(HS, hs()))[:2]), FORM),
        ("four parts", "secret", good(HS, hs()) + b".e30", FORM),
        ("five parts, an encrypted one, RFC 7516 7.1", "secret", good(HS, hs()) + b".e30.e30", FORM),
        ("JSON, RFC 7515 7.2", "secret", b'{"payload":"e30","signatures":[]}', FORM),
        ("JSON with dots", "secret", b'{"a":".","b":"."}', BASE64),
        ("two tokens", "secret", good(HS, hs()) + b", " + good(HS, hs()), FORM),
        ("no payload, RFC 7515 F", "secret", resigned(b64(as_json(HS)) + b"..", hs()), "payload is not right"),
        ("a header that is a list", "secret", token([HS], CLAIMS, hs()), "no JSON object"),
        ("a header that is a string", "secret", token("HS256", CLAIMS, hs()), "no JSON object"),
        ("no JSON as header", "secret", token(b"{alg:HS256}", CLAIMS, hs()), JSON),
        ("something behind the header", "secret", token(b'{"alg":"HS256"}{}', CLAIMS, hs()), JSON),
        ("claims in a list, RFC 7519 7.2", "secret", with_claims(json.dumps([CLAIMS]).encode()), "no JSON object"),
        ("claims that are null", "secret", with_claims(b"null"), "no JSON object"),
        ("claims that are a token, RFC 7519 5.2", "secret", token({**HS, "cty": "JWT"}, good(HS, hs()), hs()), JSON),
        ("NaN, RFC 8259 6", "secret", with_claims(b'{"exp":NaN}'), "JSON has not"),
        ("infinity", "secret", with_claims(b'{"exp":Infinity}'), "JSON has not"),
        ("minus infinity", "secret", with_claims(b'{"exp":1800000000,"nbf":-Infinity}'), "JSON has not"),
        ("deep claims", "secret", with_claims(b'{"exp":1800000000,"x":' + b"[" * 5900 + b"]" * 5900 + b"}"), JSON),
        ("deep claims without an end", "secret", with_claims(b'{"exp":1800000000,"x":' + b"[" * 5900), JSON),
        ("a deep header", "secret", token(b"[" * 6000, {}, hs()), JSON),
        ("a number of 5000 digits", "secret", with_claims(b'{"exp":' + b"9" * 5000 + b"}"), JSON),
    ],
    "typ": [
        ("a logout token, RFC 8725 3.11", "secret", good({**HS, "typ": "logout+jwt"}, hs()), "`typ`"),
        ("a security event, RFC 8417 2.3", "secret", good({**HS, "typ": "secevent+jwt"}, hs()), "`typ`"),
        ("a DPoP proof, RFC 9449 4.2", "secret", good({**HS, "typ": "dpop+jwt"}, hs()), "`typ`"),
        ("with its prefix", "secret", good({**HS, "typ": "application/dpop+jwt"}, hs()), "`typ`"),
        ("a request, RFC 9101 10.8", "secret", good({**HS, "typ": "oauth-authz-req+jwt"}, hs()), "`typ`"),
        ("an introspection, RFC 9701 5", "secret", good({**HS, "typ": "token-introspection+jwt"}, hs()), "`typ`"),
        ("JOSE", "secret", good({**HS, "typ": "JOSE"}, hs()), "`typ`"),
        ("a list", "secret", good({**HS, "typ": ["JWT"]}, hs()), "`typ`"),
        ("null", "secret", good({**HS, "typ": None}, hs()), "`typ`"),
        ("empty", "secret", good({**HS, "typ": ""}, hs()), "`typ`"),
    ],
    "duplicate members": [
        ("alg, RFC 7515 4 and 10.12", "secret", token(b'{"alg":"none","alg":"HS256"}', CLAIMS, hs()), "twice"),
        ("alg the same", "secret", token(b'{"alg":"HS256","alg":"HS256"}', CLAIMS, hs()), "twice"),
        ("alg in another spelling", "secret", token(b'{"alg":"HS256","\\u0061lg":"none"}', CLAIMS, hs()), "twice"),
        ("kid", "secret", token(b'{"alg":"HS256","kid":"a","kid":"b"}', CLAIMS, hs()), "twice"),
        ("in an object of the header", "secret", token(b'{"alg":"HS256","x":{"a":1,"a":2}}', CLAIMS, hs()), "twice"),
        ("exp, RFC 7519 4", "secret", with_claims(b'{"exp":1,"exp":1800000000,' + OURS), "twice"),
        ("aud", "secret", with_claims(b'{"aud":"them","exp":1800000000,' + OURS), "twice"),
        ("sub", "secret", with_claims(b'{"sub":"a","sub":"b","exp":1800000000,' + OURS), "twice"),
        ("one's own", "secret", with_claims(b'{"role":"user","role":"admin","exp":1800000000,' + OURS), "twice"),
        ("in an object of a list", "secret", with_claims(b'{"x":[{"a":1,"a":1}],"exp":1800000000,' + OURS), "twice"),
    ],
    "signatures": [
        ("of other claims", "secret", b".".join([*parts(good(HS, hs()))[:2], parts(claiming(sub="b"))[2]]), SIGNATURE),
        ("of another header", "secret", OTHER + good(HS, hs())[len(b64(as_json(HS))) :], SIGNATURE),
        ("with another secret", "secret", good(HS, hs(secret=SECRET + "x")), SIGNATURE),
        ("cut short", "secret", resigned(good(HS, hs()), lambda signed: hs()(signed)[:16]), SIGNATURE),
        ("too long", "secret", resigned(good(HS, hs()), lambda signed: hs()(signed) + b"\0"), SIGNATURE),
        ("zeros, ES, RFC 8725 2.1", "set", good(ES, lambda signed: bytes(64)), SIGNATURE),
        ("r and s the order of the curve", "set", good(ES, lambda signed: bytes.fromhex(ORDER) * 2), SIGNATURE),
        ("ES in DER, RFC 7518 3.4", "set", good(ES, es_der), SIGNATURE),
        ("ES with zeros in front", "set", good(ES, lambda signed: bytes(2) + es()(signed)), SIGNATURE),
        ("ES384's size with P-256", "set", good(ES, es("384")), SIGNATURE),
        ("RS with another hash", "set", good(RS, rs("512")), SIGNATURE),
        ("RS of another key", "set", good(RS, rs(key=THEIRS)), SIGNATURE),
        ("RS one byte short", "set", good(RS, lambda signed: rs()(signed)[1:]), SIGNATURE),
        ("RS zeros", "set", good(RS, lambda signed: bytes(256)), SIGNATURE),
        ("PS without salt, RFC 7518 3.5", "set", good({"alg": "PS256", "kid": "r"}, ps(salt=0)), SIGNATURE),
        ("EdDSA with Ed448's key", "set", good({"alg": "EdDSA", "kid": "o"}, ed("Ed448")), SIGNATURE),
        ("EdDSA, another's", "set", good({"alg": "EdDSA", "kid": "o"}, ed("Ed25519", "theirs")), SIGNATURE),
    ],
    "sizes": [
        ("16 KiB and a byte", "secret", b"a" * (16 * 1024 + 1), "too long"),
        ("signed and too long", "secret", claiming(x="x" * 12_300), "too long"),
        ("signed and long", "secret", claiming(x="x" * 12_000), ""),
        ("as much again in the header", "secret", good({**HS, "x": "x" * 12_300}, hs()), "too long"),
        ("a signature of 16 KiB", "set", good(RS, lambda signed: bytes(12_300)), "too long"),
        ("dots alone", "secret", b"." * 16_384, FORM),
        ("dots alone, too many", "secret", b"." * 16_385, "too long"),
        ("many members", "secret", claiming(**{f"x{place}": place for place in range(800)}), ""),
    ],
}  # fmt: skip


@pytest.mark.parametrize("case", cases(CLASSES))
def test_tokens(case: Case) -> None:
    check(case)
