"""How answers are written."""

from typing import Any

from fastapi import Response
from pydantic_core import to_json

from app.core.errors import DeskError
from app.core.log import request_id


class Json(Response):
    """JSON, written by the serializer that pydantic already brings."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return to_json(content)


class ShownOnce(Json):
    """JSON with a secret in it, which nothing keeps: whoever repeats the request is told so and hears it no second time."""

    def __init__(self, content: Any, status_code: int = 200) -> None:
        super().__init__(content, status_code, headers={"Cache-Control": "no-store"})


class Told(Response):
    """JSON that PostgreSQL wrote."""

    media_type = "application/json"

    def render(self, content: str | bytes) -> bytes:
        return content.encode() if isinstance(content, str) else content


class Problem(Response):
    """What went wrong, as RFC 9457 has it. `type` is stable: programs may rely on it; `request_id` is what the log calls this."""

    media_type = "application/problem+json"

    def __init__(self, status: int, slug: str, title: str, detail: str, **more: Any) -> None:
        body = {"type": f"urn:atum-desk:problem:{slug}", "title": title, "status": status, "detail": detail, **more}
        if rid := request_id.get():
            body["request_id"] = rid
        super().__init__(to_json(body), status_code=status)


def problem(wrong: DeskError, **more: Any) -> Problem:
    """The problem document of a refusal."""
    title = (type(wrong).__doc__ or "Refused.").strip().splitlines()[0]
    return Problem(wrong.status, wrong.slug, title, wrong.message, **wrong.more, **more)
