"""The page of one's own second factor; all that opens to somebody whose role requires one and who has none yet."""

from typing import Any

from fastapi import APIRouter, Request, Response

from app.accounts import factors, sessions
from app.accounts.factors import NoApp, TooManyCodes, WrongCode
from app.accounts.models import Person
from app.core.errors import Conflict, DeskError, TooMany
from app.core.sealing import Sealer
from app.db.session import Session
from app.web import visit
from app.web.door import Anyone, Current, House, Now, Tx
from app.web.forms import PURPOSE, PageRoute, Text, page
from app.web.pages import see_other

HERE = "/account/second-factor"

router = APIRouter(prefix=HERE, tags=["account"], route_class=PageRoute)


@router.get("")
def show(me: Anyone, session: Current, s: Tx, request: Request) -> Response:
    """What there is, and the way to set up an app."""
    return _page(request, s, me, restricted=session.restricted)


@router.post("")
def begin(me: Anyone, session: Current, s: Tx, now: Now, house: House, request: Request) -> Response:
    """A secret for the app, which waits for its first code."""
    sessions.require_fresh(session, now=now)
    secret = factors.begin(s, Sealer(house.signer), me, now=now)
    return _secret(request, s, me, secret, house.settings.host)


@router.post("/confirmation")
def confirm(me: Anyone, session: Current, s: Tx, now: Now, house: House, request: Request, otp: Text = "") -> Response:
    """The app's first code: it counts from now on, and this session opens everything."""
    sealer = Sealer(house.signer)
    try:
        codes = factors.confirm(s, sealer, me, otp, now=now)
    except WrongCode as wrong:
        return _secret(request, s, me, factors.unconfirmed(s, sealer, me), house.settings.host, refusal=wrong)
    token = factors.lift(s, session, now=now)
    more: dict[str, Any] = {"csrf": house.signer.sign(PURPOSE, token)} if token else {}
    return visit.with_cookie(_page(request, s, me, codes=codes, **more), token)


@router.post("/recovery-codes")
def new_codes(me: Anyone, session: Current, s: Tx, now: Now, house: House, request: Request, otp: Text = "") -> Response:
    """New recovery codes in place of the old ones."""
    try:
        codes = factors.new_codes(s, Sealer(house.signer), me, otp, now=now)
    except (WrongCode, NoApp, TooManyCodes) as wrong:
        return _page(request, s, me, refusal=wrong)
    return _page(request, s, me, codes=codes)


@router.post("/removal")
def remove(me: Anyone, session: Current, s: Tx, now: Now, house: House, request: Request, otp: Text = "") -> Response:
    """No app from now on."""
    try:
        factors.remove(s, Sealer(house.signer), me, otp, now=now)
    except (WrongCode, NoApp, TooManyCodes) as wrong:
        return _page(request, s, me, refusal=wrong)
    except Conflict as wrong:
        s.rollback()  # the code that was shown is not spent
        return _page(request, s, s.merge(me), refusal=wrong)
    return see_other(HERE)


def _secret(request: Request, s: Session, me: Person, secret: str, host: str, *, refusal: DeskError | None = None) -> Response:
    uri = factors.address_of(secret, me, host=host)
    return _page(request, s, me, secret=secret, uri=uri, refusal=refusal)


def _page(request: Request, s: Session, me: Person, *, refusal: DeskError | None = None, **context: Any) -> Response:
    shown = {"codes": [], "secret": "", "uri": "", "restricted": False, "standing": factors.standing(s, me), **context}
    answer = page(
        request,
        "sign_in/second_factor.html",
        me=me,
        status=refusal.status if refusal else 200,
        refusal=refusal.message if refusal else None,
        **shown,
    )
    if isinstance(refusal, TooMany):
        answer.headers["Retry-After"] = str(refusal.retry_after)
    return answer
