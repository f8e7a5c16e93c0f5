"""Binding a target's credential to hosts, so that who has not its secret cannot have it sent to a host of his.

Belongs here: `credentialAllowedHosts` when a credential, a target or a proxy is saved. Does not: the check when a
connection is made (wire/pool.py), how hosts are compared (model/hosts.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs
from attrs import evolve

from rrgate.api import ConfigError, Problem
from rrgate.core.answers import Refused, conflict, some_of
from rrgate.core.house import CoreHouse
from rrgate.core.rotation import SECRET
from rrgate.model import Credential, Proxy, Side, Target
from rrgate.model.hosts import address_of, allows

HOSTS: Final = "credentialAllowedHosts"


def check_side(side: object, values: Mapping[str, Any]) -> None:
    """Raises ConfigError for what is of the other side: hosts of a credential that no host is shown, the query of one
    that no caller shows. `values`: by attribute name."""
    if values.get("allowed_hosts") is not None and side in (Side.PROXY, Side.PROXY.value):
        raise ConfigError(Problem(HOSTS, "is for credentials that targets are shown"))
    if values.get("in_query") is False and side in (Side.TARGET, Side.TARGET.value):
        raise ConfigError(Problem("credentialInQuery", "is for credentials that callers show"))


def rebound(house: CoreHouse, credential: Credential, document: Mapping[str, Any], changes: dict[str, Any]) -> None:
    """Sets in `changes` what becomes of the hosts of `credential` by a PUT; null binds it to those it is used with.

    Raises Refused with 409 if the hosts change, and the secret is not in the same request.
    """
    if "allowed_hosts" not in changes:
        return
    if SECRET not in document:
        raise conflict(
            HOSTS, "whoever changes where a secret may go must know it: send the credentialSecret in the same request"
        )
    if changes["allowed_hosts"] is None and _holds_a_secret(house, credential):
        targets = [house.directory.targets.get(each.target_id) for each in _uses(house, credential)]
        entries = {address_of(target.base_url).entry for target in targets if target is not None}
        changes["allowed_hosts"] = tuple(sorted(entries)) or None


def bind(house: CoreHouse, proxy: Proxy, before: Proxy | None = None) -> tuple[Credential, ...]:
    """The target credential of `proxy` as it must be saved with it: bound to the target's host, if this is its first.

    `before`: the proxy as it was; what it has named already is not judged again. Raises ConfigError naming the field
    if the credential may not go to the target's host.
    """
    if before is not None and (before.target_id, before.target_credential_id) == (
        proxy.target_id,
        proxy.target_credential_id,
    ):
        return ()
    target = house.directory.targets.get(proxy.target_id)
    credential = house.directory.credentials.get(proxy.target_credential_id)
    if target is None or credential is None:
        return ()
    address = address_of(target.base_url)
    if credential.allowed_hosts is None:
        return first_use(house, credential, target)
    if allows(credential.allowed_hosts, address):
        return ()
    only_target = before is not None and before.target_credential_id == proxy.target_credential_id
    raise ConfigError(
        Problem(
            "proxyTargetId" if only_target else "proxyTargetCredentialId",
            f"the target credential may not go to the target's host, {address.entry}: its {HOSTS} do not name it",
        )
    )


def first_use(house: CoreHouse, credential: Credential, target: Target) -> tuple[Credential, ...]:
    """`credential` bound to the host of `target`; nothing if it is bound already, or holds no secret."""
    if credential.allowed_hosts is not None or not _holds_a_secret(house, credential):
        return ()
    stamp = max(house.now(), credential.updated_at)
    return (evolve(credential, allowed_hosts=(address_of(target.base_url).entry,), updated_at=stamp),)


def check_move(house: CoreHouse, target: Target, base_url: str) -> None:
    """Raises Refused with 409 if a credential that `target` is shown may not go to where `base_url` leads."""
    address = address_of(base_url)
    if address == address_of(target.base_url):
        return
    bound = [house.directory.credentials.get(each.target_credential_id) for each in _uses(house, target)]
    refused = sorted(
        {
            each.id
            for each in bound
            if each is not None and each.allowed_hosts is not None and not allows(each.allowed_hosts, address)
        }
    )
    if refused:
        raise _not_there(address.entry, refused)


def _not_there(entry: str, credential_ids: list[str]) -> Refused:
    return conflict(
        "targetBaseURL",
        f"proxies show this target credentials that may not go to {entry}: {some_of(credential_ids)}; "
        f"first name the host in their {HOSTS}, with the credentialSecret in the same request",
    )


def _uses(house: CoreHouse, part: Credential | Target) -> list[Proxy]:
    return [each for each in house.directory.proxies_using(part.id) if each.client_id == part.client_id]


def _holds_a_secret(house: CoreHouse, credential: Credential) -> bool:
    """Whether there is anything in it to be kept from others; an auth type that takes nothing has nothing."""
    plugin = house.registry.auth_type(credential.auth_type, credential.side)
    return plugin is None or bool(attrs.fields(plugin.Config))
