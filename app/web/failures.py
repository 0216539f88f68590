"""What a person or a program is told when something is refused or breaks: never a traceback."""

import logging
from errno import EDQUOT, ENOSPC
from typing import Any
from urllib.parse import urlencode

import psycopg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from app.core.errors import DeskError, Invalid, NotFound, NotSignedIn, TooMany, Unavailable
from app.core.log import request_id
from app.web.answers import Problem, problem
from app.web.door import SecondFactorNeeded
from app.web.pages import page, see_other

log = logging.getLogger(__name__)
FULL = frozenset({ENOSPC, EDQUOT})
_SLUGS = {400: "malformed", 405: "method-not-allowed", 413: "too-large"}


class NoRoom(Unavailable):
    """There is no room for files of this size right now; nothing was changed. Try again shortly, or send fewer at once."""

    slug = "no-room"


def no_room(wrong: OSError) -> NoRoom:
    """What to raise for it. Whoever runs the desk reads of it in the log."""
    log.error("there is no room for what is sent", extra={"reason": str(wrong)})
    return NoRoom()


def install(app: FastAPI) -> None:
    """Answer every failure in the asker's own terms: problem documents under /api, pages elsewhere."""
    app.add_exception_handler(DeskError, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(DataError, impossible)
    app.add_exception_handler(psycopg.DataError, impossible)
    app.add_exception_handler(UnicodeEncodeError, impossible)
    app.add_exception_handler(HTTPException, framework)
    app.add_exception_handler(Exception, broken)


def wants_json(request: Request) -> bool:
    return request.url.path.startswith("/api/") and not request.url.path.startswith("/api/docs")


def refused(request: Request, wrong: Exception) -> Response:
    assert isinstance(wrong, DeskError)
    if isinstance(wrong, NotSignedIn) and not wants_json(request) and request.method in {"GET", "HEAD"}:
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return see_other("/sign-in?" + urlencode({"next": asked}))
    if isinstance(wrong, SecondFactorNeeded) and not wants_json(request) and request.method in {"GET", "HEAD"}:
        return see_other("/account/second-factor")
    answer = problem(wrong) if wants_json(request) else _page(request, wrong.status, wrong.message)
    if isinstance(wrong, NotSignedIn) and wants_json(request):
        answer.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(wrong, TooMany):
        answer.headers["Retry-After"] = str(wrong.retry_after)
        answer.headers["RateLimit"] = f'"tries";r=0;t={wrong.retry_after}'
    if isinstance(wrong, Unavailable):
        answer.headers["Retry-After"] = "5"
    return answer


def impossible(request: Request, wrong: Exception) -> Response:
    """A number beyond 64 bits, a NUL or half a character in a text: what no row can hold."""
    assert isinstance(wrong, DataError | psycopg.DataError | UnicodeEncodeError)
    return refused(request, Invalid("A number or a text in this request is nothing the desk can hold."))


def invalid(request: Request, wrong: Exception) -> Response:
    assert isinstance(wrong, RequestValidationError)
    errors = [{"where": ".".join(map(str, e["loc"])), "what": e["msg"]} for e in wrong.errors()]
    detail = "; ".join(f"{e['where']}: {e['what']}" for e in errors)
    if not wants_json(request):
        return _page(request, 422, "Something in the form is missing or not right. " + detail)
    return Problem(422, "invalid", "Something in the request is not right.", detail, errors=errors)


def framework(request: Request, wrong: Exception) -> Response:
    assert isinstance(wrong, HTTPException)
    if isinstance(wrong.__cause__, OSError) and wrong.__cause__.errno in FULL:
        return refused(request, no_room(wrong.__cause__))
    if wrong.status_code == 404:
        return refused(request, NotFound("There is no such page here."))
    detail = {405: f"{request.method} is not something this address answers to."}.get(wrong.status_code, str(wrong.detail))
    headers: dict[str, Any] = dict(wrong.headers or {})
    if wants_json(request):
        slug = _SLUGS.get(wrong.status_code, "http")
        answer: Response = Problem(wrong.status_code, slug, detail, detail)
    else:
        answer = _page(request, wrong.status_code, detail)
    answer.headers.update(headers)
    return answer


def broken(request: Request, wrong: Exception) -> Response:
    place = getattr(request.scope.get("route"), "path", "")  # a path itself may hold the token of a one-time link
    log.error("a request failed", extra={"path": place, "method": request.method}, exc_info=wrong)
    detail = f"Something broke on our side; it has been logged as {request_id.get() or 'an error'}. Nothing was changed."
    return Problem(500, "broken", "Something broke.", detail) if wants_json(request) else _page(request, 500, detail)


def _page(request: Request, status: int, message: str) -> Response:
    return page(request, "failure.html", status=status, message=message)
