"""Which programs elsewhere are told of what happens: added, changed, switched off and on, removed."""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select, update

from app import config
from app.accounts.models import Person
from app.audit import actions as audit
from app.audit.models import Event, Head
from app.config import Settings
from app.core import cursors
from app.core.errors import Conflict, Invalid, NotFound
from app.core.sealing import Sealer
from app.core.signing import Signer
from app.db.session import Session
from app.outbox import rules
from app.outbox.models import Delivery, DeliveryState, Topic, Webhook

SEALED_FOR = "webhook"
MOST = 50
By = tuple[int, str] | None


def add(
    s: Session, settings: Settings, url: str, topics: Sequence[Topic], *, own_network: bool = False, by: By = None, now: datetime
) -> tuple[Webhook, str]:
    """Tell this address from now on, and the secret that the desk will sign by: it is told here and nowhere else.

    Raises Invalid and Conflict.
    """
    if (s.scalar(select(func.count()).select_from(Webhook)) or 0) >= MOST:
        raise Conflict(f"There are {MOST} webhooks. Remove those that nobody needs.")
    secret = _new_secret()
    made = Webhook(
        url=_checked(url, own_network=own_network),
        secret=_sealer(settings).seal(SEALED_FOR, secret),
        topics=_named(topics),
        own_network=own_network,
        after_seq=_end(s),
        created_at=now,
        created_by_id=by[0] if by else None,
    )
    s.add(made)
    s.flush()
    record(s, made, "added", by, now, events=made.topics, own_network=own_network)
    return made, secret


def change(
    s: Session,
    webhook: Webhook,
    *,
    url: str | None = None,
    topics: Sequence[Topic] | None = None,
    active: bool | None = None,
    by: By = None,
    now: datetime,
) -> None:
    """Another address, other topics; or switch it off, or on. Switched on, it is asked at once and told what happens from then
    on. An address that is changed from afar is on the open net again. Raises Invalid.
    """
    if url is not None and url != webhook.url:
        webhook.url, webhook.own_network, webhook.next_try_at = _checked(url, own_network=False), False, None
        record(s, webhook, "moved", by, now)
    if topics is not None and (named := _named(topics)) != webhook.topics:
        webhook.topics = named
        record(s, webhook, "changed", by, now, events=named)
    if active is False and webhook.off_at is None:
        switch_off(s, webhook, "somebody switched the webhook off", now=now)
        webhook.failing_since, webhook.failures, webhook.problem = None, 0, None
        record(s, webhook, "switched off", by, now)
    if active is True:
        if webhook.off_at is not None:
            webhook.after_seq = _end(s)
        if webhook.off_at is not None or webhook.failing_since is not None:
            record(s, webhook, "switched on", by, now)
        webhook.off_at = webhook.failing_since = webhook.problem = webhook.next_try_at = None
        webhook.failures = 0
        s.execute(update(Delivery).where(*_waiting(webhook)).values(next_at=now))
    webhook.revision += 1


def rotate(s: Session, settings: Settings, webhook: Webhook, *, by: By = None, now: datetime) -> str:
    """Another secret, told here and nowhere else. For a day the desk signs by the one before too."""
    secret = _new_secret()
    webhook.old_secret, webhook.secret = webhook.secret, _sealer(settings).seal(SEALED_FOR, secret)
    webhook.rotated_at = now
    webhook.revision += 1
    record(s, webhook, "secret changed", by, now)
    return secret


def remove(s: Session, webhook: Webhook, *, by: By = None, now: datetime) -> None:
    """Tell it nothing any more; what it was told is forgotten, but for deadlines."""
    record(s, webhook, "removed", by, now)
    switch_off(s, webhook, "the webhook was removed", now=now)
    s.execute(delete(Delivery).where(Delivery.webhook_id == webhook.id, Delivery.topic != Topic.TICKET_DEADLINE))
    s.delete(webhook)


def switch_off(s: Session, webhook: Webhook, why: str, *, now: datetime) -> None:
    """What waits is given up."""
    webhook.off_at, webhook.next_try_at = now, None
    ended = {"state": DeliveryState.GIVEN_UP, "next_at": None, "ended_at": now, "problem": why}
    s.execute(update(Delivery).where(*_waiting(webhook)).values(ended))


def held(s: Session, id: int) -> Webhook:
    """The webhook of this number, locked. Raises NotFound."""
    found = s.get(Webhook, id, with_for_update=True)
    if found is None:
        raise NotFound(f"There is no webhook {id} here.")
    return found


def named(s: Session, id: int) -> Webhook | None:
    """The webhook of this number, if there is one, as it is now and until the transaction ends."""
    return s.get(Webhook, id, with_for_update={"read": True}, populate_existing=True)


def signing(settings: Settings, webhook: Webhook, now: datetime) -> list[str]:
    """The secrets to sign by now. Raises Broken."""
    sealer = _sealer(settings)
    old = webhook.old_secret if webhook.rotated_at and now - webhook.rotated_at < rules.OLD_SECRET_FOR else None
    return [sealer.open(SEALED_FOR, sealed) for sealed in (webhook.secret, old) if sealed]


def listed(c: Connection, *, limit: int, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
    """The webhooks as they were added, and the cursor of the next ones."""
    [last] = cursors.place(cursor, int) if cursor else [0]
    rows = c.execute(_select().where(Webhook.id > last).order_by(Webhook.id).limit(limit + 1)).all()
    following = cursors.cursor(rows[limit - 1].id) if len(rows) > limit else None
    return [_told(row) for row in rows[:limit]], following


def shown(c: Connection, id: int) -> dict[str, Any]:
    """One of them, without its secret. Raises NotFound."""
    row = c.execute(_select().where(Webhook.id == id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no webhook {id} here.")
    return _told(row)


def deliveries(c: Connection, id: int, *, limit: int, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
    """What a webhook was told, the last first, and the cursor of those before. Raises NotFound."""
    shown(c, id)
    [before] = cursors.place(cursor, int) if cursor else [2**63 - 1]
    query = _deliveries().where(Delivery.webhook_id == id, Delivery.id < before).order_by(Delivery.id.desc())
    rows = c.execute(query.limit(limit + 1)).mappings().all()
    following = cursors.cursor(rows[limit - 1]["id"]) if len(rows) > limit else None
    return [dict(row) for row in rows[:limit]], following


def delivery(c: Connection, id: int) -> dict[str, Any]:
    """One of them, that there is."""
    return dict(c.execute(_deliveries().where(Delivery.id == id)).mappings().one())


def _deliveries() -> Select[*tuple[Any, ...]]:
    named = {"topic": "type"}
    hidden = {"webhook_id", "body"}
    columns = (column for column in Delivery.__table__.c if column.name not in hidden)
    return select(*(column.label(named.get(column.name, column.name)) for column in columns))


def _select() -> Select[*tuple[Any, ...]]:
    waiting = select(func.count()).where(Delivery.webhook_id == Webhook.id, Delivery.next_at.is_not(None)).scalar_subquery()
    hidden = {"secret", "old_secret"}
    own = (column for column in Webhook.__table__.c if column.name not in hidden)
    query = select(*own, waiting.label("waiting"), Person.name.label("maker"))
    return query.outerjoin(Person, Person.id == Webhook.created_by_id)


def _told(row: Any) -> dict[str, Any]:
    same = ("id", "url", "own_network", "problem", "failing_since", "next_try_at", "last_ok_at", "waiting")
    failing = row.failing_since is not None
    state = ("disabled" if failing else "off") if row.off_at else "failing" if failing else "ok"
    maker = {"id": row.created_by_id, "name": row.maker} if row.created_by_id else None
    told = {name: getattr(row, name) for name in (*same, "created_at", "revision")}
    return told | {"events": row.topics, "active": row.off_at is None, "state": state, "created_by": maker}


def _waiting(webhook: Webhook) -> tuple[Any, ...]:
    return (Delivery.webhook_id == webhook.id, Delivery.next_at.is_not(None))


def _checked(url: str, *, own_network: bool) -> str:
    try:
        rules.webhook_port(url, own_network=own_network)
    except ValueError as wrong:
        raise Invalid(f"{str(wrong)[0].upper()}{str(wrong)[1:]}.") from None
    return url


def _named(topics: Sequence[Topic]) -> list[str]:
    if not topics:
        raise Invalid(f"Say which events: {', '.join(Topic)}.")
    return sorted({topic.value for topic in topics})


def _new_secret() -> str:
    return rules.SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def _sealer(settings: Settings) -> Sealer:
    return Sealer(Signer(config.secret_key(settings)))


def _end(s: Session) -> int:
    return s.execute(select(Head.seq)).scalar_one()


def record(s: Session, webhook: Webhook, what: str, by: By, now: datetime, **more: Any) -> None:
    """Write down what was done to a webhook. Of its address only the host: the rest may be as good as a password."""
    host = rules.host_of(webhook.url)
    audit.record(s, Event.WEBHOOK_CHANGED, now=now, by=by, what=what, webhook=webhook.id, host=host, **more)
