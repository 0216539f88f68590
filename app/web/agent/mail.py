"""The ledger of incoming mail, for who is responsible for the desk: what came, what became of it, and each mail as it came."""

from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form, Request, Response

from app.accounts.identity import Identity
from app.accounts.models import Person
from app.audit import actions as audit
from app.audit.models import Event
from app.core.errors import DeskError, NotFound
from app.db.session import Session
from app.files.rules import OTHER
from app.intake import actions as intake
from app.intake import keys, queries
from app.intake.rules.keys import in_groups
from app.intake.rules.seal import SealState
from app.intake.rules.states import MailState
from app.outbox import queries as letters
from app.outbox import suppression
from app.web import downloads, messages
from app.web.agent import reading, trouble
from app.web.desk import Desk
from app.web.door import House, Manager, ManagerAsker, Now, Reader, Tx
from app.web.forms import PageRoute, page
from app.web.pages import see_other

router = APIRouter(prefix="/mail", route_class=PageRoute)

State = Literal["all", "quarantined", "new", "done", "duplicate", "ignored"]
PAGE = 50
MOST_ADDRESSES = 500
MOST_KEYS = 50
MOST_SHOWN = 100_000  # bytes of a mail's source
MOST_READ = 50_000  # characters of what it says
_STATES: dict[State, str] = {
    "all": "All",
    "quarantined": "For a person",
    "new": "Waiting",
    "done": "Tickets and answers",
    "duplicate": "Duplicates",
    "ignored": "Ignored",
}


@router.get("")
def index(
    me: ManagerAsker, c: Reader, now: Now, house: House, request: Request, state: State = "all", mailbox: int = 0, before: int = 0
) -> Response:
    """What came, newest first, by its outcome and by mailbox."""
    wanted = None if state == "all" else state
    rows = queries.ledger(c, state=wanted, mailbox=mailbox or None, before=before or None, limit=PAGE + 1)
    return page(
        request,
        "agent/mail.html",
        me=me,
        now=now,
        trouble=trouble.words(c, house.settings),
        states=[(label, _href(each, mailbox), each == state) for each, label in _STATES.items()],
        mailboxes=[(box["name"], _href(state, box["id"]), box["id"] == mailbox) for box in queries.mailbox_states(c)],
        everything=_href(state, 0),
        chosen=mailbox,
        rows=rows[:PAGE],
        first=_href(state, mailbox) if before else None,
        next=_href(state, mailbox, rows[PAGE - 1]["id"]) if len(rows) > PAGE else None,
    )


@router.get("/suppressed")
def suppressed(me: ManagerAsker, c: Reader, now: Now, house: House, request: Request) -> Response:
    """The addresses that get no more mail of ours, or none that a machine writes."""
    return _suppressed(request, me, now, trouble.words(c, house.settings), letters.suppressed(c, limit=MOST_ADDRESSES))


@router.post("/suppressed/lift")
def lift(address: Annotated[str, Form(max_length=320)], me: Manager, s: Tx, now: Now, house: House, request: Request) -> Response:
    """Send mail there again."""
    try:
        suppression.lift_by_hand(s, address, by=me.signature, now=now)
    except DeskError as wrong:
        return _suppressed(request, me, now, [], letters.suppressed(s, limit=MOST_ADDRESSES), wrong)
    return see_other("/mail/suppressed")


@router.get("/{id:key}")
def show(id: int, me: Manager, s: Tx, now: Now, house: House, request: Request) -> Response:
    """One mail: what became of it and why, and its source as it came. Looking at it is recorded."""
    return _page(request, s, me, house, id, now, None)


@router.get("/{id:key}/html")
def as_sent(id: int, me: Manager, s: Tx, now: Now, house: House) -> Response:
    """Its HTML, made harmless, in a document that can do nothing. Pictures from elsewhere are not shown."""
    _recorded(s, me, id, now)
    return messages.document(*reading.page_of(reading.look(s, house, id)))


@router.post("/{id:key}/html")
def with_pictures(id: int, me: Manager, s: Tx, now: Now, house: House) -> Response:
    """The same with pictures from elsewhere, for this once."""
    _recorded(s, me, id, now)
    return messages.document_with_pictures(*reading.page_of(reading.look(s, house, id)), house, me)


@router.get("/{id:key}/files/{part:key}")
def file(id: int, part: int, me: Manager, s: Tx, now: Now, house: House) -> Response:
    """One of its files, to be saved and not to be shown."""
    _recorded(s, me, id, now)
    found = reading.file_of(reading.look(s, house, id), part)
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.name)}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "private, no-store",
    }
    return Response(found.content, media_type=OTHER, headers=headers)


@router.get("/{id:key}/original")
def original(id: int, me: Manager, s: Tx, now: Now, house: House) -> Response:
    """The mail as a file, to be opened with care."""
    _recorded(s, me, id, now)
    return downloads.whole(_raw(s, house, id), f"mail-{id}.eml", "message/rfc822")


@router.post("/{id:key}/replay")
def replay(id: int, me: Manager, s: Tx, now: Now, house: House, request: Request) -> Response:
    """Process it once more."""
    try:
        intake.replay(s, id, by=me.signature, now=now)
    except DeskError as wrong:
        return _page(request, s, me, house, id, now, wrong)
    return see_other(f"/mail/{id}")


@router.post("/{id:key}/release")
def release(id: int, me: Manager, s: Tx, now: Now, house: House, request: Request) -> Response:
    """Let it become a ticket or an answer, although a rule held it."""
    try:
        intake.release(s, id, by=me.signature, now=now)
    except DeskError as wrong:
        return _page(request, s, me, house, id, now, wrong)
    return see_other(f"/mail/{id}")


@router.post("/{id:key}/drop")
def drop(id: int, me: Manager, s: Tx, now: Now, house: House, request: Request) -> Response:
    """Nobody has to look at it any more."""
    try:
        intake.drop(s, id, by=me.signature, now=now)
    except DeskError as wrong:
        return _page(request, s, me, house, id, now, wrong)
    return see_other(f"/mail/{id}")


@router.post("/{id:key}/keys")
def confirm(
    id: int, fingerprint: Annotated[str, Form(max_length=64)], me: Manager, s: Tx, now: Now, house: House, request: Request
) -> Response:
    """Say that a key which came along belongs to the mail's sender, and look at its signature again."""
    brought = reading.look(s, house, id).mail
    [mail] = queries.ledger(s, id=id)
    key = next((key for key in brought.keys if key.fingerprint == fingerprint), None) if brought else None
    try:
        if key is None or not mail["sender"]:
            raise NotFound("This mail brings no such key.")
        keys.confirm(s, reading.READER, key, mail["sender"], mail=id, by=me.signature, now=now)
    except DeskError as wrong:
        return _page(request, s, me, house, id, now, wrong)
    if again := reading.look(s, house, id).mail:
        keys.tell_again(s, id, again)
    return see_other(f"/mail/{id}")


def _suppressed(
    request: Request,
    me: Person | Identity,
    now: Now,
    trouble: object,
    rows: list[dict[str, Any]],
    refusal: DeskError | None = None,
) -> Response:
    return page(
        request,
        "agent/suppressed.html",
        me=me,
        now=now,
        trouble=trouble,
        status=refusal.status if refusal else 200,
        refusal=refusal.message if refusal else None,
        rows=rows,
    )


def _page(request: Request, s: Session, me: Person, house: Desk, id: int, now: Now, refusal: DeskError | None) -> Response:
    raw = _raw(s, house, id)
    [mail] = queries.ledger(s, id=id)
    _recorded(s, me, id, now)
    looked = reading.look(s, house, id) if raw else reading.Looked(None)
    return page(
        request,
        "agent/one_mail.html",
        me=me,
        now=now,
        trouble=[],
        status=refusal.status if refusal else 200,
        refusal=refusal.message if refusal else None,
        mail=mail,
        looked=looked,
        in_groups=in_groups,
        known=_known(s, looked),
        by_now=_by_now(mail, looked),
        most_read=MOST_READ,
        releasable=mail["state"] == MailState.QUARANTINED and mail["attempts"] < intake.MOST_ATTEMPTS and raw,
        source=raw[:MOST_SHOWN].decode("utf-8", "replace"),
        cut=len(raw) > MOST_SHOWN,
    )


def _known(s: Session, looked: reading.Looked) -> list[dict[str, Any]]:
    """The confirmed keys among those that the mail is signed by and those that it brings."""
    if looked.mail is None:
        return []
    names = [*(looked.mail.seal.keys if looked.mail.seal else ()), *(key.fingerprint for key in looked.mail.keys)]
    return keys.listed(s, names=names, limit=MOST_KEYS) if names else []


def _by_now(mail: dict[str, Any], looked: reading.Looked) -> tuple[SealState, str] | None:
    """What its signature shows by the keys that are confirmed now, where that isn't what was told when it came."""
    if looked.mail is None or looked.mail.seal is None or not looked.mail.seal.known or mail["header_only"]:
        return None
    told = looked.mail.seal.told(mail["sender"] or "")
    return told if mail["seal"] and looked.mail.seal.openpgp and told[1] != mail["seal_words"] else None


def _raw(s: Session, house: Desk, id: int) -> bytes:
    raw = intake.raw(s, house.settings, id)
    if raw is None:
        raise NotFound(f"There is no mail {id} in the ledger.")
    return raw


def _recorded(s: Session, me: Person, id: int, now: Now) -> None:
    audit.record(s, Event.MAIL_READ, now=now, by=me.signature, mail=id)


def _href(state: State, mailbox: int, before: int = 0) -> str:
    given = {"state": state if state != "all" else "", "mailbox": mailbox, "before": before}
    words = urlencode({name: value for name, value in given.items() if value})
    return f"/mail?{words}" if words else "/mail"
