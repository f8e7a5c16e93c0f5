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
    if injected:
        lines += [b"%b: %b" % (name, value) for folded, name, value in request.fields if folded not in injected]
        ours = fold(hops_name)
        lines += [b"%b: %b" % (name, value) for folded, (name, value, _) in injected.items() if folded != ours]
    else:
        lines += [b"%b: %b" % (name, value) for _, name, value in request.fields]
    lines.append(b"%b: %d" % (hops_name, hops))
    chunked = False
    if isinstance(body, Body):
        if request.stream_length is None:
            chunked = True
            lines.append(b"Transfer-Encoding: chunked")
        else:
            lines.append(b"Content-Length: %d" % request.stream_length)
    elif body:
        lines.append(b"Content-Length: %d" % len(body))
    elif request.method in _BODY_EXPECTED or body is not None:
        lines.append(b"Content-Length: 0")
    lines.append(b"\r\n")
    head = b"\r\n".join(lines)
    # One CR and one LF a line, so nothing that was injected can have brought its own (0.3 µs for all of it).
    ends = len(lines) + 1
    if head.count(b"\n") != ends or head.count(b"\r") != ends or head.find(b"\0") >= 0:
        raise InjectionError("a part of the request to the target holds CR, LF or NUL")
    return head, chunked
