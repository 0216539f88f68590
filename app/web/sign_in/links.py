"""Where the links in our letters lead. Opening one changes nothing: mail scanners open them too."""

from typing import Any

from fastapi import APIRouter, Request, Response

from app.accounts.rules import LinkPurpose
from app.core.errors import DeskError, Invalid, TooMany
from app.outbox.house import house as letters
from app.people import actions as people
from app.people import links
from app.web.door import Anyone, House, Now, Tx
from app.web.forms import PageRoute, Text, page
from app.web.pages import see_other
from app.web.visit import source

router = APIRouter(tags=["account"], route_class=PageRoute)

INVITE: dict[str, Any] = {"title": "Choose your password", "button": "Set the password", "named": True}
RESET: dict[str, Any] = {"title": "Choose a new password", "button": "Set the password", "named": False}


@router.get("/forgot")
def forgot_form(request: Request) -> Response:
    """Whose password was forgotten."""
    return page(request, "sign_in/forgot.html", me=None, email="")


@router.post("/forgot")
def forgot(s: Tx, now: Now, house: House, request: Request, email: Text = "") -> Response:
    """Have a link mailed. The page says the same for every address."""
    try:
        people.forgot(s, letters(house.settings, house.signer), house.counters, email=email, source=source(request), now=now)
    except TooMany as wait:
        answer = page(request, "sign_in/forgot.html", me=None, status=wait.status, refusal=wait.message, email=email)
        answer.headers["Retry-After"] = str(wait.retry_after)
        return answer
    return _done(
        request,
        "Look into your mail",
        "If somebody here has that address, a letter with a link is on its way. The link is good for 30 minutes.",
    )


@router.get("/invite/{token}")
def invite_form(token: str, s: Tx, now: Now, request: Request) -> Response:
    """Who was invited, and the password they want."""
    person = links.shown(s, token, LinkPurpose.INVITE, now=now).person
    return page(request, "sign_in/password.html", me=None, email=person.email, name=person.name, **INVITE)


@router.post("/invite/{token}")
def accept(token: str, s: Tx, now: Now, request: Request, name: Text = "", password: Text = "", again: Text = "") -> Response:
    """Set the first password. The link is spent only if that worked."""
    person = links.shown(s, token, LinkPurpose.INVITE, now=now).person
    email = person.email
    try:
        _same(password, again)
        people.accept(s, token, password=password, name=name, now=now)
    except DeskError as wrong:
        s.rollback()
        told: dict[str, Any] = {"status": wrong.status, "refusal": wrong.message, "email": email, "name": name}
        return page(request, "sign_in/password.html", me=None, **told, **INVITE)
    return _done(request, "Your password is set", "Sign in with it, here and from now on.", sign_in=True)


@router.get("/reset/{token}")
def reset_form(token: str, s: Tx, now: Now, request: Request) -> Response:
    """The password somebody wants from now on."""
    person = links.shown(s, token, LinkPurpose.RESET, now=now).person
    return page(request, "sign_in/password.html", me=None, email=person.email, name="", **RESET)


@router.post("/reset/{token}")
def reset(token: str, s: Tx, now: Now, house: House, request: Request, password: Text = "", again: Text = "") -> Response:
    """Set another password. The link is spent only if that worked."""
    email = links.shown(s, token, LinkPurpose.RESET, now=now).person.email
    try:
        _same(password, again)
        people.reset(s, letters(house.settings, house.signer), token, password=password, now=now)
    except DeskError as wrong:
        s.rollback()
        told: dict[str, Any] = {"status": wrong.status, "refusal": wrong.message, "email": email, "name": ""}
        return page(request, "sign_in/password.html", me=None, **told, **RESET)
    return _done(request, "Your password is set", "You were signed out everywhere. Sign in with the new one.", sign_in=True)


@router.get("/confirm-email/{token}")
def confirm_form(token: str, me: Anyone, s: Tx, now: Now, request: Request) -> Response:
    """Which address it is that is to be mine."""
    link = links.shown(s, token, LinkPurpose.EMAIL, now=now)
    if link.person_id != me.id:
        raise links.LinkSpent
    return page(request, "sign_in/confirm.html", me=me, email=link.email)


@router.post("/confirm-email/{token}")
def confirm(token: str, me: Anyone, s: Tx, now: Now, house: House) -> Response:
    """Have the new address."""
    people.confirm_new_address(s, letters(house.settings, house.signer), me, token, now=now)
    return see_other("/")


def _same(password: str, again: str) -> None:
    if password != again:
        raise Invalid("The two passwords are not the same. Type both again.")


def _done(request: Request, title: str, words: str, *, sign_in: bool = False) -> Response:
    return page(request, "sign_in/done.html", me=None, title=title, words=words, sign_in=sign_in)
