"""Countries of addresses: from a MaxMind file that may be replaced, or be no such file.

Belongs here: countries.py. Does not: where a country is shown (test_tally.py, test_record.py).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rrgate import countries as module
from rrgate.countries import Countries
from rrgate.settings import SettingsError
from tests.maxmind_file import maxmind_file

NETWORKS = {
    "203.0.113.0/24": {"country": {"iso_code": "NZ"}, "registered_country": {"iso_code": "AU"}},
    "198.51.100.0/25": {"registered_country": {"iso_code": "AU"}},
    "198.51.100.128/25": {"country_code": "DE"},
    "192.0.2.0/26": {"country": "FR"},
    "192.0.2.64/26": {"country": {"iso_code": "nowhere"}},
    "192.0.2.128/26": {"continent": {"code": "EU"}},
    "2001:db8::/32": {"country": {"iso_code": "JP"}},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "countries.mmdb"
    path.write_bytes(maxmind_file(NETWORKS))
    return path


@pytest.mark.parametrize(
    ("address", "country"),
    [
        ("203.0.113.9", "NZ"),
        ("198.51.100.1", "AU"),
        ("198.51.100.200", "DE"),
        ("192.0.2.1", "FR"),
        ("192.0.2.65", "ZZ"),
        ("192.0.2.129", "ZZ"),
        ("192.0.2.250", "ZZ"),
        ("2001:db8::1", "JP"),
        ("2001:db8::1%eth0", "JP"),
        ("2001:db9::1", "ZZ"),
        ("127.0.0.1", "ZZ"),
        ("unix", "ZZ"),
        ("unknown", "ZZ"),
        ("", "ZZ"),
        ("203.0.113.9, 192.0.2.1", "ZZ"),
    ],
)
def test_the_country_of_an_address(file: Path, address: str, country: str) -> None:
    known = Countries(file)
    assert (known.of(address), known.of(address)) == (country, country)
    assert Countries(None).of(address) == "ZZ"


def test_a_file_of_ipv4_alone(tmp_path: Path) -> None:
    path = tmp_path / "v4.mmdb"
    path.write_bytes(maxmind_file({"203.0.113.0/24": {"country": {"iso_code": "NZ"}}}, version=4))
    assert [Countries(path).of(each) for each in ("203.0.113.1", "2001:db8::1")] == ["NZ", "ZZ"]


def test_a_file_that_is_replaced_is_used_from_then_on(file: Path) -> None:
    known = Countries(file)
    assert known.of("203.0.113.9") == "NZ"
    other = file.with_name("new")
    other.write_bytes(maxmind_file({"203.0.113.0/24": {"country": {"iso_code": "IE"}}}))
    os.replace(other, file)
    assert known.of("203.0.113.9") == "NZ"
    known.refresh()
    assert known.of("203.0.113.9") == "IE"


@pytest.mark.parametrize("broken", [b"", b"no database", None])
def test_a_replacement_that_cannot_be_read_changes_nothing(file: Path, broken: bytes | None) -> None:
    known = Countries(file)
    if broken is None:
        file.unlink()
    else:
        file.write_bytes(broken)  # in place, which a mapped file would not outlive
    known.refresh()
    assert known.of("203.0.113.9") == "NZ"
    file.write_bytes(maxmind_file({"203.0.113.0/24": {"country": {"iso_code": "IE"}}}))
    known.refresh()
    assert known.of("203.0.113.9") == "IE"


@pytest.mark.parametrize("content", [None, b"", b"no database"])
def test_a_file_that_cannot_be_read_stops_the_start(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "countries.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"country_file: .*countries\.mmdb cannot be read as a MaxMind database"):
        Countries(path)


def test_what_is_remembered_is_bounded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 10)
    known = Countries(file)
    assert {known.of(f"203.0.113.{number}") for number in range(100)} == {"NZ"}
    assert len(known._known) <= 10
