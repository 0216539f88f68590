"""What programs send and are sent: the root of all shapes, and how a route says what it answers.

Shapes of requests refuse fields they don't know. Shapes of answers are for the API's description alone: the answers themselves
are written by the routes, or by PostgreSQL, and tests hold them to these shapes.
"""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.core.text import is_address


class Shape(BaseModel):
    """What a program sends."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Answer(BaseModel):
    """What a program is answered."""

    model_config = ConfigDict(extra="forbid")


def example(**values: Any) -> ConfigDict:
    """The configuration of a shape with one example, which the documentation shows and a test sends."""
    return ConfigDict(json_schema_extra={"examples": [values]})


def _address(raw: str) -> str:
    if not is_address(raw):
        raise ValueError("that is not an e-mail address; write it like name@example.com")
    return raw


Address = Annotated[str, AfterValidator(_address)]


class Named(Answer):
    """Something by its number and name."""

    id: int
    name: str


class Brief(Answer):
    """A person in a few words."""

    id: int
    name: str
    email: str


class ProblemDocument(BaseModel):
    """What went wrong (RFC 9457). `type` is stable."""

    model_config = ConfigDict(extra="allow")
    type: str = Field(examples=["urn:atum-desk:problem:not-found"])
    title: str
    status: int
    detail: str
    request_id: str | None = Field(None, description="What the log calls this request, and the header X-Request-Id.")


class TimelineEntry(Answer):
    """One event of the audit."""

    seq: int
    at: datetime
    kind: str
    actor: str
    data: dict[str, Any]


EVERYWHERE = (401, 403, 422, 429, 500, 503)
_WORDS = {
    400: "The request is not HTTP as it should be",
    401: "Not signed in",
    403: "Not allowed",
    404: "There is no such thing here, or it is not yours to see",
    409: "The present state does not allow it",
    412: "Somebody changed it since you read it (If-Match)",
    413: "Too large",
    422: "Something in the request is not right",
    429: "Too many requests; see Retry-After",
    500: "Something broke on our side; it was logged and nothing was changed",
    503: "The desk can't do this right now; see Retry-After",
}


def answers(model: Any = None, *refusals: int, status: int = 200, media: str | None = None) -> dict[int | str, dict[str, Any]]:
    """What a route answers, for its description: `model` with `status`, and problem documents with these statuses.

    `model` None is an answer without a body; `media` is the type of one that isn't JSON.
    """
    told: dict[int | str, dict[str, Any]] = {status: {"description": "Done"}}
    if media:
        told[status]["content"] = {media: {}}
    elif model is not None:
        told[status]["model"] = model
    for refusal in (*EVERYWHERE, *refusals):
        schema = {"$ref": "#/components/schemas/ProblemDocument"}
        told[refusal] = {"description": _WORDS[refusal], "content": {"application/problem+json": {"schema": schema}}}
    return told
