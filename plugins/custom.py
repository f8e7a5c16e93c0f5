"""`custom`: headers, query parameters and data in bodies, all secret, for targets that no other auth type fits.

They stand under the rules of `proxyAdditionalHeaders`, `proxyAdditionalQueryParams` and `proxyAdditionalData`, and take
the place of the caller's, and of a proxy's own, of the same name. A body that the data cannot be merged into is
refused, a multipart one too: it would go without its credential.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from attrs import frozen

from rrgate.api import (
    NOT_INJECTABLE,
    ConfigError,
    Exchange,
    Plugin,
    PluginContext,
    Problem,
    Reply,
    Side,
    fold,
    fold_parameter,
    is_token,
    json_text,
    secret,
)
from rrgate_plugins.merging import AdditionalData


def _wrong_headers(headers: Mapping[str, str]) -> list[Problem]:
    problems = []
    seen: dict[bytes, str] = {}
    for place, (name, value) in enumerate(headers.items()):
        raw = name.encode("utf-8", "replace")
        if not is_token(raw):
            # By its place: what is no name may be a secret in the wrong column.
            problems.append(Problem("headers", f"the name at place {place} is no header name (RFC 9110 5.6.2)"))
            continue
        where, folded = f"headers.{name}", fold(raw)
        if folded in NOT_INJECTABLE or folded.startswith(b"requestrocket-"):
            problems.append(Problem(where, "is written by the gateway itself and cannot be set"))
        elif folded in seen:
            problems.append(Problem(where, f"is the same name as {seen[folded]}"))
        seen[folded] = name
        if any(letter in "\r\n\0" for letter in value):
            problems.append(Problem(where, "must not hold CR, LF or NUL"))
        elif any(letter > "\xff" or letter == "\x7f" or (letter < " " and letter != "\t") for letter in value):
            problems.append(Problem(where, "must hold visible Latin-1 characters"))
        elif value != value.strip():
            problems.append(Problem(where, "must have no spaces at its ends: they would not arrive"))
    return problems


def _wrong_parameters(parameters: Mapping[str, str]) -> list[Problem]:
    problems = []
    seen: set[bytes] = set()
    for place, (name, value) in enumerate(parameters.items()):
        where = f"the parameter at place {place}"
        if not name:
            problems.append(Problem("queryParams", f"{where} has no name"))
        if any(letter in "\r\n\0" or "\ud800" <= letter <= "\udfff" for letter in name + value):
            problems.append(Problem("queryParams", f"{where} must not hold CR, LF, NUL or half of a surrogate pair"))
            continue
        folded = fold_parameter(quote(name, safe="").encode())
        if folded in seen:
            problems.append(Problem("queryParams", f"{where} has the same name as one before it"))
        seen.add(folded)
    return problems


def _wrong_data(data: Mapping[str, Any]) -> list[Problem]:
    try:
        # What cannot be merged or sealed: halves of surrogate pairs have no UTF-8.
        AdditionalData(data)
        json_text(data).encode()
    except (TypeError, ValueError, RecursionError):
        return [Problem("data", "must be a JSON object, without halves of surrogate pairs")]
    return []


@frozen
class CustomConfig:
    """`{"headers": {NAME: SECRET}, "queryParams": {NAME: SECRET}, "data": {…}}`, at least one of the three."""

    headers: dict[str, str] = secret("Headers by name, with their values.", factory=dict)
    query_params: dict[str, str] = secret("Query parameters by name, not percent-encoded.", factory=dict)
    data: dict[str, Any] = secret("Merged into bodies of POST, PUT and PATCH.", factory=dict)

    def __attrs_post_init__(self) -> None:
        problems = _wrong_headers(self.headers) + _wrong_parameters(self.query_params) + _wrong_data(self.data)
        if not self.headers and not self.query_params and not self.data:
            problems.append(Problem("headers", "must not be empty where `queryParams` and `data` are"))
        if problems:
            raise ConfigError(*problems)


class Custom(Plugin):
    """Headers, query parameters and data of one's own."""

    name = "custom"
    sides = frozenset({Side.TARGET})
    Config = CustomConfig
    pure = True

    def __init__(self, config: CustomConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        self._headers = tuple((name.encode(), value.encode("latin-1")) for name, value in config.headers.items())
        self._parameters = tuple(
            (quote(name, safe="").encode(), quote(value, safe="").encode())
            for name, value in config.query_params.items()
        )
        self._data = AdditionalData(config.data) if config.data else None
        if self._data is not None:
            # Only here, so that bodies stream where nothing is merged into them.
            self.body_needed = self._data.body_needed

    def prepare(self, ex: Exchange) -> Reply | None:
        request = ex.to_target
        for name, value in self._headers:
            request.set_header(name, value)
        for name, value in self._parameters:
            request.set_query(name, value)
        return self._data.merge(ex, strict=True) if self._data is not None else None
