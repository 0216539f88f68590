"""People, organizations and teams by the API: who sees and changes whom."""

from typing import Any

import psycopg
import pytest
from starlette.testclient import TestClient

from app.accounts.models import Person
from app.accounts.rules import Part
from app.db.session import now as database_now
from app.web.shapes import people as shapes
from tests.cast import PASSWORD
from tests.web.conftest import Web

USERS = "/api/v1/users"


def names(client: TestClient, **query: Any) -> list[str]:
    answer = client.get(USERS, params=query)
    assert answer.status_code == 200, answer.text
    return [each.name for each in shapes.People.model_validate_json(answer.content).items]


def at(person: Person) -> str:
    return f"{USERS}/{person.id}"


def test_the_staff_see_everybody_by_name(web: Web) -> None:
    everybody = ["Alice", "Bob", "Carol", "Dave", "Erin", "Frank", "Mallory", "Root"]
    for who in (web.cast.alice, web.cast.bob, web.cast.root):
        assert names(web.program(who)) == everybody


def test_a_customers_administrator_sees_the_customers_of_their_organization_and_nobody_else(web: Web) -> None:
    with web.desk.db.transaction() as s:
        s.merge(web.cast.alice).organization_id = web.cast.dave.organization_id
    dave, mallory = web.program(web.cast.dave), web.program(web.cast.mallory)
    assert names(dave) == ["Carol", "Dave", "Frank"]
    assert names(mallory) == ["Mallory"]
    assert names(mallory, q="carol") == names(mallory, organization_id=web.cast.carol.organization_id) == []
    assert mallory.get(at(web.cast.mallory)).status_code == 200
    for hidden in (web.cast.carol, web.cast.alice, web.cast.root):
        refusal, of_nobody = (mallory.get(path).json() for path in (at(hidden), f"{USERS}/999999"))
        its_own = {"detail": f"There is nobody with the number {hidden.id} here.", "request_id": refusal["request_id"]}
        assert refusal == of_nobody | its_own
    assert dave.get(at(web.cast.alice)).status_code == 404


def test_an_administrator_of_no_organization_sees_nobody(web: Web) -> None:
    mallory = web.program(web.cast.mallory)
    with web.desk.db.transaction() as s:
        s.merge(web.cast.mallory).organization_id = None
    assert names(mallory) == []


def test_customers_see_nobody(web: Web) -> None:
    carol = web.program(web.cast.carol)
    for path in (USERS, at(web.cast.carol), "/api/v1/organizations", "/api/v1/teams"):
        assert carol.get(path).status_code == 403
    for path in ("/api/v1/organizations", "/api/v1/teams"):
        assert web.program(web.cast.dave).get(path).status_code == 403
        assert web.program().get(path).status_code == 401


def test_people_are_found_by_what_is_asked_for(web: Web) -> None:
    alice, cast = web.program(web.cast.alice), web.cast
    with web.desk.db.transaction() as s:
        s.merge(cast.frank).disabled_at = database_now(s)
    assert names(alice, q="ACME") == ["Carol", "Dave", "Frank"]
    assert names(alice, q="%") == names(alice, q="_") == names(alice, q="\\") == []
    assert names(alice, role="agent") == ["Alice", "Erin"]
    assert names(alice, organization_id=cast.mallory.organization_id) == ["Mallory"]
    assert names(alice, team_id=cast.billing.id) == ["Erin"]
    assert names(alice, disabled=True) == ["Frank"]
    assert names(alice, disabled=False, q="acme") == ["Carol", "Dave"]
    assert names(alice, q="a\0b") == []


def test_a_list_goes_on_where_it_ended_and_ends(web: Web) -> None:
    alice, seen, cursor = web.program(web.cast.alice), [], None
    for _ in range(4):
        page = alice.get(USERS, params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        seen += [each["name"] for each in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == names(alice)
    assert cursor is None


@pytest.mark.parametrize(
    "cursor",
    ["x", "e30=", "W10=", "WyJhIiwgdHJ1ZV0=", "WyJhIiwgSW5maW5pdHld", "WzEsIDJd", "ä", "W1tbW1tb" * 400, "WyJcdTAwMDAiLCAxXQ=="],
)
def test_a_made_up_cursor_is_refused_in_words(web: Web, cursor: str) -> None:
    assert web.program(web.cast.alice).get(USERS, params={"cursor": cursor}).status_code == 422


@pytest.mark.parametrize("number", ["0", "-1", "9" * 30, "x", "1.5"])
def test_a_number_that_no_row_has_is_refused_in_words(web: Web, number: str) -> None:
    for who in (web.cast.alice, web.cast.root):
        program = web.program(who)
        assert program.get(f"{USERS}/{number}").status_code == 422
        assert program.get(USERS, params={"team_id": number}).status_code == 422
        assert program.patch(f"{USERS}/{number}", json={"name": "x"}).status_code in {403, 422}


@pytest.mark.parametrize("path", [USERS, "/api/v1/organizations", "/api/v1/teams"])
def test_a_list_is_one_statement_after_who_is_asking(web: Web, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    alice, sent = web.program(web.cast.alice), []
    execute = psycopg.Cursor.execute

    def remember(cursor: Any, query: Any, *rest: Any, **more: Any) -> Any:
        sent.append(query)
        return execute(cursor, query, *rest, **more)

    alice.get(path)
    monkeypatch.setattr(psycopg.Cursor, "execute", remember)
    assert alice.get(path).status_code == 200
    assert len(sent) == 2, sent


def test_a_manager_invites_and_the_answer_is_the_person(web: Web) -> None:
    bob = web.program(web.cast.bob)
    answer = bob.post(USERS, json={"email": "New@desk.example", "name": "New", "role": "agent"})
    assert answer.status_code == 201
    made = shapes.Person.model_validate_json(answer.content)
    assert (made.email, made.can_sign_in, made.revision) == ("new@desk.example", False, 1)
    assert made.invited_until
    assert answer.headers["location"] == f"{USERS}/{made.id}"
    assert answer.headers["etag"] == '"1"'
    assert bob.post(USERS, json={"email": "new@desk.example", "role": "agent"}).status_code == 409
    assert bob.post(f"{USERS}/{made.id}/invitation").status_code == 202


@pytest.mark.parametrize("role", ["manager", "admin"])
def test_a_manager_lifts_nobody_to_their_height(web: Web, role: str) -> None:
    bob = web.program(web.cast.bob)
    assert bob.post(USERS, json={"email": "new@desk.example", "role": role}).status_code == 403
    for whom in (web.cast.carol, web.cast.alice, web.cast.bob, web.cast.root):
        assert bob.patch(at(whom), json={"role": role}).status_code == 403
    assert web.program(web.cast.root).patch(at(web.cast.alice), json={"role": role}).status_code == 200


def test_mallory_and_everybody_below_a_manager_change_nobody(web: Web) -> None:
    for who in (web.cast.mallory, web.cast.carol, web.cast.dave, web.cast.alice):
        program = web.program(who)
        for whom in (web.cast.carol, web.cast.mallory, web.cast.root):
            assert program.patch(at(whom), json={"role": "admin"}).status_code == 403
            assert program.post(f"{at(whom)}/disablement").status_code == 403
            assert program.delete(f"{at(whom)}/disablement").status_code == 403
            assert program.post(f"{at(whom)}/invitation").status_code == 403
        assert program.post(USERS, json={"email": "x@x.example", "role": "customer"}).status_code == 403
        assert program.post("/api/v1/organizations", json={"name": "Mine"}).status_code == 403
        assert program.post("/api/v1/teams", json={"name": "Mine"}).status_code == 403
        assert program.put(f"/api/v1/teams/{web.cast.billing.id}/members/{who.id}", json={"part": "lead"}).status_code == 403


@pytest.mark.parametrize(
    "sneak",
    [
        {"password_hash": "x"},
        {"disabled_at": None},
        {"id": 1},
        {"revision": 9},
        {"organization_id": "1"},
        {"organization_id": True},
    ],
)
def test_nothing_is_slipped_in_beside(web: Web, sneak: dict[str, Any]) -> None:
    assert web.program(web.cast.root).patch(at(web.cast.carol), json={"name": "x"} | sneak).status_code == 422


def test_a_save_that_lost_the_race_changes_nothing(web: Web) -> None:
    bob = web.program(web.cast.bob)
    etag = bob.get(at(web.cast.carol)).headers["etag"]
    assert bob.patch(at(web.cast.carol), json={"name": "Caroline"}, headers={"If-Match": etag}).status_code == 200
    assert bob.patch(at(web.cast.carol), json={"name": "Late"}, headers={"If-Match": etag}).status_code == 412
    assert bob.post(f"{at(web.cast.carol)}/disablement", headers={"If-Match": etag}).status_code == 412
    assert bob.get(at(web.cast.carol)).json()["name"] == "Caroline"


def test_somebody_is_moved_between_organizations_and_out_of_them(web: Web) -> None:
    bob, carol = web.program(web.cast.bob), at(web.cast.carol)
    there = bob.patch(carol, json={"organization_id": web.cast.mallory.organization_id}).json()
    assert there["organization"] == {"id": web.cast.mallory.organization_id, "name": "Evil Corp"}
    assert bob.patch(carol, json={"organization_id": None}).json()["organization"] is None
    assert bob.patch(carol, json={"name": "Carol"}).json()["organization"] is None
    assert bob.patch(carol, json={"organization_id": 10**15}).status_code == 422


def test_disabled_people_and_dropped_roles_are_out_at_once(web: Web) -> None:
    erin, alice, root = web.program(web.cast.erin), web.program(web.cast.alice), web.program(web.cast.root)
    assert root.post(f"{at(web.cast.erin)}/disablement").json()["can_sign_in"] is False
    assert erin.get("/api/v1/auth/me").status_code == 401
    assert root.patch(at(web.cast.alice), json={"role": "customer"}).status_code == 200
    assert alice.get(USERS).status_code == 401
    assert root.delete(f"{at(web.cast.erin)}/disablement").json()["disabled_at"] is None
    assert erin.get("/api/v1/auth/me").status_code == 401


def test_the_last_administrator_can_be_neither_disabled_nor_demoted(web: Web) -> None:
    web.set_password(web.cast.root, PASSWORD)
    root = web.program(web.cast.root)
    assert root.patch(at(web.cast.root), json={"role": "manager"}).json()["type"].endswith("last-administrator")
    assert root.post(f"{at(web.cast.root)}/disablement").status_code == 409


def test_lookalikes_are_two_people_and_both_are_shown_as_they_are(web: Web) -> None:
    bob = web.program(web.cast.bob)
    for email in ("admin@acme.example", "\u0430dmin@acme.example"):
        assert web.program(web.cast.alice).post(
            "/api/v1/tickets", json={"subject": "x", "body": "y", "requester": email}
        ).status_code == 201  # fmt: skip
    found = bob.get(USERS, params={"q": "dmin@acme"}).json()["items"]
    assert sorted(each["email"] for each in found) == ["admin@acme.example", "\u0430dmin@acme.example"]


def test_a_token_without_the_scope_sees_and_changes_nobody(web: Web) -> None:
    for scopes, reads, writes in ((["tickets:write"], 403, 403), (["people:read"], 200, 403), (["people:write"], 200, 200)):
        program = web.program()
        program.headers["Authorization"] = f"Bearer {web.api_token(web.cast.bob, scopes)}"
        assert program.get(USERS).status_code == reads
        assert program.patch(at(web.cast.carol), json={"name": "Carol"}).status_code == writes


# organizations

ORGANIZATIONS = "/api/v1/organizations"


def test_an_organization_is_made_changed_and_deleted(web: Web) -> None:
    bob = web.program(web.cast.bob)
    made = bob.post(ORGANIZATIONS, json={"name": "New Ltd", "notes": "VIP"})
    assert made.status_code == 201
    path = made.headers["location"]
    shapes.Organization.model_validate_json(made.content)
    assert bob.patch(path, json={"name": "Newer Ltd"}, headers={"If-Match": made.headers["etag"]}).status_code == 200
    assert bob.patch(path, json={"notes": ""}, headers={"If-Match": made.headers["etag"]}).status_code == 412
    assert bob.patch(path, json={"name": "Acme"}).status_code == 409
    assert shapes.Organizations.model_validate_json(bob.get(ORGANIZATIONS, params={"q": "newer"}).content).items[0].notes == "VIP"
    assert bob.delete(path).status_code == 204
    assert bob.get(path).status_code == 404
    assert bob.delete(f"{ORGANIZATIONS}/{web.cast.carol.organization_id}").json()["type"].endswith("in-use")


def test_domains_of_an_organization(web: Web) -> None:
    bob, mine = web.program(web.cast.bob), f"{ORGANIZATIONS}/{web.cast.carol.organization_id}"
    assert bob.put(f"{mine}/domains/ACME.example.").json()["domains"] == ["acme.example"]
    assert bob.put(f"{mine}/domains/acme.example").status_code == 200
    assert bob.put(f"{mine}/domains/gmail.com").status_code == 422
    assert bob.put(f"{mine}/domains/carol@acme.example").status_code == 422
    evil = f"{ORGANIZATIONS}/{web.cast.mallory.organization_id}"
    assert bob.put(f"{evil}/domains/acme.example").json()["type"].endswith("domain-taken")
    number = web.program(web.cast.alice).post(
        "/api/v1/tickets", json={"subject": "x", "body": "y", "requester": "fresh@Acme.example"}
    ).json()["number"]  # fmt: skip
    assert web.program(web.cast.dave).get(f"/api/v1/tickets/{number}").status_code == 200
    assert web.program(web.cast.mallory).get(f"/api/v1/tickets/{number}").status_code == 404
    assert bob.delete(f"{mine}/domains/acme.example").json()["domains"] == []
    assert bob.delete(f"{mine}/domains/acme.example").status_code == 404


# teams

TEAMS = "/api/v1/teams"


def test_a_team_is_made_staffed_archived_and_taken_back(web: Web) -> None:
    bob = web.program(web.cast.bob)
    made = bob.post(TEAMS, json={"name": "Field service"})
    path = made.headers["location"]
    put = bob.put(f"{path}/members/{web.cast.alice.id}", json={"part": "reader"}, headers={"If-Match": made.headers["etag"]})
    assert [(m.name, m.part) for m in shapes.Team.model_validate_json(put.content).members] == [("Alice", Part.READER)]
    assert bob.put(f"{path}/members/{web.cast.alice.id}", json={"part": "owner"}).status_code == 422
    assert bob.put(f"{path}/members/{web.cast.carol.id}", json={"part": "lead"}).json()["type"].endswith("not-staff")
    assert bob.put(f"{path}/members/999999", json={"part": "lead"}).status_code == 404
    assert bob.post(f"{path}/archival").json()["archived_at"]
    assert [t["name"] for t in bob.get(TEAMS, params={"archived": False}).json()["items"]] == ["Billing"]
    assert bob.delete(f"{path}/archival").json()["archived_at"] is None
    assert bob.delete(f"{path}/members/{web.cast.alice.id}").json()["members"] == []
    assert bob.patch(path, json={"description": "Whoever drives"}).json()["description"] == "Whoever drives"
    assert shapes.Teams.model_validate_json(bob.get(TEAMS).content).next is None
    assert bob.delete(path).status_code == 204


def test_somebody_new_in_a_team_sees_its_tickets_and_no_more_once_they_are_out(web: Web) -> None:
    bob, alice = web.program(web.cast.bob), web.program(web.cast.alice)
    number = web.ticket(web.cast.carol)
    web.to_team(number, web.cast.billing)
    path = f"{TEAMS}/{web.cast.billing.id}/members/{web.cast.alice.id}"
    assert alice.get(f"/api/v1/tickets/{number}").status_code == 404
    assert bob.put(path, json={"part": "reader"}).status_code == 200
    assert alice.get(f"/api/v1/tickets/{number}").status_code == 200
    assert bob.delete(path).status_code == 200
    assert alice.get(f"/api/v1/tickets/{number}").status_code == 404
    assert bob.delete(f"{TEAMS}/{web.cast.billing.id}").json()["type"].endswith("in-use")
