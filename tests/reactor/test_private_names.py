"""The private parts of Twisted that the reactor and the transports build on are still what they were read as.

A failure here means: read what Twisted changed, adapt rrgate/reactor.py or rrgate/transports.py, then renew the digest
that the failure names. Comments and docstrings do not count.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import pkgutil
import textwrap

import pytest

from rrgate import reactor, transports

READ = {
    "twisted.internet.abstract.FileDescriptor.doWrite": "02b24c0ff90941ab",
    "twisted.internet.abstract.FileDescriptor._isSendBufferFull": "e31c1eab1d747aff",
    "twisted.internet.abstract.FileDescriptor._maybePauseProducer": "b9a6cbcd9cb874c1",
    "twisted.internet.abstract.FileDescriptor.write": "7959d1510011aabf",
    "twisted.internet.abstract.FileDescriptor.writeSequence": "dd73ef7b2452f6ec",
    "twisted.internet.abstract._ConsumerMixin": "81f3688ccc4a2d27",
    "twisted.internet._newtls.ConnectionMixin": "355126be7bd9fde6",
    "twisted.internet._newtls.startTLS": "6933a9f038e03297",
    "twisted.internet.tcp._AbortingMixin": "48df3a7dcdaf089e",
    "twisted.internet.tcp.Connection._dataReceived": "14f89f05f87abd28",
    "twisted.internet.tcp.Connection.doRead": "be057818711a9c94",
    "twisted.internet.tcp.Connection.writeSomeData": "4f7289fd76c26555",
    "twisted.internet.tcp.BaseClient.createInternetSocket": "121868c4b76a643c",
    "twisted.internet.tcp.Server.__init__": "f23e87f834ee5756",
    "twisted.internet.tcp.Server._fromConnectedSocket": "b12decd24c966f1c",
    "twisted.internet.tcp.Port.doRead": "00961db98c204395",
    "twisted.internet.tcp.Port._fromListeningDescriptor": "0496aeed4903026c",
    "twisted.internet.tcp.Connector._makeTransport": "26f7936a25d4c3dc",
    "twisted.internet.tcp._SocketCloser": "418c742a78e19048",
    "twisted.internet.unix.Port._fromListeningDescriptor": "af620b2548f00808",
    "twisted.internet.unix.Port.startListening": "88de73c581bcdcb7",
    "twisted.internet.unix.Port.connectionLost": "b9b15fa85ee665ed",
    "twisted.internet.epollreactor.EPollReactor.doPoll": "63ed7f5996c02111",
    "twisted.internet.epollreactor.EPollReactor.__init__": "7389b3e28f0185fa",
    "twisted.internet.posixbase._PollLikeMixin._doReadOrWrite": "53fec7eba04ea065",
    "twisted.internet.posixbase._DisconnectSelectableMixin._disconnectSelectable": "bbdeda975e825c13",
    "twisted.internet.posixbase.PosixReactorBase.listenTCP": "3681bd2328b15c47",
    "twisted.internet.posixbase.PosixReactorBase.connectTCP": "f8c372df792392d3",
    "twisted.internet.posixbase.PosixReactorBase.adoptStreamPort": "bb6bfa1f7c72af02",
    "twisted.internet.posixbase.PosixReactorBase.adoptStreamConnection": "f517cacbcdcd914e",
    "twisted.internet.base.ReactorBase.callLater": "9ae4d9ecb4cd2499",
    "twisted.internet.base.ReactorBase.sigTerm": "1c3c6209a3fcde50",
    "twisted.internet.base.ReactorBase.timeout": "5ed5ead797fa7b9e",
    "twisted.internet.base.ReactorBase.runUntilCurrent": "2f595853ac12375d",
    "twisted.python.log.callWithLogger": "c54d539aa27dbf70",
}


def digest(name: str) -> str:
    """A digest of the code behind a dotted name, whatever its comments, docstrings and layout."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(pkgutil.resolve_name(name))))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body[0] = ast.Pass()
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", [*transports.PRIVATE_NAMES, *reactor.PRIVATE_NAMES])
def test_twisted_has_not_changed(name: str) -> None:
    assert (name, digest(name)) == (name, READ.get(name))


def test_nothing_is_listed_that_nobody_builds_on() -> None:
    assert set(READ) == {*transports.PRIVATE_NAMES, *reactor.PRIVATE_NAMES}
