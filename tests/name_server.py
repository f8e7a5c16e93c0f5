"""`NameServer`: a DNS server on loopback that answers what its test says, another time something else; and its way in.

Belongs here: the server, and a `getaddrinfo` that asks it. Does not: any expectation.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from twisted.names import dns

Answers = Mapping[str, Sequence[Sequence[str] | str]]

ZONE = ".test"
"""Names that end so are asked of a NameServer; others do not leave this machine."""


class NameServer:
    """Answers each query with the next of the name's `answers`, the last one for ever; TTL 0.

    An answer is a list of addresses, of both families, or the name that it is an alias of.
    """

    def __init__(self, answers: Answers) -> None:
        self.says(answers)
        self.asked: list[str] = []
        """Names, one entry for each look-up."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name="name-server", daemon=True)
        self._thread.start()

    def says(self, answers: Answers) -> None:
        """From now on."""
        self._answers = {name: list(each) for name, each in answers.items()}

    def __enter__(self) -> NameServer:
        return self

    def __exit__(self, *_: object) -> None:
        # A datagram of nothing: closing a socket does not wake who reads from it.
        self._socket.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            datagram, peer = self._socket.recvfrom(4096)
            if not datagram:
                return
            query = dns.Message()
            query.fromStr(datagram)
            answer = dns.Message(id=query.id, answer=1, recDes=1, recAv=1)
            answer.queries = query.queries
            name = query.queries[0].name.name.decode().lower()
            self.asked.append(name)
            left = self._answers.get(name, [])
            found = left.pop(0) if len(left) > 1 else left[0] if left else []
            if isinstance(found, str):
                answer.answers = [dns.RRHeader(name, dns.CNAME, payload=dns.Record_CNAME(found, ttl=0), ttl=0)]
            else:
                answer.answers = [_record(name, address) for address in found]
                answer.rCode = dns.OK if found else dns.ENAME
            self._socket.sendto(answer.toStr(), peer)

    def look_up(self, name: str) -> list[str]:
        """The addresses that it says `name` has. Raises gaierror if it has none."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(5)
            for _ in range(8):  # aliases
                query = dns.Message(id=1, recDes=1)
                query.addQuery(name, dns.ALL_RECORDS)
                asking.sendto(query.toStr(), ("127.0.0.1", self.port))
                answer = dns.Message()
                answer.fromStr(asking.recv(4096))
                payloads: list[Any] = [each.payload for each in answer.answers]
                aliases = [each.name.name.decode() for each in payloads if each.TYPE == dns.CNAME]
                if not aliases:
                    families = {dns.A: socket.AF_INET, dns.AAAA: socket.AF_INET6}
                    addresses = [socket.inet_ntop(families[each.TYPE], each.address) for each in payloads]
                    if not addresses:
                        break
                    return addresses
                name = aliases[0]
                if not name.endswith(ZONE):
                    return [str(entry[4][0]) for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def _record(name: str, address: str) -> dns.RRHeader:
    if ":" in address:
        return dns.RRHeader(name, dns.AAAA, payload=dns.Record_AAAA(address, ttl=0), ttl=0)
    return dns.RRHeader(name, dns.A, payload=dns.Record_A(address, ttl=0), ttl=0)


@contextmanager
def resolving_by(server: NameServer) -> Iterator[None]:
    """The system's resolver asks `server` for names of its zone, reads addresses as ever, and asks nobody else."""
    system = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *given: Any, **more: Any) -> list[Any]:
        name = (host.decode() if isinstance(host, bytes) else str(host)).rstrip(".")
        if name.lower().endswith(ZONE):
            found = [system(each, port, *given, **more) for each in server.look_up(name.lower())]
            return [entry for entries in found for entry in entries]
        if name.lower() not in ("localhost", "ip6-localhost"):
            more["flags"] = more.get("flags", 0) | socket.AI_NUMERICHOST
        return system(host, port, *given, **more)

    with patch("socket.getaddrinfo", getaddrinfo):
        yield
