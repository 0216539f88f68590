"""The desk's tickets: the list, a new one for somebody, and (in ticket.py) each of them."""

from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request, Response

from app.accounts import actions as accounts
from app.accounts.identity import Identity
from app.accounts.models import Person
from app.core.errors import DeskError, Invalid, NotFound
from app.core.priority import Priority
from app.tickets import actions as tickets
from app.tickets import queries
from app.tickets.actions import Body, Source
from app.tickets.models import Channel
from app.tickets.queries import Wanted
from app.tickets.rules import OPEN, Status
from app.web.agent import ticket, trouble
from app.web.desk import desk_of
from app.web.door import Agent, Anyone, Asker, House, Now, Reader, Tx
from app.web.forms import PageRoute, Text, Uploads, address, kept, page
from app.web.pages import see_other

router = APIRouter(route_class=PageRoute)

Whose = Literal["all", "mine", "nobody"]
_STATUSES = {
    "open": "Open",
    "new": "New",
    "accepted": "Accepted",
    "in_progress": "In progress",
    "waiting_customer": "Waiting",
    "resolved": "Resolved",
    "closed": "Closed",
    "cancelled": "Cancelled",
    "all": "All",
}
_OWNERS: dict[Whose, str] = {"all": "Everybody's", "mine": "Mine", "nobody": "Nobody's"}


@dataclass(frozen=True)
class Tab:
    """A way to look at the list."""

    label: str
    href: str
    here: bool
    count: str = ""


@dataclass(frozen=True)
class Draft:
    """What was typed into the form for a new ticket, for when it has to be shown again."""

    address: str = ""
    name: str = ""
    subject: str = ""
    text: str = ""
    priority: Priority = Priority.MEDIUM


@router.get("/tickets")
def index(
    me: Asker,
    c: Reader,
    now: Now,
    house: House,
    request: Request,
    status: str = "open",
    whose: Whose = "all",
    cursor: str | None = None,
) -> Response:
    """The tickets in one status, last changed first."""
    if not me.staff:
        return see_other("/my/tickets")
    found = queries.listing(c, me, _wanted(me, status, whose), cursor=cursor)
    return page(
        request,
        "agent/list.html",
        me=me,
        now=now,
        trouble=trouble.words(c, house.settings),
        connected=house.settings.imap_host is not None,
        heading=f"{_STATUSES[status]} tickets",
        which=status,
        whose=whose,
        statuses=_status_tabs(queries.counts(c, me), status, whose),
        owners=[Tab(label, _href(status, each), each == whose) for each, label in _OWNERS.items()],
        rows=found.items,
        first=_href(status, whose) if cursor else None,
        next=_href(status, whose, found.next) if found.next else None,
    )


@router.get("/tickets/new")
def form(me: Anyone, s: Tx, request: Request) -> Response:
    """The form for a ticket on behalf of somebody."""
    return _form(request, me, s, Draft()) if me.staff else see_other("/my/tickets/new")


@router.post("/tickets/new")
def create(
    me: Agent,
    s: Tx,
    now: Now,
    house: House,
    request: Request,
    address: Text = "",
    name: Text = "",
    subject: Text = "",
    text: Text = "",
    priority: Annotated[Priority, Form()] = Priority.MEDIUM,
    files: Uploads = None,
) -> Response:
    """Open it."""
    draft = Draft(address, name, subject, text, priority)
    try:
        opened = tickets.open(
            s,
            requester=_requester(s, draft, now),
            by=me,
            subject=_subject(draft),
            body=Body(text),
            source=Source(Channel.PAGE),
            files=kept(house, files),
            priority=priority,
            now=now,
            gate=house.settings.accept_gate,
        )
    except DeskError as wrong:
        s.rollback()
        return _form(request, me, s, draft, wrong)
    return see_other(f"/tickets/{opened.number}")


router.include_router(ticket.router)


def _form(request: Request, me: Person, s: Tx, draft: Draft, refusal: DeskError | None = None) -> Response:
    return page(
        request,
        "agent/new.html",
        me=me,
        status=refusal.status if refusal else 200,
        refusal=refusal.message if refusal else None,
        trouble=trouble.words(s.connection(), desk_of(request).settings),
        draft=draft,
        priorities=list(Priority),
    )


def _requester(s: Tx, draft: Draft, now: Now) -> Person:
    return accounts.known_sender(s, email=address(draft.address), name=draft.name, now=now)


def _subject(draft: Draft) -> str:
    if not draft.subject.strip():
        raise Invalid("Give the ticket a subject.")
    return draft.subject


def _wanted(me: Identity, status: str, whose: Whose) -> Wanted:
    if status not in _STATUSES:
        raise NotFound("There is no such list of tickets.")
    these = tuple(OPEN) if status == "open" else () if status == "all" else (Status(status),)
    return Wanted(status=these, assignee_id=me.id if whose == "mine" else None, unassigned=whose == "nobody")


def _status_tabs(counts: dict[str, int], status: str, whose: Whose) -> list[Tab]:
    parts = {"open": [counts[each] for each in OPEN], "all": list(counts.values())}
    return [
        Tab(label, _href(each, whose), each == status, _about(parts.get(each) or [counts[each]]))
        for each, label in _STATUSES.items()
    ]


def _about(counts: list[int]) -> str:
    """How many these are together, or more than how many, where they weren't counted to the end."""
    known = sum(min(each, queries.COUNTED) for each in counts)
    return f"{known:,}+" if max(counts) > queries.COUNTED else f"{known:,}"


def _href(status: str, whose: Whose, cursor: str | None = None) -> str:
    chosen = {"status": status, "whose": whose, "cursor": cursor}
    plain = {"status": "open", "whose": "all", "cursor": None}
    query = urlencode({name: value for name, value in chosen.items() if value and value != plain[name]})
    return f"/tickets?{query}" if query else "/tickets"
