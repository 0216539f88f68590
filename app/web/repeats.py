"""Idempotency-Key: the same request sent twice acts once, and is answered the same (draft-ietf-httpapi-idempotency-key-header).

The answer is kept in the transaction that it is the answer of, so there is never one without the other. A refusal changes
nothing and is not kept: the request can be tried again.
"""

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import Response
from pydantic import BaseModel
from sqlalchemy import delete
from starlette.datastructures import UploadFile  # a list of files holds these, and not FastAPI's own kind of them

from app.core.errors import Conflict, Invalid
from app.db import locks
from app.ops.keeping import ANSWERS
from app.web.answers import ShownOnce, problem
from app.web.models import Repeat

if TYPE_CHECKING:
    from app.web.door import Call

HEADERS = ("location", "etag")
ACCOUNT = "account"  # the area of what everybody does with their own account


class KeyReused(Invalid):
    """This Idempotency-Key came with another request before. Use a new key for each thing you want done."""

    slug = "idempotency-key-reused"


class AnsweredOnce(Conflict):
    """This was done before, and its answer held a secret, which is shown once. If it was lost, make another."""

    slug = "shown-once"


@dataclass
class Before:
    """What is known of a request: its kept `answer`, if it was here before."""

    call: "Call"
    key: str | None = None
    fingerprint: bytes = b""
    answer: Response | None = None

    def keep(self, answer: Any) -> Any:
        """Remember this answer, where the request has a key."""
        if self.key is not None and isinstance(answer, Response):
            kept = problem(AnsweredOnce()) if isinstance(answer, ShownOnce) else answer
            headers = {name: kept.headers[name] for name in HEADERS if name in kept.headers}
            if kept.media_type:
                headers["content-type"] = kept.media_type
            row = Repeat(person_id=self.call.asker.id, key=self.key, fingerprint=self.fingerprint, status=kept.status_code)
            row.headers, row.body, row.answered_at = headers, bytes(kept.body), self.call.now
            self.call.s.add(row)
        return answer


def before(call: "Call", given: Mapping[str, Any]) -> Before:
    """What is known of a request before it is acted on; a second one with the same key waits here until the first is done."""
    key = call.request.headers.get("idempotency-key")
    if key is None or not call.writes or not call.request.url.path.startswith("/api/"):
        return Before(call)
    if not 1 <= len(key) <= 255 or not key.isprintable():
        raise Invalid("An Idempotency-Key has 1 to 255 printable characters.")
    known = Before(call, key, _fingerprint(call, given))
    locks.take_in_transaction(call.s, f"idempotency:{call.asker.id}:{key}")
    found = call.s.get(Repeat, (call.asker.id, key))
    if found is None:
        return known
    if found.answered_at < call.now - ANSWERS:
        call.s.expunge(found)
        call.s.execute(delete(Repeat).where(Repeat.person_id == call.asker.id, Repeat.answered_at < call.now - ANSWERS))
        return known
    if found.fingerprint != known.fingerprint:
        raise KeyReused
    known.answer = Response(found.body, found.status, {**found.headers, "Idempotency-Replayed": "true"})
    return known


def _fingerprint(call: "Call", given: Mapping[str, Any]) -> bytes:
    key = call.desk.signer.derived("idempotency")  # what was sent may be a password, and a plain hash of one is soon undone
    digest = hmac.new(key, digestmod=hashlib.sha256)
    digest.update(f"{call.request.method} {call.request.url.path}?{call.request.url.query}".encode())
    for name in sorted(given):
        digest.update(b"\0" + name.encode() + b"\0")
        for piece in _pieces(given[name]):
            digest.update(piece)
    return digest.digest()


def _pieces(value: Any) -> Iterator[bytes]:
    if isinstance(value, BaseModel):
        yield value.model_dump_json().encode()
    elif isinstance(value, UploadFile):
        yield (value.filename or "").encode() + hashlib.sha256(value.file.read()).digest()
        value.file.seek(0)
    elif isinstance(value, list):
        for each in value:
            yield from _pieces(each)
    else:
        yield repr(value).encode("utf-8", "surrogatepass")
