"""A gateway as one service of an application, beside the application's own: `twistd -ny child.tac`.

Its settings come from RRGATE_… variables; RRGATE_DATA, the folder that `rrgate init` has made, has no default.
"""

import os
import sys

from twisted.application.service import Application, MultiService
from twisted.application.strports import service
from twisted.internet import reactor
from twisted.logger import ILogObserver, textFileLogObserver
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data

from rrgate.embedding import CarefulObserver, Gateway, load_settings

shop = MultiService()

gateway = Gateway(load_settings({}, os.environ, None), reactor)
gateway.setServiceParent(shop)

pages = Resource()
pages.putChild(b"", Data(b"The shop is open.\n", "text/plain"))
service(os.environ.get("SHOP_LISTEN", "tcp:8000:interface=127.0.0.1"), Site(pages)).setServiceParent(shop)

application = Application("shop")
# Failures are logged as what they are and where, without what they say, which can be a secret.
application.setComponent(ILogObserver, CarefulObserver(textFileLogObserver(sys.stdout)))
shop.setServiceParent(application)
