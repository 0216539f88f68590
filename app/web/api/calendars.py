"""Business calendars, for programs."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.core.errors import Invalid
from app.db.session import Session
from app.hours import actions, queries, reading
from app.hours.models import Calendar
from app.sla import calendars, feeds
from app.web.answers import Json
from app.web.door import AgentAsker, Manager, ManagerAsker, Match, Now, Reader, Route, Tx
from app.web.lists import Cursor, Limit, page
from app.web.shapes import answers
from app.web.shapes import calendars as shapes
from app.web.shapes.desk import PathKey
from app.web.stale import IfMatch, etag

router = APIRouter(prefix="/api/v1/sla/calendars", tags=["desk"], route_class=Route)

Country = Annotated[str, Query(pattern="^[A-Z]{2}$", examples=["DE"], description="Two letters of ISO 3166")]
Part = Annotated[str | None, Query(max_length=50, examples=["BY"], description="A state, province or region")]
Years = Annotated[list[Annotated[int, Query(ge=1970, le=2100)]], Query(min_length=1, max_length=5, examples=[[2026]])]
Language = Annotated[str | None, Query(max_length=10, description="Of the names; the country's own unless it is given")]
From = Annotated[datetime | None, Query(alias="from", description="Now unless it is given")]
Days = Annotated[int, Query(ge=1, le=366)]


@router.get("", responses=answers(shapes.Calendars))
def listed(me: AgentAsker, c: Reader, limit: Limit = 50, cursor: Cursor = None) -> Json:
    """Every calendar, with what holds now."""
    found = queries.listed(c, now=me.now)
    return Json(page(found, lambda calendar: (calendar["name"], calendar["id"]), limit=limit, cursor=cursor))


@router.get("/proposals", responses=answers(shapes.Holidays))
def proposals(me: ManagerAsker, country: Country, years: Years, subdivision: Part = None, language: Language = None) -> Json:
    """A country's public holidays, to choose from: send those that you close on as `closed` of a calendar. Nothing is stored."""
    return Json({"holidays": reading.proposals(country, subdivision, sorted(set(years)), language)})


@router.post("", status_code=201, responses=answers(shapes.Calendar, 409, status=201))
def add(me: Manager, s: Tx, now: Now, body: shapes.NewCalendar) -> Json:
    """A new calendar. Hours that can't be are refused with the reason."""
    made = actions.add(s, **body.model_dump(exclude_none=True), by=me.signature, now=now)
    return _told(s, made, now, status=201)


@router.get("/{id}", responses=answers(shapes.Calendar, 404))
def show(id: PathKey, me: AgentAsker, c: Reader) -> Json:
    """One calendar with all that it ever said."""
    told = queries.told(c, id, now=me.now)
    return Json(told, headers={"ETag": etag(told["revision"])})


@router.patch("/{id}", responses=answers(shapes.Calendar, 404, 409, 412))
def change(id: PathKey, me: Manager, s: Tx, now: Now, match: Match, body: shapes.CalendarChange) -> Json:
    """Another name, or other hours from an instant on. Clocks that run are reckoned again; those that are over stay."""
    calendar = _held(s, id, match)
    given = body.model_dump(exclude_none=True)
    if "name" in given:
        actions.rename(s, calendar, given.pop("name"), by=me.signature, now=now)
    when = {name: given.pop(name) for name in ("effective_from", "retroactive") if name in given}
    if given:
        spec = queries.whole(queries.holding(queries.pieces(s, id), when.get("effective_from", now)))
        calendars.change(s, calendar, spec | given, by=me.signature, now=now, **when)
    return _told(s, calendar, now)


@router.delete("/{id}", status_code=204, responses=answers(None, 404, 409, 412, status=204))
def remove(id: PathKey, me: Manager, s: Tx, now: Now, match: Match) -> Response:
    """Remove a calendar that no policy measures by. What it measured stays as it is."""
    calendars.remove(s, _held(s, id, match), by=me.signature, now=now)
    return Response(status_code=204)


@router.get("/{id}/openings", responses=answers(shapes.Openings, 404))
def openings(id: PathKey, me: AgentAsker, c: Reader, start: From = None, days: Days = 14) -> Json:
    """When a calendar is open from an instant on, and which days are closed or different."""
    if start is not None and start.tzinfo is None:
        raise Invalid("Give `from` with its time zone, like 2027-01-01T00:00:00Z.")
    queries.refuse_unknown(c, id)
    parts = queries.openings(c, id, start=start or me.now, days=days)
    told = [{"from_at": p.from_at, "to_at": p.to_at, "seconds": int(p.length.total_seconds()), "note": p.note} for p in parts]
    return Json({"openings": told})


@router.put("/{id}/feed", responses=answers(shapes.Calendar, 404, 412))
def follow(id: PathKey, me: Manager, s: Tx, now: Now, match: Match, body: shapes.NewFeed) -> Json:
    """Follow a feed of closed days. It is read at once and then daily; what it would change is told in the calendar."""
    calendar = _held(s, id, match)
    feeds.follow(s, calendar, body.url, automatic=body.automatic, by=me.signature, now=now)
    return _told(s, calendar, now)


@router.delete("/{id}/feed", status_code=204, responses=answers(None, 404, 412, status=204))
def unfollow(id: PathKey, me: Manager, s: Tx, now: Now, match: Match) -> Response:
    """Follow it no more. What was taken over stays."""
    feeds.unfollow(s, _held(s, id, match), by=me.signature, now=now)
    return Response(status_code=204)


@router.post("/{id}/feed/refresh", status_code=202, responses=answers(shapes.Calendar, 404, 412, status=202))
def refresh(id: PathKey, me: Manager, s: Tx, now: Now, match: Match) -> Json:
    """Have the feed read within seconds."""
    calendar = _held(s, id, match)
    feeds.refresh(s, calendar, now=now)
    return _told(s, calendar, now, status=202)


@router.post("/{id}/feed/acceptance", responses=answers(shapes.Calendar, 404, 412))
def accept(id: PathKey, me: Manager, s: Tx, now: Now, match: Match) -> Json:
    """Take over what the feed said last, from now on. Days that a person entered stay as they are."""
    calendar = _held(s, id, match)
    feeds.accept(s, calendar, by=me.signature, now=now)
    return _told(s, calendar, now)


def _held(s: Session, id: int, match: IfMatch) -> Calendar:
    found = actions.held(s, id)
    match.check(found.revision)
    return found


def _told(s: Session, calendar: Calendar, now: datetime, status: int = 200) -> Json:
    s.flush()
    headers = {"ETag": etag(calendar.revision)} | ({"Location": f"/api/v1/sla/calendars/{calendar.id}"} if status == 201 else {})
    return Json(queries.told(s, calendar.id, now=now), status_code=status, headers=headers)
