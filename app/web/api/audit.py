"""The audit, for programs."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime

from app.audit import actions as audit
from app.audit import listing
from app.audit.models import Event
from app.core import spreadsheet
from app.ops import notary
from app.web import downloads
from app.web.answers import Told
from app.web.door import Admin, AdminAsker, House, Now, Reader, Route, StillAdmin, Tx
from app.web.shapes import answers
from app.web.shapes import seeing as shapes

router = APIRouter(prefix="/api/v1/audit", tags=["audit"], route_class=Route)
Limit = Annotated[int, Query(ge=1, le=100)]
Id = Annotated[int | None, Query(ge=1, lt=2**63)]
EXPORT = answers(media=downloads.JSON_LINES)
EXPORT[200]["content"] |= {"text/csv": {}}


@router.get("", responses=answers(shapes.AuditEntries))
def index(
    me: AdminAsker,
    c: Reader,
    kind: Event | None = None,
    actor_id: Id = None,
    ticket: Id = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    limit: Limit = 50,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
) -> Told:
    """Everything that happened, the last event first.

    `since` (included) and `until` (not included) are times with a zone, like 2026-11-23T10:00:00Z.
    """
    wanted = listing.Wanted(kind, actor_id, ticket, since, until, listing.before(cursor))
    return Told(listing.entries(c, wanted, limit=limit))


@router.get("/checkpoints", responses=answers(shapes.Checkpoints))
def checkpoints(me: AdminAsker, c: Reader, house: House, limit: Limit = 50, cursor: date | None = None) -> Told:
    """The signed ends of the audit, a day each, the last one first. Keep copies of them elsewhere."""
    before = cursor.isoformat() if cursor else None
    return Told(listing.checkpoints(c, before=before, limit=limit, public=notary.public(house.settings)))


@router.get("/export", responses=EXPORT)
def export(me: Admin, s: Tx, now: Now, house: House, still: StillAdmin, format: shapes.ExportFormat = "jsonl") -> Response:
    """The whole audit as a file: lines of JSON that `atum audit verify --file` checks, or CSV. Asking for it is recorded."""
    audit.record(s, Event.EXPORTED, now=now, by=me.signature, what="audit", form=format)
    if format == "csv":
        return downloads.stream(downloads.audit_table(house.db, still), f"audit-{now:%Y-%m-%d}.csv", spreadsheet.MEDIA_TYPE)
    public = notary.public(house.settings) or b""
    lines = downloads.audit_lines(house.db, public, still)
    return downloads.stream(lines, f"audit-{now:%Y-%m-%d}.jsonl", downloads.JSON_LINES)
