"""Notifications of operators, of a client's members and of a user, to read; reading one marks it read.

Belongs here: whose are asked for. Does not: what is told (rrgate/notice_texts.py), keeping it (store/).
"""

from __future__ import annotations

from typing import Any, Final

from attrs import evolve, frozen

from rrgate.api import Problem
from rrgate.careful_log import CarefulLogger
from rrgate.core.answers import Answer, listed, missing, not_right, shown
from rrgate.core.house import CoreHouse
from rrgate.core.queries import PAGING
from rrgate.core.routes import Call, Route
from rrgate.core.shapes import Notification as ShownNotification
from rrgate.core.shapes import Success
from rrgate.model.notification import Notification, Receiver
from rrgate.model.times import format_milliseconds
from rrgate.notice_texts import of_time
from rrgate.store import StoreError
from rrgate.store.audit import place

SYSTEM: Final = "SYSTEM_NOTIFICATION"
_SUCCESS: Final = Success(name="notifications", of=ShownNotification)

log = CarefulLogger("rrgate.core")


def document_of(notification: Notification) -> dict[str, Any]:
    """A notification as it is published."""
    return {
        "pKey": notification.receiver_id or SYSTEM,
        "sKey": notification.id,
        "notificationId": notification.id,
        "type": notification.type,
        "title": notification.title,
        "message": notification.message,
        "read": notification.read,
        "createdAt": format_milliseconds(notification.created_at),
    }


@frozen
class NotificationsFor:
    """Those for one kind of receiver. `template`: the route of all of them; `who`: in the documentation."""

    type: Receiver
    template: str
    who: str

    def _receiver(self, call: Call) -> str:
        match self.type:
            case "client":
                return call.client.id
            case "user":
                return call.user.id
            case _:
                return ""

    async def list(self, call: Call) -> Answer:
        """GET …/notifications."""
        cursor = call.query.text("cursor")
        try:
            if cursor is not None:
                place(cursor)
        except ValueError:
            raise not_right([Problem("cursor", "must be the nextCursor of an earlier answer")]) from None
        page = await call.house.store.notifications(
            type=self.type,
            receiver_id=self._receiver(call),
            reader=call.user.id,
            limit=call.query.limit(),
            cursor=cursor,
        )
        return listed("notifications", map(document_of, page.notifications), page.next_cursor)

    async def show(self, call: Call) -> Answer:
        """GET …/notifications/{notificationId}."""
        store, reader = call.house.store, call.user.id
        found = await store.notification(
            id=call.ids["notificationId"], type=self.type, receiver_id=self._receiver(call), reader=reader
        )
        if found is None:
            raise missing()
        if not (found.read or call.is_head):
            try:
                await store.mark_read(found.id, reader)
                found = evolve(found, read=True)
            except StoreError:
                # It can be read all the same, and then is not marked.
                log.failure("notification {id} could not be marked as read", id=found.id)
        return shown("notifications", document_of(found))

    def routes(self) -> tuple[Route, ...]:
        """The routes of these notifications."""
        return (
            Route(
                method="GET",
                template=self.template,
                handler=self.list,
                success=_SUCCESS,
                parameters=PAGING,
                help=f"What {self.who} told, newest first.",
            ),
            Route(
                method="GET",
                template=f"{self.template}/{{notificationId}}",
                handler=self.show,
                success=_SUCCESS,
                help="One of them, which you have then read.",
            ),
        )


def tell_what_expires(house: CoreHouse) -> None:
    """Tell the members of clients what expires soon, and have what is old removed. Raises nothing, and waits for
    nothing."""
    directory = house.directory
    for nouns in (directory.passing(), directory.targets.values()):
        house.notifier.tell(of_time(nouns, house.now()))
    house.notifier.tidy()


ROUTES = (
    *NotificationsFor("system", "/notifications/system", "operators are").routes(),
    *NotificationsFor("user", "/users/{userId}/notifications", "you are").routes(),
    *NotificationsFor("client", "/clients/{clientId}/notifications", "the members of a client are").routes(),
)
