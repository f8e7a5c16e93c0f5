"""Tokens that are signed well and say the wrong thing, by claim, with the section each is from (RFC 7519 4.1).

Belongs here: claims, and what becomes of them. Does not: the token around them.
"""

from __future__ import annotations

import pytest

from tests.plugins.jwt.cases import Case, Classes, cases, check, claiming, with_claims, without
from tests.plugins.jwt.signing import NOW

OURS = b'"aud":"us","iss":"https://issuer.test"}'
BIG = b"9" * 400

CLASSES: Classes = {
    "aud": [
        ("ours", "secret", claiming(aud="us"), ""),
        ("ours, the second, RFC 7519 4.1.3", "secret", claiming(aud=["them", "also-us"]), ""),
        ("another's", "secret", claiming(aud="them"), "`aud`"),
        ("several others'", "secret", claiming(aud=["them", "those"]), "`aud`"),
        ("none, RFC 8725 3.9", "secret", without("aud"), "`aud`"),
        ("an empty list", "secret", claiming(aud=[]), "`aud`"),
        ("null", "secret", claiming(aud=None), "neither a string"),
        ("null where none is looked at", "any audience", claiming(aud=None), "neither a string"),
        ("a number", "secret", claiming(aud=1), "neither a string"),
        ("an object", "secret", claiming(aud={"us": True}), "neither a string"),
        ("ours and a number", "secret", claiming(aud=["us", 1]), "neither a string"),
        ("ours in a list in a list", "secret", claiming(aud=[["us"]]), "neither a string"),
        ("another case, RFC 7519 4.1.3", "secret", claiming(aud="US"), "`aud`"),
        ("a part of ours", "secret", claiming(aud="u"), "`aud`"),
        ("more than ours", "secret", claiming(aud="us.evil.test"), "`aud`"),
        ("ours and more in one string", "secret", claiming(aud="us them"), "`aud`"),
        ("somebody's, where we are nobody", "no audience", claiming(), "`aud`"),
        ("an empty list, where we are nobody", "no audience", claiming(aud=[]), "`aud`"),
        ("none, where we are nobody", "no audience", without("aud"), ""),
        ("anybody's, where it is null", "any audience", claiming(aud="them"), ""),
        ("none, where it is null", "any audience", without("aud"), ""),
    ],
    "dates": [
        ("no exp, RFC 7519 4.1.4", "secret", without("exp"), "no `exp`"),
        ("exp is over", "secret", claiming(exp=NOW - 31), "expired"),
        ("exp is now, and 30 s may be wrong", "secret", claiming(exp=NOW), ""),
        ("exp 30 s ago", "secret", claiming(exp=NOW - 30), "expired"),
        ("exp 29 s ago", "secret", claiming(exp=NOW - 29), ""),
        ("exp is now, exactly", "exact clock", claiming(exp=NOW), "expired"),
        ("exp is in half a second", "exact clock", claiming(exp=NOW + 0.5), ""),
        ("exp in milliseconds", "secret", claiming(exp=NOW * 1000), ""),
        ("exp 0", "secret", claiming(exp=0), "expired"),
        ("exp negative", "secret", claiming(exp=-1), "expired"),
        ("exp a string, RFC 7519 2", "secret", claiming(exp=str(NOW + 600)), "`exp` is no number"),
        ("exp null", "secret", claiming(exp=None), "`exp` is no number"),
        ("exp true", "secret", claiming(exp=True), "`exp` is no number"),
        ("exp a list", "secret", claiming(exp=[NOW + 600]), "`exp` is no number"),
        ("exp too large a number", "secret", with_claims(b'{"exp":1e999,' + OURS), "`exp` is no number"),
        ("exp of 400 digits", "secret", with_claims(b'{"exp":' + BIG + b"," + OURS), ""),
        ("nbf in a while, RFC 7519 4.1.5", "secret", claiming(nbf=NOW + 31), "not valid yet"),
        ("nbf within the tolerance", "secret", claiming(nbf=NOW + 30), ""),
        ("nbf in a moment, exactly", "exact clock", claiming(nbf=NOW + 0.5), "not valid yet"),
        ("nbf now, exactly", "exact clock", claiming(nbf=NOW), ""),
        ("nbf a string", "secret", claiming(nbf="0"), "`nbf` is no number"),
        ("nbf null", "secret", claiming(nbf=None), "`nbf` is no number"),
        ("nbf of 400 digits", "secret", with_claims(b'{"exp":1800000000,"nbf":' + BIG + b"," + OURS), "not valid yet"),
        ("iat in a while, RFC 7519 4.1.6", "secret", claiming(iat=NOW + 31), "from the future"),
        ("iat within the tolerance", "secret", claiming(iat=NOW + 30), ""),
        ("iat long ago", "secret", claiming(iat=0), ""),
        ("iat a string", "secret", claiming(iat="now"), "`iat` is no number"),
        ("iat false", "secret", claiming(iat=False), "`iat` is no number"),
    ],
    "iss and sub": [
        ("another's, RFC 7519 4.1.1", "secret", claiming(iss="https://evil.test"), "`iss`"),
        ("none, RFC 8725 3.8", "secret", without("iss"), "`iss`"),
        ("with a slash more", "secret", claiming(iss="https://issuer.test/"), "`iss`"),
        ("in another case", "secret", claiming(iss="https://ISSUER.test"), "`iss`"),
        ("a part of ours", "secret", claiming(iss="https://issuer"), "`iss`"),
        ("a list with ours", "secret", claiming(iss=["https://issuer.test"]), "`iss` is no string"),
        ("null", "secret", claiming(iss=None), "`iss` is no string"),
        ("a number where none is looked at", "any audience", claiming(iss=1), "`iss` is no string"),
        ("one of several", "several issuers", claiming(iss="https://a.test"), ""),
        ("none of several", "several issuers", claiming(iss="https://b.test"), "`iss`"),
        ("whatever, where none is configured", "any audience", claiming(iss="https://b.test"), ""),
        ("sub a number, RFC 7519 4.1.2", "secret", claiming(sub=1), "`sub` is no string"),
        ("sub null", "secret", claiming(sub=None), "`sub` is no string"),
        ("sub a list", "secret", claiming(sub=["ann"]), "`sub` is no string"),
        ("sub empty", "secret", claiming(sub=""), "of nobody"),
        ("no sub", "secret", without("sub"), ""),
    ],
}  # fmt: skip


@pytest.mark.parametrize("case", cases(CLASSES))
def test_tokens(case: Case) -> None:
    check(case)
