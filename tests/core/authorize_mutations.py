"""Takes one check after the other out of authorizing a credential by a person's browser: does a test notice?

    python -m tests.core.authorize_mutations [word]      (from the root; only those that hold `word`; some minutes)

Belongs here: which checks there are, as replacements of text, and what must notice: who may ask, the link, the way back,
the cookie, the pages, what the provider's answer must be. Does not: the tests themselves, tokens of users
(access_mutations.py).
Not here is what another check does again: a user who is deleted, whose tokens go with him.
"""

# ruff: noqa: E501 - a mutation is read best on a line

from __future__ import annotations

import sys

from tests.mutating import Mutation, run

AUTHORIZE, UNDER_WAY, PAGES, NEEDED, ASKING, CONSENT = (
    "rrgate/core/authorize.py",
    "rrgate/core/under_way.py",
    "rrgate/core/authorize_pages.py",
    "rrgate/core/authorization.py",
    "rrgate/authorizing.py",
    "plugins/oauth2/consent.py",
)
ROUTES = "tests/core/test_authorize.py"
NOTICES = {
    AUTHORIZE: [ROUTES, "tests/core/test_other_peoples_ids.py"],
    UNDER_WAY: [ROUTES],
    PAGES: [ROUTES],
    NEEDED: [ROUTES, "tests/core/test_authorization.py"],
    ASKING: ["tests/plugins/test_authorizing.py"],
    CONSENT: ["tests/plugins/test_oauth2_consent.py"],
}

CHECKS: dict[str, list[tuple[str, str]]] = {
    AUTHORIZE: [
        ('owned(call.house.directory.credentials, call, "credentialId")', 'call.house.directory.credentials[call.ids["credentialId"]]'),
        ("    if call.document:\n", "    if False:\n"),
        ("credential.side is not Side.TARGET or not", "not"),
        ("credential.side is not Side.TARGET or not house.authorizing.asks(credential)", "credential.side is not Side.TARGET"),
        ("    await call.note_authorization(credential)\n", ""),
        ("    if not base:\n", "    if False:\n"),
        ('parts.scheme != "https" and parts.hostname not', "parts.hostname not"),
        ('parts.scheme != "https" and parts.hostname not', "False and parts.hostname not"),
        ("    _not_head(call)\n    house = call.house\n    asked", "    house = call.house\n    asked"),
        ("    _not_head(call)\n    house = call.house\n    parameters", "    house = call.house\n    parameters"),
        ("None if asked is None else _still_asked(house, asked)", "None if asked is None else house.directory.credentials.get(asked.credential_id)"),
        ("    credential = _still_asked(house, left.asked)\n", "    credential = house.directory.credentials.get(left.asked.credential_id)\n"),
        ("credential.secret_version != asked.secret_version or user", "user"),
        ("or user is None or token is None", "or user is None"),
        ("    if token.expires_at is not None and token.expires_at <= house.now():\n        return None\n", ""),
        ("token.expires_at <= house.now()", "token.expires_at < house.now()"),
        ("role_in(house, user, token, asked.client_id)", "Role.OWNER"),
        ("role is not None and role >= Role.ADMIN", "role is not None"),
        ("    if len(query) > LONGEST_QUERY:", "    if False:"),
        ('errors="strict"', 'errors="replace"'),
        (", max_num_fields=50", ""),
        ("return parameters if len(parameters) == len(pairs) else {}", "return parameters"),
        ("keep_blank_values=True, ", ""),
        ("page(NOT_KNOWN_ANY_MORE, forget=state)", "page(NOT_KNOWN_ANY_MORE)"),
        ("page(REFUSED, forget=state)", "page(REFUSED)"),
        ("NOT_KNOWN_ANY_MORE, forget=state)\n\n\ndef", "NOT_KNOWN_ANY_MORE)\n\n\ndef"),
        ("await _put_into_force(house, left.asked)", "True"),
        ("AUTHORIZED if in_force else NOT_KNOWN_ANY_MORE", "AUTHORIZED"),
        ("present is None or present.secret_version != asked.secret_version", "present is None"),
        ("present is None or present.secret_version != asked.secret_version", "present.secret_version != asked.secret_version"),
        ("needs_authorization=False, temporary=False", "needs_authorization=False"),
        ("needs_authorization=False, temporary=False", "temporary=False"),
        ("[saving(house, actor, changed, {}), authorizing(house, actor, changed)]", "[saving(house, actor, changed, {})]"),
        ("[saving(house, actor, changed, {}), authorizing(house, actor, changed)]", "[authorizing(house, actor, changed)]"),
        ("redirect(request.url, cookie, MINUTES * 60)", "redirect(request.url, cookie, 0)"),
    ],
    UNDER_WAY: [
        ("there.count(asked.client_id) >= MOST_OF_A_CLIENT", "there.count(asked.client_id) > MOST_OF_A_CLIENT"),
        ("there.count(asked.client_id) >= MOST_OF_A_CLIENT", "len(there) >= MOST_OF_A_CLIENT"),
        (" or len(there) >= MOST_IN_ALL", ""),
        ("[*self._links.values(), *self._left.values()]", "[*self._links.values()]"),
        ("[*self._links.values(), *self._left.values()]", "[*self._left.values()]"),
        ("        self._forget_old()\n        under_way", "        under_way"),
        ("        self._forget_old()\n        found = self._links", "        found = self._links"),
        ("        self._forget_old()\n        found = self._left", "        found = self._left"),
        ("self._links.pop(_hash(nonce), None)", "self._links.get(_hash(nonce))"),
        (" or not hmac.compare_digest(_hash(cookie), found.cookie_hash)", ""),
        ("        del self._left[_hash(state)]\n", ""),
        ("self._links.items() if now < each.until <= latest", "self._links.items() if now < each.until"),
        ("self._left.items() if now < each.until <= latest", "self._left.items() if now < each.until"),
        ('return f"__Host-rrgate-{_hash(state).hex()[:16]}"', 'return "__Host-rrgate"'),
        ('f"__Host-rrgate-', 'f"rrgate-'),
        ("secrets.token_urlsafe(32)\n        self._left", '"0" * 43\n        self._left'),
        ("    return secrets.token_urlsafe(32)", '    return "0" * 43'),
        ("nonce, until = secrets.token_urlsafe(32), ", 'nonce, until = "0" * 43, '),
    ],
    PAGES: [
        ("default-src 'none'; ", ""),
        ("frame-ancestors 'none'; ", ""),
        ("; base-uri 'none'", ""),
        ("; form-action 'none'", ""),
        ('    ("Referrer-Policy", "no-referrer"),\n    ("X-Frame', '    ("X-Frame'),
        ('    ("X-Frame-Options", "DENY"),\n', ""),
        ('("Location", url), ("Referrer-Policy", "no-referrer"), ', '("Location", url), '),
        ("; Secure", ""),
        ("; HttpOnly", ""),
        ("; SameSite=Lax", ""),
        ("; Path=/", ""),
        ('        headers += (_cookie(cookie_name(forget), "", 0),)\n', "        pass\n"),
    ],
    NEEDED: [
        ("            present is None\n            or present", "            present"),
        ("            or present.secret_version != credential.secret_version\n", ""),
        ("            or present.needs_authorization == needed\n", ""),
        ("temporary=present.temporary and needed", "temporary=present.temporary"),
        ("temporary=present.temporary and needed", "temporary=needed"),
        ("            if credential is not None and _is_over(house, credential):", "            if credential is not None:"),
        ("            if credential is not None and _is_over(house, credential):", "            if _is_over(house, credential):"),
        ("credential.temporary and credential.created_at", "credential.created_at"),
        ("<= house.now()", "< house.now()"),
        ("house.delete(*gone, credential,", "house.delete(credential,"),
    ],
    ASKING: [
        ("bool(plugin.needs_authorization(plugin.config)) and hasattr", "hasattr"),
        (' and hasattr(plugin, "authorization_request")', ""),
        ("        except AuthorizationRefused:\n            return False\n", ""),
        ('        except RAISED:\n            self._failed(credential, "needs_authorization")\n            return False\n', ""),
        ('            self._failed(credential, "needs_authorization")\n            return False\n', '            self._failed(credential, "needs_authorization")\n            return True\n'),
        ("        if type(made) is not AuthorizationRequest:", "        if made is None:"),
        ('            self._failed(credential, "authorization_request")\n', "            pass\n"),
        ('        except RAISED:\n            self._failed(credential, "authorization_request")\n', "        finally:\n            pass\n"),
        ('            raise AuthorizationRefused("the credential\'s plugin failed") from None\n', ""),
        ('            self._failed(credential, "authorized")\n', ""),
        ("            await authorized\n", "            pass\n"),
        ("        except (AuthorizationRefused, CancelledError):\n            raise\n", ""),
        ("        except (AuthorizationRefused, CancelledError):", "        except AuthorizationRefused:"),
        ("        except ConfigError as error:\n", "        except ZeroDivisionError as error:\n"),
        ("        self.tell(", "        (lambda _: None)("),
    ],
    CONSENT: [
        ("    if config.pkce:", "    if False:"),
        ("    if config.pkce:", "    if True:"),
        ("secrets.token_urlsafe(48)", '"0" * 64'),
        ('.rstrip(b"=")', ""),
        ('        "state": state,\n', ""),
        ('        "redirect_uri": redirect_uri,\n', ""),
        ('"&" if "?" in config.authorization_url else "?"', '"?"'),
        ('    _check_issuer(config, parameters.get("iss"))\n', ""),
        ("    if error is not None:", "    if False:"),
        ('known = error if error in _KNOWN_ERRORS else "an error"', "known = error"),
        ("0 < len(code) <= _LONGEST_CODE", "0 < len(code)"),
        ("0 < len(code) <= _LONGEST_CODE", "len(code) <= _LONGEST_CODE"),
        ('            raise AuthorizationRefused("the provider\'s answer has no iss, and the credential names its issuer")', "            return"),
        ("        fits = given == config.issuer", "        fits = True"),
        ('given is None or _origin(given) == _origin(config.authorization_url or "")', "given is None"),
        ('given is None or _origin(given) == _origin(config.authorization_url or "")', "True"),
        ("    if not fits:", "    if False:"),
        ("return parts.scheme, parts.hostname, ", 'return "", parts.hostname, '),
        ("return parts.scheme, parts.hostname, ", "return parts.scheme, None, "),
        (', parts.port or {"https": 443, "http": 80}.get(parts.scheme)', ", None"),
        ('parts.port or {"https": 443, "http": 80}.get(parts.scheme)', "parts.port"),
        ("    except ValueError:\n        return None", "    except ZeroDivisionError:\n        return None"),
    ],
}  # fmt: skip

MUTATIONS: list[Mutation] = [(file, old, new) for file, rows in CHECKS.items() for old, new in rows]


if __name__ == "__main__":
    sys.exit(run(MUTATIONS, NOTICES, sys.argv[1:]))
