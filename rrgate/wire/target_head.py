"""The head of the request that goes to a target, as bytes.

Belongs here: putting together what was judged and injected, framed by us. Does not: deciding what is injected.
"""

from __future__ import annotations

from rrgate.body import Body
from rrgate.messages import InjectionError, TargetRequest
from rrgate.names import fold
from rrgate.route import Route

_BODY_EXPECTED = frozenset((b"POST", b"PUT", b"PATCH"))


def target_head(
    request: TargetRequest, route: Route, body: bytes | Body | None, hops_name: bytes, hops: int
) -> tuple[bytes, bool]:
    """(head with its empty line, whether `body` is sent chunked). `hops_name`, `hops`: our loop counter.

    Raises InjectionError if an injected value could split the head: checked here again, on the last line of defence.
    """
    injected = request.injected
    lines = [
        b"%b %b%b%b HTTP/1.1\r\nHost: %b"
        % (request.method, request.path, request.query_mark, request.query, route.authority)
    ]
    # Added and not formatted: a third cheaper.
    if injected:
        ours = fold(hops_name)
        lines += [name + b": " + value for folded, name, value in request.fields if folded not in injected]
        lines += [name + b": " + value for folded, (name, value, _) in injected.items() if folded != ours]
    else:
        lines += [name + b": " + value for _, name, value in request.fields]
    chunked = False
    framing = b""
    if isinstance(body, Body):
        if request.stream_length is None:
            chunked = True
            framing = b"Transfer-Encoding: chunked\r\n"
        else:
            framing = b"Content-Length: %d\r\n" % request.stream_length
    elif body:
        framing = b"Content-Length: %d\r\n" % len(body)
    elif body is not None or request.method in _BODY_EXPECTED:
        framing = b"Content-Length: 0\r\n"
    lines.append(b"%b: %d\r\n%b\r\n" % (hops_name, hops, framing))
    head = b"\r\n".join(lines)
    # One CR and one LF a line, so nothing that was injected can have brought its own (0.3 µs for all of it).
    ends = len(lines) + (3 if framing else 2)
    if head.count(b"\n") != ends or head.count(b"\r") != ends or head.find(b"\0") >= 0:
        raise InjectionError("a part of the request to the target holds CR, LF or NUL")
    return head, chunked
