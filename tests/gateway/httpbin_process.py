"""PyPI's httpbin as a process of its own, under twisted.web's WSGI container, which streams what the app yields.

Run as `python -m tests.gateway.httpbin_process`: prints its port, ends with its standard input.
"""

from __future__ import annotations

import os
import sys
from threading import Thread
from typing import Any

from httpbin import app
from twisted.python.threadpool import ThreadPool
from twisted.web.server import Site
from twisted.web.wsgi import WSGIResource


def end_with_input() -> None:
    """End the process, whatever it is doing, when whoever started it closes its standard input or is gone."""
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    from twisted.internet import reactor as installed

    reactor: Any = installed
    pool = ThreadPool(0, 20)
    pool.start()
    port = reactor.listenTCP(0, Site(WSGIResource(reactor, pool, app)), interface="127.0.0.1")
    Thread(target=end_with_input, daemon=True).start()
    sys.stdout.write(f"{port.getHost().port}\n")
    sys.stdout.flush()
    reactor.run()


if __name__ == "__main__":
    main()
