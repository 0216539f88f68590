"""Mailboxes, for programs: the same verbs as `atum mailbox`."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query, Response

from app.core.errors import DeskError, Invalid, NotFound
from app.db.locks import Keeper
from app.db.session import Session
from app.intake import grants, managed, shown
from app.intake.failure import MailboxFailure
from app.intake.grants import Offer
from app.intake.imap import Account
from app.intake.models import Mailbox
from app.intake.oauth import Client
from app.intake.rules import oauth as rules
from app.intake.rules.states import FailureClass
from app.web.answers import Json
from app.web.desk import Desk
from app.web.door import Admin, AdminAsker, House, Match, Now, Reader, Route, Tx
from app.web.shapes import answers
from app.web.shapes import mailboxes as shapes
from app.web.shapes.people import Cursor, Key
from app.web.stale import etag

router = APIRouter(prefix="/api/v1/mailboxes", tags=["desk"], route_class=Route)
T = TypeVar("T")
LONGEST = 20.0  # seconds that a caller waits for a mailbox to be tried
_AT_ONCE = threading.BoundedSemaphore(2)  # of a worker's five threads


class NotLetIn(DeskError):
    """The mailbox's server does not let the desk in."""

    status = 422
    slug = "mailbox-refused"


@router.get("", responses=answers(shapes.Mailboxes))
def listed(me: AdminAsker, c: Reader, limit: Annotated[int, Query(ge=1, le=100)] = 50, cursor: Cursor | None = None) -> Json:
    """The mailboxes and how each of them is, as they were added."""
    items, following = shown.mailboxes(c, limit=limit, cursor=cursor)
    return Json({"items": items, "next": following})


@router.post("", status_code=201, responses=answers(shapes.Mailbox, 409, status=201))
def add(me: Admin, s: Tx, now: Now, house: House, body: shapes.NewMailbox) -> Json:
    """Read one more mailbox, once signing in to it has worked. Its host may be on your own network, but not the desk itself."""
    offer = _offered(body.oauth, tried=not body.untested)
    way = (body.host, body.port, body.tls, body.username or body.address, body.password or "", body.folder)
    account = Account(*way, anywhere=False, token=offer.tokens.access if offer and offer.tokens else None)
    if not body.untested:
        _must_work(account)
    made = managed.add(
        s,
        house.settings,
        account,
        address=body.address,
        team=body.team_id,
        priority=body.priority,
        import_since=body.import_since,
        processed_folder=body.processed_folder,
        sender_from=body.sender_from,
        tells_too_large=body.tells_too_large,
        disowned=body.disowned,
        offer=offer,
        by=(me.id, me.name),
        now=now,
    )
    return _told(s, made, status=201)


@router.get("/{id}", responses=answers(shapes.Mailbox, 404))
def show(id: Key, me: AdminAsker, c: Reader) -> Json:
    """One mailbox."""
    told = shown.mailbox(c, id)
    return Json(told, headers={"ETag": etag(told["revision"])})


@router.patch("/{id}", responses=answers(shapes.Mailbox, 404, 409, 412))
def change(id: Key, me: Admin, s: Tx, now: Now, house: House, match: Match, body: shapes.MailboxChange) -> Json:
    """Change a mailbox's way in, team, priority, processed folder (null: none), or how its mails are taken."""
    mailbox = _held(s, id, match)
    offer = _offered(body.oauth, tried=not body.untested)
    if (body.password or offer) and not body.untested:
        token = offer.tokens.access if offer and offer.tokens else None
        way = (mailbox.host, mailbox.port, mailbox.tls, mailbox.username, body.password or "", mailbox.folder)
        _must_work(Account(*way, anywhere=mailbox.anywhere, token=token))
    given = body.model_fields_set
    managed.change(
        s,
        house.settings,
        mailbox,
        password=body.password,
        offer=offer,
        team=(body.team_id or "") if "team_id" in given else None,
        priority=body.priority,
        trusts=body.trusts,
        forwarders=body.forwarders,
        sender_from=body.sender_from,
        tells_too_large=body.tells_too_large,
        disowned=body.disowned,
        processed_folder=(body.processed_folder or "") if "processed_folder" in given else None,
        by=(me.id, me.name),
        now=now,
    )
    return _told(s, mailbox)


@router.delete("/{id}", status_code=204, responses=answers(None, 404, 409, 412, status=204))
def remove(id: Key, me: Admin, s: Tx, now: Now, match: Match) -> Response:
    """Read a mailbox no more. Its mails and tickets stay."""
    managed.remove(s, _held(s, id, match), by=(me.id, me.name), now=now)
    return Response(status_code=204)


@router.post("/{id}/pause", responses=answers(shapes.Mailbox, 404, 412))
def pause(id: Key, me: Admin, s: Tx, now: Now, match: Match) -> Json:
    """Leave a mailbox's server in peace; its mail waits there."""
    mailbox = _held(s, id, match)
    managed.pause(s, mailbox, by=(me.id, me.name), now=now)
    return _told(s, mailbox)


@router.delete("/{id}/pause", responses=answers(shapes.Mailbox, 404, 412))
def resume(id: Key, me: Admin, s: Tx, now: Now, match: Match) -> Json:
    """Read a mailbox again, at once, however long its server was to be left in peace."""
    mailbox = _held(s, id, match)
    managed.resume(s, mailbox, by=(me.id, me.name), now=now)
    return _told(s, mailbox)


@router.post("/{id}/test", responses=answers(shapes.Trial, 404, 409))
def test(id: Key, me: AdminAsker, c: Reader, house: House) -> Json:
    """Sign in to a mailbox's server now, and say what it says. Nothing is changed there. If it works, the mailbox is read at
    once, however long its server was to be left in peace.
    """
    with Session(c, autoflush=False) as s:
        mailbox = _found(s, id)
        try:
            unread = _within(lambda: _tried(house, mailbox))
        except MailboxFailure as failure:
            return Json({"works": False, "unread": None, "reason": str(failure)})
    with house.db.transaction() as writing:
        managed.let_in(writing, id)
    return Json({"works": True, "unread": unread, "reason": None})


def _tried(house: Desk, mailbox: Mailbox) -> int:
    account = grants.account(house.db, Keeper(house.db.dsn, name="api"), mailbox, house.settings)
    return managed.tried(account)


def _must_work(account: Account) -> None:
    try:
        _within(lambda: managed.tried(account))
    except MailboxFailure as failure:
        raise NotLetIn(f"{failure}. Nothing was saved; untested saves it all the same.") from failure


def _offered(given: shapes.OAuth | None, *, tried: bool) -> Offer | None:
    if given is None:
        return None
    try:
        credentials = given.refresh_token is None
        if given.provider == "google" and credentials:
            raise Invalid("Google needs a refresh token.")
        provider = rules.google() if given.provider == "google" else rules.microsoft(given.tenant, credentials=credentials)
        offer = Offer(Client(provider, given.client_id, given.client_secret, given.client_secret_until), given.refresh_token)
        return _within(offer.tried) if tried else offer
    except ValueError as wrong:
        raise Invalid(f"{wrong}.") from None
    except MailboxFailure as failure:
        raise NotLetIn(f"{failure}. Nothing was saved; untested saves it all the same.") from failure


def _within(work: Callable[[], T]) -> T:
    """What comes of it, if that takes no longer than a caller waits. Raises MailboxFailure."""
    room = _AT_ONCE
    if not room.acquire(blocking=False):
        raise MailboxFailure(FailureClass.OVERLOAD, "other mailboxes are being tried at this moment; try again in a minute")
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except (MailboxFailure, DeskError) as failure:
            done.set_exception(failure)
        finally:
            room.release()
            if not done.done():
                done.set_exception(MailboxFailure(FailureClass.TRANSPORT, "the desk tripped over this; its log says how"))

    threading.Thread(target=run, name="trial", daemon=True).start()
    try:
        return done.result(LONGEST)
    except TimeoutError:
        raise MailboxFailure(FailureClass.TRANSPORT, f"no answer within {LONGEST:.0f} seconds") from None


def _found(s: Session, id: int) -> Mailbox:
    found = s.get(Mailbox, id)
    if found is None or found.removed_at is not None:
        raise NotFound(f"There is no mailbox {id} here.")
    return found


def _held(s: Session, id: int, match: Match) -> Mailbox:
    found = managed.held(s, id)
    match.check(found.revision)
    return found


def _told(s: Session, mailbox: Mailbox, status: int = 200) -> Json:
    s.flush()
    headers = {"ETag": etag(mailbox.revision)} | ({"Location": f"/api/v1/mailboxes/{mailbox.id}"} if status == 201 else {})
    return Json(shown.mailbox(s.connection(), mailbox.id), status_code=status, headers=headers)
