"""Takes one check after the other out of who may do what in the Core API: does a test notice?

    python -m tests.core.access_mutations [word]      (from the root; only those that hold `word`; some minutes)

Belongs here: which checks there are, as replacements of text, and what must notice. Does not: the tests themselves.
"""

# ruff: noqa: E501 - a mutation is read best on a line

from __future__ import annotations

import sys

from tests.mutating import Mutation, run

IDS = "tests/core/test_other_peoples_ids.py"
ROLES = "tests/core/test_escalation.py"
NOTICES = {
    "rrgate/core/authentication.py": ["tests/core/test_users_and_tokens.py", "tests/core/test_attempts.py", "tests/core/test_members.py", "tests/core/test_configuration.py", "tests/core/test_clients.py", ROLES, IDS],
    "rrgate/core/access.py": [ROLES, "tests/core/test_configuration.py", "tests/docs/test_core_page.py"],
    "rrgate/core/attempts.py": ["tests/core/test_attempts.py"],
    "rrgate/core/invites.py": ["tests/core/test_invites.py", ROLES, IDS],
    "rrgate/core/members.py": ["tests/core/test_members.py", ROLES],
    "rrgate/core/tokens.py": ["tests/core/test_users_and_tokens.py", IDS],
    "rrgate/core/configuration.py": ["tests/core/test_configuration.py", "tests/core/test_users_and_tokens.py"],
    "rrgate/core/changes.py": ["tests/core/test_audit.py"],
    "rrgate/model/configuration.py": ["tests/core/test_configuration.py", "tests/gateway/test_opened_for_a_client.py"],
    "rrgate/route.py": ["tests/gateway/test_opened_for_a_client.py"],
    "rrgate/directory.py": ["tests/gateway/test_opened_for_a_client.py", "tests/core/test_invites.py", "tests/core/test_members.py"],
    "rrgate/wire/callers.py": ["tests/core/test_attempts.py", "tests/wire/test_callers.py"],
}

CHECKS: dict[str, list[tuple[str, str]]] = {
    "rrgate/core/authentication.py": [
        ('ids["userId"] != user.id:', "False:"),
        ("    if token.narrowed:\n", "    if False:\n"),
        ("        user.operator or (needed", "        True or (needed"),
        ("(needed is Who.CREATOR and house.open_clients)", "house.open_clients or True"),
        ("(needed is Who.CREATOR and house.open_clients)", "False"),
        ("client is not None and acts_as_operator(user, token) and needed.who is Who.OPERATOR", "client is not None and acts_as_operator(user, token)"),
        ("client is not None and acts_as_operator(user, token) and needed.who is Who.OPERATOR", "acts_as_operator(user, token) and needed.who is Who.OPERATOR"),
        ("client is not None and acts_as_operator(user, token)", "client is not None and user.operator"),
        ('needed.who is Who.WHOLE_SELF and ids["userId"] == user.id and not token.narrowed', 'ids["userId"] == user.id and not token.narrowed'),
        ('and ids["userId"] == user.id and not token.narrowed', "and not token.narrowed"),
        ('and ids["userId"] == user.id and not token.narrowed', 'and ids["userId"] == user.id'),
        ("    if authorization:\n        house.attempts.check(address, token_hash)\n", ""),
        ("    if authorization:\n        house.attempts.wrong(address)\n", ""),
        ("    if authorization:\n        house.attempts.wrong(address)\n", "    house.attempts.wrong(address)\n"),
        ("            house.attempts.good(address, token_hash)\n", ""),
        ("and (token.expires_at is None or house.now() < token.expires_at)", ""),
        ("    if len(authorization) != 1:\n        return None\n", ""),
        ("user.operator and not token.narrowed", "user.operator"),
        ("    if token.client_id not in (None, client_id):\n        return None\n", ""),
        ("    if role is None or token.role is None:\n        return role\n", "    return role\n"),
        ("None if narrowed is None else min(role, narrowed)", "role if narrowed is None else min(role, narrowed)"),
        ("min(role, narrowed)", "narrowed"),
        ("    if client is None or role is None:\n        raise missing()\n", "    if client is None or role is None:\n        raise Refused(403, 'no')\n"),
        ("    if role < least:", "    if False:"),
    ],
    "rrgate/core/access.py": [
        ("role >= Role.ADMIN and all(", "all("),
        ("all(each <= role for each in roles_of(names))", "True"),
        ("all(each <= role", "any(each <= role"),
        ("    if not may_grant(role, names):", "    if False:"),
        ('        "allowedNetworks",\n', ""),
        ('        "plan",\n', ""),
    ],
    "rrgate/core/attempts.py": [
        ("count >= MOST and", "count > MOST and"),
        ("and (place, shown) not in self._good", ""),
        ("if not now < until <= now + WINDOW:", "if not now < until:"),
        ("if not now < until <= now + WINDOW:", "if False:"),
        ("mapped or ip_network((parsed, 64), strict=False)", "parsed"),
        ("mapped or ip_network", "ip_network"),
        ("        if len(self._wrong) > MOST_ADDRESSES:\n            del self._wrong[next(iter(self._wrong))]\n", ""),
        ("            if len(self._good) >= MOST_ADDRESSES:\n                del self._good[next(iter(self._good))]\n", ""),
    ],
    "rrgate/core/invites.py": [
        ('    check_grant(call.role, "inviteRoles", values["roles"])\n', ""),
        (" or invite.client_id != call.client.id:", ":"),
        ("gone=[invite])\n", "gone=[])\n"),
        ("gone=[invite], actor", "gone=[], actor"),
        ("roles((*present, *invite.roles))", "invite.roles"),
        ("    call.house.attempts.check(call.address)\n", ""),
        ("    house.attempts.wrong(call.address)\n", ""),
        ("found is not None and _lasts(house, found)", "found is not None"),
        ("if not hmac.compare_digest(found.code_hash, code_hash):", "if False:"),
        ("            await _count(house, found)\n", "            pass\n"),
        ("elif _still_granted(house, found):", "else:"),
        ("role is not None and may_grant(role, invite.roles)", "role is not None"),
        ("invite.tries >= MOST_TRIES", "invite.tries > MOST_TRIES"),
        (">= MOST_INVITES", "> MOST_INVITES"),
        ("house.now() < invite.expires_at", "house.now() <= invite.expires_at"),
        ("DAYS * 86_400_000", "DAYS * 86_400_001"),
        ("and len(code) <= LONGEST_CODE", ""),
    ],
    "rrgate/core/members.py": [
        ('    _check_last_owner(house, member, stays="owner" in member.roles)\n', ""),
        ("    _check_last_owner(call.house, member, stays=False)\n", ""),
        ("owners == {member.user_id} and not stays", "owners == {member.user_id}"),
        ("    if roles is None:\n        raise missing()\n", "    roles = roles or ()\n"),
    ],
    "rrgate/core/tokens.py": [
        ("if each.user_id == user.id]", "]"),
        ("if token.id == call.ids", "if True or call.ids"),
        ("        _check_client(call, confined)\n", "        pass\n"),
        ('<= house.now():\n        problems.append(Problem("tokenExpiresAt"', '< house.now():\n        problems.append(Problem("tokenExpiresAt"'),
        ("len(tokens) < MOST_TOKENS", "len(tokens) <= MOST_TOKENS"),
        ("each.expires_at is not None and each.expires_at <= house.now()", "True"),
        ("and each.expires_at <= house.now()", ""),
        ("each.expires_at is not None and each.expires_at <= house.now()", "False"),
        ("min(over, key=", "max(over, key="),
    ],
    "rrgate/core/configuration.py": [
        ("    check_who(call, changes)\n", ""),
        ("name in OPERATORS and not operator", "False"),
        ("elif name not in OPERATORS and call.role is not Role.OWNER:", "elif False:"),
        ("acts_as_operator(call.user, call.token)", "call.user.operator"),
        ("most is not None and value > most", "most is not None and value > most + 1"),
        ("        _check_ceilings(house, configuration, changes, prefix)\n", "        pass\n"),
        ("    after = evolve(configuration, **changes)\n", "    after = configuration\n"),
        ('        "log_retention_days": house.log_retention_days,\n', ""),
        ("if not same_json(value, present[name]):", "if True:"),
        ("not client.configuration.may_lie_in(region)", "False"),
        ('and "." not in name:', ":"),
        ("        await call.configure", "        call.configure"),
    ],
    "rrgate/core/changes.py": [
        ("    if all(same_json(getattr(noun, name), value)", "    if all(getattr(noun, name) == value"),
        ("    if all(same_json(getattr(noun, name), value)", "    if False and all(same_json(getattr(noun, name), value)"),
        ("    return present is noun or (", "    return ("),
        ("or (isinstance(noun, Member) and present == noun)", ""),
        ("present is noun or (isinstance(noun, Member) and present == noun)", "present == noun"),
        ('        case User() | Token():\n            return ""\n', ""),
        ("return None if roles is None else evolve(noun, roles=roles)", "return None"),
    ],
    "rrgate/model/configuration.py": [
        ("_least(self.limit_per_minute, self.most_per_minute)", "self.limit_per_minute"),
        ("_least(self.limit_per_minute, self.most_per_minute)", "self.most_per_minute"),
        ("_least(self.limit_per_day, self.most_per_day)", "self.limit_per_day"),
        ("PLANS[self.plan] if self.ceiling_per_minute is None else self.ceiling_per_minute", "self.ceiling_per_minute"),
        ("min(gateway, self.log_retention_days)", "self.log_retention_days"),
        ("not self.allowed_regions or wanted", "wanted"),
        ('        if "%" in value:\n            raise ValueError\n', ""),
        ("(entry.network, entry.port) for", "(entry.network, None) for"),
    ],
    "rrgate/route.py": [
        ("        parts += (client.configuration.allowed_networks,)\n", "        pass\n"),
    ],
    "rrgate/directory.py": [
        ("return () if client is None else opened(client.configuration.allowed_networks)", "return ()"),
        ("if each.client_id != noun.id}", "if True}"),
        ("                self.members.pop((noun.user_id, noun.client_id), None)\n", "                pass\n"),
        ("self.users = {user.id: user for user in users}", "pass"),
    ],
    "rrgate/wire/callers.py": [
        ("        if not self(peer):\n            return peer\n", ""),
        ("        peer = spelled(peer)\n        if not", "        if not"),
    ],
}

MUTATIONS: list[Mutation] = [(file, old, new) for file, rows in CHECKS.items() for old, new in rows]


if __name__ == "__main__":
    sys.exit(run(MUTATIONS, NOTICES, sys.argv[1:]))
