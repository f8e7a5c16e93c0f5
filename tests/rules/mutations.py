"""Takes one check after the other out of what judges by rules and shows that a test notices; run by hand, not by pytest.

    python -m tests.rules.mutations [word]      (from the root; only mutations whose line holds `word`; some minutes)

Belongs here: which checks there are, as replacements of text, and what must notice. Does not: the tests themselves.
What only makes judging quicker is not here: without it the same requests pass. Nor are the flags of what a Shortlist is
given, whose texts RE2 compares without case.
"""

# ruff: noqa: E501 - a mutation is read best on a line

from __future__ import annotations

import sys

from tests.mutating import run

TABLES = ["tests/rules/test_tables.py"]
NOTICES = {
    "plugins/rules/__init__.py": ["tests/rules/test_patterns.py", *TABLES, "tests/gateway/test_rules.py"],
    "plugins/rules/judging.py": [*TABLES, "tests/rules/test_reports.py", "tests/rules/test_glance.py"],
    "plugins/rules/indexes.py": [*TABLES, "tests/rules/test_header_names.py"],
    "plugins/rules/glance.py": ["tests/rules/test_glance.py"],
    "plugins/rules/matching.py": [*TABLES, "tests/rules/test_slow_patterns.py"],
    "plugins/rules/message.py": [*TABLES, "tests/rules/test_slow_patterns.py"],
    "plugins/rules/patterns.py": ["tests/rules/test_slow_patterns.py", "tests/rules/test_patterns.py", *TABLES],
    "plugins/rules/lint.py": ["tests/rules/test_lint.py"],
    "rrgate/paths.py": [*TABLES, "tests/rules/test_readings.py"],
    "rrgate/model/rule.py": [
        "tests/rules/test_spellings.py", "tests/rules/test_lint.py", "tests/rules/test_reports.py",
        "tests/rules/test_patterns.py", *TABLES,
    ],
    "rrgate/model/rule_documents.py": ["tests/rules/test_spellings.py"],
    "rrgate/core/rules.py": ["tests/core/test_rules.py", "tests/core/test_room.py"],
    "rrgate/core/belonging.py": ["tests/core/test_rules.py"],
    "rrgate/directory.py": [*TABLES, "tests/core/test_rules.py", "tests/gateway/test_rules.py"],
    "rrgate/joining.py": [*TABLES, "tests/core/test_rules.py", "tests/gateway/test_rules.py"],
    "rrgate/model/parts.py": [*TABLES, "tests/core/test_rules.py"],
    "rrgate/route.py": [*TABLES, "tests/gateway/test_pass_headers.py"],
    "rrgate/names.py": [*TABLES, "tests/gateway/test_pass_headers.py"],
}  # fmt: skip

PLUGIN = [
    ("if all(scope.idle for scope in parts.scopes):", "if any(scope.idle for scope in parts.scopes):"),
    ("if all(scope.idle for scope in parts.scopes):", "if all(scope.open for scope in parts.scopes):"),
    ("for kind in sorted(rule.checks - cls.judges)", "for kind in ()"),
    ("if _CASED.search(check.name.pattern)", "if False"),
    ("        if problems:\n            raise ConfigError(*problems)\n\n    @classmethod\n    def lint", "    @classmethod\n    def lint"),
    ("if all_sizes > LARGEST_RULE and", "if False and"),
    ("all_sizes += size(", "all_sizes = size("),
    ("all_sizes += LARGEST_RULE if isinstance(error, TooLarge) else 0", "pass"),
    ("ignoring_case=is_header)", "ignoring_case=False)"),
    ("if all_sizes > MOST_LOOKED_AT:", "if False:"),
    ("            ex.timeline.append(", "            (lambda *_: None)("),
    ("            ex.scope_allows(scope)", "            pass"),
    ("            ex.deciding_rule = verdict.deciding", "            pass"),
    ("if verdict.denying is None:", "if True:"),
    ("        if verdict.deciding is None:\n            return Denied", "        if False:\n            return Denied"),
]

JUDGING = [
    ('== "deny")', '== "allow")'),
    ('if rule.effect == "allow" and not rule.report and scope.default_effect', 'if rule.effect == "allow" and scope.default_effect'),
    ('and not rule.report and scope.default_effect == "allow":', "and not rule.report:"),
    ("others[method] if method in others else others[b\"\"]", 'others[b""]'),
    ("            rules = sorted(rules, key=_rank)", "            pass"),
    ("                rules = [*rules, *found]", "                rules = found"),
    ("            if rule.report:", "            if False:"),
    ("                if rule.matches(message):\n                    count", "                if True:\n                    count"),
    ("self._counts.get(rule.id, 0) + 1", "1"),
    ('"deny" if rule.denies else "allow", count', '"deny", count'),
    ("said = denied if rule.denies else allowed", "said = allowed"),
    ("said = denied if rule.denies else allowed", "said = denied"),
    ("if rule.scope not in said and rule.matches(message):", "if rule.matches(message):"),
    ("if rule.scope not in said and rule.matches(message):", "if rule.scope not in said:"),
    ("if not denied and not allowed and not reported:", "if not denied and not reported:"),
    ("if not denied and not allowed and not reported:", "if not denied and not allowed:"),
    ("if not denied and not allowed and not reported:", "if not allowed and not reported:"),
    ("            if scope not in denied and (scope in allowed", "            if (scope in allowed"),
    ("(scope in allowed or scope not in self._default_denies)", "(scope not in self._default_denies)"),
    ("(scope in allowed or scope not in self._default_denies)", "(scope in allowed)"),
    ("            if scope in denied:", "            if False:"),
    ("            if scope in self._default_denies and scope not in allowed:", "            if False:"),
    ("            if scope in self._default_denies and scope not in allowed:", "            if scope in self._default_denies:"),
    ("            if scope in self._default_denies and scope not in allowed:", "            if scope not in allowed:"),
    ("next((allowed[scope] for scope in self._scopes if scope in allowed), None)", "None"),
]

INDEXES = [
    ("if self._methods is not None and method not in self._methods:", "if self._methods is not None:"),
    ("None if None in methods else", "None if False else"),
    ("self._everything if texts is None else", "() if texts is None else"),
    ("[rule for rule in rules if rule.methods is None or method in rule.methods]", "list(rules)"),
    ("[rule for rule in rules if rule.methods is None or method in rule.methods]", "[rule for rule in rules if rule.methods is None]"),
    ("    return message.readings", "    return [message.raw]"),
    ('lower.replace(b"_", b"-"), ', ""),
    (', lower.replace(b"-", b"_")}', "}"),
    ("places = known.get(name)", "places = known.get(name, ())"),
    ("        if not found:\n            for name in names:", "        if True:\n            for name in names:"),
    ("if query is TOO_MANY else query.names", "if query is TOO_MANY else [name for name, _ in query.pairs]"),
    ("if rule.path is not None and rule.path.presence == MUST_EXIST:", "if rule.path is not None:"),
    ("    for check in rule.headers:\n        if check.presence == MUST_EXIST:", "    for check in rule.headers:\n        if True:"),
    ("    for check in rule.query:\n        if check.presence == MUST_EXIST:", "    for check in rule.query:\n        if True:"),
    ("for rule in rules if rule.methods is None or name in rule.methods)", "for rule in rules if name in (rule.methods or ()))"),
    ("for rule in rules if rule.methods is None or name in rule.methods)", "for rule in rules if rule.methods is None)"),
    ('found[b""] = tuple(rule for rule in rules if rule.methods is None)', 'found[b""] = tuple(rules)'),
    ('found[b""] = tuple(rule for rule in rules if rule.methods is None)', 'found[b""] = ()'),
]

GLANCE = [
    ("if len(known) > _MOST or any(begun is None for begun, _ in known):", "if len(known) > _MOST:"),
    ("_begun(begun for begun, methods in known if methods is None or method in methods)", "_begun(begun for begun, methods in known if methods is None)"),
    ("_begun(begun for begun, methods in known if methods is None or method in methods)", "_begun(begun for begun, methods in known if methods and method in methods)"),
    ("of_all = _begun(begun for begun, methods in known if methods is None)", "of_all = _begun(())"),
    ("self._begun if by_method is None else by_method.get(ex.method, self._begun)", "self._begun"),
    ("for path in forms.readings if forms.raw else (b\"/\",):", "for path in (forms.raw,) if forms.raw else (b\"/\",):"),
    ("for path in forms.readings if forms.raw else (b\"/\",):", "for path in forms.readings:"),
    ("if path.startswith(common) and path.startswith(begun):", "if False:"),
    ("if self._parameters and ex.query:", "if False:"),
    ("if names is not None:", "if False:"),
    ("                if names.get(name) != ():", "                if names.get(name):"),
    ("                if names.get(name) != ():", "                if name not in names:"),
]

MATCHING = [
    ("            if message.is_late():\n                return self.denies\n", ""),
    ("                return self.denies", "                return False"),
    ("                return self.denies", "                return True"),
    ("                if not self.denies:\n                    return False", "                return False"),
    ("                if not self.denies:\n                    return False", "                pass"),
    ("            if not check(message):\n                return False", "            if check(message):\n                return True"),
    ("        for check in self.checks:", "        for check in self.checks[:1]:"),
    ('rule.effect == "deny", rule.report', "True, rule.report"),
    ('rule.effect == "deny", rule.report', "False, rule.report"),
    ("    if rule.path is not None:", "    if False:"),
    ("    checks += [_named_check(check, flags, denies, _headers_of", "    [_named_check(check, flags, denies, _headers_of"),
    ("    checks += [_named_check(check, flags, denies, _query_of", "    [_named_check(check, flags, denies, _query_of"),
    ("None if rule.methods is None else", "None if True else"),
    ("return any(search(reading) for reading in message.readings)", "return bool(search(message.raw))"),
    ("return any(search(reading) for reading in message.readings)", "return bool(search(message.decoded))"),
    ("return not any(search(reading) for reading in message.readings)", "return not search(message.raw)"),
    ("return not any(search(reading) for reading in message.readings)", "return not all(search(reading) for reading in message.readings)"),
    ("return not all(search(reading) for reading in message.readings)", "return not any(search(reading) for reading in message.readings)"),
    ("return not all(search(reading) for reading in message.readings)", "return not search(message.raw)"),
    ("bool(search(message.raw) and search(message.decoded))", "bool(search(message.raw))"),
    ("bool(search(message.raw) and search(message.decoded))", "bool(search(message.decoded))"),
    ("return any_reading if denies else raw_and_decoded", "return any_reading"),
    ("return any_reading if denies else raw_and_decoded", "return raw_and_decoded"),
    ("return not_every_reading if denies else not_any_reading", "return not_any_reading"),
    ("return not_every_reading if denies else not_any_reading", "return not_every_reading"),
    ("compiled(check.name, flags, ignoring_case=is_header)", "compiled(check.name, flags)"),
    ("compiled(check.name, flags, ignoring_case=is_header)", "compiled(check.name, flags, ignoring_case=True)"),
    ("compiled(check.name, flags, ignoring_case=is_header)", "compiled(check.name, None, ignoring_case=is_header)"),
    ("compiled(check.match_value, flags)", "compiled(check.match_value, None)"),
    ("search = compiled(check.path, flags).search", "search = compiled(check.path, None).search"),
    ('like = _any_spelling(name, "_" in check.name.pattern) if is_header else name', "like = name"),
    ('like = _any_spelling(name, "_" in check.name.pattern) if is_header else name', 'like = _any_spelling(name, "_" in check.name.pattern)'),
    ("_anything if check.match_value is None else", "_anything if True else"),
    ("        if named is TOO_MANY:\n            return True", "        if named is TOO_MANY:\n            return False"),
    ("        for pairs in named:", "        for pairs in named[:1]:"),
    ("        for pairs in named:", "        for pairs in named[:2]:"),
    ("        for pairs in named:", "        for pairs in named[::2]:"),
    ("                if like(known):\n                    if value(each)", "                if True:\n                    if value(each)"),
    ("                    if value(each):", "                    if True:"),
    ('known.replace(b"_", b"-"), []', "known, []"),
    ('known.replace(b"_", b"-"), []', 'b"", []'),
    ("several in found.values() if len(several) > 1", "several in ()"),
    ('_BETWEEN = (b",", b", ", b"; ")', '_BETWEEN = (b", ", b"; ")'),
    ('_BETWEEN = (b",", b", ", b"; ")', '_BETWEEN = (b",", b"; ")'),
    ('_BETWEEN = (b",", b", ", b"; ")', '_BETWEEN = (b",", b", ")'),
    ("                if not value(found):\n                    return False", "                if not value(found):\n                    continue"),
    ("            if like(known):\n                if not value(found)", "            if name(known):\n                if not value(found)"),
    ("there = there or bool(name(known))", "there = True"),
    ("return there and all(", "return all("),
    ("and all(value(found) for known, found in begun if like(known))", ""),
    ("for known, found in begun if like(known))", "for known, found in begun)"),
    ("return perhaps if denies else surely", "return perhaps"),
    ("return perhaps if denies else surely", "return surely"),
    ("    if check.presence == MUST_EXIST:\n        return perhaps", "    if True:\n        return perhaps"),
    ("    if check.presence == MUST_EXIST:\n        return any_reading", "    if True:\n        return any_reading"),
    ("    if denies:\n        return lambda message: not surely(message)", "    if False:\n        return lambda message: not surely(message)"),
    ("return lambda message: not perhaps(message)", "return lambda message: not surely(message)"),
    ('if b"_" in known and name(known.replace(b"_", b"-")):', "if False:"),
    ('return asks_for_underscores and b"-" in known and', "return False and"),
]

MESSAGE = [
    ("        self._spent_before = Spent.seconds\n", "        self._spent_before = 0.0\n"),
    ("> MOST_SECONDS", "> 1e9"),
    ('raise ValueError("the path has not been judged")', "return"),
    ('self.raw = forms.raw or b"/"', "self.raw = forms.raw"),
    ('self.decoded = forms.decoded or b"/"', "self.decoded = forms.decoded"),
    ('forms.readings if forms.raw else (b"/",)', "forms.readings"),
    ("(name.lower(), value) for _, name, value", "(name, value) for _, name, value"),
    ("(name.lower(), value) for _, name, value", "(name, value) for name, _, value"),
    ("fields = self._exchange.crossing_fields()", "fields = self._exchange.fields"),
    ("self._exchange.crossing_query()", "self._exchange.query"),
    ('query.count(b"&") + query.count(b";") >= MOST', 'query.count(b"&") >= MOST'),
    ('query.count(b"&") + query.count(b";") >= MOST', 'query.count(b";") >= MOST'),
    (">= MOST_PARAMETERS", "> MOST_PARAMETERS"),
    (">= MOST_PARAMETERS", ">= MOST_PARAMETERS - 1"),
    ('query.split(b"&") if part]', 'query.split(b"&")]'),
    ("                    ended.append(_pair(first))", "                    pass"),
    ("                    begun += [_pair(each) for each in further]", "                    pass"),
    ('    name, _, value = part.partition(b"=")', '    name, _, value = part.rpartition(b"=")'),
    ("return _decoded(name), _decoded(value)", "return name, _decoded(value)"),
    ("return _decoded(name), _decoded(value)", "return _decoded(name), value"),
    ('raw.replace(b"+", b" ")', "raw"),
    ('    if b"%" in raw or b"+" in raw:', '    if b"%" in raw:'),
    ('    if b"%" in raw or b"+" in raw:', '    if b"+" in raw:'),
    ("return unquote_to_bytes(raw", "return unquote_to_bytes(unquote_to_bytes(raw)"),
]

PATTERNS = [
    ("        if size > longest:\n            raise TooMuchWork\n", ""),
    ("            Spent.seconds += thread_time() - began", "            pass"),
    ("    if found.programsize > LARGEST_PROGRAM:", "    if False:"),
    ("    if classes and _IGNORES_CASE.search(text):", "    if False:"),
    ("    if classes * SIZE_OF_CLASS > LARGEST_PROGRAM:", "    if False:"),
    ("return instructions + SIZE_OF_CLASS * _classes_in", "return instructions + 0 * _classes_in"),
    ("return sum(after in b\"pP\" for", "return sum(after in b\"p\" for"),
    ("(TooLarge if \"too large\" in complaint else ValueError)", "ValueError"),
    ('{*(flags or "")} if pattern.flags is None else {*pattern.flags}', '{*(flags or "")}'),
    ('{*(flags or "")} if pattern.flags is None else {*pattern.flags}', '{*(pattern.flags or "")}'),
    ('{*(flags or "")} if pattern.flags is None else {*pattern.flags}', '{*(flags or "")} | {*(pattern.flags or "")}'),
    ("    if ignoring_case:", "    if False:"),
    ('letters & {"i", "m", "s"}', 'letters & {"m", "s"}'),
    ('letters & {"i", "m", "s"}', 'letters & {"i", "s"}'),
    ('letters & {"i", "m", "s"}', 'letters & {"i", "m"}'),
    ('letters & {"i", "m", "s"}', "letters"),
    ("    options.encoding = re2.Options.Encoding.LATIN1", "    pass"),
    ("if _ASCII.match(pattern)]", "]"),
    ("            works = (made.Match(_KNOWN, True) or [])[:1] == [0]", "            works = True"),
    ("            self._always += places", "            pass"),
    ("            self._split(patterns, places[half:])", "            pass"),
    ("            if not matched or matched[0] != 0:", "            if False:"),
    ("        found = list(self._always)", "        found = []"),
    ("places[place - 1]", "places[place - 2]"),
    ("(_KNOWN, *texts)", "(_KNOWN, *texts[:1])"),
]

LINT = [
    ("deciding = [rule for rule in scope.rules if not rule.report]", "deciding = list(scope.rules)"),
    ("if denies_all is not None and rule is not denies_all:", "if denies_all is not None:"),
    ("if denies_all is not None and rule is not denies_all:", "if False:"),
    ("elif denied[_asked(rule)] is not rule:", "elif False:"),
    ('elif scope.default_effect == "deny" and not allowing:', "elif False:"),
    ('elif scope.default_effect == "deny" and not allowing:', 'elif scope.default_effect == "deny":'),
    ('        if scope.default_effect == "allow":', "        if False:"),
    ("        elif denies_all is not None:", "        elif False:"),
    ("        elif _asked(rule) in denied:", "        elif False:"),
    ("        elif allows_all is not None and rule is not allows_all:", "        elif False:"),
    ("        elif allows_all is not None and rule is not allows_all:", "        elif allows_all is not None:"),
    ("        elif allowed[_asked(rule)] is not rule:", "        elif False:"),
    ("return methods, rule.path, ", "return methods, None, "),
    ("return methods, rule.path, ", "return None, rule.path, "),
    ("frozenset(rule.headers), frozenset(rule.query)", "frozenset(rule.headers)"),
    ("frozenset(rule.headers), frozenset(rule.query)", "frozenset(rule.query)"),
    (', rule.regex_flags or ""', ""),
    ("if rule.path is not None and rule.path.presence == MUST_EXIST:", "if rule.path is not None:"),
    ("        if _begins_otherwise(rule):", "        if False:"),
    ('and rule.effect == "allow":', "and True:"),
    ("if check.presence == MUST_EXIST and _never_crosses(check):", "if _never_crosses(check):"),
    ("if check.presence == MUST_EXIST and _never_crosses(check):", "if False:"),
    ("        if not each.pattern.isascii():", "        if False:"),
    ('if not text.startswith("^") or "|" in text:', 'if "|" in text:'),
    ('if not text.startswith("^") or "|" in text:', 'if not text.startswith("^"):'),
    ('        if pattern.search(b""):', "        if False:"),
    ('"m" not in (rule.path.path.flags or rule.regex_flags or "") and ', ""),
    ('return text.startswith("^") and text.endswith("$") and fold', 'return text.endswith("$") and fold'),
    ('return text.startswith("^") and text.endswith("$") and fold', 'return text.startswith("^") and fold'),
]

READINGS = [
    ('    if raw.startswith(b"//"):\n        texts', '    if False:\n        texts'),
    ('    texts |= {_PARAMETERS.sub(b"", text): None for text in texts}\n    escaped', "    escaped"),
    ("    for left in {escaped & left for left in _LEFT_BY_TARGETS} - {escaped}:", "    for left in ():"),
    ("    frozenset[int](),\n", ""),
    ("    frozenset(_CONTROLS),\n", ""),
    ("    frozenset({0x2F}),\n", ""),
    ("    frozenset({0x2F, *_CONTROLS}),\n", ""),
    ("    _KEPT - {0x2F},\n", ""),
    ("    _KEPT,\n)", ")"),
    ("for text in undecoded}", "for text in texts}"),
    ("    if raw_paths:\n        texts |=", "    if False:\n        texts |="),
    ('    texts |= {_PARAMETERS.sub(b"", text): None for text in texts}\n    texts |= {_SL', "    texts |= {_SL"),
    ('    texts |= {_SLASHES.sub(b"/", text, 1) if text.startswith(b"//") else text: None for text in texts}\n', ""),
    ('if text.startswith(b"//") else text: None', "if False else text: None"),
    ('    texts |= {_SLASHES.sub(b"/", text): None for text in texts}\n    return', "    return"),
    ("PathForms(raw, decoded, segments, (), raw_paths)", "PathForms(raw, decoded, segments, (raw,), raw_paths)"),
    ("PathForms(raw, decoded, segments, (), raw_paths)", "PathForms(raw, decoded, segments, (), False)"),
    ("_readings(self.raw, raw_paths=self._raw_paths)", "_readings(self.raw, raw_paths=False)"),
]  # fmt: skip

MODEL = [
    ("    methods = tuple(dict.fromkeys(each.upper() for each in value))", "    methods = tuple(dict.fromkeys(value))"),
    ("    methods = tuple(dict.fromkeys(each.upper() for each in value))", "    methods = tuple(each.upper() for each in value)"),
    ("    if not methods:", "    if False:"),
    ("    if not METHODS.issuperset(methods):", "    if False:"),
    ("    if not 0 <= value <= 1000:", "    if not 0 <= value:"),
    ("    if not 0 <= value <= 1000:", "    if not value <= 1000:"),
    ("    if len(value) > LONGEST_NOTES:", "    if False:"),
    ("    if len(set(value)) != len(value) or not set(value) <= set(FLAGS):", "    if not set(value) <= set(FLAGS):"),
    ("    if len(set(value)) != len(value) or not set(value) <= set(FLAGS):", "    if len(set(value)) != len(value):"),
    ("    if len(value) > MOST_CHECKS:", "    if False:"),
    ("    if len(value) > MOST_CHECKS:", "    if len(value) >= MOST_CHECKS:"),
    ('                if len(each.pattern.encode("latin-1")) > LONGEST_PATTERN:', '                if len(each.pattern.encode("utf-8")) > LONGEST_PATTERN:'),
    ('                if len(each.pattern.encode("latin-1")) > LONGEST_PATTERN:', '                if len(each.pattern.encode("latin-1")) < 0:'),
    ("                flags(each.flags or \"\")", "                pass"),
    ('            "methods": self.methods,\n', ""),
    ('            "path": self.path,\n', ""),
    ('            "headers": self.headers,\n', ""),
    ('            "query": self.query,\n', ""),
    ("                if check.match_value is not None:", "                if False:"),
    ('        return self.default_effect == "allow" and all(', "        return all("),
    ("all(rule.report or rule.effect == \"allow\" for rule in self.rules)", 'all(rule.effect == "allow" for rule in self.rules)'),
    ("all(rule.report or rule.effect == \"allow\" for rule in self.rules)", "True"),
    ('return self.default_effect == "allow" and not self.rules', "return not self.rules"),
    ('return self.default_effect == "allow" and not self.rules', 'return self.default_effect == "allow"'),
    ("(rule for rule in rules if rule.active)", "(rule for rule in rules)"),
    ("(-rule.priority, rule.created_at, rule.id)", "(rule.created_at, rule.id)"),
    ("(-rule.priority, rule.created_at, rule.id)", "(-rule.priority, rule.id)"),
    ("(-rule.priority, rule.created_at, rule.id)", "(-rule.priority, rule.created_at)"),
]

DOCUMENTS = [
    ("        if known in renamed:", "        if False:"),
    ('        if "path" in renamed:\n            problems', '        if False:\n            problems'),
    ('    elif "pathPresence" in renamed:', "    elif False:"),
    ('renamed.pop("pathPresence", "present")', 'renamed.pop("pathPresence", None) and "present"'),
    ("None if pattern is None else", "None if False else"),
    ("    if problems:\n        raise", "    if False:\n        raise"),
    ('_OTHER_NAMES.get(name, name)', "name"),
    ("    if isinstance(value, str):\n        return", "    if False:\n        return"),
    ('and "path" not in value and "pattern" in value:', 'and False:'),
    ('if name not in ("pattern", "flags")}', 'if name != "pattern"}'),
    ('for name in ("pattern", "flags") if name in value}', 'for name in ("pattern",) if name in value}'),
    ("        if isinstance(check.get(name), str):", "        if False:"),
    ("_PRESENCE.get(presence, presence)", "presence"),
    ('"absent": "must_not_exist"', '"absent": "must_exist"'),
    ("if each is not None}", "}"),
]

# Not here: who may do what, which stands in a table for all routes (rrgate/core/access.py).
CORE = [
    ("        rule.misformed(),\n", "        [],\n"),
    ("if rule is None or rule.parent_id != parent.id:", "if rule is None:"),
    ("        check_rule(house, rule)\n        check_room", "        check_room"),
    ('        check_room(call, "rules")\n', ""),
    ("        check_rule(house, rule)\n        await call.save(rule)", "        await call.save(rule)"),
    ("house.directory.rules_of(parent.id)) >= MOST_RULES", "house.directory.rules_of(parent.id)) > MOST_RULES"),
    ("house.directory.rules_of(parent.id)) >= MOST_RULES", "house.directory.rules) >= MOST_RULES"),
    ("            client_id=parent.client_id,", '            client_id="",'),
    ("if name != WARNINGS}", "}"),
    ("rule = changed(house, rule, changes)", "rule = changed(house, rule, {})"),
    ("        _, rule = self.rule(call)\n        await call.delete(rule)", "        rule = call.house.directory.rules[call.ids['ruleId']]\n        await call.delete(rule)"),
]

CARRIED_OUT = [
    ("    if not willing:", "    if False:"),
    ("    elif not able:", "    elif False:"),
    ("checks - known or checks", "checks"),
    ("checks - known or checks", "checks - known"),
    ("    if not problems:\n        for plugin in able:", "    if False:\n        for plugin in able:"),
    ("    if problems:\n        raise ConfigError", "    if False:\n        raise ConfigError"),
]

DIRECTORY = [
    ("self._belonging[type(noun)].put(noun)\n                self._forget_routes_with(noun.parent_id)", "self._belonging[type(noun)].put(noun)"),
    ("self._belonging[type(noun)].drop(noun.id)\n                self._forget_routes_with(noun.parent_id)", "self._belonging[type(noun)].drop(noun.id)"),
    ("self._belonging[type(noun)].drop(noun.id)", "pass"),
    ("        # The part may be the proxy itself.\n        self._routes.pop(part_id.encode(), None)\n", ""),
    ("self._forget_routes(self._proxies_using.get(part_id, ()))", "pass"),
    ("                self._drop_what_belongs_to(noun.id)\n                self.credentials.drop", "                self.credentials.drop"),
    ("                self._drop_what_belongs_to(noun.id)\n                self.targets.drop", "                self.targets.drop"),
    ("                self._unlink(noun.id)\n                self._drop_what_belongs_to(noun.id)", "                self._unlink(noun.id)"),
]

JOINING = [
    ("default_effect=parent.default_rule_effect,", ""),
    ("rules=in_order(rules),", "rules=tuple(rules),"),
    ("judging = (of_caller, of_towards, of_proxy, of_target)", "judging = (of_towards, of_proxy, of_target)"),
    ("judging = (of_caller, of_towards, of_proxy, of_target)", "judging = (of_caller, of_proxy, of_target)"),
    ("judging = (of_caller, of_towards, of_proxy, of_target)", "judging = (of_caller, of_towards, of_target)"),
    ("judging = (of_caller, of_towards, of_proxy, of_target)", "judging = (of_caller, of_towards, of_proxy)"),
]

PARTS = [
    ("Scope.PROXY_CREDENTIAL if part.side is Side.PROXY else Scope.TARGET_CREDENTIAL", "Scope.PROXY_CREDENTIAL"),
    ("Scope.PROXY if isinstance(part, Proxy) else Scope.TARGET", "Scope.TARGET"),
]

ROUTE = [
    ("        if self.passed_headers and read_from:", "        if False:"),
    ("self.passed_headers.difference(read_from)", "self.passed_headers"),
    ("cut_parameters(query, self.cut_parameters) if query and self.cut_parameters else query", "query"),
]

CROSSING = [
    ("folded not in self._cut and not", "not"),
    ("not in self._cut and not folded.startswith(self._prefixes)", "not in self._cut"),
]

MUTATIONS = [
    (file, old, new)
    for file, rows in zip(
        NOTICES,
        (
            PLUGIN, JUDGING, INDEXES, GLANCE, MATCHING, MESSAGE, PATTERNS, LINT, READINGS, MODEL, DOCUMENTS, CORE,
            CARRIED_OUT, DIRECTORY, JOINING, PARTS, ROUTE, CROSSING,
        ),
        strict=True,
    )
    for old, new in rows
]  # fmt: skip


if __name__ == "__main__":
    sys.exit(run(MUTATIONS, NOTICES, sys.argv[1:]))
