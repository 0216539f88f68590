"""No request issues a number of statements that grows with the rows it shows."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, event, text

from app.web import describe, manual
from tests.web.conftest import Web
from tests.web.furniture import Furniture, furnish, headers

pytestmark = pytest.mark.db
ELSEWHERE = {"/healthz", "/api/v1/health", "/api/v1/events"}  # no database of their own, or another's
MORE = 39
FILL = """
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
INSERT INTO membership (team_id, person_id, part, joined_at) SELECT id, :root, 'member', now() FROM team WHERE name ~ '^T[0-9]';
INSERT INTO tag (name, created_at) SELECT 't' || g, now() FROM generate_series(1, :more) g;
INSERT INTO custom_field (key, label, kind, required, shown_to_customers, position, created_at)
    SELECT 'f' || g, 'F' || g, 'text', 'never', false, g, now() FROM generate_series(1, :more) g;
INSERT INTO view (name, query, sort, position, created_at)
    SELECT 'v' || g, 'status:open', (SELECT sort FROM view LIMIT 1), g, now() FROM generate_series(1, 20) g;
INSERT INTO canned_reply (title, text, created_at) SELECT 'c' || g, 'x', now() FROM generate_series(1, :more) g;
INSERT INTO macro (title, steps, created_at) SELECT 'm' || g, '{"priority": "high"}', now() FROM generate_series(1, :more) g;
INSERT INTO api_token (person_id, name, prefix, token_hash, scopes, created_at)
    SELECT :root, 'x', 'atum_' || g, decode(lpad(g::text, 8, '0'), 'hex'), '["tickets:read"]', now()
    FROM generate_series(1, :more) g;
INSERT INTO sign_in (person_id, door, token_hash, created_at, seen_at, expires_at)
    SELECT :root, 'page', decode(lpad(g::text, 8, '0'), 'hex'), now(), now(), now() + interval '1 h'
    FROM generate_series(1, :more) g;
INSERT INTO passkey (person_id, credential_id, public_key, sign_count, name, created_at)
    SELECT :root, decode(lpad(g::text, 8, '0'), 'hex'), 'x', 0, 'k' || g, now() FROM generate_series(1, :more) g;
INSERT INTO message (ticket, author_id, internal, from_staff, auto, channel, text, created_at)
    SELECT :accepted, :root, false, true, false, 'api', 'x' || g, now() FROM generate_series(1, :more) g;
INSERT INTO attachment (message_id, name, media_type, size, blob, created_at)
    SELECT m.id, 'x.txt', 'text/plain', 1, a.blob, now() FROM message m, attachment a
    WHERE a.id = :attachments AND m.ticket = :accepted;
INSERT INTO watcher (ticket, person_id, kind, added_at) SELECT :accepted, id, 'cc', now() FROM person WHERE name ~ '^[AP][0-9]';
INSERT INTO bulk_ticket (bulk_id, ticket, before, after)
    SELECT :bulk, number, '{}', '{}' FROM ticket WHERE number NOT IN (SELECT ticket FROM bulk_ticket WHERE bulk_id = :bulk);
INSERT INTO ticket_link (ticket, other, kind, linked_at, linked_by_id)
    SELECT :accepted, number, 'related', now(), :root FROM ticket WHERE number > :other;
INSERT INTO sla_policy (name, position, match, starts, version, active, changed_at)
    SELECT 's' || g, g + 100, '{}', 'accepted', 1, true, now() FROM generate_series(1, :more) g;
"""


@pytest.fixture
def counted() -> Iterator[list[str]]:
    """Every statement that any connection of this process sends."""
    sent: list[str] = []

    def remember(_c: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", remember)
    yield sent
    event.remove(Engine, "before_cursor_execute", remember)


def test_one_row_and_forty_rows_take_as_many_statements(web: Web, counted: list[str]) -> None:
    found = furnish(web)
    program = web.program()
    once(web, found, counted)  # what is asked once for a process is asked here
    few = once(web, found, counted)
    for _ in range(MORE):
        web.to_team(web.ticket(web.cast.carol, accepted=True), found.things["team"])
    fill(web, found)
    many = once(web, found, counted)
    assert few
    assert {path: (few[path], many[path]) for path in few if few[path] != many[path]} == {}
    assert len(program.get("/api/v1/tickets", headers=headers(found, "admin", page=False)).json()["items"]) > MORE


def once(web: Web, found: Furniture, counted: list[str]) -> dict[str, int]:
    """How many statements each page and each call that reads takes, for an administrator."""
    document, program, took = describe.document(web.app), web.program(), {}
    for route in describe.routes(web.app):
        path = route.path_format
        if "GET" not in (route.methods or ()) or path in ELSEWHERE or not describe.rules_of(route):
            continue
        query = manual.query(document, document["paths"].get(path, {}).get("get", {}))
        page = not path.startswith("/api/v1")
        counted.clear()
        at = found.path("GET", path) + found.query("GET", path, query)
        answer = program.get(at, headers=headers(found, "admin", page=page))
        assert answer.status_code < 500, (at, answer.text)
        took[path] = len(counted)
    return took


def fill(web: Web, found: Furniture) -> None:
    """Forty of everything."""
    known = {name: value for name, value in found.things.items() if isinstance(value, int)}
    known |= found.tickets | {"root": web.cast.root.id, "more": MORE}
    with web.desk.db.transaction() as s:
        for statement in FILL.split(";\n"):
            if statement.strip():
                s.execute(text(statement.replace("::text", "\\:\\:text")), known)
