"""Asking a credential's plugin where to send a browser, and what its failing becomes: nobody is authorized by a fault.

Belongs here: plugins that fail in every way they can. Does not: those that work (test_oauth2_consent.py), the routes
(tests/core/test_authorize.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import CancelledError

from rrgate.api import AuthorizationRefused, AuthorizationRequest, Event, Exchange, NoConfig, Plugin, Side
from rrgate.authorizing import Authorizations
from rrgate.model import Credential
from rrgate.testing import MemoryGateway
from rrgate.testing.operator_log import OperatorLog, operator_log
from rrgate.waiting import Task

BACK = "https://core.test/oauth2/callback"
SECRET = "s3cr3t-that-a-plugin-quotes"
REQUEST = AuthorizationRequest("https://login.test/auth?state=s", "kept")

Does = Callable[[], Any]


def answers(value: Any) -> Does:
    return lambda: value


def raises(error: BaseException) -> Does:
    def does() -> Any:
        raise error

    return does


class Asks(Plugin):
    """Each of its methods does what the test says."""

    name = "asks"
    sides = frozenset({Side.TARGET})
    does: dict[str, Does]

    def prepare(self, ex: Exchange) -> None:
        pass

    @classmethod
    def needs_authorization(cls, config: NoConfig) -> Any:
        return cls.does["needs_authorization"]()

    def authorization_request(self, redirect_uri: str, state: str) -> Any:
        assert (redirect_uri, state) == (BACK, "s")
        return self.does["authorization_request"]()

    def authorized(self, redirect_uri: str, parameters: Mapping[str, str], kept: str) -> Any:
        assert (redirect_uri, parameters, kept) == (BACK, {"code": "c"}, "kept")
        return self.does["authorized"]()


class NeverAsks(Plugin):
    """Says that somebody must authorize it, and has nowhere to send him."""

    name = "never-asks"
    sides = frozenset({Side.TARGET})

    @classmethod
    def needs_authorization(cls, config: NoConfig) -> bool:
        return True

    def prepare(self, ex: Exchange) -> None:
        pass


class Scene:
    def __init__(self, auth_type: str = "asks", **does: Does) -> None:
        Asks.does = {
            "needs_authorization": answers(True),
            "authorization_request": answers(REQUEST),
            "authorized": done,
            **does,
        }
        gateway = MemoryGateway([Asks, NeverAsks], installed=False)
        proxy = gateway.proxy(towards=(auth_type, {}))
        compiler: Any = gateway.directory._build.__self__  # type: ignore[attr-defined]
        self.told: list[Event] = []
        self.credential: Credential = gateway.directory.credentials[proxy.target_credential_id]
        self.asking = Authorizations(compiler, self.told.append)

    def finish(self) -> BaseException | None:
        """What it ended with."""
        ended: list[BaseException | None] = []
        Task(self.asking.finish(self.credential, BACK, {"code": "c"}, "kept"), ended.append).start()
        (error,) = ended
        return error

    @property
    def broken(self) -> Credential:
        """The same, with a configuration that its plugin refuses."""
        return evolve(self.credential, id="broken", sealed_secret=b'{"what": "is not known"}')


def done() -> Awaitable[None]:
    async def authorized() -> None:
        pass

    return authorized()


def late(error: BaseException) -> Does:
    """It is raised once it is waited for."""

    async def authorized() -> None:
        raise error

    return authorized


FAULTS = [ValueError(SECRET), SystemExit(SECRET), asyncio.CancelledError(SECRET)]


@pytest.mark.parametrize(("needs", "asks"), [(True, True), (1, True), (False, False), (None, False)])
def test_whether_a_person_is_asked(needs: Any, asks: bool) -> None:
    scene = Scene(needs_authorization=answers(needs))
    assert scene.asking.asks(scene.credential) is asks


def test_who_has_nowhere_to_send_a_person_asks_none() -> None:
    scene = Scene("never-asks")
    assert scene.asking.asks(scene.credential) is False
    assert not scene.told


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
def test_whoever_fails_when_he_is_asked_whether_asks_nobody(fault: BaseException) -> None:
    scene = Scene(needs_authorization=raises(fault))
    with operator_log() as log:
        assert scene.asking.asks(scene.credential) is False
    assert_told(scene, log, "needs_authorization")


def test_where_a_browser_is_sent() -> None:
    scene = Scene()
    assert scene.asking.begin(scene.credential, BACK, "s") is REQUEST


@pytest.mark.parametrize("odd", [None, "https://login.test/auth", ("https://login.test/auth", "kept")], ids=repr)
def test_whoever_does_not_say_where_sends_nobody(odd: Any) -> None:
    scene = Scene(authorization_request=answers(odd))
    with pytest.raises(AuthorizationRefused):
        scene.asking.begin(scene.credential, BACK, "s")


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
def test_whoever_fails_when_he_is_asked_where_sends_nobody(fault: BaseException) -> None:
    scene = Scene(authorization_request=raises(fault))
    with operator_log() as log, pytest.raises(AuthorizationRefused):
        scene.asking.begin(scene.credential, BACK, "s")
    assert_told(scene, log, "authorization_request")


def test_it_is_over_when_the_plugin_has_done_it() -> None:
    ended: list[str] = []

    async def authorized() -> None:
        ended.append("it")

    assert Scene(authorized=authorized).finish() is None
    assert ended == ["it"]


@pytest.mark.parametrize("how", [raises, late], ids=["at once", "later"])
@pytest.mark.parametrize("fault", FAULTS, ids=repr)
def test_whoever_fails_when_the_browser_is_back_authorizes_nothing(
    fault: BaseException, how: Callable[[BaseException], Does]
) -> None:
    scene = Scene(authorized=how(fault))
    with operator_log() as log:
        assert type(scene.finish()) is AuthorizationRefused
    assert_told(scene, log, "authorized")


def test_what_cannot_be_waited_for_authorizes_nothing() -> None:
    scene = Scene(authorized=answers(None))
    with operator_log() as log:
        assert type(scene.finish()) is AuthorizationRefused
    assert_told(scene, log, "authorized")


@pytest.mark.parametrize("error", [AuthorizationRefused("the provider says no"), CancelledError()], ids=repr)
def test_a_refusal_is_no_fault_and_neither_is_who_leaves(error: BaseException) -> None:
    scene = Scene(authorized=late(error))
    with operator_log() as log:
        assert scene.finish() is error
    assert (scene.told, log.text) == ([], "")


def test_a_configuration_that_does_not_work_is_not_authorized() -> None:
    scene = Scene()
    with operator_log() as log:
        assert scene.asking.asks(scene.broken) is False
        with pytest.raises(AuthorizationRefused, match="configuration"):
            scene.asking.begin(scene.broken, BACK, "s")
        scene.credential = scene.broken
        assert type(scene.finish()) is AuthorizationRefused
    assert "credential broken cannot be authorized" in log.text
    assert not scene.told


def assert_told(scene: Scene, log: OperatorLog, method: str) -> None:
    """The operator is told, by the plugin's name and nothing that it says."""
    assert scene.told == [Event("plugin-fault", f"plugin 'asks' failed in {method}", f"asks {method}")]
    assert f"plugin 'asks' failed in {method} for {scene.credential.id}" in log.text
    assert SECRET not in log.text
