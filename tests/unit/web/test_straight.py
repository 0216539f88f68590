"""The short way to a route gives it exactly what FastAPI would, and leaves every mistake to FastAPI."""

import asyncio
import json
from datetime import date
from typing import Annotated, Any
from urllib.parse import urlencode

import pytest
from fastapi import FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import Field

from app.tickets.rules import Status
from app.web import straight
from app.web.shapes import Address, Shape


class Question(Shape):
    subject: str = Field(min_length=1, max_length=20)
    requester: Address | None = None
    tags: list[str] = Field(default_factory=list)
    due: date | None = None
    weight: float = 1


class Straight(APIRoute):
    def get_route_handler(self) -> straight.Handler:
        return straight.handler(self, super().get_route_handler())


def desk(route: type[APIRoute]) -> FastAPI:
    app = FastAPI()
    app.add_exception_handler(RequestValidationError, refused)
    app.router.route_class = route

    @app.get("/{number}")
    async def show(
        number: int,
        q: str = "",
        status: Annotated[list[Status] | None, Query(max_length=2)] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
        word: Annotated[str | None, Query(alias="w")] = None,
    ) -> Response:
        return told(number, q, status, limit, word)

    @app.post("/{number}")
    async def ask(number: int, request: Request, question: Question, sort: str = "-updated") -> Response:
        return told(number, request.method, question, sort)

    @app.put("/{number}")
    async def maybe(number: int, question: Question | None = None) -> Response:
        return told(number, question)

    @app.get("/by/header")
    async def header(x_word: Annotated[str, Header()]) -> Response:
        return told(x_word)

    return app


async def refused(request: Request, wrong: Any) -> Response:
    return Response(repr([(each["type"], each["loc"]) for each in wrong.errors()]), 422)


def told(*values: Any) -> Response:
    return Response(repr(values))


LONG, SHORT = desk(APIRoute), desk(Straight)


async def call(app: FastAPI, method: str, path: str, body: bytes = b"", kind: str | None = "application/json") -> tuple[int, str]:
    headers = [(b"content-type", kind.encode("latin-1"))] if kind is not None else []
    path, _, query = path.partition("?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http", "path": path,
        "raw_path": path.encode(), "query_string": query.encode(), "root_path": "", "headers": headers, "client": ("::1", 1),
        "server": ("localhost", 80),
    }  # fmt: skip
    coming: list[dict[str, Any]] = [
        {"type": "http.request", "body": body[:3], "more_body": True},
        {"type": "http.request", "body": body[3:]},
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return coming.pop(0) if coming else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]).decode()


def both(*request: Any) -> tuple[int, str]:
    long, short = (asyncio.run(call(app, *request)) for app in (LONG, SHORT))
    assert short == long
    return short


NAMES = st.sampled_from(["q", "status", "limit", "w", "word", "other"])
VALUES = st.sampled_from(["", "new", "closed", "7", "0", "101", "1.5", "true", "ü\x00", "None"]) | st.text(max_size=4)


@given(st.sampled_from(["1", "-1", "x", "1.0", "9" * 30]), st.lists(st.tuples(NAMES, VALUES), max_size=5))
@example("1", [])
@example("1", [("status", "new"), ("status", "closed")])
@example("1", [("limit", "7"), ("limit", "8")])
def test_a_url_means_the_same(number: str, words: list[tuple[str, str]]) -> None:
    both("GET", f"/{number}?{urlencode(words, errors='replace')}")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.just("2026-11-24"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
QUESTIONS = st.fixed_dictionaries(
    {"subject": st.text(max_size=22)},
    optional={
        "requester": st.sampled_from(["kim@example.org", " kim@example.org ", "kim", None, 7]),
        "tags": st.lists(st.text(max_size=3), max_size=3) | ANYTHING,
        "due": st.sampled_from(["2026-11-24", "2026-13-24", 0]),
        "weight": st.floats() | st.integers(),
        "other": ANYTHING,
    },
)


@given(QUESTIONS | ANYTHING, st.sampled_from(["POST", "PUT"]), st.booleans())
def test_a_body_means_the_same(said: Any, method: str, escaped: bool) -> None:
    both(method, "/1", json.dumps(said, ensure_ascii=escaped).encode("utf-8", "surrogatepass"))


BROKEN = (
    b"", b"{", b"null", b'{"subject":"a"} b', b'{"subject":"\xff"}', b"[" * 2000, '{"subject":"a"}'.encode("utf-16"),
    b'{"subject":"a","subject":"b"}', b'{"subject":"\\ud800"}', b'{"subject":NaN}', b'{"subject":"a","weight":1e999}',
)  # fmt: skip


@pytest.mark.parametrize("body", BROKEN)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_an_odd_body_is_read_or_refused_alike(method: str, body: bytes) -> None:
    both(method, "/1", body)


@pytest.mark.parametrize(
    "kind", [None, "", "text/plain", "application/json; charset=utf-8", "application/problem+json", "APPLICATION/JSON"]
)
def test_a_body_of_another_kind_is_read_or_refused_alike(kind: str | None) -> None:
    both("POST", "/1", b'{"subject":"It smokes"}', kind)


def test_what_is_right_goes_straight_and_the_rest_does_not() -> None:
    status, answer = both("POST", "/7?sort=number", b'{"subject":" It smokes "}')
    assert (status, answer) == (
        200,
        "(7, 'POST', Question(subject='It smokes', requester=None, tags=[], due=None, weight=1), 'number')",
    )
    assert both("POST", "/7", b'{"subject":""}')[0] == 422
    assert both("GET", "/by/header")[0] == 422
    ways = {
        (route.path, *(route.methods or ())): route.get_route_handler().__name__
        for route in SHORT.routes
        if isinstance(route, Straight)
    }
    assert ways == {("/{number}", "GET"): "straight", ("/{number}", "POST"): "straight", ("/{number}", "PUT"): "straight",
        ("/by/header", "GET"): "app"}  # fmt: skip


def test_whoever_hangs_up_in_the_middle_is_not_answered_by_an_error_of_ours() -> None:
    async def hang_up(app: FastAPI) -> int:
        coming = [{"type": "http.request", "body": b"{", "more_body": True}]
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return coming.pop(0) if coming else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/1", "query_string": b"", "root_path": "", "scheme": "http",
            "headers": [(b"content-type", b"application/json")]}  # fmt: skip
        await app(scope, receive, send)
        return int(sent[0]["status"])

    assert asyncio.run(hang_up(SHORT)) == asyncio.run(hang_up(LONG)) == 400
