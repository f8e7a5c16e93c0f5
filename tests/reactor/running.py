"""Runs a scenario on a real GatewayReactor in a process of its own and hands back what it answered.

A scenario is a function in scenarios.py or transport_scenarios.py that takes the reactor and answers a Deferred of
plain data; nothing is asserted there, everything is in the tests. What scenarios share of sockets is here too.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol

ROOT = Path(__file__).parents[2]


def run_scenario(where: str, *args: str, timeout: float = 30) -> tuple[Any, str]:
    """What the scenario `module:function` answered, and what its process logged; fails the test otherwise."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.reactor.running", where, *args],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def factory_for(protocol: type[Protocol] | Any) -> Factory:
    """A factory whose `made` Deferred fires with its first protocol, once that is connected."""
    factory = Factory()
    factory.made = Deferred()

    def build(_address: object) -> Protocol:
        built: Protocol = protocol()
        connected = built.connectionMade

        def connection_made() -> None:
            connected()
            made, factory.made = factory.made, Deferred()
            made.callback(built)

        built.connectionMade = connection_made  # type: ignore[method-assign]
        return built

    factory.buildProtocol = build
    return factory


def main() -> None:
    from rrgate.reactor import install

    reactor = install()
    from twisted.python import log

    log.startLogging(sys.stderr, setStdout=False)
    module, name = sys.argv[1].split(":")
    scenario = getattr(importlib.import_module(f"tests.reactor.{module}"), name)
    outcome: list[Any] = []

    def start() -> None:
        answer: Deferred[Any] = scenario(reactor, *sys.argv[2:])
        answer.addTimeout(20, reactor)
        answer.addBoth(outcome.append)
        answer.addCallback(lambda _: reactor.running and not reactor._stopped and reactor.stop())

    reactor.callWhenRunning(start)
    reactor.run()
    if hasattr(outcome[0], "getTraceback"):
        sys.exit(outcome[0].getTraceback())
    print(json.dumps(outcome[0]))


if __name__ == "__main__":
    main()
