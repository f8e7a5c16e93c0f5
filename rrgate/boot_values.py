"""`Page`, `PageRequest`, `Event`: what boot hooks answer and are given.

Belongs here: these values. Does not: calling the hooks (boot.py), serving pages (pages.py, core/pages.py).
Plugins import these names from `rrgate.api`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Literal

from attrs import field, frozen
from attrs.validators import in_, instance_of, is_callable

from rrgate.messages import Reply
from rrgate.model import User

Listener = Literal["gateway", "core"]

_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+/?|/")


@frozen
class PageRequest:
    """A request for a page: GET or HEAD. `query` is raw, without `?`; it may hold what its sender wants kept secret.

    `user`: whose token it came with, on the Core API's listener and unless the page is public; else None.
    """

    path: str
    query: str = field(default="", repr=False)
    user: User | None = None


def _plain_path(page: object, attribute: object, path: str) -> None:
    if not isinstance(path, str) or not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
        raise ValueError(f"the path of a page must be of plain segments such as /acme/status, not {path!r}")


@frozen
class Page:
    """A page that a plugin mounts at exactly `path` of a listener, for GET and HEAD.

    `answer` is called on the reactor's thread and must not block it; its Reply is answered with its `document` as
    JSON, or its `body` as it is (with a `Content-Type` among its headers). What it raises answers 500 and is logged.
    On the Core API's listener a page needs a valid user token, whoever's, unless it is `public`; on the gateway's
    listener every page is public. `help`: a sentence for documentation.
    """

    path: str = field(validator=_plain_path)
    answer: Callable[[PageRequest], Reply] = field(validator=is_callable(), repr=False)
    listener: Listener = field(default="gateway", validator=in_(("gateway", "core")))
    public: bool = field(default=False, validator=instance_of(bool))
    help: str = ""


EventKind = Literal[
    "plugin-fault",
    "reactor-blocked",
    "journal-trouble",
    "tokens-unreadable",
    "proxy-broken",
    "keys-unreachable",
    "names-unanswered",
    "credential-failed",
    "credential-needs-authorization",
    "limit-approached",
    "limit-reached",
    "budget-approached",
    "budget-spent",
    "delivery-exhausted",
    "delivery-unknown",
    "callback-failed",
    "overloaded",
]


@frozen
class Event:
    """Something that an operator would want to know. Holds nothing secret.

    `kind`: `plugin-fault` (a plugin raised, waited for too long, or answered what it may not; `subject` is its name and
    the phase), `reactor-blocked` (the reactor's thread did not turn for a while; `subject` is the plugin and phase that
    kept it, or else the place), `journal-trouble` (requests are not logged), `tokens-unreadable` (changed tokens on
    disk cannot be read; those in memory stay in force), `proxy-broken` (a proxy cannot be compiled and answers 500;
    `subject` is its id), `keys-unreachable` (keys that callers are verified with cannot be fetched; `subject` is the
    host and port they come from), `names-unanswered` (names of targets cannot be looked up anew; addresses that they
    had are used for a while), `credential-failed` (what a target is to be shown cannot be had; it is tried again;
    `subject` is the credential's id), `credential-needs-authorization` (the same, and only a person can help),
    `limit-approached`, `limit-reached` (80 % of a limit on requests, or all of it, is used; `subject` is the id of the
    proxy, client or meter that has it), `budget-approached`, `budget-spent` (the same of a client's requests a month),
    `delivery-exhausted` (an asynchronous request was not delivered, and is not tried again; `subject` is its proxy's
    id), `delivery-unknown` (the gateway died during an attempt at one, which may have arrived),
    `callback-failed` (nobody could be told of the end of one), `overloaded` (requests or connections are refused
    because there are too many; `subject` is the id of the proxy or target that has its share, or else the bound).
    `message`: a sentence. `window`: of a limit, `minute`, `hour`, `day` or `month`; what else is told of has none.
    """

    kind: EventKind
    message: str
    subject: str = ""
    window: str = ""
