"""The sender of what webhooks are told: taken out in one transaction, left at its address outside any, written down in another.

Signed as Standard Webhooks has it. Whoever gets it twice knows it by its id.
"""

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select, update

from app.accounts import queries as accounts
from app.accounts.models import Person
from app.config import Settings
from app.core import zones
from app.core.http import Guard, Refused, is_near, is_public
from app.core.log import about
from app.core.sealing import Broken
from app.db.session import Database, Session
from app.db.session import now as time_of
from app.outbox import actions as outbox
from app.outbox import rules, webhooks
from app.outbox.actions import Draft
from app.outbox.models import Delivery, DeliveryState, Kind, Webhook

PATIENCE = 10.0  # seconds for the whole of a conversation
TAKEN_FOR = timedelta(minutes=1)  # after which whoever took it to send it has perished
_HEADERS = {"Content-Type": "application/json", "User-Agent": "ATUM-Desk"}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What came of one try: the status, if any, and what is wrong with it in words."""

    status: int | None
    problem: str | None


class Teller:
    """Tells webhooks things; any number of threads and processes may at once."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._settings = database, settings
        self._guard = Guard(ours=(rules.host_of(settings.atum_url),))

    def due(self) -> list[int]:
        """The webhooks to be told something now."""
        with self._database.transaction() as s:
            now = time_of(s)
            here = select(Delivery.id).where(Delivery.webhook_id == Webhook.id, Delivery.next_at <= now)
            return list(s.scalars(select(Webhook.id).where(*_may_be_asked(now), here.exists()).order_by(Webhook.id)))

    def tell(self, id: int) -> bool:
        """Tell a webhook the next thing; False when there is none, it is being left in peace, or it didn't take it."""
        with self._database.transaction() as s:
            now = time_of(s)
            taken = _claimed(s, id, now)
        if taken is None:
            return False
        webhook, delivery = taken
        with about(delivery=delivery.id):
            answer = self._sent(webhook, delivery, now)
            with self._database.transaction() as s:
                record(s, delivery.id, answer, ZoneInfo(self._settings.tz))
        return answer.problem is None

    def _sent(self, webhook: Webhook, delivery: Delivery, now: datetime) -> Answer:
        body, seconds = delivery.body.encode(), int(now.timestamp())
        try:
            keys = webhooks.signing(self._settings, webhook, now)
        except Broken:
            return Answer(None, "its secret was sealed with another key than this desk's; make it another one")
        headers = _HEADERS | {
            "webhook-id": delivery.event_id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": " ".join(rules.signature(key, delivery.event_id, seconds, body) for key in keys),
        }
        try:
            status = self._guarded(webhook).post(webhook.url, body, headers, patience=PATIENCE)
        except (Refused, ValueError) as refused:
            return Answer(None, str(refused))
        if 200 <= status < 300:
            return Answer(status, None)
        more = ", and redirects are not followed" if 300 <= status < 400 else ""
        return Answer(status, f"it answers {status}{more}")

    def _guarded(self, webhook: Webhook) -> Guard:
        port = rules.webhook_port(webhook.url, own_network=webhook.own_network)
        return replace(self._guard, ports=(port,), may_reach=is_near if webhook.own_network else is_public)


def record(s: Session, id: int, answer: Answer, zone: tzinfo) -> None:
    """Write down what came of a try: of what was told, and of whom. One that was removed or given up meanwhile stays so."""
    now = time_of(s)
    found = s.scalar(select(Delivery.webhook_id).where(Delivery.id == id))
    webhook = s.get(Webhook, found, with_for_update=True) if found else None
    delivery = s.get(Delivery, id, with_for_update=True) if webhook else None
    if webhook is None or delivery is None or delivery.state is not DeliveryState.WAITING:
        return
    delivery.status, delivery.problem = answer.status, answer.problem
    if answer.problem is None:
        delivery.state, delivery.next_at, delivery.ended_at = DeliveryState.DELIVERED, None, now
        _works(s, webhook, now)
        return
    until = delivery.created_at + rules.TOLD_FOR
    if now >= until:
        delivery.state, delivery.next_at, delivery.ended_at = DeliveryState.GIVEN_UP, None, now
    else:
        delivery.next_at = min(now + rules.told_again_after(delivery.attempts), until)
    _failed(s, webhook, answer.problem, now, zone)


def _may_be_asked(now: datetime) -> tuple[Any, ...]:
    return (Webhook.off_at.is_(None), or_(Webhook.next_try_at.is_(None), Webhook.next_try_at <= now))


def _claimed(s: Session, id: int, now: datetime) -> tuple[Webhook, Delivery] | None:
    """The next thing to tell it, first what waits longest. A webhook that fails has one try at a time."""
    webhook = s.scalar(select(Webhook).where(Webhook.id == id, *_may_be_asked(now)).with_for_update())
    due = select(Delivery).where(Delivery.webhook_id == id, Delivery.next_at <= now).order_by(Delivery.next_at, Delivery.id)
    delivery = s.scalar(due.limit(1).with_for_update(skip_locked=True)) if webhook else None
    if webhook is None or delivery is None:
        return None
    delivery.attempts, delivery.next_at = delivery.attempts + 1, now + TAKEN_FOR
    if webhook.next_try_at is not None:
        webhook.next_try_at = now + TAKEN_FOR
    return webhook, delivery


def _works(s: Session, webhook: Webhook, now: datetime) -> None:
    """One that was left in peace gets at once what waited meanwhile."""
    if webhook.failures >= rules.BROKEN_AFTER:
        log.info("a webhook takes what it is told again", extra=_named(webhook))
        waiting = (Delivery.webhook_id == webhook.id, Delivery.next_at.is_not(None))
        s.execute(update(Delivery).where(*waiting).values(next_at=now))
    webhook.failures, webhook.last_ok_at = 0, now
    webhook.failing_since = webhook.problem = webhook.next_try_at = None


def _failed(s: Session, webhook: Webhook, problem: str, now: datetime, zone: tzinfo) -> None:
    """Logged where it is news: when it begins to be left in peace. After five days it is switched off, and that is told."""
    webhook.failures += 1
    webhook.failing_since, webhook.problem = webhook.failing_since or now, problem
    pause = rules.left_in_peace(webhook.failures)
    webhook.next_try_at = now + pause if pause else None
    if webhook.failures == rules.BROKEN_AFTER:
        log.error("a webhook does not take what it is told; trying ever more rarely", extra=_named(webhook) | {"reason": problem})
    if webhook.off_at is None and now - webhook.failing_since >= rules.OFF_AFTER:
        webhooks.switch_off(s, webhook, "the webhook failed for five days and was switched off", now=now)
        webhooks.record(s, webhook, "switched off", None, now, reason=problem)
        log.error("a webhook failed for five days and is switched off", extra=_named(webhook) | {"reason": problem})
        outbox.put_all(s, [_switched_off(webhook, to, zone) for to in accounts.administrators(s)], now=now)


def _named(webhook: Webhook) -> dict[str, Any]:
    return {"webhook": webhook.id, "host": rules.host_of(webhook.url)}


def _switched_off(webhook: Webhook, to: Person, zone: tzinfo) -> Draft:
    assert webhook.failing_since
    host, since = rules.host_of(webhook.url), zones.named(webhook.failing_since, zones.of(to.zone, zone))
    return Draft(
        kind=Kind.NOTICE,
        dedupe_key=f"webhook:{webhook.id}:{webhook.failing_since:%Y%m%dT%H%M%S}:{to.email}",
        ticket=None,
        message_id=None,
        to_address=to.email,
        to_name=to.name,
        from_name="",
        subject=f"The webhook to {host} is switched off",
        text=(
            f"The webhook {webhook.id} to {host} has taken nothing since {since}:\n\n"
            f"  {webhook.problem}\n\n"
            "What it was to be told meanwhile is not sent any more. When its receiver works again, switch it on: "
            f'PATCH /api/v1/webhooks/{webhook.id} with {{"active": true}}, or atum webhook on {webhook.id}. You get this once.'
        ),
        in_reply_to=None,
        references=(),
        mail_id=outbox.new_mail_id(0, 0),
    )
