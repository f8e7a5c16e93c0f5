"""Takes one check after the other out of jwtVerify and shows that a test notices; run by hand, not by pytest.

    python -m tests.plugins.jwt.mutations [word]      (from the root; only those whose lines hold `word`; minutes)

Belongs here: which checks there are, as replacements of text, and what must notice. Does not: how that is done
(tests/mutating.py).
"""

from __future__ import annotations

import sys

import joserfc.jwk  # noqa: F401 - loaded here so that the forks need not

from tests.mutating import run

HERE = "plugins/jwt_verify/"
TABLES = [
    "tests/plugins/jwt/test_choosing_a_key.py",
    "tests/plugins/jwt/test_form.py",
    "tests/plugins/jwt/test_claims.py",
]
NOTICES = {
    f"{HERE}strict.py": [*TABLES, "tests/plugins/jwt/test_fetching.py"],
    f"{HERE}tokens.py": TABLES,
    f"{HERE}claims.py": TABLES,
    f"{HERE}keys.py": [*TABLES, "tests/plugins/jwt/test_config.py"],
    f"{HERE}config.py": ["tests/plugins/jwt/test_config.py", *TABLES],
    f"{HERE}remote_keys.py": ["tests/plugins/jwt/test_remote_keys.py", "tests/plugins/jwt/test_fetching.py"],
    f"{HERE}verified.py": ["tests/plugins/jwt/test_verified.py", "tests/plugins/jwt/test_remote_keys.py"],
    f"{HERE}__init__.py": [*TABLES, "tests/plugins/jwt/test_verified.py", "tests/plugins/jwt/test_remote_keys.py"],
}

STRICT = [
    ('rb"[A-Za-z0-9_-]+\\Z"', 'rb"[A-Za-z0-9_-]+"'),
    ('rb"[A-Za-z0-9_-]+\\Z"', 'rb"[A-Za-z0-9_-]+$"'),
    ('rb"[A-Za-z0-9_-]+\\Z"', 'rb"[A-Za-z0-9_-]*\\Z"'),
    ('rb"[A-Za-z0-9_-]+\\Z"', 'rb"[A-Za-z0-9_+/-]+\\Z"'),
    ('rb"[A-Za-z0-9_-]+\\Z"', 'rb"[A-Za-z0-9_=-]+\\Z"'),
    (" or len(text) % 4 == 1:", ":"),
    ('if urlsafe_b64encode(decoded).rstrip(b"=") != text:', "if False:"),
    ('text.decode("utf-8")', 'text.decode("latin-1")'),
    ('text.decode("utf-8")', 'text.decode("utf-8", "replace")'),
    ("object_pairs_hook=_members, ", ""),
    (", parse_constant=_no_constant", ""),
    ('if "\\\\u" in decoded:', "if False:"),
    ("except (ValueError, RecursionError):", "except ValueError:"),
    ("if not isinstance(value, dict):", "if False:"),
]

TOKENS = [
    ("if len(parts) != 3:", "if len(parts) < 3:"),
    ("if not isinstance(algorithm, str):", "if False:"),
    ("if key_id is not None and not isinstance(key_id, str):", "if False:"),
    ('if "crit" in header:', "if False:"),
    ('if "crit" in header:', 'if header.get("crit"):'),
    ('if "crit" in header:', 'if isinstance(header.get("crit"), list):'),
    ('if "b64" in header:', "if False:"),
    ('if "b64" in header:', 'if header.get("b64"):'),
    ("if not isinstance(type_, str) or type_.lower()", "if type_.lower()"),
    ("if not isinstance(type_, str) or", "if not isinstance(type_, str) and"),
    ('.removeprefix("application/") not in _TYPES', " not in _TYPES"),
    ("type_.lower().removeprefix", "type_.removeprefix"),
    ('frozenset({"jwt", "at+jwt"})', 'frozenset({"jwt"})'),
    ('"typ", "JWT")', '"typ")'),
]

CLAIMS = [
    ("        if expires is None:\n            raise", "        if False:\n            raise"),
    ("if now - self.tolerance >= expires:", "if False:"),
    ("if now - self.tolerance >= expires:", "if now - self.tolerance > expires:"),
    ("if now - self.tolerance >= expires:", "if now >= expires:"),
    ("if now - self.tolerance >= expires:", "if now >= expires + self.tolerance:"),
    ("if begins is not None and begins > now + self.tolerance:", "if False:"),
    (
        "if begins is not None and begins > now + self.tolerance:",
        "if begins is not None and begins >= now + self.tolerance:",
    ),
    ("if begins is not None and begins > now + self.tolerance:", "if begins is not None and begins > now:"),
    ("if issued is not None and issued > now + self.tolerance:", "if False:"),
    ("if issued is not None and issued > now + self.tolerance:", "if issued is not None and issued > now:"),
    ("if self.issuers is not None and issuer not in self.issuers:", "if False:"),
    (
        "if self.issuers is not None and issuer not in self.issuers:",
        "if issuer and issuer not in (self.issuers or {issuer}):",
    ),
    ('if subject == "":', "if False:"),
    ("        self._judge_audience(claims)\n", ""),
    ('if "aud" in claims:', "if False:"),
    ('if "aud" in claims:', "if named is not None:"),
    ("or not all(isinstance(each, str) for each in named):", "or False:"),
    ("if not isinstance(named, list) or", "if isinstance(named, list) and"),
    (
        "if self.audiences is None or (named is None and not self.audiences):",
        "if self.audiences is None or not self.audiences:",
    ),
    (
        "if self.audiences is None or (named is None and not self.audiences):",
        "if self.audiences is None or named is None:",
    ),
    ("if self.audiences is None or (named is None and not self.audiences):", "if self.audiences is None:"),
    ("if named is None or self.audiences.isdisjoint(named):", "if False:"),
    ("if type(value) is int or", "if isinstance(value, int) or"),
    ("(type(value) is float and isfinite(value))", "type(value) is float"),
    ('    raise TokenRefused(f"the token\'s `{name}` is no number of seconds")', "    return float(value)"),
    ("    if isinstance(value, str):\n        return value", "    if True:\n        return value"),
]

KEYS = [
    ("named = token.key_id if token.key_id in self._ids else None", "named = None"),
    ("named = token.key_id if token.key_id in self._ids else None", "named = token.key_id"),
    ("if (whole or key.key_id == named) and token.algorithm in key.algorithms]", "if whole or key.key_id == named]"),
    ("if (whole or key.key_id == named) and token.algorithm", "if token.algorithm"),
    ("        if not tried:", "        if False:"),
    ("if len(tried) > _MOST_TRIED:", "if False:"),
    ("if not any(key.verifies(token) for key in tried):", "if False:"),
    ('if len(secret) < SECRET_BYTES["HS256"]:', "if False:"),
    ('if len(secret) < SECRET_BYTES["HS256"]:', 'if len(secret) <= SECRET_BYTES["HS256"]:'),
    (
        'if b"-----BEGIN " in secret or secret.startswith((b"ssh-", b"ecdsa-")):',
        'if secret.startswith((b"ssh-", b"ecdsa-")):',
    ),
    ('if b"-----BEGIN " in secret or secret.startswith((b"ssh-", b"ecdsa-")):', 'if b"-----BEGIN " in secret:'),
    ("for name, size in SECRET_BYTES.items() if len(secret) >= size)", "for name in SECRET_BYTES)"),
    ('if "PRIVATE KEY-----" in text:', "if False:"),
    ('jwk.get("use", "sig") != "sig" or ', ""),
    ('or not isinstance(operations, list) or "verify" not in operations', 'or "verify" not in operations'),
    (' or "verify" not in operations:', ":"),
    ('    if kind == "oct":', "    if False:"),
    ("if not isinstance(kind, str) or kind not in _MEMBERS:", "if kind not in _MEMBERS:"),
    ("if not isinstance(kind, str) or kind not in _MEMBERS:", "if not isinstance(kind, str):"),
    ('    if "d" in jwk:', "    if False:"),
    ("not isinstance(key_id, str | None) or ", ""),
    (" or not isinstance(algorithm, str | None):", ":"),
    ("isinstance(value, str) and len(value) <= _LONGEST_MEMBER", "isinstance(value, str)"),
    ("isinstance(value, str) and len(value) <= _LONGEST_MEMBER", "len(value or '') <= _LONGEST_MEMBER"),
    ('            _check_size(_number(members["n"]), _number(members["e"]))\n', "            pass\n"),
    ("        _check_size(numbers.n, numbers.e)\n", ""),
    ("if modulus.bit_length() not in _RSA_BITS:", "if modulus.bit_length() < 2048:"),
    ("if modulus.bit_length() not in _RSA_BITS:", "if modulus.bit_length() < 2040:"),
    ("if exponent.bit_length() > _EXPONENT_BITS:", "if False:"),
    ("    if fitting is None:", "    if False:"),
    ("if algorithm is not None and algorithm not in fitting:", "if False:"),
    ("fitting if algorithm is None else (algorithm,)", "fitting"),
    ('("EC", "P-256"): ("ES256",)', '("EC", "P-256"): ("ES256", "ES384")'),
    ('("EC", "P-384"): ("ES384",)', '("EC", "P-384"): ("ES384", "ES512")'),
    ('("EC", "P-521"): ("ES512",)', '("EC", "P-521"): ("ES512", "ES384")'),
    ('("OKP", "Ed25519"): ("EdDSA", "Ed25519")', '("OKP", "Ed25519"): ("EdDSA", "Ed25519", "Ed448")'),
    ('"PS384", "PS512"),\n    ("EC"', '"PS384", "PS512", "HS256"),\n    ("EC"'),
]

CONFIG = [
    ("problems = self._wrong_source() or self._wrong_keys()", "problems = self._wrong_keys()"),
    ("for name in given[1:]]", "for name in given[2:]]"),
    ("if not 0 <= self.clock_tolerance <= _MOST_TOLERANCE:", "if not 0 <= self.clock_tolerance:"),
    ("if not 0 <= self.clock_tolerance <= _MOST_TOLERANCE:", "if not self.clock_tolerance <= _MOST_TOLERANCE:"),
    ('"" in _several(value) or (name == "issuer" and not value)', 'name == "issuer" and not value'),
    ('("" in _several(value) or (name == "issuer" and not value))', '"" in _several(value)'),
    ("if self.jwks_uri is not None and self.audience == ():", "if False:"),
    (
        "return SYMMETRIC if self.shared_secret is not None else frozenset(get_args(Algorithm)) - SYMMETRIC",
        "return frozenset(get_args(Algorithm))",
    ),
    ("return frozenset(self.algorithms)", "return frozenset(get_args(Algorithm))"),
    (
        'if not isinstance(members, list) or len(members) > MOST_KEYS:\n            return [Problem("jwks',
        'if not isinstance(members, list):\n            return [Problem("jwks',
    ),
    (
        'if not isinstance(members, list) or len(members) > MOST_KEYS:\n            return [Problem("jwks',
        'if len(members) > MOST_KEYS:\n            return [Problem("jwks',
    ),
    ("if not found and not problems:", "if False:"),
    ("        if not algorithms:", "        if False:"),
    ("if SYMMETRIC & set(algorithms):", "if False:"),
    ("if size < (least := SECRET_BYTES.get(name, 0)):", "if (least := 0):"),
    ("if self.keys is not None and not fitting & set(algorithms):", "if False:"),
    ('parts.scheme in ("https", "http")', "True"),
    (" and bool(parts.hostname)", ""),
    (" and port != 0", ""),
    (" and len(url) <= _LONGEST_URL", ""),
    ('"@" not in parts.netloc and ', ""),
    (" and url.isprintable()", ""),
    ("& set(' \\\\\"<>#')", "& set('\\\\\"<>#')"),
    ("& set(' \\\\\"<>#')", "& set(' \\\\\"<>')"),
]

REMOTE = [
    ("if self._keys is not None and self._clock.seconds() - self._fetched_at >= LIFETIME:", "if False:"),
    ("if age >= FRESH and self._may_fetch():", "if False:"),
    ("if age >= FRESH and self._may_fetch():", "if age >= FRESH and self._fetch is None:"),
    ("if age >= 2 * FRESH and not self._failed:", "if False:"),
    ("if age >= 2 * FRESH and not self._failed:", "if age >= 2 * FRESH:"),
    ("if age >= 2 * FRESH and not self._failed:", "if not self._failed:"),
    ("        if keys is None:\n            raise NoKeys", "        if keys is None:\n            return KeySet(())"),
    (
        "            self._timer.cancel()\n            self._timer = None\n        if self._fetch",
        "            self._timer = None\n        if self._fetch",
    ),
    ("            self._fetch.cancel()", "            pass"),
    ("pause = PAUSE if self._keys is not None else COLD_PAUSE", "pause = PAUSE"),
    ("pause = PAUSE if self._keys is not None else COLD_PAUSE", "pause = COLD_PAUSE"),
    ("return self._fetch is None and self._clock", "return self._clock"),
    ("        if self._timer is None:\n            itself", "        if True:\n            itself"),
    ("itself = weakref.ref(self)", "itself = lambda: self"),
    ("self._tried_at = self._clock.seconds()", "pass"),
    ("timeout=_TIMEOUT,", "timeout=600,"),
    ("limit=_MOST_BYTES,", "limit=1 << 30,"),
    ("if self._keys is None or answer.status != 200 or answer.body != self._body:", "if True:"),
    (
        "if self._keys is None or answer.status != 200 or answer.body != self._body:",
        "if self._keys is None or answer.body != self._body:",
    ),
    ('self._tell(Event("keys-unreachable"', '(lambda event: None)(Event("keys-unreachable"'),
    ("each.callback(result if broke else None)", "each.callback(None)"),
    ("weakref.WeakValueDictionary()", "{}"),
    ("if answer.status != 200:\n        raise", "if False:\n        raise"),
    ("if not isinstance(members, list) or len(members) > MOST_KEYS:", "if not isinstance(members, list):"),
    ("if not isinstance(members, list) or len(members) > MOST_KEYS:", "if len(members or ()) > MOST_KEYS:"),
    ("        except WrongKey:\n            continue", "        except ZeroDivisionError:\n            continue"),
    ("return keys if keys.knows(key_id) else None", "return keys"),
    ("        if not keys.knows(key_id):\n            self._plan(http)\n", ""),
    ("        if self._may_fetch():\n            self._begin(http)\n        if self._fetch", "        if self._fetch"),
    ("self._failed = True  # until it has not", "pass"),
    ("if broke and not waiting:", "if False:"),
]

VERIFIED = [
    (
        "if verified is None or now >= verified.until or wall >= verified.expires:",
        "if verified is None or wall >= verified.expires:",
    ),
    (
        "if verified is None or now >= verified.until or wall >= verified.expires:",
        "if verified is None or now >= verified.until:",
    ),
    ("now >= verified.until", "now > verified.until"),
    ("wall >= verified.expires", "wall > verified.expires"),
    ("LONGEST: Final = 300.0", "LONGEST: Final = 301.0"),
    ("        self._begin_anew_with(keys)\n        verified", "        verified"),
    ("sha256(raw).digest()", "raw[:40]"),
    ("        while self._size + size > MOST_BYTES:", "        while False:"),
    ("        self._drop(key)\n", ""),
    ("            self._size -= gone.size", "            pass"),
]

PLUGIN = [
    ("if shown[: len(_SCHEME)].lower() != _SCHEME:", "if False:"),
    ("if shown[: len(_SCHEME)].lower() != _SCHEME:", "if shown[: len(_SCHEME)] != _SCHEME:"),
    ("        if len(raw) > LONGEST_TOKEN:\n", "        if False:\n"),
    ("if token.algorithm not in self._algorithms:", "if False:"),
    ("        keys.verify(token)\n", ""),
    ("expires = self._rules.judge(claims, self.context.wall())", "expires = 2e9"),
    ("MappingProxyType(claims)", "claims"),
    ("if self._warns:", "if False:"),
    ("        except NoKeys:\n            return _NO_KEYS", "        except NoKeys:\n            return Identity('x')"),
    ("self._warns = config.audience is None", "self._warns = not config.audience"),
    ("context.shared.of(RemoteKeySets, RemoteKeySets)", "RemoteKeySets()"),
]

MUTATIONS = [
    (file, old, new)
    for file, rows in zip(
        NOTICES, (STRICT, TOKENS, CLAIMS, KEYS, CONFIG, REMOTE, VERIFIED, PLUGIN), strict=True
    )
    for old, new in rows
]  # fmt: skip

if __name__ == "__main__":
    sys.exit(run(MUTATIONS, NOTICES, sys.argv[1:]))
