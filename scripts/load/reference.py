"""The reference: the same answers from the same tables, by hand-written SQL alone.

It looks up who is asking, as the desk does, and does what is asked: no permissions, no audit chain, no idempotency, no rules.
"""

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson
from fastapi import FastAPI, Request, Response

WHO = """
    SELECT p.id, p.role FROM api_token t JOIN person p ON p.id = t.person_id
    WHERE t.token_hash = $1 AND t.revoked_at IS NULL AND p.disabled_at IS NULL
"""
LIST = """
    SELECT t.number, t.subject, t.status, t.priority, t.channel, t.created_at, t.updated_at, t.tags, t.snoozed_until, t.revision,
           t.requester_id, r.name AS requester, r.email AS requester_email, t.assignee_id, a.name AS assignee,
           a.email AS assignee_email, t.organization_id, o.name AS organization, t.team_id, g.name AS team, d.due_at, d.breached
    FROM ticket t
    JOIN person r ON r.id = t.requester_id
    LEFT JOIN person a ON a.id = t.assignee_id
    LEFT JOIN organization o ON o.id = t.organization_id
    LEFT JOIN team g ON g.id = t.team_id
    LEFT JOIN LATERAL (
        SELECT min(c.due_at) AS due_at, bool_or(c.breached_at IS NOT NULL) AS breached
        FROM sla_clock c WHERE c.ticket = t.number AND c.outcome IS NULL AND c.due_at IS NOT NULL
    ) d ON true
"""
NEWEST = LIST + " WHERE t.trashed_at IS NULL AND t.merged_into IS NULL ORDER BY t.updated_at DESC, t.number DESC LIMIT 51"
FOUND = (
    LIST
    + """ JOIN ticket_text w ON w.ticket = t.number
    WHERE w.whole @@ plainto_tsquery('simple', $1) AND t.status = ANY($2) AND t.trashed_at IS NULL AND t.merged_into IS NULL
    ORDER BY t.updated_at DESC, t.number DESC LIMIT 51"""
)
ONE = """
    SELECT t.*, r.name AS requester, r.email AS requester_email, a.name AS assignee, o.name AS organization, g.name AS team
    FROM ticket t
    JOIN person r ON r.id = t.requester_id
    LEFT JOIN person a ON a.id = t.assignee_id
    LEFT JOIN organization o ON o.id = t.organization_id
    LEFT JOIN team g ON g.id = t.team_id
    WHERE t.number = $1
"""
SAID = """
    SELECT m.id, m.ticket, m.internal, m.auto, m.channel, m.text, m.html, m.created_at, m.from_staff,
           p.id AS author_id, p.name, p.email
    FROM message m JOIN person p ON p.id = m.author_id WHERE m.ticket = $1 ORDER BY m.id LIMIT 101
"""
ATTACHED = "SELECT id, message_id, name, media_type, size FROM attachment WHERE message_id = ANY($1)"
OPEN = ["new", "accepted", "in_progress", "waiting_customer"]


@asynccontextmanager
async def life(app: FastAPI) -> AsyncIterator[None]:
    """A pool as large as the desk's, for each worker."""
    app.state.pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=8, max_size=8)
    yield
    await app.state.pool.close()


app = FastAPI(lifespan=life, openapi_url=None)


def answer(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


async def who(c: Any, request: Request) -> Any:
    token = request.headers["authorization"].removeprefix("Bearer ")
    found = await c.fetchrow(WHO, hashlib.sha256(token.encode()).digest())
    if found is None:
        raise PermissionError
    return found


def rows(found: list[Any]) -> dict[str, Any]:
    return {"items": [dict(row) for row in found[:50]], "next": str(found[49]["number"]) if len(found) > 50 else None}


@app.get("/api/v1/tickets")
async def listing(request: Request, q: str | None = None) -> Response:
    async with app.state.pool.acquire() as c:
        await who(c, request)
        found = await (c.fetch(FOUND, q.partition(" status:")[0], OPEN) if q else c.fetch(NEWEST))
    return answer(rows(found))


@app.get("/api/v1/tickets/{number}")
async def show(number: int, request: Request) -> Response:
    async with app.state.pool.acquire() as c:
        await who(c, request)
        ticket = dict(await c.fetchrow(ONE, number))
        said = [dict(row, attachments=[]) for row in await c.fetch(SAID, number)]
        by_id = {row["id"]: row for row in said}
        for file in await c.fetch(ATTACHED, list(by_id)):
            by_id[file["message_id"]]["attachments"].append(dict(file))
    ticket["fields"] = orjson.loads(ticket["fields"])
    return answer(ticket | {"messages": {"items": said, "next": None}})


@app.post("/api/v1/tickets")
async def create(request: Request) -> Response:
    asked = orjson.loads(await request.body())
    async with app.state.pool.acquire() as c:
        me = await who(c, request)
        async with c.transaction():
            requester = await c.fetchrow(
                "SELECT id, name, email, organization_id FROM person WHERE email = $1", asked["requester"]
            )
            number = await c.fetchval(
                "INSERT INTO ticket (subject, status, priority, channel, requester_id, organization_id, created_at, updated_at)"
                " VALUES ($1, 'accepted', 'medium', 'api', $2, $3, now(), now()) RETURNING number",
                asked["subject"], requester["id"], requester["organization_id"],
            )  # fmt: skip
            message = await c.fetchval(
                "INSERT INTO message (ticket, author_id, internal, from_staff, auto, channel, text, created_at)"
                " VALUES ($1, $2, false, true, false, 'api', $3, now()) RETURNING id",
                number, me["id"], asked["body"],
            )  # fmt: skip
            await c.execute(
                "INSERT INTO ticket_text (ticket, shown, whole) SELECT $1, w, w FROM to_tsvector('simple', $2) w",
                number, f"{number} {asked['subject']} {requester['name']} {requester['email']} {asked['body']}",
            )  # fmt: skip
            await c.execute(
                "INSERT INTO reference_event (at, kind, actor_id, ticket, data) VALUES (now(), 'ticket.opened', $1, $2, $3)",
                me["id"], number, orjson.dumps({"message": message}).decode(),
            )  # fmt: skip
            await c.executemany(
                "INSERT INTO sla_clock (ticket, metric, cycle, state, policy_id, policy_version, priority, calendar_version_id,"
                " target_seconds, started_at, anchor_at, consumed, due_at, next_at, next_threshold, epoch)"
                " SELECT $1, metric, 1, 'running', policy_id, version, priority, (SELECT min(id) FROM calendar_version), seconds,"
                " now(), now(), '0 s', now() + seconds * interval '1 s', now() + seconds * interval '0.75 s', '75%', 0"
                " FROM sla_target WHERE metric = $2 AND priority = 'medium' ORDER BY version DESC LIMIT 1",
                [(number, "first_response"), (number, "resolution")],
            )
            await c.execute(
                "INSERT INTO outbox (dedupe_key, kind, state, ticket, to_address, to_name, from_name, subject, text, mail_id,"
                " reference_ids, created_at, next_at, attempts, doubts)"
                " VALUES ($1, 'acknowledgement', 'queued', $2, $3, $4, '', $5, 'We received it.', $1, '[]', now(), now(), 0, 0)",
                f"acknowledgement:{number}", number, requester["email"], requester["name"], f"We received it [#{number}]",
            )  # fmt: skip
    return answer({"number": number, "subject": asked["subject"], "status": "accepted"}, 201)
