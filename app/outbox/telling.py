"""From the audit's chain to what each webhook is told.

An event's row is written in the transaction of what happened, and the chain has no gaps: whoever follows it by number misses
nothing and tells nothing twice. So nothing is done for webhooks where tickets are changed, and a desk without any pays nothing.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select

from app.audit.models import Entry, Event, Head
from app.core.errors import Conflict
from app.db.session import Session
from app.outbox import webhooks
from app.outbox.models import Delivery, Topic, Webhook

AT_ONCE = 500  # events that are turned into deliveries by one transaction
KEPT = timedelta(days=14)  # how long a delivery can be looked up after its end
TEST = "webhook.test"

Body = dict[str, Any]


def _ticket(entry: Entry, url: str) -> Body:
    return _place(entry.ticket, url)


def _place(ticket: int | None, url: str) -> Body:
    there = {"url": f"{url}/tickets/{ticket}", "api_url": f"{url}/api/v1/tickets/{ticket}"}
    return {"ticket": {"number": ticket, **there}}


def _answer(entry: Entry, url: str) -> Body:
    return _ticket(entry, url) | {"message": {"id": entry.data.get("message")}}


def _status(entry: Entry, url: str) -> Body:
    before, after = {
        Event.TICKET_ACCEPTED: ("new", "accepted"),
        Event.TICKET_REOPENED: (entry.data.get("before"), "in_progress"),
    }.get(entry.kind, (entry.data.get("before"), entry.data.get("after")))
    return _ticket(entry, url) | {"status": {"before": before, "after": after}}


def _warning(entry: Entry, url: str) -> Body:  # noqa: ARG001 (called like the others)
    return {"warning": {name: entry.data.get(name) for name in ("name", "about", "words")}}


_TOLD: Mapping[Event, tuple[Topic, Callable[[Entry, str], Body]]] = {
    Event.TICKET_OPENED: (Topic.TICKET_CREATED, _ticket),
    Event.TICKET_REPLIED: (Topic.TICKET_ANSWERED, _answer),
    Event.TICKET_STATUS_CHANGED: (Topic.TICKET_STATUS_CHANGED, _status),
    Event.TICKET_ACCEPTED: (Topic.TICKET_STATUS_CHANGED, _status),
    Event.TICKET_REOPENED: (Topic.TICKET_STATUS_CHANGED, _status),
    Event.DESK_WARNED: (Topic.DESK_WARNING, _warning),
    Event.DESK_WARNING_CLEARED: (Topic.DESK_WARNING_CLEARED, _warning),
}


def follow(s: Session, url: str, *, now: datetime) -> int:
    """Turn what happened into deliveries, for every webhook that is on; the number of webhooks. `url` is the desk's own.

    A webhook that somebody else is following or changing at this moment is left to the next time.
    """
    on = select(Webhook).where(Webhook.off_at.is_(None)).order_by(Webhook.id).with_for_update(skip_locked=True)
    webhooks = s.scalars(on).all()
    if webhooks:
        end = s.execute(select(Head.seq)).scalar_one()
        for webhook in webhooks:
            if webhook.after_seq < end:
                _follow(s, webhook, end, url, now)
    return len(webhooks)


def _follow(s: Session, webhook: Webhook, end: int, url: str, now: datetime) -> None:
    kinds = [event for event, (topic, _) in _TOLD.items() if topic in webhook.topics]
    here = (Entry.seq > webhook.after_seq, Entry.seq <= end, Entry.kind.in_(kinds))
    entries = s.scalars(select(Entry).where(*here).order_by(Entry.seq).limit(AT_ONCE)).all()
    for entry in entries:
        topic, told = _TOLD[entry.kind]
        event_id = f"evt_{entry.hash.hex()[:32]}"
        s.add(_delivery(webhook, event_id, topic, entry.at, told(entry, url), now))
    webhook.after_seq = entries[-1].seq if len(entries) == AT_ONCE else end


def try_out(s: Session, webhook: Webhook, *, by: webhooks.By = None, now: datetime) -> Delivery:
    """Tell it at once that this is a test. Raises Conflict where it is switched off."""
    if webhook.off_at is not None:
        raise Conflict("This webhook is switched off. Switch it on first.")
    webhook.next_try_at = None
    made = _delivery(webhook, f"evt_{secrets.token_hex(16)}", TEST, now, {}, now)
    s.add(made)
    s.flush()
    webhooks.record(s, webhook, "tested", by, now)
    return made


def of_deadline(s: Session, webhook: Webhook, key: str, ticket: int, deadline: Body, url: str, *, now: datetime) -> Delivery:
    """Tell a webhook of a deadline. The same `key` is the same event."""
    event_id = f"evt_{hashlib.sha256(key.encode()).hexdigest()[:32]}"
    made = _delivery(webhook, event_id, Topic.TICKET_DEADLINE, now, _place(ticket, url) | {"deadline": deadline}, now)
    s.add(made)
    s.flush()
    return made


def tidy(s: Session, *, now: datetime) -> None:
    """Forget what ended long ago, but for what was told of deadlines, which is evidence."""
    s.execute(delete(Delivery).where(Delivery.ended_at < now - KEPT, Delivery.topic != Topic.TICKET_DEADLINE))


def _delivery(webhook: Webhook, event_id: str, topic: str, at: datetime, told: Body, now: datetime) -> Delivery:
    body = json.dumps({"id": event_id, "type": topic, "at": at.isoformat(), **told}, ensure_ascii=False)
    return Delivery(webhook_id=webhook.id, event_id=event_id, topic=topic, body=body, created_at=now, next_at=now)
