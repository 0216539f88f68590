"""What was found by attacking the desk once, and must stay refused."""

import zlib
from typing import Any

from sqlalchemy import func, select, update

from app.accounts.models import Membership, Organization, OrganizationDomain, Person
from app.accounts.rules import Part, Role
from app.db import locks
from app.db.session import now as database_now
from app.outbox.models import Letter
from app.tickets.models import Message
from tests.cast import PASSWORD
from tests.web.conftest import Web

API = "/api/v1"


def with_key(web: Web, person: Person, *scopes: str) -> Any:
    """A program of this person's with an API token of these scopes."""
    program = web.program()
    program.headers["Authorization"] = f"Bearer {web.api_token(person, list(scopes))}"
    return program


def test_nobody_can_name_something_so_that_it_meets_anothers_lock(web: Web) -> None:
    assert zlib.crc32(b"plumless") == zlib.crc32(b"buckeroo")
    with web.desk.db.reading() as held, web.desk.db.reading() as other:
        assert locks.try_take(held, "plumless")
        assert not locks.try_take(other, "plumless")
        assert locks.try_take(other, "buckeroo")


def test_a_token_for_the_desks_things_reads_no_ticket_and_counts_none(web: Web) -> None:
    number = web.ticket(web.cast.carol, "Secret merger")
    program = with_key(web, web.cast.alice, "desk:write")
    view = program.post(f"{API}/views", json={"name": "x", "query": "secret", "shared": "me"}).json()
    reply = {"title": "x", "text": "{{ticket.subject}} {{requester.email}}", "shared_with": "me"}
    text = program.post(f"{API}/canned-replies", json=reply).json()
    web.program(web.cast.alice).patch(f"{API}/tickets/{number}", json={"add_tags": ["vpn"]})

    for path in (f"tickets/{number}", f"views/{view['id']}/tickets", f"canned-replies/{text['id']}/text?ticket={number}"):
        assert program.get(f"{API}/{path}").json()["type"] == "urn:atum-desk:problem:scope-missing", path
    assert [each["count"] for each in program.get(f"{API}/views").json()["items"]] == [None]
    assert [each["tickets"] for each in program.get(f"{API}/tags").json()["items"]] == [None]
    assert web.program(web.cast.alice).get(f"{API}/views").json()["items"][0]["count"]["count"] == 1


def test_asking_for_somebodys_address_does_not_stop_their_new_password(web: Web) -> None:
    web.set_password(web.cast.mallory, PASSWORD)
    web.set_password(web.cast.carol, PASSWORD)
    asked = {"email": web.cast.carol.email, "password": PASSWORD}
    assert web.program(web.cast.mallory).post(f"{API}/auth/email", json=asked).status_code == 202
    assert web.program().post(f"{API}/auth/password/forgot", json={"email": web.cast.carol.email}).status_code == 202
    with web.desk.db.reading() as c:
        assert c.scalar(select(func.count()).where(Letter.to_address == web.cast.carol.email)) == 1


def test_a_merge_shows_nobody_a_colleagues_words_unless_that_is_meant(web: Web) -> None:
    hers, his = web.ticket(web.cast.carol, "Pay", "My salary"), web.ticket(web.cast.frank, "Printer")
    alice, frank = web.program(web.cast.alice), web.program(web.cast.frank)

    refused = alice.post(f"{API}/tickets/{hers}/merge", json={"into": his})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:atum-desk:problem:would-reveal")
    message = alice.get(f"{API}/tickets/{hers}/messages").json()["items"][0]["id"]
    alice.post(f"{API}/tickets/{hers}/messages", json={"body": "A note", "internal": True})
    assert alice.post(f"{API}/tickets/{hers}/messages/{message}/move", json={"to": his}).status_code == 409
    assert "My salary" not in frank.get(f"{API}/tickets/{his}/messages").text

    assert alice.post(f"{API}/tickets/{hers}/merge", json={"into": his, "reveal": True}).status_code == 201
    assert "My salary" in frank.get(f"{API}/tickets/{his}/messages").text


def test_what_a_former_agent_noted_does_not_become_their_ticket(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    web.note(number, "Between us")
    with web.desk.db.transaction() as s:
        s.execute(update(Person).where(Person.id == web.cast.alice.id).values(role=Role.CUSTOMER))
        note = s.scalars(select(Message.id).where(Message.internal)).one()
    split = web.program(web.cast.bob).post(f"{API}/tickets/{number}/messages/{note}/split", json={})
    assert split.json()["requester"]["email"] == web.cast.carol.email


def test_naming_an_address_puts_nobody_into_another_organization(web: Web) -> None:
    with web.desk.db.transaction() as s:
        acme = s.scalars(select(Organization.id).where(Organization.name == "Acme")).one()
        s.add(OrganizationDomain(domain="acme.example", organization_id=acme, added_at=database_now(s)))
    number = web.ticket(web.cast.mallory)
    named = {"kind": "cc", "email": "call-0900-555@acme.example"}
    assert web.program(web.cast.mallory).post(f"{API}/tickets/{number}/watchers", json=named).status_code == 201
    with web.desk.db.reading() as c:
        assert c.scalar(select(Person.organization_id).where(Person.email == named["email"])) is None
    assert "call-0900" not in web.program(web.cast.dave).get(f"{API}/users").text


def test_a_kept_answer_is_given_only_to_whoever_may_still_see_the_ticket(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    alice, key = web.program(web.cast.alice), {"Idempotency-Key": "k"}
    sent = {"body": "A secret", "internal": True}
    first = alice.post(f"{API}/tickets/{number}/messages", json=sent, headers=key)
    again = alice.post(f"{API}/tickets/{number}/messages", json=sent, headers=key | {"If-Match": '"1"'})
    assert (first.status_code, again.status_code, again.headers["idempotency-replayed"]) == (201, 201, "true")

    web.to_team(number, web.cast.billing)

    assert alice.post(f"{API}/tickets/{number}/messages", json=sent, headers=key).status_code == 404


def test_an_old_token_and_a_key_keep_nobody_from_signing_in(web: Web) -> None:
    web.set_password(web.cast.carol, PASSWORD)
    headers = {"Authorization": "Bearer expired", "Idempotency-Key": "x"}
    asked = {"username": web.cast.carol.email, "password": PASSWORD}
    assert web.program().post(f"{API}/auth/login", data=asked, headers=headers).status_code == 200


def test_a_timeline_names_no_ticket_that_its_reader_may_not_see(web: Web) -> None:
    open_, hidden = web.ticket(web.cast.carol), web.ticket(web.cast.carol)
    web.to_team(hidden, web.cast.billing)
    bob, alice = web.program(web.cast.bob), web.program(web.cast.alice)
    tag = alice.get(f"{API}/tickets/{open_}").headers["etag"]
    assert bob.post(f"{API}/tickets/{open_}/links", json={"ticket": hidden, "relation": "blocks"}).status_code == 201

    told = [each["kind"] for each in alice.get(f"{API}/tickets/{open_}/events").json()["items"]]
    assert "ticket.linked" not in told
    assert "ticket.linked" in [each["kind"] for each in bob.get(f"{API}/tickets/{open_}/events").json()["items"]]
    lost = alice.patch(f"{API}/tickets/{open_}", json={"priority": "low"}, headers={"If-Match": tag})
    assert (lost.status_code, lost.json()["changes"]) == (412, [])


def test_a_teams_reader_changes_nothing_but_their_own_following(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    web.to_team(number, web.cast.billing)
    with web.desk.db.transaction() as s:
        s.execute(update(Membership).values(part=Part.READER))
    erin, bob = web.program(web.cast.erin), web.program(web.cast.bob)
    for person in (web.cast.bob, web.cast.erin):
        web.program(person).post(f"{API}/tickets/{number}/watchers", json={"kind": "agent"})
    taken_off = f"{API}/tickets/{number}/watchers?kind=agent&email="
    assert erin.delete(taken_off + web.cast.bob.email).status_code == 403
    assert erin.delete(taken_off + web.cast.erin.email).status_code == 204
    assert len(bob.get(f"{API}/tickets/{number}/watchers").json()["items"]) == 1
