"""Takes one judging check after the other out of the wire and shows that a test notices; run by hand, not by pytest.

    python -m tests.wire.mutations [word]      (from the root; only mutations whose line holds `word`; about a minute)

Belongs here: which checks there are, as replacements of text, and what must notice. Does not: the tests themselves.
A check that can go without a test failing is a check that will go. Every check of request_head.py, answer_head.py,
fieldlines.py, framing.py, paths.py and repeated_heads.py stands here; a text that is no longer in its file
fails too, so that the list follows the code.
"""

from __future__ import annotations

import sys

from tests.mutating import run

MALFORMED = ["tests/wire/test_malformed_requests.py", "tests/wire/test_second_lines.py"]
BROKEN = ["tests/wire/test_broken_answers.py", "tests/wire/test_second_lines.py"]
CHUNKS = [*MALFORMED, "tests/wire/test_chunks_agree.py"]
NOTICES = {
    "rrgate/wire/request_head.py": [*MALFORMED, "tests/wire/test_caller_connections.py"],
    "rrgate/wire/answer_head.py": [*BROKEN, "tests/wire/test_target_connections.py"],
    "rrgate/wire/fieldlines.py": [
        "tests/wire/test_field_lines.py", *MALFORMED, "tests/wire/test_caller_connections.py",
        "tests/wire/test_callers.py",
    ],
    "rrgate/wire/framing.py": CHUNKS,
    "rrgate/paths.py": ["tests/test_paths.py"],
    "rrgate/wire/repeated_heads.py": ["tests/wire/test_repeated_heads.py"],
    "rrgate/names.py": MALFORMED,
}

REQUEST_HEAD = [
    # The first bytes.
    ("if begun[0] not in _FIRST_BYTES:", "if False:"),
    ("        if len(begun) > max_target + 64:", "        if False:"),
    ("if begun[end - 1] != 0x0D:", "if False:"),
    ("    judge_request_line(begun[: end - 1], max_target)", "    pass"),
    # The request line.
    ("    if len(line) > max_target + 64:", "    if False:"),
    ("if len(target) > max_target:", "if False:"),
    ('if major != b"1" or minor > b"1":', "if False:"),
    ('if major != b"1" or minor > b"1":', 'if major != b"1":'),
    ('if major != b"1" or minor > b"1":', 'if minor > b"1":'),
    ("if method not in METHODS:", "if False:"),
    ('if method in (b"CONNECT", b"TRACE"):', "if False:"),
    ('([\\x21-\\x7e]+) HTTP/([0-9])\\.([0-9])\\Z"', '([\\x20-\\x7e]+) HTTP/([0-9])\\.([0-9])\\Z"'),
    ('([\\x21-\\x7e]+) HTTP/([0-9])\\.([0-9])\\Z"', '([\\x21-\\xff]+) HTTP/([0-9])\\.([0-9])\\Z"'),
    ('([\\x21-\\x7e]+) HTTP/([0-9])\\.([0-9])\\Z"', '([\\x00-\\x7e]+) HTTP/([0-9])\\.([0-9])\\Z"'),
    ('HTTP/([0-9])\\.([0-9])\\Z"', 'HTTP/([0-9])\\.([0-9])"'),
    ('HTTP/([0-9])\\.([0-9])\\Z"', 'HTTP/([0-9])\\.([0-9])$"'),
    ('HTTP/([0-9])\\.([0-9])\\Z"', 'HTTP/([0-9])\\.([0-9]) ?\\Z"'),
    ('HTTP/([0-9])\\.([0-9])\\Z"', '(?i:HTTP)/([0-9])\\.([0-9])\\Z"'),
    ("rb\"([!#$%&'*+\\-.^_`|~0-9A-Za-z]+) (", 'rb"([^ ]+) ('),
    ("rb\"([!#$%&'*+\\-.^_`|~0-9A-Za-z]+) (", "rb\" ?([!#$%&'*+\\-.^_`|~0-9A-Za-z]+) ("),
    ("rb\"([!#$%&'*+\\-.^_`|~0-9A-Za-z]+) (", "rb\"([!#$%&'*+\\-.^_`|~0-9A-Za-z]+) +("),
    # The fields.
    ("if len(fields) > max_fields:", "if False:"),
    ("if oddly:", "if False:"),
    ("if target[0] != 0x2F:", "if False:"),
    ('if target.find(b"#") >= 0:', "if False:"),
    ('if [value.lower() for value in special[b"expect"]] != [b"100-continue"]:', "if False:"),
    ('!= [b"100-continue"]:', 'and special[b"expect"][0].lower() != b"100-continue":'),
    ('if b"expect" in special and not http10:', 'if b"expect" in special:'),
    ('b"close" not in options and (not http10', "(not http10"),
    ('(not http10 or b"keep-alive" in options)', "True"),
    ("expects_continue = length != 0", "expects_continue = False"),
    # Host and the authority.
    ("        if http10:\n            return b", "        if True:\n            return b"),
    ("if len(values) > 1:", "if False:"),
    ("if len(values[0]) > MAX_HOST or", "if"),
    ("or not is_host(values[0]):", "and not is_host(values[0]):"),
    ("if not host or matched[1].lower() != host.lower():", "if False:"),
    ("if not host or matched[1].lower() != host.lower():", "if matched[1].lower() != host.lower():"),
    ("if not host or matched[1].lower() != host.lower():", "if not host:"),
    # The framing.
    ("if len(lengths) > 1 or not CONTENT_LENGTH.match(lengths[0]):", "if not CONTENT_LENGTH.match(lengths[0]):"),
    ("if len(lengths) > 1 or not CONTENT_LENGTH.match(lengths[0]):", "if len(lengths) > 1:"),
    ("    if lengths is not None:\n        raise", "    if False:\n        raise"),
    ("    if http10:\n        raise", "    if False:\n        raise"),
    ('if coding == "bad":', "if False:"),
    ('if coding == "unknown":', "if False:"),
]

ANSWER_HEAD = [
    ("HTTP/1\\.([01])", "HTTP/1\\.([0-9])"),
    ("HTTP/1\\.([01])", "HTTP/[0-9]\\.([01])"),
    ("HTTP/1\\.([01])", "(?i:HTTP)/1\\.([01])"),
    ("([1-5][0-9]{2})", "([0-9]{3})"),
    ("([1-5][0-9]{2})", "([1-9][0-9]{2})"),
    ("([1-5][0-9]{2})", "([1-5][0-9]+)"),
    ("(?: ([\\t \\x21-\\x7e\\x80-\\xff]*))?\\Z", "(?: ([^\\n]*))?\\Z"),
    ("(?: ([\\t \\x21-\\x7e\\x80-\\xff]*))?\\Z", "(?:[ \\t]([\\t \\x21-\\x7e\\x80-\\xff]*))?\\Z"),
    ("(?: ([\\t \\x21-\\x7e\\x80-\\xff]*))?\\Z", "(?: ([\\t \\x21-\\x7e\\x80-\\xff]*))?"),
    ("if len(fields) > max_fields:", "if False:"),
    ("if oddly:", "if False:"),
    (
        'reusable = not http10 and b"close" not in options and length != CLOSE',
        "reusable = not http10 and length != CLOSE",
    ),
    ('reusable = not http10 and b"close" not in options and length', 'reusable = b"close" not in options and length'),
    ("not in options and length != CLOSE", "not in options"),
    ("if to_head_request or status < 200 or", "if status < 200 or"),
    ("or status in (204, 304):", "or status == 204:"),
    ("or status in (204, 304):", "or status == 304:"),
    ("or status < 200 or", "or"),
    ('        reusable = not http10 and b"close" not in options\n', "        reusable = not http10\n"),
    ('        reusable = not http10 and b"close" not in options\n', '        reusable = b"close" not in options\n'),
    ("status != 304 and (announced or length is None)", "status != 304 and announced"),
    ("status != 304 and (announced or length is None)", "status != 304 and length is None"),
    ("if not to_head_request and status != 304 and", "if not to_head_request and"),
    ("if not to_head_request and status != 304 and", "if status != 304 and"),
    ('if reusable and b"keep-alive" in special', 'if b"keep-alive" not in special and reusable'),
    ("if len(lengths) > 1 or not CONTENT_LENGTH.match(lengths[0]):", "if not CONTENT_LENGTH.match(lengths[0]):"),
    ("if len(lengths) > 1 or not CONTENT_LENGTH.match(lengths[0]):", "if len(lengths) > 1:"),
    ('if transfer_coding(codings) != "chunked":', "if False:"),
    ("    if lengths is not None:\n        raise", "    if False:\n        raise"),
    ("    if http10:\n        raise", "    if False:\n        raise"),
]

FIELDLINES = [
    ('rb"[0-9]{1,15}\\Z"', 'rb"[0-9]{1,15}"'),
    ('rb"[0-9]{1,15}\\Z"', 'rb"[0-9]+\\Z"'),
    ('rb"[0-9]{1,15}\\Z"', 'rb"[0-9]{1,15}$"'),
    ('rb"[0-9]{1,15}\\Z"', 'rb"[+-]?[0-9]{1,15}\\Z"'),
    ("if value[-1:] in _SPACES:", "if False:"),
    ('if name.find(b"_") >= 0:', "if False:"),
    ("            if folded in special:", "            if False:"),
    ("    except httptools.HttpParserUpgrade:", "    except ZeroDivisionError:"),
    (
        "        except httptools.HttpParserError:\n            return None",
        "        except httptools.HttpParserError:\n            pass",
    ),
    ("if not split.ended or len(fields) != len(lines):", "if len(fields) != len(lines):"),
    ("if not split.ended or len(fields) != len(lines):", "if not split.ended:"),
    ("if len(line) <= LONGEST_KNOWN and", "if"),
    (' and field[0] != b"transfer-encoding" and', " and"),
    (" and line not in self._known:", ":"),
    ("        if field[0] in SPECIAL:\n", "        if False:\n"),
    ("        if len(self._known) >= MOST_KNOWN:", "        if False:"),
    ("self._known, self._special, self._of_name = {}, set(), {}", "self._known.clear()"),
    ("self._known, self._special, self._of_name = {}, set(), {}", "self._known, self._of_name = {}, {}"),
    ("        elif len(recent) >= MOST_OF_NAME:", "        elif False:"),
    ("            self._special.discard(oldest)\n", ""),
    ("marked = [field for field in fields if field[0] in SPECIAL]", "marked = []"),
    ("    if named:\n", "    if False:\n"),
    ('b"http2-settings", b"x-forwarded-for"}', 'b"http2-settings"}'),
    ("for option in options} - _NAMED_IN_CONNECTION_ANYWAY", "for option in options - _NAMED_IN_CONNECTION_ANYWAY}"),
    ('if codings == [b"chunked"]:', 'if codings[-1] == b"chunked":'),
    ('codings.count(b"chunked") > 1 or b"" in codings', 'b"" in codings'),
    ('> 1 or b"" in codings or', "> 1 or"),
    (' or codings[-1] != b"chunked":', ":"),
]

FRAMING = [
    ("if self._state == _SIZE and len(line) > MAX_SIZE_LINE:", "if False:"),
    ('if self._state == _DATA_END and line not in (b"", b"\\r"):', "if False:"),
    ("if self._state == _TRAILERS and self._trailers + len(line) > MAX_TRAILERS:", "if False:"),
    ("self._trailers + len(line) > MAX_TRAILERS", "len(line) > MAX_TRAILERS"),
    ('if not line.endswith(b"\\r"):', "if False:"),
    ("if self._idle > MAX_IDLE_BYTES:", "if False:"),
    ("self._idle += len(line) - len(matched[1])", "self._idle += 0"),
    ("if not _TRAILER.match(line):", "if False:"),
    ("            self._trailers += len(line)", "            pass"),
    ("(?!(?i:content[-_]length|transfer[-_]encoding):)", ""),
    ("(?i:content[-_]length|transfer[-_]encoding)", "content[-_]length|transfer[-_]encoding"),
    ("(?i:content[-_]length|transfer[-_]encoding)", "(?i:content[-_]length)"),
    ("(?i:content[-_]length|transfer[-_]encoding)", "(?i:transfer[-_]encoding)"),
    ('rb"0*([0-9A-Fa-f]{1,15})', 'rb"0*([0-9A-Fa-f]+)'),
    ('rb"0*([0-9A-Fa-f]{1,15})', 'rb"0*([0-9A-Fa-f]{1,15})[ \\t]*'),
    ('rb"0*([0-9A-Fa-f]{1,15})', 'rb"[ \\t]*0*([0-9A-Fa-f]{1,15})'),
    ('rb"0*([0-9A-Fa-f]{1,15})', 'rb"[+]?0*([0-9A-Fa-f]{1,15})'),
    ('rb"0*([0-9A-Fa-f]{1,15})', 'rb"(?:0x)?0*([0-9A-Fa-f]{1,15})'),
    ("(?:;[!#$%&'*+", "(?:[ \\t]*;[!#$%&'*+"),
    ("(?:;[!#$%&'*+", "(?:;[ \\t]*[!#$%&'*+"),
    ('rb"(?:=(?:[!#$%', 'rb"(?:[ \\t]*=(?:[!#$%'),
    ('rb"(?:=(?:[!#$%', 'rb"(?:=[ \\t]*(?:[!#$%'),
    ('\\\\[\\t \\x21-\\x7e\\x80-\\xff])*\\"))?)*\\Z"', '\\\\[\\t \\x21-\\x7e\\x80-\\xff])*\\"))?)*"'),
    ('\\\\[\\t \\x21-\\x7e\\x80-\\xff])*\\"))?)*\\Z"', '\\\\[^\\n])*\\"))?)*\\Z"'),
    ('rb"|\\"(?:[\\t \\x21\\x23-\\x5b', 'rb"|\\"(?:[\\0-\\x21\\x23-\\x5b'),
    ("0-9A-Za-z]+:[\\t \\x21-\\x7e\\x80-\\xff]*\\Z", "0-9A-Za-z]+[ \\t]*:[\\t \\x21-\\x7e\\x80-\\xff]*\\Z"),
    ("0-9A-Za-z]+:[\\t \\x21-\\x7e\\x80-\\xff]*\\Z", "0-9A-Za-z]+:[^\\n]*\\Z"),
    ("0-9A-Za-z]+:[\\t \\x21-\\x7e\\x80-\\xff]*\\Z", "0-9A-Za-z]+:[\\t \\x21-\\x7e\\x80-\\xff]*"),
    ("0-9A-Za-z]+:[\\t \\x21-\\x7e\\x80-\\xff]*\\Z", "0-9A-Za-z]*:[\\t \\x21-\\x7e\\x80-\\xff]*\\Z"),
    ("        if size < self._left:", "        if size <= self._left:"),
    ("        if size == self._left:", "        if True:"),
    ("data[place:] if self.done else", "data[place:] if False else"),
]

PATHS = [
    ("if _RAW_FORBIDDEN.search(raw):", "if False:"),
    ("if _BAD_ESCAPE.search(raw):", "if False:"),
    ('if raw.startswith(b"//") and not raw_paths:', "if False:"),
    ('if raw.startswith(b"//") and not raw_paths:', 'if raw.startswith(b"//"):'),
    ('if b"%00" in lowered:', "if False:"),
    ('if b"%5c" in lowered and not raw_paths:', "if False:"),
    ('if b"%5c" in lowered and not raw_paths:', 'if b"%5c" in lowered:'),
    ('if strict and b"%2f" in lowered:', "if False:"),
    ('if strict and b"%2f" in lowered:', 'if b"%2f" in lowered:'),
    ("    lowered = raw.lower()", "    lowered = raw"),
    ('if segment in (b".", b".."):', "if False:"),
    ('if segment in (b".", b".."):', 'if segment == b"..":'),
    ('if segment in (b".", b".."):', 'if segment == b".":'),
    ('_SLASHES.sub(b"/", _PARAMETERS.sub(b"", segments_judged))', "segments_judged"),
    (
        '    segments = _SLASHES.sub(b"/", _PARAMETERS.sub(b"", segments))',
        '    segments = _PARAMETERS.sub(b"", segments)',
    ),
    (
        '    segments = _SLASHES.sub(b"/", _PARAMETERS.sub(b"", segments))',
        '    segments = _SLASHES.sub(b"/", segments)',
    ),
    ('segments_judged = re.sub(rb"%5[cC]", b"/", segments)', "segments_judged = segments"),
    ('re.sub(rb"%2[fF]", b"/", decoded)', "decoded"),
    ('re.sub(rb"%2[fF]", b"/", decoded)', 're.sub(rb"%2F", b"/", decoded)'),
    ("decoded = _ESCAPE.sub(_decode_one, raw)", "decoded = raw"),
    (
        "_KEPT = frozenset({0x2F, 0x5C, 0x25, *_CONTROLS})",
        "_KEPT = frozenset({0x5C, 0x25, *_CONTROLS})",
    ),
    (
        "_KEPT = frozenset({0x2F, 0x5C, 0x25, *_CONTROLS})",
        "_KEPT = frozenset({0x2F, 0x25, *_CONTROLS})",
    ),
    (
        "_KEPT = frozenset({0x2F, 0x5C, 0x25, *_CONTROLS})",
        "_KEPT = frozenset({0x2F, 0x5C, *_CONTROLS})",
    ),
    ("_KEPT = frozenset({0x2F, 0x5C, 0x25, *_CONTROLS})", "_KEPT = frozenset({0x2F, 0x5C, 0x25})"),
    (
        "_CONTROLS = (*range(0x20), 0x7F)",
        "_CONTROLS = (*range(0x20),)",
    ),
    ('rb"[\\x00-\\x20#\\\\\\x7f-\\xff]"', 'rb"[\\x01-\\x20#\\\\\\x7f-\\xff]"'),
    ('rb"[\\x00-\\x20#\\\\\\x7f-\\xff]"', 'rb"[\\x00-\\x1f#\\\\\\x7f-\\xff]"'),
    ('rb"[\\x00-\\x20#\\\\\\x7f-\\xff]"', 'rb"[\\x00-\\x20\\\\\\x7f-\\xff]"'),
    ('rb"[\\x00-\\x20#\\\\\\x7f-\\xff]"', 'rb"[\\x00-\\x20#\\x7f-\\xff]"'),
    ('rb"[\\x00-\\x20#\\\\\\x7f-\\xff]"', 'rb"[\\x00-\\x20#\\\\\\x80-\\xff]"'),
    ('rb"[\\x00-\\x20#\\\\\\x7f-\\xff]"', 'rb"[\\x00-\\x20#\\\\\\x7f]"'),
    ('rb"%(?![0-9A-Fa-f]{2})"', 'rb"%(?![0-9A-Fa-f])"'),
    ('rb"(?:/[A-Za-z0-9', 'rb"(?:/[.A-Za-z0-9'),
    ("(?:/[A-Za-z0-9\\-_~!$&'()*+,=:@]", "(?:/[%A-Za-z0-9\\-_~!$&'()*+,=:@]"),
    ("[A-Za-z0-9\\-._~!$&'()*+,=:@]*)*/?\\Z", "[A-Za-z0-9\\-._~!$&'()*+,=:@;]*)*/?\\Z"),
    ("[A-Za-z0-9\\-._~!$&'()*+,=:@]*)*/?\\Z", "[A-Za-z0-9\\-._~!$&'()*+,=:@]*)*/*\\Z"),
    ("[A-Za-z0-9\\-._~!$&'()*+,=:@]*)*/?\\Z", "[A-Za-z0-9\\-._~!$&'()*+,=:@]*)*/?"),
]

REPEATED_HEADS = [
    ("and fields == self._fields:", ":"),
    ("if line == self._line:", "if True:"),
    ("if method == last.method and http10 == last.http10:", "if http10 == last.http10:"),
    ("if method == last.method and http10 == last.http10:", "if method == last.method:"),
    ("target = origin_form(target, last.host)", "pass"),
    ("if judged.handshake is None and", "if"),
    ("if to_head_request:", "if False:"),
    ("if len(self._known) >= MOST_ANSWERS:", "if False:"),
    ("= judge_request_line(line, max_target)", "= (*line.split()[:2], False)"),
]

HOST = [
    ("(?::[0-9]{1,5})?\\Z", "(?::[0-9]{1,5})?"),
    ("(?::[0-9]{1,5})?\\Z", "(?::[0-9]+)?\\Z"),
    ("(?::[0-9]{1,5})?\\Z", "(?::[0-9a-z]{1,5})?\\Z"),
]

MUTATIONS = [
    (file, old, new)
    for file, rows in zip(
        NOTICES, (REQUEST_HEAD, ANSWER_HEAD, FIELDLINES, FRAMING, PATHS, REPEATED_HEADS, HOST), strict=True
    )
    for old, new in rows
]


if __name__ == "__main__":
    sys.exit(run(MUTATIONS, NOTICES, sys.argv[1:]))
