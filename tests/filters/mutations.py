"""Takes one check after the other out of what filters answers and shows that a test notices; run by hand, not by pytest.

    python -m tests.filters.mutations [word]      (from the root; only mutations whose line holds `word`; some minutes)

Belongs here: which checks there are, as replacements of text, and what must notice. Does not: the tests themselves.
What only makes filtering quicker is not here: without it the same is left.
"""

# ruff: noqa: E501 - a mutation is read best on a line

from __future__ import annotations

import sys

from tests.mutating import run

QUERIES, ANSWERS = "tests/filters/test_queries.py", "tests/filters/test_answers.py"
NOTICES = {
    "plugins/filters/__init__.py": [ANSWERS],
    "plugins/filters/pruning.py": [ANSWERS],
    "plugins/filters/documents.py": [ANSWERS],
    "plugins/filters/threads.py": [ANSWERS],
    "plugins/gzip_bodies.py": [ANSWERS, "tests/plugins/test_gzip_bodies.py"],
    "rrgate/messages.py": [ANSWERS],
    "plugins/filters/queries.py": [QUERIES],
    "plugins/filters/comparing.py": [QUERIES],
    "rrgate/model/filter.py": ["tests/core/test_filters.py", ANSWERS],
    "rrgate/core/filters.py": ["tests/core/test_filters.py", "tests/core/test_room.py"],
    "rrgate/core/belonging.py": ["tests/core/test_filters.py"],
    "rrgate/joining.py": [ANSWERS, "tests/core/test_filters.py"],
    "rrgate/directory.py": [ANSWERS, "tests/core/test_filters.py"],
    "rrgate/compiling.py": [ANSWERS],
}

PLUGIN = [
    ("frozenset((101, 206, 226))", "frozenset((101, 206))"),
    ("frozenset((101, 206, 226))", "frozenset((101, 226))"),
    ("if status == 204 or response.length == 0:", "if response.length == 0:"),
    ("        if not parts.filters:\n            return None", "        pass"),
    ("for kind in sorted(each.as_rule.checks - cls.filters)", "for kind in ()"),
    ("problems.append(Problem(f\"jsonPaths.{place}\"", "(lambda *_: None)(Problem(f\"jsonPaths.{place}\""),
    ("            problems += error.problems", "            pass"),
    ("        if self._for_all:\n", "        if True:\n"),
    ("        if self._looks_at_bodies and any(", "        if False and any("),
    ("await message.read_body()", "pass"),
    ("        if ex.state[self.name]:", "        if True:"),
    ("        if ex.state[self.name]:", "        if False:"),
    ('ex.to_target.ask_whole(b"gzip")', "pass"),
    ("        if not stages:\n            return None", "        pass"),
    ("        if status in _IN_PARTS:", "        if False:"),
    ("        if not 200 <= status < 300:", "        if not 200 <= status:"),
    ("        if not 200 <= status < 300:", "        if not status < 300:"),
    ("        if not 200 <= status < 300:", "        if status != 200:"),
    ('        if ex.method == b"HEAD":', "        if False:"),
    ("            _forget_the_whole(response)\n            response.length = None", "            response.length = None"),
    ("            _forget_the_whole(response)\n            response.length = None", "            _forget_the_whole(response)"),
    ("        if reason:\n", "        if False:\n"),
    ("response.body.bound(most)", "pass"),
    ("min(AT_MOST.size, max(0, bound.limit - response.size_of_head))", "AT_MOST.size"),
    ("workers.hold(len(data))", "pass"),
    ("                held += len(data)", "                pass"),
    ("            workers.let_go(held)", "            pass"),
    ("            if body:\n", "            if True:\n"),
    ("            if bound is not None and most < AT_MOST.size:", "            if False:"),
    ("            if bound is not None and most < AT_MOST.size:", "            if True:"),
    ("        _forget_the_whole(response)\n        if response", "        if response"),
    ('        if response.header(b"Content-Type") is None:', "        if True:"),
    ('        if response.header(b"Content-Type") is None:', "        if False:"),
    ("        if len(body) <= AT_ONCE.size:", "        if True:"),
    ("            except TooMuch:\n                pass", "            except ZeroDivisionError:\n                pass"),
    ("            if applying:", "            if scope:"),
    ("for each in applying if each.retains for", "for each in applying for"),
    ("for each in applying if not each.retains for", "for each in applying for"),
    ("(rule.methods is None or method in rule.methods) and rule.matches(message)", "rule.matches(message)"),
    ("(rule.methods is None or method in rule.methods) and rule.matches(message)", "(rule.methods is None or method in rule.methods)"),
    ('filter_.effect == "retain"', "True"),
    ("    if len(types) > 1:", "    if False:"),
    ("    if types and not is_json_type(media_type(types[0])):", "    if False:"),
    ("    if types and not in_utf_8(types[0]):", "    if False:"),
    ("    if encodings and (len(encodings) > 1 or encodings[0] not in CODINGS):", "    if False:"),
    ("(len(encodings) > 1 or encodings[0] not in CODINGS)", "len(encodings) > 1"),
    ("(len(encodings) > 1 or encodings[0] not in CODINGS)", "encodings[0] not in CODINGS"),
    *((f'    b"{name}",\n', "") for name in ("Content-Encoding", "Content-Length", "Accept-Ranges", "ETag", "Content-MD5", "Digest", "Content-Digest", "Repr-Digest")),
]

PRUNING = [
    ("            if not retained.root:", "            if True:"),
    ("                if not isinstance(run.document, dict | list):\n                    run.document = None", "                pass"),
    ("            else:\n                destroyed.remove()\n        if destroyed", "        if destroyed"),
    ("        if destroyed.root:", "        if False:"),
    ("        if key in lost:\n            continue", "        pass"),
    ("        if key in kept:\n            _take_out(value, destroyed)", "        if key in kept:\n            pass"),
    ("        if key in kept:", "        if False:"),
    ("        elif _keep(value, retained, destroyed):", "        elif isinstance(value, dict | list):"),
    ("    return bool(left)", "    return True"),
    ("            for key in lost:\n                del value[key]", "            pass"),
    ("            if lost:\n                value[:]", "            if False:\n                value[:]"),
    ("            waiting += value.values()", "            pass"),
    ("            waiting += value\n", "            pass\n"),
    ("                for key in keys:\n                    del container[key]", "                pass"),
    ("if place not in keys]", "]"),
]

DOCUMENTS = [
    ("    if len(body) > bounds.size:", "    if False:"),
    ("    if body.count(b\",\") >= bounds.values and", "    if False and"),
    ('and without_strings(body).count(b",") >= bounds.values', ""),
    ("body.removeprefix(_BOM)", "body"),
    ('.decode("utf-8")\n    return json', '.decode("latin-1")\n    return json'),
    ("parse_float=_fraction", "parse_float=float"),
    ("parse_int=_whole", "parse_int=int"),
    (", parse_constant=_no_constant", ""),
    ("len(text) < 19", "len(text) < 30"),
    ('and text != "-0"', ""),
    ("    except RecursionError:", "    except ZeroDivisionError:"),
    ("    except TooMuchWork:", "    except ZeroDivisionError:"),
    ("    except TypeError:\n", "    except ZeroDivisionError:\n"),
    ("return value.text if isinstance(value, _Fraction) else json_text(value, ascii=True)", "return json_text(value, ascii=True)"),
    ("        for stage in stages:", "        for stage in stages[:1]:"),
    ("        for stage in stages:", "        for stage in reversed(stages):"),
]  # fmt: skip

QUERY = [
    ("_descendants(query) > MOST_DESCENDANTS", "False"),
    ('text.count("..") > MOST_DESCENDANTS and', ""),
    ("isinstance(error, _NotSupported)", "False"),
    ('hint = "; match', 'hint = "" and "; match'),
    ("(once and id(value) in seen)", "False"),
    ("(once and id(value) in seen)", "id(value) in seen"),
    ("                run.spend(len(value) + len(selectors))", "                pass"),
    ("                    run.spend(1)\n", "                    pass\n"),
    ("    run.spend(len(value))\n    return iter", "    return iter"),
    ("            run.spend(len(chosen))", "            pass"),
    ("        run.spend(1)\n        for segment", "        for segment"),
    ("type(value) is dict and name in value", "name in value"),
    ("        if type(value) is list:\n            place", "        if True:\n            place"),
    ("index if index >= 0 else len(value) + index", "index"),
    ("if 0 <= place < len(value):", "if place < len(value):"),
    ("if type(value) is list and places.step != 0:", "if places.step != 0:"),
    ("if type(value) is list and places.step != 0:", "if type(value) is list:"),
    ("left(value, run) and right(value, run)", "left(value, run) or right(value, run)"),
    ("left(value, run) or right(value, run)", "left(value, run) and right(value, run)"),
    ("lambda value, run: not inner(value, run)", "inner"),
    ("run.document if from_root else value", "value"),
    ("run.document if from_root else value", "run.document"),
    ('int(written) if re.fullmatch("-?[0-9]+", written) else float(written)', "float(written)"),
    ("nodes[0][2] if len(nodes) == 1 else NOTHING", "nodes[0][2] if nodes else NOTHING"),
    ("len(value) if type(value) in (str, list, dict) else NOTHING", "len(value)"),
    ("_segments(expression.query, once=False)", "_segments(expression.query, once=True)"),
]

COMPARING = [
    ("        if self.left < 0:", "        if False:"),
    ("            return False  # each", "            return one == other  # each"),
    ("        if one is NOTHING or other is NOTHING:\n            return False\n", ""),
    ("not isinstance(other, dict) or one.keys() != other.keys()", "not isinstance(other, dict)"),
    ("not isinstance(other, list) or len(one) != len(other)", "not isinstance(other, list)"),
    ("            run.spend(len(one))\n            waiting += zip", "            waiting += zip"),
    ("isinstance(other, dict | list) or ", ""),
    ("        if one is other:\n            continue", "        if one is other:\n            return True"),
    (" and not isinstance(value, bool)", ""),
    ("if isinstance(one, str) and isinstance(other, str):", "if isinstance(one, str):"),
    ("less(one, other, run) or same", "less(one, other, run) and same"),
    ("less(other, one, run) or same", "less(other, one, run) and same"),
    ('"<": less,', '"<": lambda one, other, run: less(other, one, run),'),
    ("                run.spend(len(one) // CHARACTERS_A_LOOK)", "                pass"),
    ("        run.spend(min(len(one), len(other)) // CHARACTERS_A_LOOK)", "        pass"),
    ("lambda one, other, run: not same(one, other, run)", "same"),
]

OTHERS = [
    ("plugins/gzip_bodies.py", 'CODINGS: Final = (b"gzip", b"x-gzip")', 'CODINGS: Final = (b"gzip",)'),
    ("plugins/gzip_bodies.py", "unzip.decompress(body, most + 1)", "unzip.decompress(body)"),
    ("plugins/gzip_bodies.py", "(not unzip.eof or unzip.unused_data)", "unzip.unused_data"),
    ("plugins/gzip_bodies.py", "(not unzip.eof or unzip.unused_data)", "not unzip.eof"),
    *(("rrgate/messages.py", '(b"range", b"if-range", b"a-im")', f"({', '.join(left)})") for left in (('b"range"', 'b"if-range"'), ('b"range"', 'b"a-im"'), ('b"if-range"', 'b"a-im"'))),
    ("rrgate/messages.py", "            return\n        self.injected[folded]", "            pass\n        self.injected[folded]"),
    ("plugins/filters/threads.py", "        if self.held + size > MOST_HELD:", "        if False:"),
    ("plugins/filters/threads.py", "            left = True\n            self.held += size", "            left = True"),
    ("plugins/filters/threads.py", "                self.held -= size", "                pass"),
    ("plugins/filters/threads.py", "None if left else work()", "work()"),
    ("rrgate/model/filter.py", "    if not 1 <= len(value) <= MOST_JSON_PATHS:", "    if not 1 <= len(value):"),
    ("rrgate/model/filter.py", "    if not 1 <= len(value) <= MOST_JSON_PATHS:", "    if not len(value) <= MOST_JSON_PATHS:"),
    ("rrgate/model/filter.py", 'if not value.startswith("$") or len(value)', "if len(value)"),
    ("rrgate/model/filter.py", " or len(value) > LONGEST_JSON_PATH", ""),
    ("rrgate/model/filter.py", 'effect="deny"', 'effect="allow"'),
    *(("rrgate/model/filter.py", f"            {name}=self.{name},\n", "") for name in ("methods", "path", "headers", "query", "body", "token", "regex_flags")),
    ("rrgate/model/filter.py", "if each.active)", ")"),
    ("rrgate/core/filters.py", "        rule.misformed(),\n", "        [],\n"),
    ("rrgate/core/filters.py", "lambda plugin: plugin.filters,", "lambda plugin: plugin.judges,"),
    ("rrgate/core/filters.py", "lambda plugin: plugin.check_filter(filter_)", "lambda plugin: None"),
    ("rrgate/core/filters.py", '        check_room(call, "filters")\n', ""),
    ("rrgate/core/belonging.py", "    if not willing:", "    if False:"),
    ("rrgate/core/belonging.py", "    elif not able:", "    elif False:"),
    ("rrgate/core/filters.py", "if found is None or found.parent_id != parent.id:", "if found is None:"),
    ("rrgate/core/filters.py", "        check_filter(house, made)\n", ""),
    ("rrgate/core/filters.py", "        check_filter(house, found)\n", ""),
    ("rrgate/core/filters.py", ">= MOST_FILTERS:", "> MOST_FILTERS:"),
    ("rrgate/core/filters.py", "house.directory.filters_of(parent.id)) >=", "house.directory.filters) >="),
    ("rrgate/joining.py", "filtering = (of_towards, of_target, of_caller, of_proxy)", "filtering = (of_target, of_towards, of_caller, of_proxy)"),
    ("rrgate/joining.py", "filtering = (of_towards, of_target, of_caller, of_proxy)", "filtering = (of_towards, of_caller, of_target, of_proxy)"),
    ("rrgate/joining.py", "filtering = (of_towards, of_target, of_caller, of_proxy)", "filtering = (of_towards, of_target, of_proxy, of_caller)"),
    ("rrgate/joining.py", "in_force(self._nouns.filters_of(part.id))", "tuple(self._nouns.filters_of(part.id))"),
    ("rrgate/directory.py", "self._belonging[type(noun)].put(noun)\n                self._forget_routes_with(noun.parent_id)", "self._belonging[type(noun)].put(noun)"),
    ("rrgate/directory.py", "self._belonging[type(noun)].drop(noun.id)\n                self._forget_routes_with(noun.parent_id)", "self._belonging[type(noun)].drop(noun.id)"),
    ("rrgate/directory.py", "            nouns.drop_all_of(parent_id)", "            pass"),
    ("rrgate/compiling.py", "            if parts.filters and not any(", "            if False and not any("),
]  # fmt: skip

MUTATIONS = [
    *(("plugins/filters/__init__.py", old, new) for old, new in PLUGIN),
    *(("plugins/filters/pruning.py", old, new) for old, new in PRUNING),
    *(("plugins/filters/documents.py", old, new) for old, new in DOCUMENTS),
    *(("plugins/filters/queries.py", old, new) for old, new in QUERY),
    *(("plugins/filters/comparing.py", old, new) for old, new in COMPARING),
    *OTHERS,
]


if __name__ == "__main__":
    sys.exit(run(MUTATIONS, NOTICES, sys.argv[1:]))
