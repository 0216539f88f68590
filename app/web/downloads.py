"""Files that are made while they are sent: a piece at a time, and no connection held while somebody reads slowly.

Before each piece it is looked at again who is asking: the download of somebody whose session or token ended meanwhile breaks off.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

from fastapi import Response
from fastapi.responses import StreamingResponse
from starlette.types import Send

from app.audit import checkpoints, rules, verifying
from app.audit import queries as audit
from app.core import spreadsheet
from app.core.errors import DeskError
from app.db.session import Database
from app.web.door import Still

log = logging.getLogger(__name__)
JSON_LINES = "application/x-ndjson"


def table(name: str, day: date, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response:
    """A small table as CSV."""
    body = spreadsheet.BEGIN + "".join(map(spreadsheet.row, [head, *rows]))
    return Response(body, media_type=spreadsheet.MEDIA_TYPE, headers=_as_file(f"{name}-{day}.csv"))


def whole(content: bytes, name: str, media_type: str) -> Response:
    """Bytes as they are, to be saved and not to be shown."""
    return Response(content, media_type=media_type, headers=_as_file(name))


class Download(StreamingResponse):
    """What is refused half-way stays without an end, so that nobody takes the part for the whole."""

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except DeskError as refused:
            log.warning("a download was broken off", extra={"reason": refused.message})


def stream(pieces: Iterator[str], name: str, media_type: str) -> Response:
    """Whatever comes, as it comes."""
    return Download(pieces, media_type=media_type, headers=_as_file(name))


def audit_lines(db: Database, public: bytes, still: Still) -> Iterator[str]:
    """The audit as `atum audit verify --file` reads it."""
    with db.reading() as c:
        end, marks = audit.end(c), checkpoints.every(c)
    yield "".join(f"{line}\n" for line in verifying.opening(end, marks, public))
    for page in _pages(db, end.seq, still):
        yield "".join(f"{verifying.line(entry)}\n" for entry in page)


def audit_table(db: Database, still: Still) -> Iterator[str]:
    """The audit as a spreadsheet shows it."""
    with db.reading() as c:
        end = audit.end(c)
    yield spreadsheet.BEGIN + spreadsheet.row([*rules.COLUMNS, "hash"])
    for page in _pages(db, end.seq, still):
        yield "".join(spreadsheet.row([*_cells(entry), entry["hash"].hex()]) for entry in page)


def _cells(entry: dict[str, Any]) -> list[Any]:
    return [rules.canonical(entry[name]) if name == "data" else entry[name] for name in rules.COLUMNS]


def _pages(db: Database, upto: int, still: Still) -> Iterator[list[dict[str, Any]]]:
    after = audit.BEFORE_ALL
    while True:
        with db.reading() as c:
            still(c)
            page = audit.page(c, after=after, upto=upto)
        if not page:
            return
        yield page
        after = page[-1]["seq"]


def _as_file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
