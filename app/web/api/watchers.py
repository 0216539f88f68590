"""Who follows a ticket, for programs."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy import select

from app.accounts.models import Person
from app.accounts.rules import Verb, may
from app.core import text
from app.core.errors import Forbidden, Invalid
from app.db.session import Session
from app.intake.models import Mailbox
from app.tickets import mentions, places, watchers
from app.tickets.models import Ticket
from app.tickets.rules import WatcherKind
from app.web.answers import Json
from app.web.desk import Desk
from app.web.door import Anyone, Asker, House, Now, Reader, Route, TicketToSee, Tx
from app.web.lists import Cursor, Limit, page
from app.web.shapes import Address, answers
from app.web.shapes import desk as shapes

router = APIRouter(prefix="/api/v1/tickets", tags=["tickets"], route_class=Route)


@router.get("/{number}/watchers", responses=answers(shapes.Watchers, 404))
def listing(number: int, me: Asker, c: Reader, limit: Limit = 50, cursor: Cursor = None) -> Json:
    """Who follows a ticket. Customers are told who is in copy."""
    places.of(c, me, number)
    return Json(page(watchers.listing(c, number, staff=me.staff), _place, limit=limit, cursor=cursor))


@router.post("/{number}/watchers", status_code=201, responses=answers(shapes.Watcher, 404, 409, 412, status=201))
def watch(ticket: TicketToSee, me: Anyone, s: Tx, now: Now, house: House, body: shapes.NewWatcher) -> Json:
    """Put somebody in copy, or have one of the staff follow a ticket.

    Who is in copy gets every answer from then on and may answer it by mail. They get nothing that was said before, and no
    right to see the ticket. Staff who follow are told of customers' answers and of notes.
    """
    _may_follow(me, ticket, body.kind)
    if body.kind is WatcherKind.AGENT:
        made = watchers.watch(s, ticket, body.email or me.email, by=me, now=now)
    elif body.email is None:
        raise Invalid("Say in email who is to be in copy.")
    else:
        made = watchers.copy_to(s, ticket, body.email, ours=own_addresses(s, house), by=me, now=now)
    told = {"kind": made.kind, "email": made.person.email, "name": made.person.name if me.staff else None}
    return Json({**told, "added_at": made.added_at}, status_code=201)


@router.delete("/{number}/watchers", status_code=204, responses=answers(None, 404, 409, 412, status=204))
def unwatch(
    ticket: TicketToSee,
    me: Anyone,
    s: Tx,
    now: Now,
    email: Annotated[Address, Query(max_length=320, examples=["colleague@acme.example"])],
    kind: WatcherKind = WatcherKind.CC,
) -> Response:
    """Send somebody no more letters about a ticket."""
    _may_follow(me, ticket, kind)
    if kind is WatcherKind.AGENT and text.address(email) != me.email and not may(me, Verb.WORK, ticket):
        raise Forbidden(f"Your part in this ticket's team may not {Verb.WORK}: you can only stop following it yourself.")
    watchers.unwatch(s, ticket, email, kind, by=me, now=now)
    return Response(status_code=204)


@router.get("/{number}/mentionable", responses=answers(shapes.Mentionable, 404))
def mentionable(
    number: int,
    me: Asker,
    c: Reader,
    q: Annotated[str, Query(max_length=100)] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Json:
    """Whom a note on a ticket can mention with @: staff who may see it and whose name or address begins with `q`."""
    place = places.of(c, me, number, Verb.NOTE)
    found = mentions.mentionable(c, place, me.id, q.replace("\0", ""))
    return Json(page(found, lambda person: (person["name"].lower(), person["id"]), limit=limit, cursor=cursor))


def _place(watcher: dict[str, Any]) -> tuple[str, str, str]:
    return watcher["kind"].value, watcher["added_at"].isoformat(), watcher["email"]


def _may_follow(me: Person, ticket: Ticket, kind: WatcherKind) -> None:
    verb = Verb.NOTE if kind is WatcherKind.AGENT else Verb.ANSWER
    if not may(me, verb, ticket):
        raise Forbidden(f"Your role ({me.role}) may not say who follows this ticket as {kind}.")


def own_addresses(s: Session, house: Desk) -> set[str]:
    """Every address that is the desk's own, and never in copy."""
    settings = house.settings
    found: set[Any] = {settings.smtp_from or f"desk@{settings.host}", settings.imap_user, *s.scalars(select(Mailbox.address))}
    return {address for address in found if address and "@" in address}
