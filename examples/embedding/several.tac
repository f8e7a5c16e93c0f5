"""Several gateways in one process, one for each file in `gateways`: `twistd -ny several.tac`.

Each has its own state, listeners and settings; nothing is shared but the reactor. `data` in a file is beside it.
"""

from rrgate.embedding import CarefulObserver, Gateway, install_reactor, load_settings

install_reactor()  # optional, and before anything imports `twisted.internet.reactor`

import sys
from pathlib import Path

from twisted.application.service import Application, MultiService
from twisted.internet import reactor
from twisted.logger import ILogObserver, textFileLogObserver

gateways = MultiService()
for file in sorted(Path("gateways").glob("*.toml")):
    gateway = Gateway(load_settings({}, {}, file), reactor)
    gateway.setName(file.stem)
    gateway.setServiceParent(gateways)

application = Application("gateways")
application.setComponent(ILogObserver, CarefulObserver(textFileLogObserver(sys.stdout)))
gateways.setServiceParent(application)
