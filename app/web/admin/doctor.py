"""What is amiss with the desk, looked at when somebody asks; and what waits to be done."""

from datetime import datetime

from fastapi import APIRouter, Request, Response

from app.ops import queues
from app.ops.doctor import asking
from app.web.door import Admin, AdminAsker, House, Now, Reader, Tx
from app.web.forms import PageRoute, page
from app.web.pages import see_other

router = APIRouter(prefix="/admin", route_class=PageRoute)
LATE = 60  # seconds


@router.get("/doctor")
def index(me: AdminAsker, c: Reader, now: Now, house: House, request: Request) -> Response:
    """What the last look found. While one goes on, the page comes again by itself."""
    found, running = asking.last(house.settings), asking.running(house.settings)
    at = datetime.fromisoformat(found["at"]) if found else None
    answer = page(
        request, "admin/doctor.html", me=me, now=now, trouble=[], found=found, at=at, said=asking.WORDS if running else None
    )
    if running:
        answer.headers["Refresh"] = "3"
    return answer


@router.post("/doctor")
def ask(me: Admin, s: Tx, house: House) -> Response:
    """Have everything looked at now."""
    asking.ask(s, house.settings, by=me.signature)
    return see_other("/admin/doctor")


@router.get("/queues")
def waiting(me: AdminAsker, c: Reader, now: Now, request: Request) -> Response:
    """How much of each kind waits, and for how long."""
    return page(request, "admin/queues.html", me=me, now=now, trouble=[], queues=queues.all_of(c), late=LATE)
