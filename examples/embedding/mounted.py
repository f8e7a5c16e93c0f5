"""A gateway mounted in a site, beside a page of the site's own: `python mounted.py`.

Its settings come from RRGATE_… variables, but for two that the mount decides. SHOP_LISTEN is where the site listens.
"""

import os
import sys

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.task import react
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data

from rrgate.embedding import (
    CarefulObserver,
    Gateway,
    GatewayResource,
    PluginLoadError,
    SettingsError,
    StoreError,
    load_settings,
)

WHERE = os.environ.get("SHOP_LISTEN", "tcp:8000:interface=127.0.0.1")
URL = os.environ.get("SHOP_URL", "http://127.0.0.1:8000")


async def main(reactor):
    try:
        settings = load_settings({"listen": "", "public_url": f"{URL}/gate"}, os.environ, None)
        gateway = Gateway(settings, reactor)
        reactor.addSystemEventTrigger("before", "shutdown", gateway.stopService)
        gateway.startService()

        pages = Resource()
        pages.putChild(b"", Data(b"The shop is open.\n", "text/plain"))
        pages.putChild(b"gate", GatewayResource(gateway))
        # Forms are parsed by pages that want them: not by the site, for every request, before anyone has looked at it.
        await serverFromString(reactor, WHERE).listen(Site(pages, parsePOSTFormSubmission=False))
    except (SettingsError, PluginLoadError, StoreError, CannotListenError) as error:
        sys.exit(f"the shop cannot open: {error}")
    await Deferred()  # until SIGTERM or Ctrl-C


if __name__ == "__main__":
    globalLogBeginner.beginLoggingTo([CarefulObserver(textFileLogObserver(sys.stdout))])
    react(main)
