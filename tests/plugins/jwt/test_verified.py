"""What becomes of a token that is good: an identity, a record, and no second look for a while.

Belongs here: tokens that come again, who the caller then is, and what callers and the log are told. Does not: tokens
that are refused (test_claims.py and its neighbours).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rrgate.api import Denied, Identity, OutsideAnswer
from rrgate.testing import Ask, BrokenPromises, Clock, MemoryGateway, check_plugin
from rrgate_plugins.jwt_verify import JwtVerify, verified
from rrgate_plugins.jwt_verify.keys import KeySet
from tests.plugins.jwt.asking import credential, said, showing
from tests.plugins.jwt.cases import HS, claiming, without
from tests.plugins.jwt.remote_house import OF_OLD, URL
from tests.plugins.jwt.signing import CLAIMS, NOW, SECRET, ec_key, es, hs, token


class Looks:
    """A credential on a turned clock that counts how often a signature is looked at."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **more: Any) -> None:
        self.clock = Clock(NOW)
        self.plugin = credential(
            {"sharedSecret": SECRET, "audience": "us", **more}, clock=self.clock, wall=self.clock.wall
        )
        self.count = 0
        verify = KeySet.verify

        def counted(keys: KeySet, shown: Any) -> None:
            self.count += 1
            verify(keys, shown)

        monkeypatch.setattr(KeySet, "verify", counted)

    def at(self, value: bytes) -> str:
        return said(self.plugin, value)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Looks]:
    return Looks(monkeypatch)


def test_for_five_minutes_and_no_longer(looks: Looks) -> None:
    shown = claiming(exp=NOW + 9000)
    assert [looks.at(shown), looks.at(shown)] == ["", ""]
    assert looks.count == 1
    looks.clock.advance(299)
    assert looks.at(shown) == ""
    assert looks.count == 1
    looks.clock.advance(1)
    assert looks.at(shown) == ""
    assert looks.count == 2


def test_never_past_its_own_time(looks: Looks) -> None:
    shown = claiming(exp=NOW + 100)
    assert looks.at(shown) == ""
    looks.clock.advance(100)
    assert looks.at(shown) == ""  # within the tolerance, which is for clocks and for no cache
    assert looks.count == 2
    looks.clock.advance(30)
    assert "expired" in looks.at(shown)


def test_a_wall_clock_that_is_set_counts_for_its_time_and_not_for_the_five_minutes(looks: Looks) -> None:
    shown = claiming(exp=NOW + 3600)
    assert looks.at(shown) == ""
    looks.clock.turn_wall(1000)
    assert looks.at(shown) == ""
    assert looks.count == 1
    looks.clock.turn_wall(3000)
    assert "expired" in looks.at(shown)


def test_what_is_refused_is_not_remembered(looks: Looks) -> None:
    for _ in range(2):
        assert "`aud`" in looks.at(claiming(aud="them"))
        assert "signature" in looks.at(claiming()[:-4] + b"AAAA")
    assert looks.count == 4


def test_one_token_is_not_another(looks: Looks) -> None:
    assert looks.at(claiming()) == ""
    assert "signature" in looks.at(claiming()[:-4] + b"AAAA")
    answer = looks.plugin.authenticate(showing(claiming(sub="bob")))
    assert isinstance(answer, Identity)
    assert answer.subject == "bob"


def test_it_is_kept_by_its_hash_alone(looks: Looks) -> None:
    shown = claiming()
    assert looks.at(shown) == ""
    kept = looks.plugin._verified.__dict__
    assert shown not in kept["_known"]
    assert shown.decode() not in repr(kept)


def test_only_so_many_are_remembered(looks: Looks, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = claiming(sub="a"), claiming(sub="b"), claiming(sub="c")
    monkeypatch.setattr(verified, "MOST_BYTES", 2 * (len(first) + 500))
    assert [looks.at(each) for each in (first, second, third)] == [""] * 3
    assert looks.count == 3
    assert [looks.at(each) for each in (second, third)] == ["", ""]
    assert looks.count == 3
    assert looks.at(first) == ""
    assert looks.count == 4
    cache = looks.plugin._verified
    assert cache._size <= 2 * (len(first) + 500) == sum(each.size for each in cache._known.values())


def test_a_token_that_comes_again_after_its_time_is_counted_once(looks: Looks) -> None:
    shown = claiming(exp=NOW + 9000)
    for _ in range(5):
        assert looks.at(shown) == ""
        looks.clock.advance(301)
    cache = looks.plugin._verified
    assert cache._size == len(shown) + 500


def test_another_credential_remembers_nothing(looks: Looks) -> None:
    assert looks.at(claiming()) == ""
    assert "`aud`" in said(credential({"sharedSecret": SECRET, "audience": "them"}), claiming())
    assert "signature" in said(credential({"sharedSecret": SECRET + "x", "audience": "us"}), claiming())


def test_who_it_is() -> None:
    plugin = credential({"sharedSecret": SECRET, "audience": "us"})
    identity = plugin.authenticate(showing(claiming(role={"of": ["admin"]})))
    assert isinstance(identity, Identity)
    assert identity.subject == "ann"
    assert dict(identity.claims) == {**CLAIMS, "role": {"of": ["admin"]}}
    nameless = plugin.authenticate(showing(without("sub")))
    assert isinstance(nameless, Identity)
    assert nameless.subject == "jwtVerify"
    with pytest.raises(TypeError):
        identity.claims["sub"] = "bob"  # type: ignore[index]


@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer ", b"BEARER  "])
def test_schemes(scheme: bytes) -> None:
    plugin = credential({"sharedSecret": SECRET, "audience": "us"})
    assert isinstance(plugin.authenticate(showing(claiming(), scheme)), Identity)


@pytest.mark.parametrize("scheme", [b"", b"Basic ", b"Bearer", b"Bearer\t", b"Digest ", b"JWT ", b" "])
def test_other_schemes(scheme: bytes) -> None:
    plugin = credential({"sharedSecret": SECRET, "audience": "us"})
    assert isinstance(plugin.authenticate(showing(claiming(), scheme)), Denied)


def in_gateway(secret: dict[str, Any]) -> tuple[MemoryGateway, Any]:
    gateway = MemoryGateway()
    return gateway, gateway.proxy(caller=("jwtVerify", secret))


def of_now(gateway: MemoryGateway, **claims: Any) -> dict[str, str]:
    """`claims`: None for none of that name."""
    said = {**CLAIMS, "exp": gateway.clock.wall() + 600, **claims}
    made = token(HS, {name: value for name, value in said.items() if value is not None}, hs())
    return {"Authorization": f"Bearer {made.decode()}"}


def test_the_log_shows_sub_and_no_other_claim() -> None:
    gateway, proxy = in_gateway({"sharedSecret": SECRET, "audience": "us"})
    shown = of_now(gateway, email="ann@example.test", sub="ann")
    assert gateway.call("GET", proxy, "/", shown).answer.status == 200
    ((summary, detail),) = gateway.records
    assert {**summary, **detail}["tokenClaims"] == {"sub": "ann"}
    assert "ann@example.test" not in repr((summary, detail))
    assert shown["Authorization"][7:] not in repr((summary, detail))


LOGGED: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "none": ({"logClaims": []}, {}),
    "another one": ({"logClaims": ["email"]}, {"email": "ann@example.test"}),
    "several": (
        {"logClaims": ["sub", "groups", "https://a.test/level", "verified", "not there"]},
        {"sub": "ann", "groups": '["a","é"]', "https://a.test/level": "1.5", "verified": "true"},
    ),
}


@pytest.mark.parametrize("case", LOGGED)
def test_the_log_shows_the_claims_that_the_credential_names(case: str) -> None:
    more, logged = LOGGED[case]
    gateway, proxy = in_gateway({"sharedSecret": SECRET, "audience": "us", **more})
    said: dict[str, Any] = {"email": "ann@example.test", "groups": ["a", "é"], "verified": True}
    said |= {"https://a.test/level": 1.5, "secret": "a-secret-of-anns"}
    shown = of_now(gateway, **said)
    for _ in range(2):  # verified now, and known from before
        assert gateway.call("GET", proxy, "/", shown).answer.status == 200
    for summary, detail in gateway.records:
        assert summary["tokenClaims"] == logged
        assert "a-secret-of-anns" not in repr((summary, detail))


def test_a_long_sub_is_cut_in_the_log() -> None:
    gateway, proxy = in_gateway({"sharedSecret": SECRET, "audience": "us"})
    assert gateway.call("GET", proxy, "/", of_now(gateway, sub="é" * 1000)).answer.status == 200
    ((summary, detail),) = gateway.records
    assert {**summary, **detail}["tokenClaims"] == {"sub": "é" * 128}


def test_an_audience_that_is_null_is_warned_of_in_every_answer() -> None:
    gateway, proxy = in_gateway({"sharedSecret": SECRET, "audience": None})
    for _ in range(2):
        answer = gateway.call("GET", proxy, "/", of_now(gateway, aud="them")).answer
        assert answer.status == 200
        assert "audience is null" in answer["requestrocket-proxy-warning"]
    refused = gateway.call("GET", proxy, "/", of_now(gateway, exp=1)).answer
    assert refused.status == 401
    assert not refused["requestrocket-proxy-warning"]
    for rules, aud in (({"audience": "us"}, {}), ({}, {"aud": None})):
        gateway, proxy = in_gateway({"sharedSecret": SECRET, **rules})
        answer = gateway.call("GET", proxy, "/", of_now(gateway, **aud)).answer
        assert (answer.status, answer["requestrocket-proxy-warning"]) == (200, "")


OF_URL: dict[str, Any] = {
    "config": {"jwksUri": URL, "audience": "us", "issuer": "https://issuer.test"},
    "outside": OF_OLD,
    "good": lambda at: Ask(headers={"Authorization": f"Bearer {of_old(at.now + 60)}"}),
    "bad": {
        "another key's": lambda at: Ask(headers={"Authorization": f"Bearer {of_old(at.now + 60, 'new')}"}),
        "an old one": lambda at: Ask(headers={"Authorization": f"Bearer {of_old(at.now - 60)}"}),
    },
    "bad_configs": [("audience", {"jwksUri": URL}), ("jwksUri", {"jwksUri": "a value of some length"})],
}


def of_old(expires: float, signer: str = "ours") -> str:
    header = {"alg": "ES256", "kid": "old"}
    return token(header, {**CLAIMS, "exp": expires}, es(key=ec_key("P-256", signer))).decode()


def test_its_promises_with_a_url() -> None:
    check_plugin(JwtVerify, **OF_URL)


def test_its_promises_with_a_server_that_fails() -> None:
    with pytest.raises(BrokenPromises) as broken:
        check_plugin(JwtVerify, **{**OF_URL, "outside": OutsideAnswer(500, (), b"")})
    assert {each.promise for each in broken.value.broken} == {"who shows a good credential is identified"}
