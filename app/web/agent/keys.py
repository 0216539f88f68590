"""The OpenPGP keys that somebody confirmed, for who is responsible for the desk: seen, brought and withdrawn."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response

from app.accounts.identity import Identity
from app.accounts.models import Person
from app.core.errors import DeskError
from app.intake import keys
from app.intake.rules.keys import MOST_KEY, in_groups
from app.web.agent import reading
from app.web.door import Manager, ManagerAsker, Now, Reader, Tx
from app.web.forms import PageRoute, page
from app.web.pages import see_other

router = APIRouter(prefix="/mail/keys", route_class=PageRoute)

MOST = 500
Draft = dict[str, str]


@router.get("")
def index(me: ManagerAsker, c: Reader, now: Now, request: Request) -> Response:
    """The keys and whose they are, with a form to bring one."""
    return _page(request, me, now, keys.listed(c, limit=MOST))


@router.post("")
def bring(
    address: Annotated[str, Form(max_length=320)],
    key: Annotated[str, Form(max_length=MOST_KEY + 1000)],
    me: Manager,
    s: Tx,
    now: Now,
    request: Request,
) -> Response:
    """Confirm a key whose fingerprint was compared with its owner."""
    try:
        keys.bring(s, reading.READER, address, key, by=me.signature, now=now)
    except DeskError as wrong:
        return _page(request, me, now, keys.listed(s, limit=MOST), wrong, {"address": address, "key": key})
    return see_other("/mail/keys")


@router.post("/{id:key}/withdrawal")
def withdraw(id: int, me: Manager, s: Tx, now: Now, request: Request) -> Response:
    """Let signatures by it count for nothing from now on."""
    try:
        keys.withdraw(s, id, by=me.signature, now=now)
    except DeskError as wrong:
        return _page(request, me, now, keys.listed(s, limit=MOST), wrong)
    return see_other("/mail/keys")


def _page(
    request: Request,
    me: Person | Identity,
    now: Now,
    rows: list[dict[str, Any]],
    refusal: DeskError | None = None,
    draft: Draft | None = None,
) -> Response:
    return page(
        request,
        "agent/keys.html",
        me=me,
        now=now,
        trouble=[],
        status=refusal.status if refusal else 200,
        refusal=refusal.message if refusal else None,
        rows=rows,
        draft=draft or {"address": "", "key": ""},
        in_groups=in_groups,
    )
