"""Whether the desk is well."""

import ipaddress
from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import Field

from app.accounts import identity
from app.accounts.rules import Role
from app.core.errors import DeskError
from app.web.answers import Json
from app.web.desk import Desk, desk_of
from app.web.door import COOKIE
from app.web.shapes import Answer

router = APIRouter()


@router.get("/healthz", include_in_schema=False)
def alive() -> Json:
    """This process alone answers."""
    return Json({"status": "alive"})


class Health(Answer):
    """How the desk is."""

    status: Literal["healthy", "degraded", "unhealthy", "starting"]
    timestamp: datetime
    version: str
    components: dict[str, dict[str, Any]] = Field(default_factory=dict)


@router.get("/api/v1/health", tags=["health"], responses={200: {"model": Health}, 503: {"model": Health}})
def health(request: Request) -> Json:
    """healthy, degraded (200) or unhealthy (503). Its parts are told to administrators and inside the container."""
    desk = desk_of(request)
    report = desk.watch.report()
    return Json(report.told(whole=_inside(request) or _administrator(request, desk)), status_code=report.http_status)


def _inside(request: Request) -> bool:
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _administrator(request: Request, desk: Desk) -> bool:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    bearer = kind.lower() == "bearer"
    token = token.strip() if bearer else request.cookies.get(COOKIE, "")
    if not token:
        return False
    try:
        with desk.db.reading() as c:
            return (identity.of_bearer if bearer else identity.of_cookie)(c, token).role is Role.ADMIN
    except DeskError:
        return False
