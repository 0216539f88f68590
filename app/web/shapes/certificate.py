"""The certificate, as programs read of it."""

from datetime import datetime

from app.web.shapes import Answer


class Certificate(Answer):
    """What visitors are shown. `trusted`: this system's authorities vouch for it. `problem` needs somebody, `hint` some day.

    The rest is of the authority that is asked where `mode` is `acme`: when last, how often in vain since it gave one, what it
    said, and when it is asked again.
    """

    mode: str
    origin: str
    names: list[str]
    issuer: str | None
    serial: str | None
    not_before: datetime | None
    not_after: datetime | None
    trusted: bool
    problem: str | None
    hint: str | None
    authority: str | None
    tried_at: datetime | None
    failures: int
    said: str | None
    next_at: datetime | None


class Asked(Answer):
    """What happens now."""

    words: str
