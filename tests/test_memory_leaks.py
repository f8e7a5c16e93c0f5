"""Gateways in memory are searched after each test: a secret is noticed wherever it is planted.

Belongs here: planting, for each place. Does not: whole gateways (test_leak_search.py).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.logger import Logger

from rrgate.api import Event
from rrgate.model import Proxy
from rrgate.testing import MemoryGateway
from tests import memory_leaks

KEY = "planted-where-none-may-be-4711"


def in_the_log(gateway: MemoryGateway, proxy: Proxy) -> None:
    Logger().info(KEY)


def in_a_path(gateway: MemoryGateway, proxy: Proxy) -> None:
    assert gateway.call("GET", proxy, f"/{KEY}").answer.status == 401


def in_an_answer(gateway: MemoryGateway, proxy: Proxy) -> None:
    call = gateway.call("GET", proxy)
    call.transport.written = bytearray(f"HTTP/1.1 403 Forbidden\r\n\r\n{KEY}".encode())


def in_an_event(gateway: MemoryGateway, proxy: Proxy) -> None:
    gateway.events.append(Event("plugin-fault", KEY, "somebody"))


@pytest.mark.parametrize(
    ("plant", "sink"),
    [
        (in_the_log, "the log"),
        (in_a_path, "the request log"),
        (in_an_answer, "an answer"),
        (in_an_event, "what an operator is told"),
    ],
)
def test_what_is_planted_is_found(plant: Callable[[MemoryGateway, Proxy], None], sink: str) -> None:
    gateway = MemoryGateway()
    proxy = gateway.proxy(caller=("bearer", {"token": KEY}))
    plant(gateway, proxy)
    with pytest.raises(AssertionError, match=rf"(?m)^  {sink}: "):
        memory_leaks.search()
    memory_leaks.search()


def test_a_target_may_show_what_it_was_shown() -> None:
    gateway = MemoryGateway()
    assert gateway.call("GET", gateway.proxy(towards=("bearer", {"token": KEY}))).answer.status == 200
