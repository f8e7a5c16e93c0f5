"""`Notice`: something that somebody is to be told of, in a fixed text with ids and names.

Belongs here: its data, and how names stand in it. Does not: the texts (rrgate/notice_texts.py), keeping it (store/).
"""

from __future__ import annotations

from typing import Final, Literal

from attrs import frozen

LONGEST_NAME: Final = 64

Receiver = Literal["system", "client", "user"]
"""Operators, the members of a client, or a user."""


@frozen(kw_only=True)
class Notice:
    """`receiver_id`: of the client or user, `""` of operators. `cause`: what it comes of; the same to the same receiver
    within an hour is told once, and if it is to be told `once`, then never again."""

    type: Receiver
    receiver_id: str
    cause: str
    title: str
    message: str
    once: bool = False


@frozen(kw_only=True)
class Notification:
    """A notice that is kept. `created_at`: milliseconds since the epoch. `read`: by whoever asks."""

    id: str
    type: Receiver
    receiver_id: str
    title: str
    message: str
    created_at: int
    read: bool


def shown_name(name: str) -> str:
    """`name` as it stands in a text: in quotes, of printable characters, and not too long."""
    return '"' + "".join(each if each.isprintable() else " " for each in name[:LONGEST_NAME]) + '"'
