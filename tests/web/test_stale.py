"""If-Match: a save that lost the race is told what changed."""

from tests.web.conftest import Web


def test_a_save_with_the_present_revision_succeeds_and_answers_the_next(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    alice = web.program(web.cast.alice)
    tag = alice.get(f"/api/v1/tickets/{number}").headers["etag"]
    saved = alice.patch(f"/api/v1/tickets/{number}", json={"priority": "high"}, headers={"If-Match": tag})
    assert saved.status_code == 200
    assert saved.headers["etag"] != tag
    assert saved.headers["etag"] == alice.get(f"/api/v1/tickets/{number}").headers["etag"]


def test_a_save_that_lost_the_race_changes_nothing_and_is_told_what_changed(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    alice, bob = web.program(web.cast.alice), web.program(web.cast.bob)
    tag = alice.get(f"/api/v1/tickets/{number}").headers["etag"]
    bob.patch(f"/api/v1/tickets/{number}", json={"priority": "urgent"})

    lost = alice.patch(f"/api/v1/tickets/{number}", json={"priority": "low"}, headers={"If-Match": tag})

    assert (lost.status_code, lost.json()["type"]) == (412, "urn:atum-desk:problem:stale")
    (change,) = lost.json()["changes"]
    assert change["kind"] == "ticket.priority_changed"
    assert change["actor"].startswith("Bob")
    assert (change["data"]["before"], change["data"]["after"]) == ("medium", "urgent")
    assert alice.get(f"/api/v1/tickets/{number}").json()["priority"] == "urgent"


def test_a_tag_that_makes_no_sense_is_stale_and_any_is_fine(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    alice = web.program(web.cast.alice)
    for tag, status in (('"x"', 412), ('"99999999999999999999999"', 412), ("*", 200)):
        answer = alice.patch(f"/api/v1/tickets/{number}", json={"priority": "high"}, headers={"If-Match": tag})
        assert answer.status_code == status, tag


def test_customers_learn_no_revision_which_would_count_notes(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    answer = web.program(web.cast.carol).get(f"/api/v1/tickets/{number}")
    assert "etag" not in answer.headers
    assert answer.json()["revision"] is None
