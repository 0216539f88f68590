"""Webhooks, for programs: whom the desk tells of what happens."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from app.db.session import Session
from app.outbox import telling, webhooks
from app.outbox.models import Webhook
from app.web.answers import Json, ShownOnce
from app.web.door import Admin, AdminAsker, House, Match, Now, Reader, Route, Tx
from app.web.shapes import answers
from app.web.shapes import webhooks as shapes
from app.web.shapes.people import Cursor, Key
from app.web.stale import etag

router = APIRouter(prefix="/api/v1/webhooks", tags=["desk"], route_class=Route)
Limit = Annotated[int, Query(ge=1, le=100)]


@router.get("", responses=answers(shapes.Webhooks))
def listed(me: AdminAsker, c: Reader, limit: Limit = 50, cursor: Cursor | None = None) -> Json:
    """The webhooks and how each of them is, as they were added."""
    items, following = webhooks.listed(c, limit=limit, cursor=cursor)
    return Json({"items": items, "next": following})


@router.post("", status_code=201, responses=answers(shapes.MadeWebhook, 409, status=201))
def add(me: Admin, s: Tx, now: Now, house: House, body: shapes.NewWebhook) -> Json:
    """Tell one more address of what happens from now on. The secret that the desk signs by is shown this once."""
    made, secret = webhooks.add(s, house.settings, body.url, body.events, by=(me.id, me.name), now=now)
    return _told(s, made, secret=secret, status=201)


@router.get("/{id}", responses=answers(shapes.Webhook, 404))
def show(id: Key, me: AdminAsker, c: Reader) -> Json:
    """One webhook."""
    told = webhooks.shown(c, id)
    return Json(told, headers={"ETag": etag(told["revision"])})


@router.patch("/{id}", responses=answers(shapes.Webhook, 404, 412))
def change(id: Key, me: Admin, s: Tx, now: Now, match: Match, body: shapes.WebhookChange) -> Json:
    """Change a webhook's address or events, switch it off, or on again after it failed."""
    webhook = _held(s, id, match)
    webhooks.change(s, webhook, url=body.url, topics=body.events, active=body.active, by=(me.id, me.name), now=now)
    return _told(s, webhook)


@router.delete("/{id}", status_code=204, responses=answers(None, 404, 412, status=204))
def remove(id: Key, me: Admin, s: Tx, now: Now, match: Match) -> Response:
    """Tell a webhook nothing any more. What it was told is forgotten, but for deadlines, which people are told of instead."""
    webhooks.remove(s, _held(s, id, match), by=(me.id, me.name), now=now)
    return Response(status_code=204)


@router.post("/{id}/secret", responses=answers(shapes.MadeWebhook, 404, 412))
def rotate(id: Key, me: Admin, s: Tx, now: Now, house: House, match: Match) -> Json:
    """Make another secret, which is shown this once. For a day the desk signs by the one before as well."""
    webhook = _held(s, id, match)
    secret = webhooks.rotate(s, house.settings, webhook, by=(me.id, me.name), now=now)
    return _told(s, webhook, secret=secret)


@router.post("/{id}/test", status_code=202, responses=answers(shapes.Delivery, 404, 409, status=202))
def test(id: Key, me: Admin, s: Tx, now: Now) -> Json:
    """Tell a webhook that this is a test (`webhook.test`), within seconds. What came of it is among its deliveries."""
    made = telling.try_out(s, webhooks.held(s, id), by=(me.id, me.name), now=now)
    return Json(webhooks.delivery(s.connection(), made.id), status_code=202)


@router.get("/{id}/deliveries", responses=answers(shapes.Deliveries, 404))
def deliveries(id: Key, me: AdminAsker, c: Reader, limit: Limit = 50, cursor: Cursor | None = None) -> Json:
    """What a webhook was told in the last two weeks and what came of it, the last first."""
    items, following = webhooks.deliveries(c, id, limit=limit, cursor=cursor)
    return Json({"items": items, "next": following})


def _held(s: Session, id: int, match: Match) -> Webhook:
    found = webhooks.held(s, id)
    match.check(found.revision)
    return found


def _told(s: Session, webhook: Webhook, *, secret: str | None = None, status: int = 200) -> Json:
    s.flush()
    told: dict[str, Any] = webhooks.shown(s.connection(), webhook.id)
    answer = ShownOnce(told | {"secret": secret}, status) if secret else Json(told)
    answer.headers["ETag"] = etag(webhook.revision)
    if status == 201:
        answer.headers["Location"] = f"/api/v1/webhooks/{webhook.id}"
    return answer
