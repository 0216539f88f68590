"""Everybody is told times by their own clocks: pages, the arithmetic of deadlines, and what they type."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, text, update

from app.accounts.models import Person
from app.audit.models import Entry, Event
from app.intake.models import InboundMail
from app.intake.rules.states import MailState
from app.outbox.models import Letter
from app.tickets.models import PlannedAnswer
from app.web.app import create
from app.web.shapes import people as shapes
from app.web.shapes import sign_in
from tests.db.intake.conftest import a_mailbox
from tests.web.browser import Page
from tests.web.conftest import Web

API = "/api/v1"
ME = f"{API}/auth/me"
KATHMANDU, LORD_HOWE = "Asia/Kathmandu", "Australia/Lord_Howe"
PUT_BACK = datetime(2026, 4, 4, 15, tzinfo=UTC)  # Lord Howe's clocks, by half an hour


def choose(web: Web, person: Person, zone: str | None) -> None:
    """Somebody is there from now on, as they say themselves."""
    answer = web.program(person).patch(ME, json={"zone": zone})
    assert (answer.status_code, answer.json()["zone"]) == (200, zone), answer.text


def words(page: Page) -> str:
    return " ".join(page.text.split())


def came_at(web: Web, number: int, at: datetime) -> None:
    with web.desk.db.transaction() as s:
        for statement in (
            "UPDATE ticket SET created_at = :at WHERE number = :number",
            "UPDATE message SET created_at = :at WHERE ticket = :number",
        ):
            s.execute(text(statement), {"at": at, "number": number})


def waiting(web: Web) -> list[PlannedAnswer]:
    with web.desk.db.transaction() as s:
        return list(s.scalars(select(PlannedAnswer)).all())


def changes(web: Web) -> list[tuple[str, str, Any]]:
    """What the audit says of time zones: whom, by whom, and from what to what."""
    with web.desk.db.transaction() as s:
        said = s.scalars(select(Entry).where(Entry.kind == Event.PERSON_CHANGED.value).order_by(Entry.seq))
        return [(one.actor.partition(" ")[0], one.data["person"].partition("@")[0], one.data["changes"]) for one in said]


def test_two_people_are_told_one_instant_each_by_their_own_clocks(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    came_at(web, number, datetime(2026, 1, 15, 12, tzinfo=UTC))
    choose(web, web.cast.alice, KATHMANDU)
    choose(web, web.cast.bob, LORD_HOWE)
    choose(web, web.cast.carol, "America/St_Johns")
    pages = {
        web.cast.alice: ("15 Jan 2026, 17:45", KATHMANDU),
        web.cast.bob: ("15 Jan 2026, 23:00", LORD_HOWE),
        web.cast.carol: ("15 Jan 2026, 08:30", "America/St_Johns"),
        web.cast.root: ("15 Jan 2026, 12:00", "UTC"),
    }
    for person, (told, zone) in pages.items():
        home = f"/tickets/{number}" if person.staff else f"/my/tickets/{number}"
        shown = words(web.browser(person).page(home))
        assert f"Times are in {zone}." in shown
        assert [other for other, _ in pages.values() if other in shown] == [told]


def test_the_lists_are_told_by_the_readers_clocks_too(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    with web.desk.db.transaction() as s:
        s.execute(text("UPDATE ticket SET updated_at = '2026-01-15T12:00:00Z' WHERE number = :number"), {"number": number})
    for person, path in ((web.cast.alice, "/tickets"), (web.cast.carol, "/my/tickets")):
        choose(web, person, KATHMANDU)
        assert "15 Jan 2026, 17:45" in words(web.browser(person).page(path))


def test_in_the_night_in_which_clocks_are_put_back_a_page_says_which_of_two_times_it_means(web: Web) -> None:
    choose(web, web.cast.alice, LORD_HOWE)
    first, second = web.ticket(web.cast.carol), web.ticket(web.cast.carol)
    for number, minutes, told in ((first, -15, "5 Apr 2026, 01:45 +11"), (second, 15, "5 Apr 2026, 01:45 +1030")):
        came_at(web, number, PUT_BACK + timedelta(minutes=minutes))
        assert told in words(web.browser(web.cast.alice).page(f"/tickets/{number}"))


def test_the_arithmetic_of_a_deadline_is_told_by_the_askers_clocks_unless_they_ask_for_others(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    choose(web, web.cast.alice, KATHMANDU)
    at = f"{API}/tickets/{number}/sla"

    def due(person: Person, query: str = "") -> str:
        told = web.program(person).get(at + query).json()["items"][0]
        return f"{told['explanation'][-1]} {told['due_at'][-6:]}"

    assert due(web.cast.alice).endswith(" +0545 +00:00")
    assert due(web.cast.bob).endswith(" UTC +00:00")
    assert due(web.cast.alice, f"?zone={LORD_HOWE}").split()[-2] in {"+11", "+1030"}
    assert due(web.cast.alice, "?zone=UTC") == due(web.cast.bob)
    assert "+0545" in web.browser(web.cast.alice).page(f"/tickets/{number}").text
    assert "+0545" not in web.browser(web.cast.bob).page(f"/tickets/{number}").text


def test_when_an_answer_goes_out_is_read_by_the_clocks_of_who_writes_it(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    at = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(days=2)
    for person, zone in ((web.cast.alice, KATHMANDU), (web.cast.root, "UTC")):
        if zone != "UTC":
            choose(web, person, zone)
        browser, there = web.browser(person), at.astimezone(ZoneInfo(zone))
        page = browser.page(f"/tickets/{number}")
        assert f"Send at ({zone})" in page.text
        sent = browser.fill(
            page, f"/tickets/{number}/messages", having="answer", kind="answer", text="Later.", send_at=f"{there:%Y-%m-%dT%H:%M}"
        )
        assert sent.status_code == 303
        assert f"Goes out at {there.day} {there:%b %Y, %H:%M}" in words(browser.page(f"/tickets/{number}"))
    assert [one.due_at for one in waiting(web)] == [at, at]


def test_days_begin_where_the_asker_is(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    came_at(web, number, datetime(2026, 3, 10, 18, 30, tzinfo=UTC))
    alice = web.program(web.cast.alice)

    def found(day: str) -> int:
        told = alice.get(f"{API}/tickets", params={"q": f"created:{day}"})
        return len(told.json()["items"])

    def opened() -> tuple[str, list[str]]:
        told = alice.get(f"{API}/reports/volume", params={"from": "2026-03-10", "to": "2026-03-11"}).json()
        return told["zone"], [row["key"] for row in told["rows"] if row["opened"]]

    assert (found("2026-03-10"), opened()) == (1, ("UTC", ["2026-03-10"]))
    choose(web, web.cast.alice, KATHMANDU)
    assert (found("2026-03-10"), found("2026-03-11")) == (0, 1)
    assert opened() == (KATHMANDU, ["2026-03-11"])


def test_the_account_page_takes_a_zone_and_gives_it_up_again(web: Web) -> None:
    browser = web.browser(web.cast.carol)
    assert "Where you are it is now" in browser.page("/account").text
    for typed, zone in ((f" {KATHMANDU} ", KATHMANDU), ("", None)):
        saved = browser.submit("/account", "/account/time-zone", zone=typed)
        assert (saved.status_code, saved.headers["location"]) == (303, "/account")
        assert web.program(web.cast.carol).get(ME).json()["zone"] == zone
        page = browser.page("/account")
        form = next(form for form in page.forms if form.action == "/account/time-zone")
        assert form.fields["zone"] == (zone or "")
        assert f"Times are in {zone or 'UTC'}." in page.text
    assert changes(web) == [
        ("Carol", "carol", {"zone": {"before": None, "after": KATHMANDU}}),
        ("Carol", "carol", {"zone": {"before": KATHMANDU, "after": None}}),
    ]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("Europe/Berlim", "'Europe/Berlim' is no time zone; did you mean Europe/Berlin?"),
        ("Mars", "'Mars' is no time zone. Write one like Europe/Berlin."),
        ("../../etc/passwd", "is no time zone"),
        ("Europe", "is no time zone"),
        ("<b>x</b>", "is no time zone"),
    ],
)
def test_a_zone_that_there_is_not_is_refused_in_words_and_kept_in_the_form(web: Web, typed: str, told: str) -> None:
    refused = web.browser(web.cast.alice).submit("/account", "/account/time-zone", zone=typed)
    page = Page(refused.text)
    assert (refused.status_code, told in page.text) == (422, True)
    assert next(form for form in page.forms if form.action == "/account/time-zone").fields["zone"] == typed
    by_program = web.program(web.cast.alice).patch(ME, json={"zone": typed})
    assert (by_program.status_code, told in by_program.json()["detail"]) == (422, True)
    assert (web.program(web.cast.alice).get(ME).json()["zone"], changes(web)) == (None, [])


def test_choosing_what_one_has_changes_nothing(web: Web) -> None:
    alice = web.program(web.cast.alice)
    tags = [alice.patch(ME, json={"zone": KATHMANDU}).headers["etag"] for _ in range(2)]
    assert tags[0] == tags[1] == alice.get(ME).headers["etag"]
    assert len(changes(web)) == 1


def test_of_two_changes_at_once_the_second_is_told(web: Web) -> None:
    alice = web.program(web.cast.alice)
    tag = alice.get(ME).headers["etag"]
    assert alice.patch(ME, json={"zone": KATHMANDU}, headers={"If-Match": tag}).status_code == 200
    late = alice.patch(ME, json={"zone": LORD_HOWE}, headers={"If-Match": tag})
    assert (late.status_code, alice.get(ME).json()["zone"]) == (412, KATHMANDU)


def test_one_says_of_oneself_only_where_one_is(web: Web) -> None:
    alice = web.program(web.cast.alice)
    for body in ({"zone": KATHMANDU, "role": "admin"}, {"zone": KATHMANDU, "name": "Root"}, {}, {"zone": 5}):
        assert alice.patch(ME, json=body).status_code == 422, body
    me = sign_in.Me.model_validate_json(alice.get(ME).content)
    assert (me.zone, me.role, me.name) == (None, "agent", "Alice")


def test_others_are_put_somewhere_only_by_those_who_manage_them(web: Web) -> None:
    def put(by: Person | None, person: Person) -> int:
        return web.program(by).patch(f"{API}/users/{person.id}", json={"zone": KATHMANDU}).status_code

    cast = web.cast
    assert put(None, cast.carol) == 401
    for stranger in (cast.mallory, cast.dave, cast.carol, cast.alice, cast.erin):
        for victim in (cast.carol, cast.alice, cast.root):
            assert put(stranger, victim) == 403
    assert put(cast.bob, cast.root) == 403
    assert changes(web) == []
    assert (put(cast.bob, cast.alice), put(cast.root, cast.bob)) == (200, 200)
    told = web.program(cast.root).patch(f"{API}/users/{cast.bob.id}", json={"zone": None}).json()
    assert shapes.Person.model_validate(told).zone is None
    nowhere = {"before": KATHMANDU, "after": None}
    somewhere = {"before": None, "after": KATHMANDU}
    assert changes(web) == [
        ("Bob", "alice", {"zone": somewhere}), ("Root", "bob", {"zone": somewhere}), ("Root", "bob", {"zone": nowhere}),
    ]  # fmt: skip
    refused = web.program(cast.root).patch(f"{API}/users/{cast.bob.id}", json={"zone": "Mars"})
    assert (refused.status_code, "no time zone" in refused.json()["detail"]) == (422, True)


def test_no_customer_learns_where_the_staff_or_another_company_is(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    web.program(web.cast.alice).post(f"{API}/tickets/{number}/messages", json={"body": "Hello."})
    for person in (web.cast.alice, web.cast.mallory):
        choose(web, person, KATHMANDU)
    for customer in (web.cast.carol, web.cast.dave):
        program, browser = web.program(customer), web.browser(customer)
        paths = ["/users", f"/tickets/{number}", f"/tickets/{number}/messages", f"/tickets/{number}/sla", "/auth/me"]
        told = [program.get(f"{API}{path}").text for path in paths] + [browser.get(f"/my/tickets/{number}").text]
        assert not any("Kathmandu" in each or "+0545" in each for each in told)
    colleague = web.program(web.cast.alice).get(f"{API}/users/{web.cast.alice.id}").json()
    assert colleague["zone"] == KATHMANDU


@pytest.mark.parametrize("gone", ["Nowhere/Gone", "Europe", ""])
def test_who_chose_a_zone_that_is_known_no_more_is_told_times_in_the_desks(web: Web, gone: str) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    with web.desk.db.transaction() as s:
        s.get_one(Person, web.cast.alice.id).zone = gone
    browser = web.browser(web.cast.alice)
    for path in ("/tickets", f"/tickets/{number}", "/account"):
        assert "Times are in UTC." in browser.page(path).text
    assert web.program(web.cast.alice).get(f"{API}/tickets/{number}/sla").status_code == 200


def test_what_is_amiss_is_told_by_the_readers_clocks(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    noon = datetime(2026, 1, 15, 12, tzinfo=UTC)
    with web.desk.db.transaction() as s:
        row = InboundMail(mailbox_id=a_mailbox(s, noon).id, uidvalidity=1, uid=1, raw_sha256="0" * 64, size=1, raw=b"x")
        row.header_only, row.attempts, row.state, row.received_at, row.taken_at = False, 0, MailState.NEW, noon, noon
        s.add(row)
    choose(web, web.cast.alice, KATHMANDU)
    for person, told in ((web.cast.alice, "15 Jan 2026, 17:45 (Asia/Kathmandu)"), (web.cast.bob, "2026-01-15 12:00 UTC")):
        for path in ("/tickets", f"/tickets/{number}"):
            assert f"the first came at {told}." in words(web.browser(person).page(path))


def test_when_a_letter_is_tried_again_is_told_by_the_readers_clocks(web: Web) -> None:
    desk = replace(web.desk, settings=replace(web.desk.settings, smtp_host="mail.example"))
    sending = Web(create(desk), desk, web.cast)
    number = web.ticket(web.cast.carol, accepted=True)
    assert web.program(web.cast.bob).post(f"{API}/tickets/{number}/messages", json={"body": "Hello."}).is_success
    with web.desk.db.transaction() as s:
        later = {"last_error": "451 Greylisted", "next_at": datetime(2099, 1, 15, 12, tzinfo=UTC)}
        s.execute(update(Letter).where(Letter.message_id.is_not(None)).values(later))
    choose(web, web.cast.alice, KATHMANDU)
    shown = words(sending.browser(web.cast.alice).page(f"/tickets/{number}"))
    assert "Mail waiting: 451 Greylisted (next try at 15 Jan 2099, 17:45 (Asia/Kathmandu))" in shown
