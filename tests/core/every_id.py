"""One of everything in a client, and paths to it: what tests over the whole route table ask for.

Belongs here: making it, and filling templates in. Does not: any expectation.
"""

from __future__ import annotations

from typing import Any

from rrgate.core.routes import Route
from rrgate.model.notification import Notice, Receiver
from tests.core.doubles import Core

Ids = dict[str, str]

METER = {"meterName": "all", "meterType": "request_count"}


async def made(core: Core, client: str = "acme", owner: str = "alice", member: str = "uma") -> Ids:
    """One of each in a client of `owner`'s, by template name."""
    token = f"u-{owner}"
    parts = await core.make_parts(client, token)
    proxy = await core.make("proxies", parts, client, token)
    ids = {
        "clientId": client,
        "credentialId": parts["proxyProxyCredentialId"],
        "targetId": parts["proxyTargetId"],
        "proxyId": proxy["sKey"],
        "requestId": f"request-of-{client}",
        "nonce": "nobody-made-this-link",
        "userId": owner,
        "memberId": member,
        # A number, not an id: what is of acme has the first, and nothing has what is asked for with the other one's.
        "revision": "1" if client == "acme" else "7",
    }
    for kind in ("credentials", "targets", "proxies"):
        parent = ids[{"credentials": "credentialId", "targets": "targetId", "proxies": "proxyId"}[kind]]
        of_parent = f"/clients/{client}/{kind}/{parent}"
        told = await core.ask("POST", f"{of_parent}/rules", {"effect": "deny"}, token=token)
        ids[f"ruleId of {kind}"] = told.document["rules"][0]["sKey"]
        document = {"effect": "destroy", "jsonPaths": ["$.a"]}
        told = await core.ask("POST", f"{of_parent}/filters", document, token=token)
        ids[f"filterId of {kind}"] = told.document["filters"][0]["sKey"]
    told = await core.ask("POST", f"/clients/{client}/proxies/{proxy['sKey']}/meters", METER, token=token)
    ids["meterId"] = told.document["meters"][0]["sKey"]
    invite = await core.make("invites", {"inviteRoles": ["user"]}, client, token)
    ids["inviteId"], ids["inviteCode"] = invite["sKey"], invite["inviteCode"]
    told = await core.ask("POST", f"/users/{owner}/tokens", {"tokenName": "another"}, token=token)
    ids["tokenId"] = told.document["tokens"][0]["sKey"]
    receivers: list[tuple[str, Receiver, str]] = [
        ("system", "system", ""),
        ("users", "user", owner),
        ("clients", "client", client),
    ]
    for name, kind, receiver in receivers:
        cause = f"{name} {client}"
        core.notifier.tell([Notice(type=kind, receiver_id=receiver, cause=cause, title="T", message="M")])
        found = await core.store.notifications(type=kind, receiver_id=receiver, reader="", limit=1)
        ids[f"notificationId of {name}"] = found.notifications[0].id
    core.log.records += [{"sKey": ids["requestId"], "pKey": proxy["sKey"], "requestBody": "b", "tokenClaims": {}}]
    core.deliveries.states[(proxy["sKey"], ids["requestId"])] = "waiting"
    return ids


def path(route: Route, ids: Ids) -> str:
    """Where `route` is, with these ids."""
    # Every kind of parent has a rule and a filter of its own; who belongs to a client is not who asks.
    kind = route.template.split("/")[3] if "/rules" in route.template or "/filters" in route.template else ""
    of_kind = {name: ids.get(f"{name} of {kind}", "") for name in ("ruleId", "filterId")}
    user = ids.get("memberId", "") if route.template.startswith("/clients/") else ids.get("userId", "")
    whose = f"notificationId of {'system' if '/system' in route.template else route.template.split('/')[1]}"
    return route.template.format(**{**ids, **of_kind, "notificationId": ids.get(whose, ""), "userId": user})


def names_in(route: Route) -> list[str]:
    """The ids in its template."""
    return [part[1:-1] for part in route.template.split("/") if part.startswith("{")]


def elsewhere(ids: Ids, **kept: Any) -> Ids:
    """Ids that nothing has, but for those that are `kept`."""
    return {name: f"nothing-has-this-{name.replace(' ', '-')}" for name in ids} | kept
