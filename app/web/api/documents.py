"""The description of this API, for people who are signed in: as OpenAPI, and as pages."""

from typing import Any

from fastapi import APIRouter, Request, Response

from app.accounts.identity import Identity
from app.core.errors import NotFound
from app.web import describe, forms, manual, pages
from app.web.answers import Json
from app.web.door import Asker, Reader, Route

router = APIRouter(tags=["api"], route_class=Route)


@router.get("/api/v1/openapi.json", include_in_schema=False)
def openapi(me: Asker, c: Reader, request: Request) -> Json:
    """The OpenAPI document."""
    return Json(describe.document(request.app))


@router.get("/api/docs", include_in_schema=False)
def index(me: Asker, c: Reader, request: Request) -> Response:
    """Every call, by area."""
    return _page(request, me, "docs/index.html", about=describe.ABOUT.split("\n\n"))


@router.get("/api/docs/problems", include_in_schema=False)
def problems(me: Asker, c: Reader, request: Request) -> Response:
    """Every type of problem."""
    return _page(request, me, "docs/problems.html", problems=manual.problems())


@router.get("/api/docs/{area}", include_in_schema=False)
def area(area: str, me: Asker, c: Reader, request: Request) -> Response:
    """The calls of one area, each with an example that can be copied."""
    if area not in describe.AREAS:
        raise NotFound("There is no such page here.")
    return _page(request, me, "docs/area.html", area=area)


def _page(request: Request, me: Identity, template: str, **context: Any) -> Response:
    calls = manual.calls(describe.document(request.app))
    areas = {name: words for name, words in describe.AREAS.items() if any(call.area == name for call in calls)}
    more: dict[str, Any] = {"me": me, "csrf": forms.token(request), "calls": calls, "areas": areas}
    return pages.page(request, template, **more, **context)
