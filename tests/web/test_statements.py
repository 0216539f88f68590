"""No request issues a number of statements that grows with the rows it shows, whoever asks; nor does a change, but where
each thing that it changes is written down by itself.
"""

from typing import Any

import psycopg
import pytest
from fastapi.routing import APIRoute
from httpx2 import Response
from sqlalchemy import text

from app.accounts import rules
from app.web import describe
from app.web.origin import SAFE
from tests.web.conftest import Web
from tests.web.furniture import API, Furniture, headers, suggested
from tests.web.trial import Trial, opened, plain

pytestmark = pytest.mark.db
ELSEWHERE = {"/healthz", f"{API}/health", f"{API}/events"}  # no database of their own, or another's
PEOPLE = ("customer", "agent", "admin")
# Lists that are as long with thirty of everything as with one.
AS_LONG = {
    f"{API}/search/suggestions": "there is one only for what was typed",
    f"{API}/tickets/{{number}}/sla": "a ticket has as many clocks as there are promises",
    f"{API}/tickets/{{number}}/sla/escalations": "and as many steps as its policy has",
    f"{API}/tickets/{{number}}/presence": "that is in Redis",
    f"{API}/role-policies": "one for each role",
    f"{API}/audit": "its page is full before",
    f"{API}/audit/checkpoints": "one a day",
}
# A bulk change is each ticket's own: its rules, its clocks worked out anew from its own timeline, its line in the audit. That it
# holds at most a hundred is what bounds it.
EACH_IN_BULK = 13
ONCE_MORE = 2  # what is asked only where there is something of its kind
ROWS, MORE = 30, 29
Counts = dict[tuple[str, str], tuple[int, int]]
FILL = """
CREATE TEMP TABLE asking AS SELECT id FROM person WHERE id IN (:customer, :agent, :root);
INSERT INTO person (email, name, role, organization_id, created_at)
    SELECT 'p' || g || '@acme.example', 'P' || g, 'customer', :organizations, now() FROM generate_series(1, :more) g;
INSERT INTO person (email, name, role, created_at)
    SELECT 'a' || g || '@desk.example', 'A' || g, 'agent', now() FROM generate_series(1, :more) g;
INSERT INTO organization (name, created_at) SELECT 'O' || g, now() FROM generate_series(1, :more) g;
INSERT INTO organization_domain (domain, organization_id, added_at)
    SELECT 'd' || g || '.example', :organizations, now() FROM generate_series(1, :more) g;
INSERT INTO team (name, created_at) SELECT 'T' || g, now() FROM generate_series(1, :more) g;
INSERT INTO membership (team_id, person_id, part, joined_at)
    SELECT :teams, id, 'member', now() FROM person WHERE name ~ '^A[0-9]';
INSERT INTO membership (team_id, person_id, part, joined_at)
    SELECT team.id, asking.id, 'member', now() FROM team, asking WHERE team.name ~ '^T[0-9]' AND asking.id <> :customer;
INSERT INTO tag (name, created_at) SELECT 't' || g, now() FROM generate_series(1, :more) g;
INSERT INTO custom_field (key, label, kind, required, shown_to_customers, position, created_at)
    SELECT 'f' || g, 'F' || g, 'text', 'never', true, g, now() FROM generate_series(1, :more) g;
INSERT INTO view (name, query, sort, position, created_at)
    SELECT 'v' || g, 'status:open', (SELECT sort FROM view LIMIT 1), g, now() FROM generate_series(1, 20) g;
INSERT INTO canned_reply (title, text, created_at) SELECT 'c' || g, 'x', now() FROM generate_series(1, :more) g;
INSERT INTO macro (title, steps, created_at) SELECT 'm' || g, '{"priority": "high"}', now() FROM generate_series(1, :more) g;
INSERT INTO api_token (person_id, name, prefix, token_hash, scopes, created_at)
    SELECT id, 'x', 'atum_' || g, decode(lpad(id || '0' || g, 8, '0'), 'hex'), '["tickets:read"]', now()
    FROM generate_series(1, :more) g, asking;
INSERT INTO sign_in (person_id, door, token_hash, created_at, seen_at, expires_at)
    SELECT id, 'page', decode(lpad(id || '0' || g, 8, '0'), 'hex'), now(), now(), now() + interval '1 h'
    FROM generate_series(1, :more) g, asking;
INSERT INTO passkey (person_id, credential_id, public_key, sign_count, name, created_at)
    SELECT id, decode(lpad(id || '0' || g, 8, '0'), 'hex'), 'x', 0, 'k' || g, now() FROM generate_series(1, 15) g, asking;
INSERT INTO message (ticket, author_id, internal, from_staff, auto, channel, text, created_at)
    SELECT :accepted, :root, false, true, false, 'api', 'x' || g, now() FROM generate_series(1, :more) g;
INSERT INTO attachment (message_id, name, media_type, size, blob, created_at)
    SELECT m.id, 'x.txt', 'text/plain', 1, a.blob, now() FROM message m, attachment a
    WHERE a.id = :attachments AND m.ticket = :accepted;
INSERT INTO suppression (address, cause, reason, days, since)
    SELECT 'gone' || g || '@acme.example', 'hard', 'x', 1, now() FROM generate_series(1, :more) g;
INSERT INTO sender_key (address, fingerprint, names, people, content, confirmed_at, confirmed_by_id)
    SELECT 'k' || g || '@acme.example', 'CD', '{}', '{}', 'x', now(), :root FROM generate_series(1, :more) g;
INSERT INTO planned_answer (ticket, author_id, text, files, channel, created_at, due_at)
    SELECT :accepted, :root, 'x' || g, '[]', 'api', now(), now() + interval '1 d' FROM generate_series(1, 18) g;
INSERT INTO watcher (ticket, person_id, kind, added_at)
    SELECT :accepted, id, 'cc', now() FROM person WHERE name ~ '^P[0-9]' LIMIT 18;
UPDATE ticket SET tags = '{telephone}';
INSERT INTO bulk_ticket (bulk_id, ticket, before, after)
    SELECT :bulk, number, '{}', '{}' FROM ticket WHERE number NOT IN (SELECT ticket FROM bulk_ticket WHERE bulk_id = :bulk);
INSERT INTO ticket_link (ticket, other, kind, linked_at, linked_by_id)
    SELECT :accepted, number, 'related', now(), :root FROM ticket WHERE number > :other;
INSERT INTO sla_policy (name, position, match, starts, version, active, changed_at)
    SELECT 's' || g, g + 100, '{}', 'accepted', 1, true, now() FROM generate_series(1, :more) g;
INSERT INTO calendar (name, created_at, revision) SELECT 'c' || g, now(), 1 FROM generate_series(1, :more) g;
INSERT INTO calendar_version (calendar_id, effective_from, spec, hash, created_at, actor, why)
    SELECT id, created_at, '{"zone": "UTC", "week": [[], [], [], [], [], [], [["09:00", "10:00"]]]}', 'x', created_at, 'desk', ''
    FROM calendar WHERE name ~ '^c[0-9]';
INSERT INTO mailbox
    (name, address, host, port, tls, username, folder, credentials, created_at, last_uid, lease_epoch, state, failures)
    SELECT 'm' || g, 'm' || g, 'imap.example', 993, true, 'm' || g, 'INBOX', '', now(), 0, 0, 'ok', 0
    FROM generate_series(1, :more) g;
INSERT INTO webhook (url, secret, topics, own_network, after_seq, created_at, failures, revision)
    SELECT 'https://h' || g || '.example/', 'x', '{ticket.created}', false, 0, now(), 0, 1 FROM generate_series(1, :more) g;
INSERT INTO webhook_delivery (webhook_id, event_id, topic, body, state, created_at, attempts)
    SELECT :webhooks, 'evt_' || g, 'ticket.created', '{}', 'delivered', now(), 1 FROM generate_series(1, :more) g;
INSERT INTO backup (name, state, recipient, began_at)
    SELECT 'b' || g, 'sound', 'x', now() - interval '9 d' FROM generate_series(1, :more) g;
DROP TABLE asking
"""


@pytest.fixture
def counted(web: Web, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that this database is sent, by SQLAlchemy and past it; not that somebody was here, noted once a minute."""
    sent: list[str] = []
    execute, ours = psycopg.Cursor.execute, web.desk.db.dsn.rpartition("/")[2]

    def remembering(cursor: Any, statement: Any, *values: Any, **more: Any) -> Any:
        if cursor.connection.info.dbname == ours:
            sent.append(str(statement))
        return execute(cursor, statement, *values, **more)

    monkeypatch.setattr(psycopg.Cursor, "execute", remembering)
    monkeypatch.setattr(rules, "worth_noting", lambda *_: False)
    return sent


def test_thirty_rows_take_as_many_statements_as_one(web: Web, counted: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(web, monkeypatch) as trial:
        read(trial, counted)  # what is asked once for a process is asked here
        few, some = read(trial, counted), change(trial, counted)
        fill(web, trial.found)
        many, more = read(trial, counted), change(trial, counted)
        bulk = {count: in_bulk(trial, counted, count) for count in (2, ROWS)}
    assert {at: (few[at][0], many[at][0]) for at in few if few[at][0] != many[at][0]} == {}
    assert {at[1] for at, (_, shown) in few.items() if shown >= 0 and many[at][1] < shown + 15} == set(AS_LONG)
    assert {at: (some[at], more[at]) for at in some if more[at] > some[at] + ONCE_MORE} == {}
    for step in (0, 1):
        assert bulk[ROWS][step] - bulk[2][step] <= EACH_IN_BULK * (ROWS - 2), bulk


def in_bulk(trial: Trial, counted: list[str], count: int) -> tuple[int, int]:
    """How many statements it takes to change so many tickets at once, and to take that back."""
    who = headers(trial.found, "admin", page=False)
    with trial.db.again():
        numbers = [row["number"] for row in trial.send(method="GET", url=f"{API}/tickets?limit=100", headers=who).json()["items"]]
        wanted = {"tickets": numbers[:count], "change": {"priority": "urgent", "add_tags": ["vpn"]}}
        counted.clear()
        made = trial.send(method="POST", url=f"{API}/tickets/bulk", headers=who, json=wanted).json()
        there = len(counted)
        back = trial.send(method="POST", url=f"{API}/tickets/bulk/{made['id']}/reversion", headers=who)
        assert len(back.json()["tickets"]) == count
        return there, len(counted) - there


def read(trial: Trial, counted: list[str]) -> Counts:
    """How many statements each page and each call that reads takes, and how many rows it shows."""
    took: Counts = {}
    for route in describe.routes(trial.app):
        path = route.path_format
        if "GET" in (route.methods or ()) and path not in ELSEWHERE and describe.rules_of(route):
            for who in PEOPLE:
                answer, statements = once(trial, "GET", route, who, counted)
                took[who, path] = statements, rows(answer)
    return took


def change(trial: Trial, counted: list[str]) -> dict[tuple[str, str], int]:
    """How many statements each change takes, by somebody who may."""
    took = {}
    for route in describe.routes(trial.app):
        for method in (route.methods or set()) - SAFE if describe.rules_of(route) else ():
            answer, took[method, route.path_format] = once(trial, method, route, trial.found.who_may(plain(route)), counted)
            assert answer.status_code < 400, (method, route.path_format, answer.text)
    return took


def once(trial: Trial, method: str, route: APIRoute, who: str, counted: list[str]) -> tuple[Response, int]:
    """One answer, and how many statements it took."""
    with trial.db.again():
        sent = trial.prepared(method, plain(route), who)
        counted.clear()
        answer = trial.send(**sent)
        assert answer.status_code < 500, (method, route.path_format, who, answer.text)
        return answer, len(counted)


def rows(answer: Response) -> int:
    """How many a list shows; -1 for what is none."""
    told = answer.json() if answer.is_success and answer.headers["content-type"] == "application/json" else None
    return len(told["items"]) if isinstance(told, dict) and isinstance(told.get("items"), list) else -1


def fill(web: Web, found: Furniture) -> None:
    """Thirty of everything."""
    for _ in range(MORE):
        web.to_team(web.ticket(web.cast.carol, accepted=True), found.things["team"])
        web.note(found.tickets["accepted"], "Between us.")
    known = {name: value for name, value in found.things.items() if isinstance(value, int)}
    known |= found.tickets | {name: found.people_id(name) for name in PEOPLE} | {"root": web.cast.root.id, "more": MORE}
    with web.desk.db.transaction() as s:
        for statement in FILL.split(";\n"):
            s.execute(text(statement), known)
        for n in range(MORE):
            suggested(s, found, uid=100 + n)
