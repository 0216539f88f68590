"""What happens, as it happens, for programs."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.routing import APIRoute
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from app.accounts.identity import Identity
from app.accounts.rules import Role
from app.web import live, origin
from app.web.desk import desk_of
from app.web.door import COOKIE, Call
from app.web.live import Beginning, live_of
from app.web.shapes import answers
from app.web.stream import EventStream, Stream

AREA = "tickets"


class LiveRoute(APIRoute):
    """A route that goes on for hours: it lets its reader in by itself, and holds no transaction meanwhile."""

    rules = (Role.CUSTOMER.value,)
    area = AREA

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options | {"response_model": None})


router = APIRouter(prefix="/api/v1/events", tags=[AREA], route_class=LiveRoute)


@router.get("", status_code=200, response_class=EventStream, responses=answers(None, media="text/event-stream"))
async def listen(request: Request, last_event_id: Annotated[str | None, Header()] = None) -> EventStream:
    """What happens to the tickets I may see, as it happens (server-sent events).

    `ticket` says that something happened to a ticket: its number, what kind, when, and for the staff who and the ticket's new
    revision. `presence` says who of the staff is looking at a ticket now (staff only). `reset` says that the place you were at is
    too long ago: read anew what you show. Come back with the last `id` in Last-Event-ID and you miss nothing.
    """
    streams = live_of(request)
    begin = await run_in_threadpool(_enter, request, last_event_id)
    fresh = Stream(begin.who, begin.check, after=begin.after, stale=begin.stale)
    streams.join(fresh)
    return EventStream(fresh, leave=streams.leave, life=streams.life)


def _enter(request: Request, last: str | None) -> Beginning:
    def check(c: Connection) -> Identity:
        return Call(request, c=c, area=AREA).asker

    if COOKIE in request.cookies:
        origin.refuse_foreign(request, streams=True)
    with desk_of(request).db.reading() as c:
        return live.begin(c, check, last)
