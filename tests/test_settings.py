"""Settings: the order of their sources, what each value may be, and complaints that say how to mend them."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from types import MappingProxyType

import pytest
from attrs import evolve, fields

from rrgate.settings import AllowedNetwork, Settings, SettingsError, load

DATA = {"data": "/srv/rrgate"}


def loaded(
    options: Mapping[str, object] = MappingProxyType({}),
    environ: Mapping[str, str] = MappingProxyType({}),
    path: Path | None = None,
) -> Settings:
    return load({**DATA, **options}, environ, path)


def written(folder: Path, text: str) -> Path:
    path = folder / "rrgate.toml"
    path.write_text(text)
    return path


def test_defaults() -> None:
    settings = loaded()
    assert settings.data == Path("/srv/rrgate")
    assert settings.listen == "tcp:8080:interface=127.0.0.1"
    assert settings.held_answers_bytes == 268435456
    assert settings.dns_cache == 30.0
    assert (settings.hosts, settings.allow_networks, settings.public_url) == ((), (), "")


def test_options_overrule_the_environment_which_overrules_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "dns_threads = 3\nmax_in_flight = 3\nlog_level = 'warn'\n")
    environ = {"RRGATE_DNS_THREADS": "2", "RRGATE_MAX_IN_FLIGHT": "2", "PATH": "/bin"}
    settings = loaded({"dns-threads": "1", "max_in_flight": None}, environ, path)
    assert (settings.dns_threads, settings.max_in_flight, settings.log_level) == (1, 2, "warn")


CLIENT = "00000000-aaaa-4aaa-8aaa-000000000000"
V6 = ip_network("fd00::/8")
GOOD = [
    # name, as text, as TOML, value
    ("data", "/a/b", "'/a/b'", Path("/a/b")),
    ("listen", "tcp:0", "'tcp:0'", "tcp:0"),
    ("listen", "", "''", ""),
    ("listen", "ssl:port=8443:privateKey=k", "'ssl:port=8443:privateKey=k'", "ssl:port=8443:privateKey=k"),
    ("core_listen", "unix:/run/x.sock", "'unix:/run/x.sock'", "unix:/run/x.sock"),
    ("listen", "systemd:domain=INET:index=0", "'systemd:domain=INET:index=0'", "systemd:domain=INET:index=0"),
    ("public_url", "https://gw.example/", "'https://gw.example/'", "https://gw.example"),
    ("public_url", "http://[::1]:8080/p", "'http://[::1]:8080/p'", "http://[::1]:8080/p"),
    ("core_public_url", "", "''", ""),
    ("hosts", "Gw.Example., ::1,[::2]", "['Gw.Example.', '::1', '[::2]']", ("gw.example", "::1", "::2")),
    ("hosts", "bücher.example", "['bücher.example']", ("xn--bcher-kva.example",)),
    ("hosts", "", "[]", ()),
    ("regions", "us-east-1, EU-1", "['us-east-1', 'EU-1']", ("us-east-1", "eu-1")),
    ("trusted_proxies", "unix:,10.0.0.0/8", "['unix:', '10.0.0.0/8']", ("unix:", ip_network("10.0.0.0/8"))),
    ("trusted_proxies", "10.0.0.0/8,::1", "['10.0.0.0/8', '::1']", (ip_network("10.0.0.0/8"), ip_network("::1/128"))),
    ("allow_networks", "10.0.0.1", "['10.0.0.1']", (AllowedNetwork(ip_network("10.0.0.1/32")),)),
    ("allow_networks", "10.0.0.0/8:80", "['10.0.0.0/8:80']", (AllowedNetwork(ip_network("10.0.0.0/8"), 80),)),
    ("allow_networks", "fd00::/8", "['fd00::/8']", (AllowedNetwork(V6),)),
    ("allow_networks", "[fd00::/8]:443", "['[fd00::/8]:443']", (AllowedNetwork(V6, 443),)),
    ("allow_networks", "[fd00::/8]", "['[fd00::/8]']", (AllowedNetwork(V6),)),
    ("default_client", CLIENT.upper(), f"'{CLIENT}'", CLIENT),
    ("query_credentials", "Off", "false", False),
    ("query_credentials", "1", "true", True),
    ("header_prefix", "X-Gate-", "'X-Gate-'", "x-gate-"),
    ("head_timeout", "2.5", "2.5", 2.5),
    ("head_timeout", "3", "3", 3.0),
    ("pool_idle_timeout", "0", "0", 0.0),
    ("journal_batch", "50", "50", 50),
    ("log_level", "debug", "'debug'", "debug"),
]


@pytest.mark.parametrize(("name", "text", "toml", "value"), GOOD, ids=[f"{row[0]} {row[1]}" for row in GOOD])
def test_a_value_means_the_same_wherever_it_stands(
    tmp_path: Path, name: str, text: str, toml: str, value: object
) -> None:
    rest = {key: item for key, item in DATA.items() if key != name}
    for settings in (
        load({**rest, name: text}, {}, None),
        load(rest, {f"RRGATE_{name.upper()}": text}, None),
        load(rest, {}, written(tmp_path, f"{name} = {toml}")),
    ):
        assert getattr(settings, name) == value
        assert type(getattr(settings, name)) is type(value)
        assert evolve(settings) == settings  # what settings hold passes its own check


BAD = [
    # name, as text, what the complaint says
    ("data", "", "'' is not the path of a folder"),
    ("listen", "8080", "write for example tcp:8080:interface=127.0.0.1"),
    ("listen", "tcp:99999", "its port is a number from 0 to 65535"),
    ("listen", "tcp:interface=::1", "its port is a number from 0 to 65535"),
    ("public_url", "gw.example", "it starts with http:// or https://"),
    ("public_url", "https://", "a host is missing"),
    ("public_url", "https://a/?b=c", "without user name, query and fragment"),
    ("public_url", "https://u@a/", "without user name, query and fragment"),
    ("public_url", "https://a/ b", "without spaces"),
    ("public_url", "https://a:99999/", "is not an absolute URL"),
    ("hosts", "gw.example,https://gw.example", "[1]: 'https://gw.example' is not a host"),
    ("hosts", "gw.example:8080", "without scheme, port and path"),
    ("hosts", "a..b", "'a..b' is not a host"),
    ("regions", "us_east", "'us_east' is not a region"),
    ("trusted_proxies", "10.0.0.1/8", "did you mean 10.0.0.0/8?"),
    ("trusted_proxies", "everyone", "write for example 10.1.0.0/16"),
    ("trusted_proxies", "unix:/run/gateway.sock", "write unix: alone"),
    ("allow_networks", "10.0.0.0/8:0", "a port is a number from 1 to 65535"),
    ("allow_networks", "fd00::/8:443", "write for example 10.1.0.0/16 or fd00::/8"),
    ("default_client", "acme", "'acme' is not the id of a client"),
    ("query_credentials", "maybe", "write true or false"),
    ("header_prefix", "x-gate", "that ends in '-'"),
    ("header_prefix", "x gate-", "that ends in '-'"),
    ("max_target_bytes", "10", "10 is not a whole number from 256"),
    ("max_target_bytes", "16k", "'16k' is not a whole number from 256 to 1048576"),
    ("max_head_fields", "1_000", "'1_000' is not a whole number"),
    ("head_timeout", "nan", "nan is not a number of seconds from 0.1 to 3600"),
    ("head_timeout", "0", "0.0 is not a number of seconds"),
    ("log_level", "verbose", "'verbose' is not one of debug, info, warn, error, critical"),
    ("max_head_bytes", "16384", "make it larger"),
    ("journal_queue", "100", "make it at least that"),
]


@pytest.mark.parametrize(("name", "text", "says"), BAD, ids=[f"{row[0]} {row[1]}" for row in BAD])
def test_a_wrong_value_is_refused_with_what_would_be_right(name: str, text: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({**DATA, name: text}, {}, None)
    assert name.replace("_", "-") in str(caught.value).replace("_", "-")
    assert says in str(caught.value)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("dns_threads = '20'", "key dns_threads: '20' is not a whole number"),
        ("dns_threads = true", "True is not a whole number"),
        ("dns_threads = 2.5", "2.5 is not a whole number"),
        ("query_credentials = 1", "write true or false"),
        ("hosts = 'gw.example'", 'is not a list: write ["...", "..."]'),
        ("hosts = ['a', 1]", "key hosts[1]: 1 is not a host"),
        ("listen = ['tcp:1']", "is not a Twisted endpoint string"),
        ("[listen]\nport = 1", "is not a Twisted endpoint string"),
        ("dns_thread = 20", "key dns_thread: no such setting; did you mean dns_threads?"),
        ("dns-threads = 20", "did you mean dns_threads?"),
        ("colour = 20", "docs/configuration.md lists them"),
        ("listen = ", "this is not TOML"),
    ],
)
def test_a_wrong_file_is_refused_by_key(tmp_path: Path, toml: str, says: str) -> None:
    path = written(tmp_path, toml)
    with pytest.raises(SettingsError) as caught:
        loaded(path=path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_everything_wrong_is_said_at_once_and_each_with_its_source(tmp_path: Path) -> None:
    path = written(tmp_path, "lisen = 'tcp:1'\ndns_threads = 0\n")
    environ = {"RRGATE_DNS_TREADS": "3", "RRGATE_HOSTS": "a b,c,d e"}
    with pytest.raises(SettingsError) as caught:
        load({"log-level": "loud", "colour": "red", "dns_threads": 5}, environ, path)
    assert caught.value.problems == (
        "option --log-level: 'loud' is not one of debug, info, warn, error, critical",
        "option --colour: no such setting; docs/configuration.md lists them",
        "variable RRGATE_DNS_TREADS: no such setting; did you mean RRGATE_DNS_THREADS?",
        "variable RRGATE_HOSTS[0]: 'a b' is not a host without scheme and port",
        "variable RRGATE_HOSTS[2]: 'd e' is not a host without scheme and port",
        f"{path}: key lisen: no such setting; did you mean listen?",
        f"{path}: key dns_threads: 0 is not a whole number from 1 to 256",
    )
    assert str(caught.value).startswith("7 settings are wrong:\n  option")


def test_data_must_be_set() -> None:
    with pytest.raises(SettingsError, match="--data, the variable RRGATE_DATA or the key `data`"):
        load({}, {}, None)


def test_a_folder_in_the_file_lies_beside_the_file_and_elsewhere_where_we_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, "data = 'var'")
    assert load({}, {}, path).data == tmp_path / "var"
    monkeypatch.chdir(tmp_path)
    assert load({"data": "here"}, {}, None).data == tmp_path / "here"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"missing\.toml: No such file"):
        loaded(path=tmp_path / "missing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not TOML"):
        loaded(path=tmp_path / "binary.toml")


def test_made_directly_settings_are_checked_too() -> None:
    with pytest.raises(SettingsError, match="dns_threads: 0 is not a whole number"):
        Settings(data=Path("/d"), dns_threads=0)
    assert Settings(data=Path("/d"), hosts=["GW.example"]).hosts == ("gw.example",)  # type: ignore[arg-type]


def test_an_allowed_network_is_written_as_it_is_read() -> None:
    for text in ("10.0.0.0/8", "10.0.0.0/8:80", "[fd00::/8]", "[fd00::/8]:443"):
        (network,) = loaded({"allow_networks": text}).allow_networks
        assert str(network) == text


def test_every_setting_says_what_it_is() -> None:
    for attribute in fields(Settings):
        metadata = attribute.metadata
        assert metadata["help"].endswith("."), attribute.name
        assert metadata["where"], attribute.name
        assert bool(metadata["unit"]) == (type(attribute.default) in (int, float)), attribute.name
