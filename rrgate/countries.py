"""`Countries`: the country of an address, from a MaxMind file that the operator keeps.

Belongs here: reading the file, and noticing that it was replaced. Does not: whose address it is (wire/callers.py).
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final

import maxminddb

from rrgate.careful_log import CarefulLogger
from rrgate.settings import SettingsError

UNKNOWN: Final = "ZZ"
"""Where the country is not known: the user-assigned code that CLDR takes for that (UTS 35)."""

_CODE: Final = re.compile(r"[A-Z]{2}\Z")
_REMEMBERED: Final = 65_536


class Countries:
    """Looks addresses up, and remembers them: 0.1 µs, 3 µs for one that is new. `of` may be called on any thread."""

    def __init__(self, path: Path | None) -> None:
        """`path`: a database with countries, such as GeoLite2 Country; without one every country is unknown.

        Raises SettingsError.
        """
        self._path = path
        self._stamp: object = None
        self._reader: maxminddb.Reader | None = None
        self._known: dict[str, str] = {}
        self._log = CarefulLogger("rrgate.countries")
        if path is not None:
            self._open(path)

    def of(self, address: str) -> str:
        """The country's ISO 3166-1 code, or `UNKNOWN`; also for what is no address. Never raises."""
        known = self._known
        country = known.get(address)
        if country is None:
            country = UNKNOWN if self._reader is None else _looked_up(self._reader, address)
            # Begun anew when full: addresses are as many as callers choose to have.
            if len(known) >= _REMEMBERED:
                known.clear()
            known[address] = country
        return country

    def refresh(self) -> None:
        """Open the file anew if it was replaced. What cannot be read is logged, and the one before it goes on."""
        path = self._path
        if path is None:
            return
        try:
            if _stamp_of(path) != self._stamp:
                self._open(path)
                self._log.info("{path} was replaced, and is used from now on", path=path)
        except (OSError, SettingsError) as error:
            self._log.error("the file of countries cannot be read; the one before it is used: {error}", error=error)

    def _open(self, path: Path) -> None:
        try:
            stamp = _stamp_of(path)
            reader = _private(path)
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            raise SettingsError([f"country_file: {path} cannot be read as a MaxMind database: {error}"]) from error
        # No lock: who still has the old reader may finish with it, and remembers into the old table.
        self._stamp, self._reader, self._known = stamp, reader, {}


def _private(path: Path) -> maxminddb.Reader:
    """A reader of a copy in memory: whoever writes into a file that is mapped ends the process (SIGBUS)."""
    # maxminddb has this of its own, but then without its C extension: 40 µs for a new address.
    copy = os.memfd_create("rrgate-countries")
    try:
        with open(copy, "wb", closefd=False) as file:
            file.write(path.read_bytes())
        return maxminddb.open_database(f"/proc/self/fd/{copy}")
    finally:
        os.close(copy)


def _stamp_of(path: Path) -> object:
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino


def _looked_up(reader: maxminddb.Reader, address: str) -> str:
    try:
        found: Any = reader.get(address.partition("%")[0])
    except (ValueError, maxminddb.InvalidDatabaseError):
        return UNKNOWN
    return _country_in(found)


def _country_in(found: Any) -> str:
    """As MaxMind's databases have it, and flat ones of others."""
    if not isinstance(found, dict):
        return UNKNOWN
    for place in ("country", "registered_country", "country_code"):
        code = found.get(place)
        if isinstance(code, dict):
            code = code.get("iso_code")
        if isinstance(code, str) and _CODE.match(code):
            return code
    return UNKNOWN
