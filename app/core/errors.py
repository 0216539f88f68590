"""Everything that can be refused: one root, the docstring is the default message, the status sits on the class."""

from collections.abc import Mapping
from typing import Any


class DeskError(Exception):
    """The desk refused."""

    status = 400
    slug = "refused"
    more: Mapping[str, Any] = {}  # what a program is told beside the message
    kept = False  # whether what was written before the refusal stays: a wrong code counts, a stolen token ends its session

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())

    @property
    def message(self) -> str:
        return str(self.args[0])


class NotFound(DeskError):
    """There is no such thing here, or it is not yours to see."""

    status = 404
    slug = "not-found"


class NotSignedIn(DeskError):
    """Sign in first: this needs a session or a token."""

    status = 401
    slug = "not-signed-in"


class Forbidden(DeskError):
    """Your role may not do this."""

    status = 403
    slug = "forbidden"


class Conflict(DeskError):
    """Somebody else was faster, or the present state does not allow it."""

    status = 409
    slug = "conflict"


class Stale(DeskError):
    """Somebody changed this since you read it. Look at what changed, then try again."""

    status = 412
    slug = "stale"


class Invalid(DeskError):
    """Something in the request is not right."""

    status = 422
    slug = "invalid"


class TooMany(DeskError):
    """Too many tries: wait a little."""

    status = 429
    slug = "too-many"

    def __init__(self, message: str | None = None, *, retry_after: int = 60) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(DeskError):
    """The desk can't do this right now; nothing was changed. Try again shortly."""

    status = 503
    slug = "unavailable"
