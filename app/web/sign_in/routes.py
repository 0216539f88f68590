"""Coming in and going out by the front door."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from app.accounts import actions as accounts
from app.accounts import factors, half_step, queries, sessions, throttle
from app.accounts.factors import OtpRequired, PasskeyRequired, Unreadable, WrongOtp
from app.accounts.half_step import TooLate
from app.accounts.models import Person, SignIn
from app.accounts.rules import Door
from app.accounts.sessions import WrongPassword
from app.core.errors import DeskError, Invalid, NotFound, NotSignedIn, TooMany
from app.core.sealing import Sealer
from app.db.session import Session
from app.web import visit
from app.web.desk import Desk
from app.web.door import COOKIE, Call, Current, House, Now, Provide, Route, Tx, Visitor
from app.web.forms import Text, address, checked, page
from app.web.origin import refuse_foreign
from app.web.pages import local_path, see_other

router = APIRouter(tags=["account"], route_class=Route)  # what opens to whoever still lacks a second factor


def _session(call: Call) -> SignIn | None:
    try:
        return call.session
    except NotSignedIn:
        return None


Present = Annotated[SignIn | None, Provide(_session)]


@router.get("/")
def home(me: Visitor, s: Tx, request: Request) -> Response:
    """Where one's tickets are; for strangers, the way in."""
    return see_other(_tickets_of(me)) if me else _form(request, s)


@router.get("/sign-in")
def form(me: Visitor, s: Tx, request: Request, next: str = "/") -> Response:
    """The way in."""
    return see_other(next) if me else _form(request, s, next=next)


@router.post("/sign-in")
def sign_in(
    s: Tx,
    now: Now,
    house: House,
    before: Present,
    request: Request,
    email: Text = "",
    password: Text = "",
    next: Text = "/",
) -> Response:
    """A new session, always: one that was there before ends. Whoever has an authenticator app is asked for its code first."""
    refuse_foreign(request)
    source = visit.source(request)
    try:
        person = sessions.check_password(s, house.counters, email=email, password=password, source=source, now=now)
    except (WrongPassword, TooMany) as wrong:
        return _form(request, s, next=next, email=email, refusal=wrong)
    try:
        factors.check(s, Sealer(house.signer), person, "", now=now, source=source)
    except OtpRequired:
        return _code_form(request, half=half_step.taken(house.signer, person, now=now), next=next)
    except PasskeyRequired as wrong:
        return _form(request, s, next=next, email=email, refusal=wrong)
    return _come_in(s, house, person, before, request, next, now)


@router.post("/sign-in/second-step")
def second_step(
    s: Tx, now: Now, house: House, before: Present, request: Request, half: Text = "", otp: Text = "", next: Text = "/"
) -> Response:
    """The code, after the password. Nothing of the first step is stored; the form carries it, signed."""
    refuse_foreign(request)
    try:
        person = half_step.owner(s, house.signer, half, now=now)
    except TooLate as late:
        return _form(request, s, next=next, refusal=late)
    try:
        factors.check(s, Sealer(house.signer), person, otp[:64], now=now, source=visit.source(request))
    except (OtpRequired, WrongOtp, PasskeyRequired, Unreadable, TooMany) as wrong:
        return _code_form(request, half=half, next=next, refusal=wrong)
    return _come_in(s, house, person, before, request, next, now)


@router.post("/sign-out", dependencies=[Depends(checked)])
def sign_out(s: Tx, now: Now, session: Current) -> Response:
    """End this session, here and on the desk."""
    sessions.sign_out(s, session, now=now)
    answer = see_other("/")
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return answer


@router.get("/setup/{token}")
def setup_form(token: str, s: Tx, now: Now, request: Request) -> Response:
    """Who becomes the first administrator."""
    _refuse_spent(s, token, now)
    return page(request, "sign_in/setup.html", me=None, name="", email="")


@router.post("/setup/{token}")
def set_up(
    token: str,
    s: Tx,
    now: Now,
    request: Request,
    name: Text = "",
    email: Text = "",
    password: Text = "",
    again: Text = "",
) -> Response:
    """Make the first administrator and let them in. The link is spent only if that worked."""
    refuse_foreign(request)
    _refuse_spent(s, token, now)
    try:
        if password != again:
            raise Invalid("The two passwords are not the same. Type both again.")
        person = accounts.set_up(s, token, email=address(email), name=name, password=password, now=now)
    except DeskError as wrong:
        s.rollback()
        return page(request, "sign_in/setup.html", me=None, status=wrong.status, refusal=wrong.message, name=name, email=email)
    agent, source = visit.agent(request), visit.source(request)
    tokens = sessions.sign_in(s, person, door=Door.PAGE, source=source, agent=agent, now=now)
    return visit.with_cookie(see_other("/tickets"), tokens.access)


def _come_in(
    s: Session, house: Desk, person: Person, before: SignIn | None, request: Request, next: str, now: datetime
) -> Response:
    source = visit.source(request)
    throttle.succeeded(house.counters, email=person.email, source=source)
    if before:
        sessions.sign_out(s, before, now=now)
    token = sessions.sign_in(s, person, door=Door.PAGE, source=source, agent=visit.agent(request), now=now).access
    return visit.with_cookie(see_other(next if local_path(next) != "/" else _tickets_of(person)), token)


def _refuse_spent(s: Tx, token: str, now: Now) -> None:
    if not accounts.setup_link_is_good(s, token, now=now):
        raise NotFound("This set-up link is used or too old. The command atum setup-link makes another, if one is needed.")


def _form(request: Request, s: Tx, *, next: str = "/", email: str = "", refusal: DeskError | None = None) -> Response:
    answer = page(
        request,
        "sign_in/form.html",
        me=None,
        status=refusal.status if refusal else 200,
        refusal=refusal.message if refusal else None,
        next=local_path(next),
        email=email,
        furnished=queries.has_administrator(s),
    )
    return _patient(answer, refusal)


def _code_form(request: Request, *, half: str, next: str, refusal: DeskError | None = None) -> Response:
    told: dict[str, Any] = {"status": refusal.status, "refusal": refusal.message} if refusal else {}
    return _patient(page(request, "sign_in/code.html", me=None, half=half, next=local_path(next), **told), refusal)


def _patient(answer: Response, refusal: DeskError | None) -> Response:
    if isinstance(refusal, TooMany):
        answer.headers["Retry-After"] = str(refusal.retry_after)
    return answer


def _tickets_of(person: Person) -> str:
    return "/tickets" if person.staff else "/my/tickets"
