"""What is amiss with the desk, and what waits, for programs."""

from dataclasses import asdict

from fastapi import APIRouter

from app.ops import queues
from app.ops.doctor import asking
from app.web.answers import Json
from app.web.door import Admin, AdminAsker, House, Now, Reader, Route, Tx
from app.web.shapes import answers
from app.web.shapes import doctor as shapes

router = APIRouter(prefix="/api/v1", tags=["desk"], route_class=Route)


@router.get("/doctor", responses=answers(shapes.Doctor))
def last(me: AdminAsker, c: Reader, house: House) -> Json:
    """What the last look since the start found, and whether one goes on."""
    return Json({"running": asking.running(house.settings), "last": asking.last(house.settings)})


@router.post("/doctor", status_code=202, responses=answers(shapes.Asked, status=202))
def ask(me: Admin, s: Tx, house: House) -> Json:
    """Look at everything now: each mailbox and the mail server are signed in to. What was found is there within 20 seconds."""
    asking.ask(s, house.settings, by=me.signature)
    return Json({"words": asking.WORDS}, status_code=202)


@router.get("/queues", responses=answers(shapes.Queues))
def waiting(me: AdminAsker, c: Reader, now: Now) -> Json:
    """How much of each kind of work waits, and for how long."""
    told = [asdict(queue) | {"late_by": round(queue.late_by(now), 1)} for queue in queues.all_of(c)]
    return Json({"queues": told})
