"""As mutations.py, for checks of bodies and tokens; run by hand, not by pytest.

    python -m tests.rules.body_mutations [word]      (from the root; only mutations whose line holds `word`)

Belongs here: which checks there are, as replacements of text, and what must notice. Does not: the tests themselves.
Bounds on time alone are not here: without them the same requests pass, later.
"""

# ruff: noqa: E501 - a mutation is read best on a line

from __future__ import annotations

import sys

from tests.mutating import run

LEAVES = ["tests/rules/test_leaves.py"]
NOTICES = {
    "plugins/rules/leaves.py": LEAVES,
    "plugins/rules/leaf_checks.py": LEAVES,
    "plugins/rules/message.py": LEAVES,
    "plugins/rules/matching.py": LEAVES,
    "plugins/rules/patterns.py": LEAVES,
    "plugins/rules/lint.py": LEAVES,
    "plugins/rules/__init__.py": [*LEAVES, "tests/core/test_rules.py"],
    "plugins/rules/judging.py": LEAVES,
    "plugins/json_bodies.py": LEAVES,
    "plugins/request_size.py": LEAVES,
    "rrgate/body.py": LEAVES,
    "rrgate/exchange.py": LEAVES,
}

READING = [
    ("    if not body:\n        return NONE", "    if False:\n        return NONE"),
    ("    if not claims:\n        return NONE", "    if not claims:\n        return None"),
    ("except (ValueError, RecursionError):", "except ValueError:"),
    ('body.decode("utf-8")', 'body.decode("latin-1")'),
    ("arrays_as_values=False))", "arrays_as_values=True))"),
    ("arrays_as_values=True))", "arrays_as_values=False))"),
    ("        if len(found) != len(pairs):", "        if False:"),
    ("parse_constant=_no_constant", "parse_constant=_Number"),
    ('and without_strings(body).count(b"[") > MOST_PARTS', ""),
    ("without_strings(body)", 'body.replace(b\'"\', b"")'),
    ("        if len(inner) > LONGEST_PATH:", "        if False:"),
    ("        if len(inner) > LONGEST_PATH:", "        if len(inner) >= LONGEST_PATH:"),
    ('certain and b"." not in behind and bool(behind)', "certain"),
    ('certain and b"." not in behind and bool(behind)', 'certain and b"." not in behind'),
    ('certain and b"." not in behind and bool(behind)', 'b"." not in behind and bool(behind)'),
    ('certain and b"." not in behind and bool(behind)', "certain and bool(behind)"),
    ("begun = bool(path) or not certain\n    for name", "begun = bool(path)\n    for name"),
    ("if len(leaves) > MOST_LEAVES or left < 0:", "if left < 0:"),
    ("if len(leaves) > MOST_LEAVES or left < 0:", "if len(leaves) >= MOST_LEAVES or left < 0:"),
    ("if len(leaves) > MOST_LEAVES or left < 0:", "if len(leaves) > MOST_LEAVES:"),
    ("    if len(written) > _LONGEST_NUMBER:\n        return None", "    if False:\n        return None"),
    ("    if isinf(number):\n        return None", "    if isinf(number):\n        return (written.encode(),)"),
    ('and written != "-0"', ""),
    ("if _PLAIN.match(written) and", "if False and"),
    ("(written.encode(), read.encode()) if read != written", "(written.encode(),) if read != written"),
    ("(written.encode(), read.encode()) if read != written", "(read.encode(),) if read != written"),
    ("    if spelled is None:\n        raise Doubtful", '    if spelled is None:\n        return (b"",)'),
    ("if texts or not value:", "if texts:"),
    ("if texts or not value:", "if True:"),
    ("if not only_containers or isinstance(value, _CONTAINERS):", "if True:"),
    ("for each in value if not isinstance(each, _CONTAINERS)]", "for each in value]"),
]

CHECKS = [
    ("        if found is None:\n            return True", "        if found is None:\n            return False"),
    ("if found is None or not found.leaves", "if found is not None and not found.leaves"),
    ("        if not message.may_look_at(len(found.leaves)):\n            return True", "        pass"),
    ("        if not message.may_look_at(len(found.leaves)):\n            return False", "        pass"),
    ("            if like(leaf.path) and (", "            if ("),
    ("(holds is None or any(_perhaps(text) for text in leaf.texts))", "True"),
    ("(holds is None or any(_perhaps(text) for text in leaf.texts))", "(holds is None or all(_perhaps(text) for text in leaf.texts))"),
    ("                if holds is not None and not any(_surely", "                if holds is not None and not all(_surely"),
    ("                if holds is not None and not any(_surely(text) for text in leaf.texts):\n                    return False", "                if holds is not None and not any(_surely(text) for text in leaf.texts):\n                    continue"),
    ("there = there or leaf.certain", "there = True"),
    ("            if like(leaf.path):\n", "            if True:\n"),
    ("return text is None or any(", "return text is not None and any("),
    ("return text is None or any(holds(each) for each in text)", "return text is None or all(holds(each) for each in text)"),
    ("return text is not None and all(holds(each) for each in text)", "return text is None or all(holds(each) for each in text)"),
    ("return text is not None and all(holds(each) for each in text)", "return text is not None and any(holds(each) for each in text)"),
    ("    if presence == MUST_EXIST:", "    if True:"),
    ("        return perhaps if denies else surely", "        return perhaps"),
    ("        return perhaps if denies else surely", "        return surely"),
    ("    if denies:\n", "    if False:\n"),
    ("    if denies:\n", "    if True:\n"),
    ("not found.leaves or (among is not None and not among(found.paths)):\n            return False\n        if not message.may_look_at(len(found.leaves)):\n            return True", "not found.leaves:\n            return False\n        if not message.may_look_at(len(found.leaves)):\n            return True"),
    ("compiled(path, flags).search", "compiled(path, None).search"),
    ("compiled(value, flags).search", "compiled(value, None).search"),
]

OTHERS = [
    ("plugins/rules/message.py", "if ex.content_length == 0:", "if False:"),
    ("plugins/rules/message.py", ", or_nothing=True", ""),
    ("plugins/rules/message.py", "None if held is None else leaves_of_body(held)", "NONE if held is None else leaves_of_body(held)"),
    ("plugins/rules/message.py", "for known, _, value in self._exchange.crossing_fields() if known == name", "for _, known, value in self._exchange.crossing_fields() if known.lower() == name"),
    ("plugins/rules/message.py", "return self._looks >= 0", "return True"),
    ("plugins/rules/matching.py", "of_body > 0 and all(check(message) for check in self.checks[:-of_body])", "of_body > 0"),
    ("plugins/rules/matching.py", "of_body > 0 and all(check(message) for check in self.checks[:-of_body])", "False"),
    ("plugins/rules/matching.py", "of_body > 0 and all(check(message)", "all(check(message)"),
    ("plugins/rules/matching.py", "self.checks[:-of_body]", "self.checks"),
    ("plugins/rules/patterns.py", "    if _NOT_FOR_LINES.search(pattern.pattern):\n        return None", "    pass"),
    ("plugins/rules/patterns.py", '(letters or "") + "m"', 'letters or ""'),
    ("plugins/rules/lint.py", "frozenset(rule.body), frozenset(rule.token)", "frozenset(rule.token)"),
    ("plugins/rules/lint.py", 'leaf.presence == MUST_EXIST and leaf', "leaf"),
    ("plugins/rules/lint.py", '("$.", "$[")', '("$.",)'),
    ("plugins/rules/lint.py", '("$.", "$[")', '("$[",)'),
    ("plugins/rules/__init__.py", ', "body", "token"})', ', "token"})'),
    ("plugins/rules/__init__.py", ', "body", "token"})', ', "body"})'),
    ("plugins/rules/__init__.py", "if any(rule.wants_body(message) for rule in rules):", "if True:"),
    ("plugins/rules/__init__.py", "if any(rule.wants_body(message) for rule in rules):", "if False:"),
    ("plugins/rules/__init__.py", "        if not judge.looks_at_bodies:", "        if True:"),
    ("plugins/rules/judging.py", "any(rule.body for scope in scopes for rule in scope.rules)", "False"),
    ("plugins/json_bodies.py", "    if codings(encodings):\n        return False", "    pass"),
    ("plugins/json_bodies.py", 'if coding not in (b"", b"identity")', 'if coding not in (b"",)'),
    ("plugins/json_bodies.py", "        return or_nothing", "        return False"),
    ("plugins/json_bodies.py", "return len(types) == 1 and", "return"),
    ("plugins/json_bodies.py", "is_json_type(media_type(types[0])) and in_utf_8(types[0])", "in_utf_8(types[0])"),
    ("plugins/json_bodies.py", "is_json_type(media_type(types[0])) and in_utf_8(types[0])", "is_json_type(media_type(types[0]))"),
    ("plugins/json_bodies.py", 'or media.endswith(b"+json")', ""),
    ("plugins/request_size.py", "ex.content_length if ex.held_body is None else len(ex.held_body)", "ex.content_length"),
    ("rrgate/body.py", "        self._chunks[:0] = parts\n", ""),
    ("rrgate/body.py", "        while size <= limit:\n            data = await self.read()\n            if not data:\n                return parts", "        while True:\n            data = await self.read()\n            if not data:\n                return parts"),
    ("rrgate/exchange.py", "            if length is not None and length > limit:\n                return None", "            pass"),
    ("rrgate/exchange.py", "held = self.held_body = await self._held(self.request_body.whole_within, limit)", "held = await self._held(self.request_body.whole_within, limit)"),
]  # fmt: skip

MUTATIONS = [
    *(("plugins/rules/leaves.py", old, new) for old, new in READING),
    *(("plugins/rules/leaf_checks.py", old, new) for old, new in CHECKS),
    *OTHERS,
]


if __name__ == "__main__":
    sys.exit(run(MUTATIONS, NOTICES, sys.argv[1:]))
