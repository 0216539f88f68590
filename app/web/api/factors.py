"""Second factors, for programs."""

from fastapi import APIRouter, Response

from app.accounts import factors, sessions
from app.core.sealing import Sealer
from app.web import visit
from app.web.answers import Json, ShownOnce
from app.web.door import Anyone, Current, House, Now, Route, Tx
from app.web.shapes import answers
from app.web.shapes import sign_in as shapes

router = APIRouter(prefix="/api/v1/auth/otp", tags=["account"], route_class=Route)


@router.get("", responses=answers(shapes.Standing))
def standing(me: Anyone, s: Tx) -> Json:
    """Whether I have an authenticator app, and how many recovery codes are left."""
    found = factors.standing(s, me)
    enabled = {"enabled": found.since is not None, "since": found.since}
    return Json({**enabled, "recovery_codes_left": found.codes_left, "required": found.required})


@router.post("", status_code=201, responses=answers(shapes.NewApp, 409, status=201))
def begin(me: Anyone, session: Current, s: Tx, now: Now, house: House) -> Json:
    """Begin to set up an authenticator app. It counts once a code of it was shown; beginning again makes a new secret."""
    sessions.require_fresh(session, now=now)
    secret = factors.begin(s, Sealer(house.signer), me, now=now)
    return ShownOnce({"secret": secret, "uri": factors.address_of(secret, me, host=house.settings.host)}, 201)


@router.post("/confirmation", responses=answers(shapes.RecoveryCodes, 409))
def confirm(me: Anyone, session: Current, s: Tx, now: Now, house: House, body: shapes.OneCode) -> Response:
    """Show the app's first code, and get ten recovery codes. All my other sessions end."""
    codes = factors.confirm(s, Sealer(house.signer), me, body.otp, now=now)
    return visit.with_cookie(ShownOnce({"recovery_codes": codes}), factors.lift(s, session, now=now))


@router.post("/recovery-codes", responses=answers(shapes.RecoveryCodes, 409))
def new_codes(me: Anyone, session: Current, s: Tx, now: Now, house: House, body: shapes.OneCode) -> Json:
    """Ten new recovery codes in place of the old ones, for a code of the app or one that is left."""
    return ShownOnce({"recovery_codes": factors.new_codes(s, Sealer(house.signer), me, body.otp, now=now)})


@router.post("/removal", status_code=204, responses=answers(None, 409, status=204))
def remove(me: Anyone, session: Current, s: Tx, now: Now, house: House, body: shapes.OneCode) -> Response:
    """Do without the app from now on, for a code of it or a recovery code. The recovery codes end with it."""
    factors.remove(s, Sealer(house.signer), me, body.otp, now=now)
    return Response(status_code=204)
