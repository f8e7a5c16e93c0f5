"""`credentialAllowedHosts` over HTTP: its forms, what it names, when it is set, and who may change it.

Belongs here: the field, and saving what it binds. Does not: connections (tests/gateway/test_bound_secrets.py).
"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted

from rrgate.api import NoConfig
from rrgate.model.hosts import address_of, allowed_hosts, allows
from tests.core.doubles import CALLER, NOW, TARGET, TOWARDS, Core
from tests.core.made_up_plugins import Bearer

PATH = "/clients/acme/credentials"
HOSTS = "credentialAllowedHosts"
SECRET = TOWARDS["credentialSecret"]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("api.acme.test", "api.acme.test"),
        ("API.Acme.TEST.", "api.acme.test"),
        ("api.acme.test:443", "api.acme.test:443"),
        ("api.acme.test:8443", "api.acme.test:8443"),
        ("api.acme.test:0080", "api.acme.test:80"),
        ("*.acme.test", "*.acme.test"),
        ("*.Acme.test.:444", "*.acme.test:444"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER。example。", "xn--bcher-kva.example"),
        ("*.bücher.example", "*.xn--bcher-kva.example"),
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7:81", "203.0.113.7:81"),
        ("[2001:DB8:0:0::1]", "[2001:db8::1]"),
        ("[2001:db8::1]:8443", "[2001:db8::1]:8443"),
        ("my_service", "my_service"),
    ],
)
def test_spellings(written: str, kept: str) -> None:
    assert allowed_hosts([written]) == (kept,)
    assert allowed_hosts([kept]) == (kept,)


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "*",
        "*.",
        "*..test",
        "*.*.test",
        "*.2.3.4",
        "a.*.test",
        "a*.test",
        "**.test",
        "https://acme.test",
        "acme.test/",
        "acme.test/path",
        "user@acme.test",
        "acme.test:",
        "acme.test:0",
        "acme.test:65536",
        "acme.test:8a",
        "acme..test",
        ".acme.test",
        "-acme.test",
        "acme test",
        "acme.test\n",
        "127.1",
        "0x7f000001",
        "256.1.1.1",
        "*.com",
        "*.com.",
        "*.com:8443",
        "*.xn--p1ai",
        "*.рф",
        "*.0.0.1",
        "*.1.2.3.4",
        "*.[2001:db8::1]",
        "2001:db8::1",
        "[2001:db8::1",
        "[2001:db8::1]8443",
        "[fe80::1%eth0]",
        "xn--\udcff.test",
    ],
)
def test_what_is_no_host(written: str) -> None:
    with pytest.raises(ValueError, match="1 must"):
        allowed_hosts(["acme.test", written])


def test_lists() -> None:
    assert allowed_hosts(["b.test", "A.test", "a.test."]) == ("a.test", "b.test")
    for wrong in ([], ["a.test"] * 51):
        with pytest.raises(ValueError, match="1 to 50 hosts, or be null"):
            allowed_hosts(wrong)


@pytest.mark.parametrize(
    ("entry", "url", "named"),
    [
        ("acme.test", "https://acme.test/v1", True),
        ("acme.test", "HTTPS://ACME.test.:443", True),
        ("acme.test", "https://acme.test:8443", False),
        ("acme.test", "http://acme.test", False),
        ("acme.test", "http://acme.test:443", False),
        ("acme.test:443", "https://acme.test", True),
        ("acme.test:80", "http://acme.test", True),
        ("acme.test:80", "https://acme.test", False),
        ("acme.test:8443", "https://acme.test:8443", True),
        ("acme.test", "https://api.acme.test", False),
        ("acme.test", "https://acme.test.evil.test", False),
        ("acme.test", "https://evilacme.test", False),
        ("*.acme.test", "https://api.acme.test", True),
        ("*.acme.test", "https://acme.test", False),
        ("*.acme.test", "https://a.b.acme.test", False),
        ("*.acme.test", "https://evilacme.test", False),
        ("*.acme.test", "https://api.acme.test.evil.test", False),
        ("*.acme.test:8443", "https://api.acme.test:8443", True),
        ("*.acme.test:8443", "https://api.acme.test", False),
        ("xn--bcher-kva.example", "https://Bücher.example", True),
        ("203.0.113.7", "https://203.0.113.7", True),
        ("203.0.113.7", "https://[::ffff:203.0.113.7]", False),
        ("[2001:db8::1]", "https://[2001:DB8:0::1]", True),
        ("localhost:8000", "http://127.0.0.1:8000", False),
        ("203.0.113.7", "https://[64:ff9b::203.0.113.7]", False),
        ("203.0.113.7", "https://２０３.0.113.7", True),
        ("[::ffff:203.0.113.7]", "https://[::FFFF:CB00:7107]", True),
        ("xn--80ak6aa92e.com", "https://apple.com", False),
        ("apple.com", "https://аррӏе.com", False),
        ("faß.de", "https://fass.de", False),
        ("acme.test", "https://acme。test", True),
        ("acme.test", "https://ａcme.test", True),
        ("acme.test", "https://acme.test:0443", True),
        ("*.acme.test", "https://a.b.acme.test.evil.test", False),
        ("*.acme.test", "https://a_b.acme.test", True),
    ],
)
def test_what_an_entry_names(entry: str, url: str, named: bool) -> None:
    address = address_of(url)
    assert allows(allowed_hosts([entry]), address) is named
    assert allows((address.entry,), address)
    assert allowed_hosts([address.entry]) == (address.entry,)


class Bound:
    """A credential for https://api.stripe.com, used by one proxy, and those who change things."""

    def __init__(self, core: Core) -> None:
        self.core = core

    async def make(self, **more: Any) -> Bound:
        self.credential = (await self.core.make("credentials", {**TOWARDS, **more}))["sKey"]
        self.caller = (await self.core.make("credentials", CALLER))["sKey"]
        self.target = (await self.core.make("targets", TARGET))["sKey"]
        return self

    async def proxy(self, target: str | None = None, credential: str | None = None) -> Any:
        return await self.core.ask(
            "POST",
            "/clients/acme/proxies",
            {
                "proxyName": "p",
                "proxyRegion": "us-east-1",
                "proxyProxyCredentialId": self.caller,
                "proxyTargetId": target or self.target,
                "proxyTargetCredentialId": credential or self.credential,
            },
            token="u-adam",
        )

    async def elsewhere(self, url: str = "https://evil.test") -> str:
        return str((await self.core.make("targets", {**TARGET, "targetBaseURL": url}, token="u-adam"))["sKey"])

    async def put(self, kind: str, id: str, **changes: Any) -> Any:
        return await self.core.ask("PUT", f"/clients/acme/{kind}/{id}", changes, token="u-adam")

    @property
    def hosts(self) -> tuple[str, ...] | None:
        return self.core.directory.credentials[self.credential].allowed_hosts


@pytest_twisted.ensureDeferred
async def test_the_first_use_binds_in_one_save(core: Core) -> None:
    bound = await Bound(core).make()
    assert bound.hosts is None
    core.store.error = OSError("disk on fire")
    assert (await bound.proxy()).status == 500
    assert bound.hosts is None
    core.seconds = NOW + 1
    assert (await bound.proxy()).status == 200
    assert bound.hosts == ("api.stripe.com",)
    kept = core.directory.credentials[bound.credential]
    assert (kept.secret_version, kept.updated_at) == (1, int((NOW + 1) * 1000))
    assert kept in core.store.kept.values()
    assert (await bound.proxy()).status == 200
    refused = await bound.proxy(await bound.elsewhere())
    assert refused.status == 400
    assert refused.problems == {
        "proxyTargetCredentialId": "the target credential may not go to the target's host, evil.test: its "
        "credentialAllowedHosts do not name it"
    }


@pytest_twisted.ensureDeferred
async def test_a_proxy_that_is_refused_binds_nothing(core: Core) -> None:
    bound = await Bound(core).make()
    told = await core.ask(
        "POST",
        "/clients/acme/proxies",
        {
            "proxyName": "p",
            "proxyRegion": "us-east-1",
            "proxyProxyCredentialId": bound.caller,
            "proxyTargetId": bound.target,
            "proxyTargetCredentialId": bound.credential,
            "proxyAdditionalHeaders": {"Host": "evil.test"},
        },
    )
    assert told.status == 400
    assert bound.hosts is None


@pytest_twisted.ensureDeferred
async def test_hosts_named_at_creation_hold_for_the_first_use(core: Core) -> None:
    bound = await Bound(core).make(**{HOSTS: ["*.Stripe.com", "backup.test:8443"]})
    assert bound.hosts == ("*.stripe.com", "backup.test:8443")
    assert (await bound.proxy(await bound.elsewhere())).status == 400
    assert (await bound.proxy()).status == 200
    assert (await bound.proxy(await bound.elsewhere("https://backup.test:8443"))).status == 200
    assert bound.hosts == ("*.stripe.com", "backup.test:8443")


@pytest_twisted.ensureDeferred
async def test_a_proxy_is_pointed_elsewhere_or_shown_another_credential(core: Core) -> None:
    bound = await Bound(core).make()
    proxy = (await bound.proxy()).document["proxies"][0]["sKey"]
    evil = await bound.elsewhere()
    told = await bound.put("proxies", proxy, proxyTargetId=evil)
    assert (told.status, set(told.problems)) == (400, {"proxyTargetId"})
    free = (await core.make("credentials", {**TOWARDS, HOSTS: ["evil.test"]}))["sKey"]
    other = (await bound.proxy(evil, free)).document["proxies"][0]["sKey"]
    told = await bound.put("proxies", other, proxyTargetCredentialId=bound.credential)
    assert (told.status, set(told.problems)) == (400, {"proxyTargetCredentialId"})
    told = await bound.put("proxies", proxy, proxyTargetId=evil, proxyTargetCredentialId=free)
    assert told.status == 200
    # Its old place is not open to it any more.
    told = await bound.put("proxies", proxy, proxyTargetId=bound.target)
    assert (told.status, set(told.problems)) == (400, {"proxyTargetId"})


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("https://evil.test", 409),
        ("https://api.stripe.com.evil.test", 409),
        ("https://api.stripe.com:8443", 409),
        ("http://api.stripe.com", 409),
        ("http://api.stripe.com:443", 409),
        ("https://API.stripe.com./v2", 200),
        ("https://api.stripe.com:443/v3", 200),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_target_in_use_moves_within_the_hosts_of_its_credentials(core: Core, url: str, status: int) -> None:
    bound = await Bound(core).make()
    await bound.proxy()
    before = core.directory.targets[bound.target]
    told = await bound.put("targets", bound.target, targetBaseURL=url, targetName="moved")
    assert told.status == status, told.raw
    if status == 409:
        assert set(told.problems) == {"targetBaseURL"}
        assert bound.credential in told.problems["targetBaseURL"]
        assert "credentialSecret in the same request" in told.problems["targetBaseURL"]
        assert core.directory.targets[bound.target] is before
    # Who knows the secret opens the way.
    hosts = [address_of(url).entry, "api.stripe.com"]
    assert (await bound.put("credentials", bound.credential, credentialSecret=SECRET, **{HOSTS: hosts})).status == 200
    assert (await bound.put("targets", bound.target, targetBaseURL=url)).status == 200


@pytest.mark.parametrize("hosts", [["evil.test"], ["api.stripe.com", "evil.test"], ["*.stripe.com"], None])
@pytest_twisted.ensureDeferred
async def test_hosts_are_changed_by_who_knows_the_secret(core: Core, hosts: list[str] | None) -> None:
    bound = await Bound(core).make()
    await bound.proxy()
    told = await bound.put("credentials", bound.credential, **{HOSTS: hosts})
    assert (told.status, set(told.problems)) == (409, {HOSTS})
    assert bound.hosts == ("api.stripe.com",)
    told = await bound.put("credentials", bound.credential, **{HOSTS: hosts}, credentialSecret={"token": "another"})
    assert told.status == 200
    # Null binds it to where it is used now.
    assert bound.hosts == (tuple(hosts) if hosts else ("api.stripe.com",))
    kept = core.directory.credentials[bound.credential]
    assert kept.secret_version == 2
    assert b"another"[::-1] in kept.sealed_secret


@pytest_twisted.ensureDeferred
async def test_before_its_first_use_hosts_take_the_secret_too(core: Core) -> None:
    bound = await Bound(core).make()
    assert (await bound.put("credentials", bound.credential, **{HOSTS: ["evil.test"]})).status == 409
    told = await bound.put("credentials", bound.credential, credentialSecret=SECRET, **{HOSTS: ["api.stripe.com"]})
    assert told.status == 200
    told = await bound.put("credentials", bound.credential, credentialSecret=SECRET, **{HOSTS: None})
    assert told.status == 200
    assert bound.hosts is None


@pytest_twisted.ensureDeferred
async def test_read_change_write(core: Core) -> None:
    bound = await Bound(core).make(**{HOSTS: ["b.test", "a.test"]})
    read = (await core.ask("GET", f"{PATH}/{bound.credential}")).document["credentials"][0]
    assert read[HOSTS] == ["a.test", "b.test"]
    for same in (["a.test", "b.test"], ["B.test.", "A.TEST", "a.test"]):
        assert (await bound.put("credentials", bound.credential, **{**read, HOSTS: same})).status == 200
    assert core.directory.credentials[bound.credential].secret_version == 1


@pytest_twisted.ensureDeferred
async def test_bindings_outlive_targets_and_proxies(core: Core) -> None:
    bound = await Bound(core).make()
    proxy = (await bound.proxy()).document["proxies"][0]["sKey"]
    assert (await core.ask("DELETE", f"/clients/acme/proxies/{proxy}", token="u-adam")).status == 200
    assert (await core.ask("DELETE", f"/clients/acme/targets/{bound.target}", token="u-adam")).status == 200
    assert (await bound.proxy(await bound.elsewhere())).status == 400
    assert bound.hosts == ("api.stripe.com",)


@pytest_twisted.ensureDeferred
async def test_the_callers_side_has_no_hosts(core: Core) -> None:
    told = await core.ask("POST", PATH, {**CALLER, HOSTS: ["a.test"]})
    assert told.problems == {HOSTS: "is for credentials that targets are shown"}
    made = await core.make("credentials", {**CALLER, HOSTS: None})
    told = await core.ask("PUT", f"{PATH}/{made['sKey']}", {HOSTS: ["a.test"], "credentialSecret": {"key": "x"}})
    assert told.problems == {HOSTS: "is for credentials that targets are shown"}


@pytest_twisted.ensureDeferred
async def test_what_holds_nothing_is_bound_only_on_purpose(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    bound = await Bound(core).make()
    monkeypatch.setattr(Bearer, "Config", NoConfig)
    assert (await bound.proxy()).status == 200
    assert (await bound.proxy(await bound.elsewhere())).status == 200
    assert (await bound.put("targets", bound.target, targetBaseURL="https://third.test")).status == 200
    assert bound.hosts is None
    told = await bound.put("credentials", bound.credential, credentialSecret={}, **{HOSTS: ["a.test"]})
    assert told.status == 200
    assert (await bound.proxy()).status == 400


@pytest_twisted.ensureDeferred
async def test_what_is_gone_binds_nothing(core: Core) -> None:
    bound = await Bound(core).make()
    proxy = (await bound.proxy()).document["proxies"][0]["sKey"]
    assert (await core.ask("DELETE", f"{PATH}/{bound.credential}")).status == 200
    assert (await bound.put("targets", bound.target, targetBaseURL="https://moved.test")).status == 200
    assert (await bound.put("proxies", proxy, proxyName="still there")).status == 200
