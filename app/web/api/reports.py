"""Reports, for programs, and as tables for spreadsheets."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import Connection

from app.accounts.identity import Identity
from app.audit import actions as audit
from app.audit.models import Event
from app.core.errors import Invalid
from app.core.priority import Priority
from app.tickets.reports import queries
from app.tickets.reports.queries import Report, Wanted
from app.tickets.reports.rules import By, Span, Unit
from app.web import downloads
from app.web.answers import Json
from app.web.desk import Desk
from app.web.door import AgentAsker, House, Reader, Route
from app.web.shapes import answers
from app.web.shapes import seeing as shapes
from app.web.zones import ZoneName, asked

router = APIRouter(prefix="/api/v1/reports", tags=["reports"], route_class=Route)
USUAL = timedelta(days=29)
Id = Annotated[int | None, Query(ge=1, lt=2**63)]


class Question:
    """What every report is asked: `from` and `to` are days, both included, the last thirty where they are left out.

    `by` says what there is a row for; `period` how long periods are; `zone` where days begin (one's own by default).
    """

    def __init__(
        self,
        first: Annotated[date | None, Query(alias="from")] = None,
        to: date | None = None,
        by: By = By.PERIOD,
        period: Unit = Unit.DAY,
        zone: ZoneName = None,
        team_id: Id = None,
        assignee_id: Id = None,
        organization_id: Id = None,
        tag: Annotated[str | None, Query(max_length=100)] = None,
        priority: Priority | None = None,
        format: shapes.Format | None = None,
    ) -> None:
        self.first, self.to, self.zone, self.format = first, to, zone, format
        self._by, self._period = by, period
        self._of: tuple[Any, ...] = (team_id, assignee_id, organization_id, tag, priority)

    def wanted(self, me: Identity, house: Desk) -> Wanted:
        """The same, checked. Raises Invalid."""
        zone = asked(self.zone, me, house.settings)
        last = self.to or me.now.astimezone(zone).date()
        span = Span(self.first or max(last, date.min + USUAL) - USUAL, last, self._period, zone)
        if problem := span.problem():
            raise Invalid(problem)
        return Wanted(span, self._by, *self._of)


Asked = Annotated[Question, Depends()]
Ask = Callable[[Connection, Identity, Wanted], Report]


def _described(shape: Any) -> dict[int | str, dict[str, Any]]:
    told = answers(shape)
    told[200]["content"] = {"text/csv": {"schema": {"type": "string"}}}
    return told


@router.get("/volume", responses=_described(shapes.Volume))
def volume(request: Request, me: AgentAsker, c: Reader, house: House, asked: Asked) -> Response:
    """How many tickets were opened, resolved and closed.

    Agents are told of the tickets they see, managers of all. Tickets in the trash or merged into others never count.
    """
    return _answer(request, me, c, house, asked, queries.volume)


@router.get("/backlog", responses=_described(shapes.Backlog))
def backlog(request: Request, me: AgentAsker, c: Reader, house: House, asked: Asked) -> Response:
    """How many tickets were open at the end of each period, or of the last day in each group.

    It goes by when tickets were resolved or closed as they stand today: one that was reopened counts as open all the time.
    """
    return _answer(request, me, c, house, asked, queries.backlog)


@router.get("/first-response", responses=_described(shapes.Times))
def first_response(request: Request, me: AgentAsker, c: Reader, house: House, asked: Asked) -> Response:
    """How long people waited for their first answer (elapsed time), of tickets that got it in these days."""
    return _answer(request, me, c, house, asked, queries.first_response)


@router.get("/resolution", responses=_described(shapes.Times))
def resolution(request: Request, me: AgentAsker, c: Reader, house: House, asked: Asked) -> Response:
    """How long it took to resolve tickets (elapsed time), of those that were resolved in these days."""
    return _answer(request, me, c, house, asked, queries.resolution)


@router.get("/sla", responses=_described(shapes.Sla))
def sla(request: Request, me: AgentAsker, c: Reader, house: House, asked: Asked) -> Response:
    """What became of the promises that were kept or broken in these days, by metric.

    `attainment` is the part of those that was kept in time. Clocks that still run in time have no say yet.
    """
    return _answer(request, me, c, house, asked, queries.sla)


def _answer(request: Request, me: Identity, c: Connection, house: Desk, asked: Question, ask: Ask) -> Response:
    wanted = asked.wanted(me, house)
    found = ask(c, me, wanted)
    if asked.format == "csv" or (asked.format is None and _prefers_csv(request)):
        name = ask.__name__.replace("_", "-")
        with house.db.transaction() as s:
            audit.record(s, Event.EXPORTED, now=me.now, by=me.signature, what=f"report {name}", form="csv")
        return downloads.table(name, wanted.span.last, ("key", "name", *found.figures), map(_cells, found.rows))
    return Json(_told(found), headers={"Vary": "Accept"})


def _prefers_csv(request: Request) -> bool:
    """Only who names it, and names it first, gets a table."""
    return request.headers.get("accept", "").split(",")[0].partition(";")[0].strip().lower() == "text/csv"


def _cells(row: dict[str, Any]) -> list[Any]:
    return list(row.values())


def _told(found: Report) -> dict[str, Any]:
    span = found.wanted.span
    asked = {"from": span.first, "to": span.last, "zone": str(span.zone), "by": found.wanted.by, "period": span.unit}
    return {**asked, "more": found.more, "rows": found.rows}
