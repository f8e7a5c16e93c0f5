"""Callbacks: who may be called, what is told, the signature, and that the same queue delivers them.

Belongs here: the real queue in memory, on a turned clock; a stub in place of the receiver. Does not: addresses and
redirects (tests of rrgate.outside), the route that makes secrets (tests/core/test_callbacks.py).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

import pytest
from attrs import evolve
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from rrgate.api import OutsideAnswer, OutsideError, Proxy
from rrgate.delivery.callbacks import NotCallable, check_url, signed
from rrgate.testing import MemoryGateway, Says
from rrgate.testing.outside import OutsideCall
from tests.delivery.test_delivering import CALLER, KEY, answers, send, status
from tests.delivery.test_managing import dead, now

SECRET = b"whsec_" + b64encode(b"a-secret-of-thirty-two-bytes-001")
OLD = b"whsec_" + b64encode(b"a-secret-of-thirty-two-bytes-000")
URL = "https://hooks.test/done?for=me"
BACK = {"requestrocket-callback-url": URL}


@pytest.fixture
def gateway() -> Iterator[MemoryGateway]:
    gateway = MemoryGateway()
    gateway.outside.says = OutsideAnswer(200, (), b"thank you")
    yield gateway
    gateway.stop()


def proxy_of(gateway: MemoryGateway, **settings: Any) -> Proxy:
    """A proxy whose callers may be called back."""
    made = gateway.proxy(caller=CALLER, proxyCallbackHosts=["hooks.test"], **settings)
    proxy = evolve(made, sealed_callback_secret=SECRET)
    gateway.directory.put(proxy)
    return proxy


class Receiver(Webhook):
    """The library's, but for its comparison with this machine's time: the clock here is another."""

    def _Webhook__verify_timestamp(self, text: str) -> datetime:
        return datetime.fromtimestamp(int(text), UTC)


def told(call: OutsideCall, secret: bytes = SECRET) -> Any:
    """What a receiver makes of a call, by the library for receivers."""
    assert call.data is not None
    headers = {name.lower(): value for name, value in call.headers.items()}
    return Receiver(secret.decode()).verify(call.data, headers)


def test_the_end_is_told_and_signed(gateway: MemoryGateway) -> None:
    proxy = proxy_of(gateway)
    gateway.target.says = answers(503, Says(201, body=b"not for the callback"))
    request_id = send(gateway, proxy, headers=BACK)
    assert gateway.outside.calls == [], "not before it is over"
    gateway.clock.advance(5)
    (call,) = gateway.outside.calls
    assert (call.method, call.url) == ("POST", URL)
    assert call.headers["Content-Type"] == "application/json"
    document = told(call)
    ended = status(gateway, proxy, request_id)["endedAt"]
    assert document == {
        "type": "request.succeeded",
        "timestamp": ended,
        "data": {
            "requestId": request_id,
            "proxyId": proxy.id,
            "state": "succeeded",
            "status": 201,
            "attempts": 2,
            "message": None,
        },
    }
    assert [seen["requestrocket-callback-url"] for seen in gateway.target.received] == ["", ""]
    with pytest.raises(WebhookVerificationError):
        told(call, OLD)
    assert now(gateway.delivery.managing.told(proxy.id, request_id))["callback"]["state"] == "succeeded"


@pytest.mark.parametrize(("body", "field"), [(b"text", "body"), (b"\xff", "bodyBase64")])
def test_the_body_is_told_where_the_proxy_says_so(gateway: MemoryGateway, body: bytes, field: str) -> None:
    proxy = proxy_of(gateway, proxyCallbackBody=True)
    gateway.target.says = Says(200, body=body)
    send(gateway, proxy, headers=BACK)
    gateway.clock.settle()
    assert told(gateway.outside.calls[0])["data"][field] == {"body": "text", "bodyBase64": "/w=="}[field]


@pytest.mark.parametrize("state", ["failed", "exhausted", "unknown", "cancelled"])
def test_every_end_is_told(gateway: MemoryGateway, state: str) -> None:
    proxy = proxy_of(gateway)
    send_headers = {**BACK, "requestrocket-delay": "60"} if state == "cancelled" else BACK
    gateway.target.says = {"failed": Says(404), "exhausted": Says(503)}.get(state, Says(after=None))
    request_id = send(gateway, proxy, headers=send_headers)
    gateway.clock.settle()
    if state == "cancelled":
        now(gateway.delivery.managing.cancel(proxy.id, request_id))
    if state == "unknown":
        gateway.delivery.worker.break_off()
        gateway.delivery.worker = gateway.delivery.new_worker()
    gateway.clock.advance(1000 if state == "exhausted" else 1)
    (call,) = gateway.outside.calls
    assert (told(call)["type"], told(call)["data"]["state"]) == (f"request.{state}", state)


def test_a_request_that_is_replayed_tells_its_new_end(gateway: MemoryGateway) -> None:
    proxy = proxy_of(gateway)
    gateway.target.says = answers(404, 200)
    request_id = send(gateway, proxy, headers=BACK)
    gateway.clock.settle()
    now(gateway.delivery.managing.replay(proxy.id, request_id))
    gateway.clock.settle()
    assert [told(call)["data"]["state"] for call in gateway.outside.calls] == ["failed", "succeeded"]
    assert len({call.headers["webhook-id"] for call in gateway.outside.calls}) == 2


@pytest.mark.parametrize("answer", [500, 404, 302, 429, OutsideError("refused")])
def test_a_callback_that_does_not_arrive_is_tried_again_and_is_the_same(
    gateway: MemoryGateway, answer: int | Exception
) -> None:
    proxy = proxy_of(gateway)
    said: list[Any] = [answer, answer, 204]

    def says(_: OutsideCall) -> Any:
        one = said.pop(0)
        return OutsideAnswer(one, ((b"Location", b"https://elsewhere.test/"),), b"") if isinstance(one, int) else one

    gateway.outside.says = says
    send(gateway, proxy, headers=BACK)
    gateway.clock.advance(4)
    calls = gateway.outside.calls
    assert len(calls) == 3
    assert {call.url for call in calls} == {URL}, "no redirect is followed"
    assert len({(call.headers["webhook-id"], call.data) for call in calls}) == 1
    assert len({call.headers["webhook-timestamp"] for call in calls}) == 3
    for call in calls:
        told(call)


def test_a_receiver_that_is_gone_is_not_asked_again_and_people_are_told(gateway: MemoryGateway) -> None:
    proxy = proxy_of(gateway)
    gateway.outside.says = OutsideAnswer(410, (), b"")
    request_id = send(gateway, proxy, headers=BACK)
    gateway.clock.advance(1000)
    assert len(gateway.outside.calls) == 1
    assert [(event.kind, event.subject) for event in gateway.events] == [("callback-failed", proxy.id)]
    assert status(gateway, proxy, request_id)["status"] == "succeeded"
    callback = now(gateway.delivery.managing.told(proxy.id, request_id))["callback"]
    assert (callback["state"], callback["message"]) == ("failed", "The receiver wants no more of these")


@pytest.mark.parametrize(
    ("answered", "state", "calls"), [(200, "succeeded", 1), (410, "failed", 1), (500, "exhausted", 11)]
)
def test_a_receiver_says_by_its_status_that_it_has_it(
    gateway: MemoryGateway, answered: int, state: str, calls: int
) -> None:
    """Whatever its body is: over the limit, encoded, broken off."""
    proxy = proxy_of(gateway)
    gateway.outside.says = OutsideError("the server's answer is over the limit")
    gateway.outside.says.status = answered
    request_id = send(gateway, proxy, headers=BACK)
    gateway.clock.advance(1000)
    assert len(gateway.outside.calls) == calls
    assert now(gateway.delivery.managing.told(proxy.id, request_id))["callback"]["state"] == state


def test_a_receiver_that_never_answers_is_given_up_within_the_window(gateway: MemoryGateway) -> None:
    proxy = proxy_of(gateway)
    gateway.outside.says = OutsideError("the server does not answer")
    request_id = send(gateway, proxy, headers=BACK)
    gateway.clock.advance(1000)
    assert len(gateway.outside.calls) == 11
    callback = now(gateway.delivery.managing.told(proxy.id, request_id))["callback"]
    assert (callback["state"], callback["message"]) == ("exhausted", "the server does not answer")


def test_a_receiver_has_twenty_seconds(gateway: MemoryGateway) -> None:
    proxy = proxy_of(gateway)
    gateway.outside.after = None
    send(gateway, proxy, headers=BACK)
    gateway.clock.advance(19.9)
    assert len(gateway.outside.calls) == 1
    gateway.clock.advance(1.2)
    assert len(gateway.outside.calls) == 2, "a second after the first one"


def test_a_callback_survives_a_crash_in_its_middle(gateway: MemoryGateway) -> None:
    proxy = proxy_of(gateway)
    gateway.outside.after = None
    send(gateway, proxy, headers=BACK)
    gateway.clock.settle()
    assert len(gateway.outside.calls) == 1
    gateway.delivery.worker.break_off()
    gateway.outside.after = 0.0
    gateway.delivery.worker = gateway.delivery.new_worker()
    gateway.clock.advance(1)
    assert len(gateway.outside.calls) == 2
    assert len({call.headers["webhook-id"] for call in gateway.outside.calls}) == 1


def test_while_a_secret_is_replaced_both_sign(gateway: MemoryGateway) -> None:
    proxy = proxy_of(gateway)
    until = int(gateway.clock.wall() * 1000) + 60_000
    gateway.directory.put(
        evolve(proxy, previous_sealed_callback_secret=OLD, previous_callback_secret_expires_at=until)
    )
    send(gateway, proxy, headers=BACK)
    gateway.clock.settle()
    (call,) = gateway.outside.calls
    told(call, SECRET)
    told(call, OLD)
    gateway.clock.advance(61)
    send(gateway, proxy, headers=BACK)
    gateway.clock.settle()
    told(gateway.outside.calls[1], SECRET)
    with pytest.raises(WebhookVerificationError):
        told(gateway.outside.calls[1], OLD)


def test_a_host_that_was_taken_out_meanwhile_is_not_called(gateway: MemoryGateway) -> None:
    proxy = proxy_of(gateway)
    request_id = send(gateway, proxy, headers={**BACK, "requestrocket-delay": "10"})
    gateway.directory.put(evolve(proxy, callback_hosts=("other.test",)))
    gateway.clock.advance(1000)
    assert status(gateway, proxy, request_id)["status"] == "succeeded"
    assert gateway.outside.calls == []
    callback = now(gateway.delivery.managing.told(proxy.id, request_id))["callback"]
    assert callback["message"] == "The URL names a host that is not in proxyCallbackHosts"


def test_a_slow_receiver_holds_up_no_request(gateway: MemoryGateway) -> None:
    proxy = proxy_of(gateway)
    gateway.outside.after = 15
    for _ in range(30):
        send(gateway, proxy, headers=BACK)
    gateway.clock.advance(1)
    assert len(gateway.target.received) == 30
    assert len(gateway.outside.calls) == 10, "so many at one time"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "hooks.test/done",
        "http://hooks.test/",
        "https://hooks.test@evil.test/",
        "https://evil.test/",
        "https://hooks.test.evil.test/",
        "https://evil.test/hooks.test",
        "https://evil.test?@hooks.test/",
        "https://hooks.test:8443/",
        "https://hooks.test:443@evil.test/",
        "https://hooks.test\\@evil.test/",
        "https://hooks.test/#there",
        "https://hooks.test/a b",
        "https://hooks.test/\u00fc",
        "https://127.0.0.1/",
        "https://[::1]/",
        "//hooks.test/",
        "javascript:alert(1)",
        "https://hooks.test/" + "a" * 2000,
    ],
)
def test_what_may_not_be_called_is_refused_before_it_is_taken(gateway: MemoryGateway, wrong: str) -> None:
    proxy = proxy_of(gateway)
    headers = {"X-Api-Key": KEY, "requestrocket-callback-url": wrong.encode().decode("latin-1")}
    answer = gateway.call("POST", proxy, "/", headers, b"", api="async").answer
    assert answer.status == 400
    assert "evil" not in answer.body.decode()
    assert gateway.delivery.rows("SELECT * FROM requests") == []


@pytest.mark.parametrize("lacks", ["hosts", "secret"])
def test_without_hosts_and_a_secret_nobody_is_called(gateway: MemoryGateway, lacks: str) -> None:
    proxy = gateway.proxy(caller=CALLER, proxyCallbackHosts=["hooks.test"] if lacks == "secret" else [])
    if lacks == "hosts":
        gateway.directory.put(evolve(proxy, sealed_callback_secret=SECRET))
    answer = gateway.call("POST", proxy, "/", {"X-Api-Key": KEY, **BACK}, b"", api="async").answer
    assert answer.status == 400
    assert ("no secret" if lacks == "secret" else "proxyCallbackHosts") in answer.document["message"]


def test_two_urls_are_none() -> None:
    with pytest.raises(NotCallable, match="once"):
        check_url([b"https://a.test/", b"https://a.test/"], ["a.test"])
    assert check_url([b"https://a.a.test:444/x"], ["*.a.test:444"]) == "https://a.a.test:444/x"


def test_the_example_of_the_specification() -> None:
    fields = signed(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        [b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    assert fields["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_url_is_not_in_the_log(gateway: MemoryGateway) -> None:
    proxy = proxy_of(gateway)
    send(gateway, proxy, headers=BACK)
    gateway.clock.settle()
    assert "hooks.test" not in repr(gateway.records)
    assert SECRET.decode() not in repr(gateway.records) + repr(proxy)


def test_callbacks_are_nobodys_requests(gateway: MemoryGateway) -> None:
    proxy = proxy_of(gateway)
    gateway.outside.says = OutsideAnswer(500, (), b"")
    send(gateway, proxy, headers=BACK)
    gateway.clock.settle()
    callback_id = gateway.outside.calls[0].headers["webhook-id"]
    answer = gateway.call("GET", proxy, f"/.requests/{callback_id}", {"X-Api-Key": KEY}, api="async").answer
    assert answer.status == 404
    managing = gateway.delivery.managing
    for ask in (managing.told, managing.cancel, managing.replay):
        assert now(ask(proxy.id, callback_id)) is None
    gateway.clock.advance(1000)
    assert now(managing.replay_all(proxy.id, ("failed", "exhausted", "unknown"), None, None, None)).count == 0
    assert {record["sKey"] for record, _ in gateway.records}.isdisjoint({callback_id})


@pytest.mark.parametrize("form", ["seconds", "a date"])
def test_a_receivers_retry_after_is_believed(gateway: MemoryGateway, form: str) -> None:
    proxy = proxy_of(gateway)
    says = b"60" if form == "seconds" else formatdate(gateway.clock.wall() + 60, usegmt=True).encode()
    gateway.outside.says = OutsideAnswer(503, ((b"Retry-After", says),), b"")
    send(gateway, proxy, headers=BACK)
    gateway.clock.advance(57)
    assert len(gateway.outside.calls) == 1
    gateway.clock.advance(5)
    assert len(gateway.outside.calls) >= 2


def test_the_tests_of_dead_letters_need_no_callback(gateway: MemoryGateway) -> None:
    dead(gateway, gateway.proxy(caller=CALLER), "failed")
    assert gateway.outside.calls == []


@pytest.mark.parametrize("receiver", [200, 410])
def test_a_gateway_that_starts_again_has_nothing_to_do_with_those_that_are_over(
    gateway: MemoryGateway, receiver: int
) -> None:
    proxy = proxy_of(gateway)
    gateway.outside.says = OutsideAnswer(receiver, (), b"")
    send(gateway, proxy, headers=BACK)
    gateway.clock.advance(5)
    assert len(gateway.outside.calls) == 1
    assert gateway.delivery.rows("SELECT * FROM untold") == []
    gateway.delivery.worker.break_off()
    gateway.delivery.worker = gateway.delivery.new_worker()
    send(gateway, proxy)
    gateway.clock.advance(5)
    assert len(gateway.target.received) == 2, "and delivers"
