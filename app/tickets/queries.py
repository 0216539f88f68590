"""Finding tickets, and never more of them than the asker may see."""

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, ScalarSelect, and_, func, literal, or_, select, true, tuple_, union_all
from sqlalchemy.orm import aliased

from app.accounts.models import Organization, Person
from app.accounts.rules import Actor, Role
from app.core.errors import Invalid
from app.db.session import Session
from app.files.models import Attachment
from app.sla.models import Clock
from app.tickets.models import Message, Ticket
from app.tickets.rules import Status

COUNTED = 1000  # tickets of one status, after which counting stops
LISTED = and_(Ticket.trashed_at.is_(None), Ticket.merged_into.is_(None))  # what is merged or in the trash is in no list


def visible_to(actor: Actor) -> ColumnElement[bool]:
    """The condition that holds for exactly the tickets this person may see (`rules.may(actor, Verb.SEE, ticket)`)."""
    if actor.role.manages:
        return true()
    if actor.role.staff:
        return or_(Ticket.team_id.is_(None), Ticket.team_id.in_(sorted(actor.teams)))
    mine: ColumnElement[bool] = Ticket.requester_id == actor.id
    if actor.role is Role.CUSTOMER_ADMIN and actor.organization_id is not None:
        mine = or_(mine, Ticket.organization_id == actor.organization_id)
    return and_(mine, Ticket.trashed_at.is_(None))


def by_number(s: Session, number: int, *, lock: bool = False) -> Ticket | None:
    """A ticket, locked until the transaction ends where it is going to be changed."""
    query = select(Ticket).where(Ticket.number == number)
    if lock:
        query = query.with_for_update(of=Ticket, key_share=True).execution_options(populate_existing=True)
    return s.scalar(query)


def with_mail_of(s: Session, ids: Sequence[str], *, requester_id: int) -> list[int]:
    """This requester's tickets on which mails with these Message-IDs stand, in the order of the ids; of several, newest first."""
    if not ids:
        return []
    query = select(Message.mail_id, Message.ticket).join(Ticket, Ticket.number == Message.ticket)
    query = query.where(Message.mail_id.in_(ids), Ticket.requester_id == requester_id)
    place = {mail_id: n for n, mail_id in reversed(list(enumerate(ids)))}
    found = sorted({(place[mail_id], -ticket) for mail_id, ticket in s.execute(query) if mail_id})
    return list(dict.fromkeys(-ticket for _, ticket in found))


def conversation(ticket: int) -> ColumnElement[bool]:
    """The condition that holds for the messages of a ticket and of those that were merged into it."""
    merged = select(Ticket.number).where(Ticket.conversation == ticket)
    return or_(Message.ticket == ticket, Message.ticket.in_(merged))


def messages(s: Session, ticket: Ticket, *, notes: bool) -> Sequence[Message]:
    """What was said, oldest first; internal notes only where `notes`."""
    query = select(Message).where(conversation(ticket.number)).order_by(Message.id)
    return s.scalars(query if notes else query.where(Message.internal.is_(False))).all()


def message(s: Session, actor: Actor, id: int) -> Message | None:
    """One message, if this person may see it and its ticket, or the ticket that this is part of."""
    home = aliased(Ticket)
    read_on = or_(Ticket.number == home.number, Ticket.number == home.conversation)
    seen = select(Ticket.number).join(home, read_on).where(home.number == Message.ticket, visible_to(actor)).exists()
    query = select(Message).where(Message.id == id, seen)
    return s.scalar(query if actor.role.staff else query.where(Message.internal.is_(False)))


def attachments(s: Session, of: Iterable[Message]) -> dict[int, list[Attachment]]:
    """The files of these messages, by message."""
    found: dict[int, list[Attachment]] = {}
    ids = [m.id for m in of]
    for file in s.scalars(select(Attachment).where(Attachment.message_id.in_(ids)).order_by(Attachment.id)):
        found.setdefault(file.message_id, []).append(file)
    return found


def attachment(s: Session, actor: Actor, id: int) -> Attachment | None:
    """One file, if this person may see the message it hangs on."""
    file = s.get(Attachment, id)
    return file if file and message(s, actor, file.message_id) else None


def conversation_ids(s: Session, ticket: Ticket) -> list[str]:
    """The Message-IDs of what was said in public, oldest first: what an answer refers to."""
    query = select(Message.mail_id).where(
        Message.ticket == ticket.number, Message.internal.is_(False), Message.mail_id.is_not(None)
    )
    return [mail_id for mail_id in s.scalars(query.order_by(Message.id)) if mail_id]


@dataclass(frozen=True)
class Wanted:
    """Which tickets a list shows."""

    status: tuple[Status, ...] = ()
    assignee_id: int | None = None
    unassigned: bool = False
    requester_id: int | None = None


@dataclass(frozen=True)
class Slice:
    """Some rows of a list, and the cursor that leads to the next ones."""

    items: list[dict[str, Any]]
    next: str | None


def listing(c: Connection, actor: Actor, wanted: Wanted, *, limit: int = 50, cursor: str | None = None) -> Slice:
    """Tickets that `actor` may see, last changed first. As quick at any depth: a cursor is a place in the index."""
    requester, assignee = aliased(Person), aliased(Person)
    due = _due()
    query = (
        select(
            Ticket.number,
            Ticket.subject,
            Ticket.status,
            Ticket.priority,
            Ticket.channel,
            Ticket.created_at,
            Ticket.updated_at,
            requester.name.label("requester"),
            requester.email.label("requester_email"),
            assignee.name.label("assignee"),
            Organization.name.label("organization"),
            due.c.due_at,
            func.coalesce(due.c.breached, False).label("breached"),
        )
        .join(requester, requester.id == Ticket.requester_id)
        .outerjoin(assignee, assignee.id == Ticket.assignee_id)
        .outerjoin(Organization, Organization.id == Ticket.organization_id)
        .outerjoin(due, true())
        .where(visible_to(actor), LISTED, _wanted(wanted), _after(cursor))
        .order_by(Ticket.updated_at.desc(), Ticket.number.desc())
        .limit(limit + 1)
    )
    rows = [dict(row) for row in c.execute(query).mappings()]
    more = len(rows) > limit
    return Slice(rows[:limit], _cursor(rows[limit - 1]) if more else None)


def counts(c: Connection, actor: Actor) -> dict[str, int]:
    """How many tickets this person sees in each status; of more than `COUNTED` it is one more, and no more is known."""
    seen = [select(literal(status.value).label("status"), _at_most(actor, status).label("seen")) for status in Status]
    return {row.status: row.seen for row in c.execute(union_all(*seen))}


def _at_most(actor: Actor, status: Status) -> ScalarSelect[int]:
    these = select(Ticket.number).where(Ticket.status == status, visible_to(actor), LISTED).limit(COUNTED + 1)
    return select(func.count()).select_from(these.subquery()).scalar_subquery()


def _due() -> Any:
    open_clock = and_(Clock.ticket == Ticket.number, Clock.due_at.is_not(None), Clock.outcome.is_(None))
    return (
        select(func.min(Clock.due_at).label("due_at"), func.bool_or(Clock.breached_at.is_not(None)).label("breached"))
        .where(open_clock)
        .correlate(Ticket)
        .lateral("due")
    )


def _wanted(wanted: Wanted) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [true()]
    if wanted.status:
        conditions.append(Ticket.status.in_(wanted.status))
    if wanted.assignee_id is not None:
        conditions.append(Ticket.assignee_id == wanted.assignee_id)
    if wanted.unassigned:
        conditions.append(Ticket.assignee_id.is_(None))
    if wanted.requester_id is not None:
        conditions.append(Ticket.requester_id == wanted.requester_id)
    return and_(*conditions)


def _cursor(row: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps([row["updated_at"].isoformat(), row["number"]]).encode()).decode()


def _after(cursor: str | None) -> ColumnElement[bool]:
    if cursor is None:
        return true()
    try:
        at, number = json.loads(base64.urlsafe_b64decode(cursor))
        place = (datetime.fromisoformat(at), int(number))
    except (ValueError, TypeError, OverflowError):
        raise Invalid("That cursor is none of ours; take the `next` of an earlier answer, or leave it out.") from None
    return tuple_(Ticket.updated_at, Ticket.number) < place
