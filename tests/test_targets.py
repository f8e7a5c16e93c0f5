"""Ports of tests: no two have the same, at no time, in whichever processes they are.

Belongs here: how `tests.targets` keeps its ports. Does not: what targets answer.
"""

from __future__ import annotations

import socket

import pytest

from tests.targets import Target, closed_port, echo


def check_nobodys(port: int, host: str = "127.0.0.1") -> None:
    """Fails if a socket may have the port: who binds to any is given none that this says of."""
    another = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    with another, pytest.raises(OSError, match="in use"):
        another.bind((host, port))


def is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_closed_port_stays_closed_and_is_had_by_who_knows_it() -> None:
    port = closed_port()
    for _ in range(2):
        assert is_refused(port)
        check_nobodys(port)
        with socket.create_server(("127.0.0.1", port)):
            assert not is_refused(port)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_port_of_a_target_that_has_stopped_is_nobody_elses(host: str) -> None:
    with Target(echo, host=host) as target, socket.create_connection((host, target.port), 5):
        pass
    check_nobodys(target.port, host)
