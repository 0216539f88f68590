"""Who is told when a deadline passes: each step once, again until somebody acknowledges it, and never a customer."""

import re
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, text, update

from app.core.errors import Invalid, NotFound
from app.core.priority import Priority
from app.core.signing import Signer
from app.db.session import Database, Session
from app.db.session import now as database_now
from app.hours import actions as hours
from app.outbox.compose import compose
from app.outbox.house import House
from app.outbox.models import Letter
from app.outbox.models import State as Sent
from app.sla import actions as sla
from app.sla import ladder, policies, queries
from app.sla.models import Clock, Escalation, Notice
from app.sla.rules import Metric
from app.sla.rules.ladder import Rung
from app.tickets import actions, change, deadlines, escalating, evidence
from app.tickets.actions import Body
from app.tickets.change import Change
from app.tickets.models import Ticket
from app.tickets.rules import Status
from tests.cast import Cast, assemble
from tests.db.tickets.scene import BY_API, opened

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
FIRST, BREACH = Metric.FIRST_RESPONSE, "100%"
HOUSE = House("https://desk.example", "Desk", "desk@desk.example", "desk.example", Signer(b"k" * 32))

pytestmark = pytest.mark.db


def climb(s: Session, *rungs: Rung) -> None:
    """From here on this is the ladder of the standard promises."""
    policy = queries.policies(s)[0]
    s.execute(text("DELETE FROM sla_step"))
    ladder.set_steps(s, policy.id, policy.version, rungs)


@pytest.fixture
def missed(s: Session, cast: Cast, now: datetime) -> Ticket:
    """Carol's printer: its first answer was due an hour ago, and its resolution is not."""
    sla.ensure_defaults(s, now=now)
    return opened(s, cast, now - 9 * HOUR, accepted=True)


def tell(s: Session, *, at: datetime | None = None, zone: Any = UTC) -> list[Letter]:
    """What the worker does, at that time; the letters that came of it."""
    before = set(s.scalars(select(Letter.id)))
    if at is not None:
        s.info["now"] = at
        s.execute(update(Escalation).where(Escalation.next_at <= at).values(next_at=text("now()")))
    while deadlines.process_due(s) or escalating.tell_due(s, HOUSE, zone):
        pass
    s.flush()
    return [letter for letter in s.scalars(select(Letter).order_by(Letter.id)) if letter.id not in before and alarms(letter)]


def alarms(letter: Letter) -> bool:
    return letter.dedupe_key.startswith("ladder:")


def to(letters: Sequence[Letter]) -> list[str]:
    return sorted(letter.to_address for letter in letters)


def escalation(s: Session) -> Escalation:
    return s.scalars(select(Escalation)).one()


def link_in(letter: Letter) -> str:
    plain = compose(letter, HOUSE).get_body(("plain",))
    assert plain is not None
    found = re.search(r"https://desk\.example/acknowledge/(\S+)", plain.get_content())
    assert found
    return found[1]


def test_a_new_desk_tells_its_managers_once_that_a_deadline_was_missed(s: Session, cast: Cast, missed: Ticket) -> None:
    [letter] = tell(s)
    assert (letter.to_address, letter.subject) == (cast.bob.email, f"Deadline missed: first response of ticket {missed.number}")
    assert "was due at" in letter.text
    assert "promised 8 h (medium priority)" in letter.text
    assert (escalation(s).ended, escalation(s).times, escalation(s).next_at) == ("told", 1, None)
    assert tell(s) == []


def test_the_letter_reckons_in_the_desks_zone(s: Session, missed: Ticket) -> None:
    [letter] = tell(s, zone=ZoneInfo("Asia/Kathmandu"))
    assert re.search(r"was due at \S+ \S+ \+0545 and", letter.text)


@pytest.mark.usefixtures("missed")
def test_each_letter_reckons_in_its_readers_zone_and_else_in_the_desks(s: Session, cast: Cast) -> None:
    """And so it does for who chose a zone that nobody knows any more."""
    climb(s, Rung(FIRST, BREACH, ("managers", f"person:{cast.alice.id}", "admins", "oncall@pager.example")))
    cast.alice.zone, cast.bob.zone, cast.root.zone = "Asia/Kathmandu", "Australia/Lord_Howe", "Nowhere/Gone"
    s.flush()
    letters = {letter.to_address: letter.text for letter in tell(s, zone=ZoneInfo("America/Phoenix"))}
    zones = {
        cast.alice.email: ("Asia/Kathmandu", {"+0545"}),
        cast.bob.email: ("Australia/Lord_Howe", {"+11", "+1030"}),
        cast.root.email: ("America/Phoenix", {"MST"}),
        "oncall@pager.example": ("America/Phoenix", {"MST"}),
    }
    assert letters.keys() == zones.keys()
    due = s.scalars(select(Clock.breached_at).where(Clock.breached_at.is_not(None))).one()
    assert due
    for address, (name, offsets) in zones.items():
        there = due.astimezone(ZoneInfo(name))
        assert f"was due at {there:%Y-%m-%d %H:%M:%S %Z} and" in letters[address]
        assert f"{there:%Z}" in offsets
        assert f"How the deadline came about, by the clocks of {name}:" in letters[address]
        assert f"missed: was due {there:%a} {there.day} {there:%b %H:%M}" in letters[address]


@pytest.mark.usefixtures("missed")
def test_everybody_a_step_names_is_told_once(s: Session, cast: Cast) -> None:
    climb(s, Rung(FIRST, BREACH, ("managers", f"person:{cast.alice.id}", cast.bob.email, "oncall@pager.example", "admins")))
    assert to(tell(s)) == sorted([cast.bob.email, cast.alice.email, cast.root.email, "oncall@pager.example"])


def test_the_team_and_the_assignee_are_those_of_the_moment(s: Session, cast: Cast, now: datetime, missed: Ticket) -> None:
    climb(s, Rung(FIRST, BREACH, ("team", "assignee")))
    missed.team_id, missed.assignee_id = cast.billing.id, cast.bob.id
    s.flush()
    s.expire(missed)
    assert to(tell(s)) == [cast.bob.email, cast.erin.email]


@pytest.mark.parametrize("names", [("team",), ("assignee",), ("team", "assignee")])
def test_where_nobody_is_there_the_managers_are_told_and_why(
    s: Session, cast: Cast, missed: Ticket, names: tuple[str, ...]
) -> None:
    climb(s, Rung(FIRST, BREACH, names))
    [letter] = tell(s)
    assert letter.to_address == cast.bob.email
    assert "You are told because nobody else could be: the" in letter.text or "nobody is assigned" in letter.text
    assert s.scalars(select(Notice.because)).one() is not None


@pytest.mark.usefixtures("missed")
def test_where_there_is_no_manager_the_administrators_are_told_and_why(s: Session, cast: Cast, now: datetime) -> None:
    cast.bob.disabled_at = now
    [letter] = tell(s)
    assert letter.to_address == cast.root.email
    assert "there is no manager" in letter.text


@pytest.mark.parametrize("who", ["carol", "dave", "mallory", "erin"])
def test_no_customer_and_nobody_who_may_not_see_the_ticket_is_told(s: Session, cast: Cast, missed: Ticket, who: str) -> None:
    """Erin works for another team than the ticket's."""
    other = type(cast.billing)(name="Support", created_at=missed.created_at)
    s.add(other)
    s.flush()
    missed.team_id = other.id
    person = getattr(cast, who)
    climb(s, Rung(FIRST, BREACH, (person.email, f"person:{person.id}")))
    assert to(tell(s)) == [cast.bob.email]


@pytest.mark.usefixtures("missed")
def test_who_was_disabled_is_told_nothing(s: Session, cast: Cast, now: datetime) -> None:
    climb(s, Rung(FIRST, BREACH, (f"person:{cast.alice.id}", "admins")))
    cast.alice.disabled_at = now
    assert to(tell(s)) == [cast.root.email]


@pytest.mark.usefixtures("missed")
def test_it_is_told_again_until_it_was_told_often_enough(s: Session, now: datetime) -> None:
    climb(s, Rung(FIRST, BREACH, ("managers",), repeat=15 * MINUTE, most=3))
    told = [len(tell(s, at=now + minutes * MINUTE)) for minutes in (0, 5, 15, 29, 30, 45, 300)]
    assert told == [1, 0, 1, 0, 1, 0, 0]
    assert (escalation(s).times, escalation(s).ended) == (3, "told")


def test_acknowledging_ends_the_repeats(s: Session, cast: Cast, now: datetime, missed: Ticket) -> None:
    climb(s, Rung(FIRST, BREACH, ("managers",), repeat=15 * MINUTE, most=9))
    tell(s)
    assert ladder.acknowledge(s, missed.number, by=cast.alice.signature, now=now) == 1
    assert ladder.acknowledge(s, missed.number, by=cast.bob.signature, now=now) == 0
    assert tell(s, at=now + HOUR) == []
    one = escalation(s)
    assert (one.ended, one.acknowledged_by, one.acknowledged_at) == ("acknowledged", "Alice <alice@desk.example>", now)
    entry = s.info["audit"][-1]
    assert (entry["kind"], entry["ticket"], entry["actor_id"]) == ("sla.acknowledged", missed.number, cast.alice.id)


def test_the_link_in_a_letter_acknowledges_for_whom_it_was_mailed_to(s: Session, now: datetime, missed: Ticket) -> None:
    climb(s, Rung(FIRST, BREACH, ("oncall@pager.example",), repeat=15 * MINUTE, most=9))
    [letter] = tell(s)
    token = link_in(letter)
    assert escalating.of_link(s, token)[1].acknowledged_at is None
    assert escalating.acknowledge_by_link(s, token, now=now).ticket == missed.number
    assert (escalation(s).ended, escalation(s).acknowledged_by) == ("acknowledged", "oncall@pager.example")
    escalating.acknowledge_by_link(s, token, now=now + HOUR)
    assert escalation(s).acknowledged_at == now
    with pytest.raises(NotFound):
        escalating.of_link(s, token[:-1] + ("a" if token[-1] != "a" else "b"))


@pytest.mark.usefixtures("missed")
def test_an_old_link_does_not_acknowledge_what_was_told_later(s: Session, now: datetime) -> None:
    climb(s, Rung(FIRST, "75%", ("managers",)), Rung(FIRST, BREACH, ("managers",), repeat=15 * MINUTE, most=9))
    clock = s.scalars(select(Clock).where(Clock.metric == FIRST)).one()
    warned = clock.started_at + 6 * HOUR
    s.info["now"] = warned
    fired(s, clock, warned)
    [warning] = letters_of(s)
    s.info["now"] = now
    [breach] = tell(s)
    escalating.acknowledge_by_link(s, link_in(warning), now=now)
    assert len(tell(s, at=now + 15 * MINUTE)) == 1
    escalating.acknowledge_by_link(s, link_in(breach), now=now)
    assert tell(s, at=now + HOUR) == []


def fired(s: Session, clock: Clock, at: datetime) -> None:
    """The worker's rounds at that time."""
    deadlines.process_due(s)
    escalating.tell_due(s, HOUSE, UTC)


def letters_of(s: Session) -> list[Letter]:
    return [letter for letter in s.scalars(select(Letter)) if alarms(letter)]


def test_an_answer_ends_the_repeats(s: Session, cast: Cast, now: datetime, missed: Ticket) -> None:
    climb(s, Rung(FIRST, BREACH, ("managers",), repeat=15 * MINUTE, most=9))
    tell(s)
    actions.reply(s, missed, by=cast.alice, body=Body("Try water."), source=BY_API, now=now)
    assert tell(s, at=now + HOUR) == []
    assert escalation(s).ended == "over"


def test_a_breach_that_is_taken_back_is_told_no_more(s: Session, cast: Cast, now: datetime, missed: Ticket) -> None:
    climb(s, Rung(FIRST, BREACH, ("managers",), repeat=15 * MINUTE, most=9))
    tell(s)
    change.apply(s, missed, Change(priority=Priority.LOW), by=cast.bob, now=now)
    assert tell(s, at=now + 15 * MINUTE) == []
    assert escalation(s).ended == "over"


def test_outside_its_hours_a_step_waits_for_the_next_opening(s: Session, now: datetime, missed: Ticket) -> None:
    """A calendar that opens in three hours for one, every day."""
    opens = (now + 3 * HOUR).replace(minute=0, second=0, microsecond=0)
    span = [f"{opens:%H:%M}", f"{opens:%H}:59"]
    calendar = hours.add(s, "Watch", zone="UTC", week=[[span]] * 7, now=now - 400 * 24 * HOUR)
    climb(s, Rung(FIRST, BREACH, ("managers",), calendar=calendar.id, repeat=HOUR, most=2))
    assert tell(s) == []
    assert (escalation(s).next_at, escalation(s).times) == (opens, 0)
    assert len(tell(s, at=opens)) == 1
    assert escalation(s).next_at == opens + 24 * HOUR


def test_what_is_answered_before_the_next_opening_is_never_told(s: Session, cast: Cast, now: datetime, missed: Ticket) -> None:
    opens = (now + 3 * HOUR).replace(minute=0, second=0, microsecond=0)
    calendar = hours.add(s, "Watch", zone="UTC", week=[[[f"{opens:%H:%M}", f"{opens:%H}:59"]]] * 7, now=now - 400 * 24 * HOUR)
    climb(s, Rung(FIRST, BREACH, ("managers",), calendar=calendar.id))
    assert tell(s) == []
    actions.reply(s, missed, by=cast.alice, body=Body("Try water."), source=BY_API, now=now)
    assert tell(s, at=opens) == []


def test_a_warning_waits_while_its_clock_stands_still(s: Session, cast: Cast, now: datetime) -> None:
    sla.ensure_defaults(s, now=now)
    ticket = opened(s, cast, now - 60 * HOUR, accepted=True)
    opens = (now + 3 * HOUR).replace(minute=0, second=0, microsecond=0)
    calendar = hours.add(s, "Watch", zone="UTC", week=[[[f"{opens:%H:%M}", f"{opens:%H}:59"]]] * 7, now=now - 400 * 24 * HOUR)
    climb(s, Rung(Metric.RESOLUTION, "75%", ("managers",), calendar=calendar.id))
    assert tell(s) == []
    actions.reply(s, ticket, by=cast.alice, body=Body("Which?"), source=BY_API, now=now, then=Status.WAITING_CUSTOMER)
    assert tell(s, at=opens) == []
    assert (escalation(s).next_at, escalation(s).ended) == (opens + HOUR, None), "it is looked at again in an hour"


def test_a_warning_that_waited_until_the_breach_came_is_never_told(s: Session, cast: Cast, now: datetime) -> None:
    sla.ensure_defaults(s, now=now)
    opened(s, cast, now - 7 * HOUR, accepted=True)
    opens = (now + 3 * HOUR).replace(minute=0, second=0, microsecond=0)
    calendar = hours.add(s, "Watch", zone="UTC", week=[[[f"{opens:%H:%M}", f"{opens:%H}:59"]]] * 7, now=now - 400 * 24 * HOUR)
    climb(s, Rung(FIRST, "75%", ("managers",), calendar=calendar.id))
    assert tell(s) == []
    assert escalation(s).next_at == opens
    s.execute(update(Clock).where(Clock.metric == FIRST).values(breached_at=now + HOUR, due_at=now + HOUR, next_at=None))
    assert tell(s, at=opens) == []
    assert escalation(s).ended == "over"


def test_the_evidence_has_the_time_of_each_step(s: Session, cast: Cast, now: datetime, missed: Ticket) -> None:
    [letter] = tell(s)
    letter.sent_at, letter.state = now + MINUTE, Sent.SENT
    ladder.acknowledge(s, missed.number, by=cast.bob.signature, now=now + HOUR)
    s.flush()
    [[told], following] = evidence.escalations(s.connection(), missed.number, limit=10)
    assert following is None
    assert (told["metric"], told["threshold"], told["kind"], told["to"]) == ("first_response", BREACH, "breach", ["managers"])
    assert (told["planned_at"], told["detected_at"]) == (now - HOUR, now)
    assert (told["state"], told["acknowledged_by"]) == ("acknowledged", "Bob <bob@desk.example>")
    [notice] = told["notices"]
    times = {name: datetime.fromisoformat(notice[name]) for name in ("sent_at", "delivered_at")}
    assert (notice["to"], notice["state"], times) == (cast.bob.email, "sent", {"sent_at": now, "delivered_at": now + MINUTE})


def test_lateness_is_what_lies_between_the_plan_and_the_notice(s: Session, now: datetime, missed: Ticket) -> None:
    tell(s)
    found = evidence.lateness(s.connection(), since=now - HOUR, until=now + HOUR)
    assert (found["count"], found["max_ms"], found["p50_ms"]) == (1, 3_600_000.0, 3_600_000.0)
    assert [b["count"] for b in found["buckets"]] == [int(b["at_most_ms"] >= 3_600_000) for b in found["buckets"]]
    assert evidence.lateness(s.connection(), since=now - HOUR, until=now)["count"] == 0, "until then and no longer"


@pytest.mark.parametrize(
    ("rung", "reason"),
    [
        (Rung(FIRST, "50%", ("managers",)), "nothing is told of first_response at 50%"),
        (Rung(FIRST, BREACH, ("everybody",)), "'everybody' is nobody to tell"),
        (Rung(FIRST, BREACH, ()), "at least one"),
        (Rung(FIRST, BREACH, ("managers",), most=2), "after how many minutes"),
        (Rung(FIRST, BREACH, ("managers",), repeat=HOUR), "after how many minutes"),
        (Rung(FIRST, BREACH, ("managers",), repeat=timedelta(seconds=1), most=2), "one minute at the soonest"),
        (Rung(FIRST, BREACH, ("managers",), calendar=999), "no calendar 999"),
    ],
)
def test_steps_that_can_not_be_taken_are_refused(s: Session, rung: Rung, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        ladder.checked(s, [rung], {FIRST: {"75%"}})


def test_a_new_version_of_a_policy_has_the_ladder_of_the_one_before(s: Session, now: datetime) -> None:
    sla.ensure_defaults(s, now=now)
    policy = queries.policies(s)[0]
    policies.change(s, policy, {"targets": {"resolution": {"low": 60}}}, by=(1, "Bob"), now=now)
    assert ladder.rungs_of(s, policy.id, 2) == ladder.rungs_of(s, policy.id, 1) != []


def test_two_workers_and_one_that_dies_tell_everything_once(database: Database) -> None:
    with database.transaction() as s:
        now = database_now(s)
        sla.ensure_defaults(s, now=now)
        cast = assemble(s, now)
        for _ in range(40):
            opened(s, cast, now - 9 * HOUR, accepted=True)
    with database.transaction() as s:
        deadlines.process_due(s)
    ready = threading.Barrier(2)

    def work() -> None:
        ready.wait()
        for number in range(100):
            with database.transaction() as s:
                found = escalating.tell_due(s, HOUSE, UTC, limit=3)
                if number % 4 == 1:
                    s.rollback()  # as if it had been killed
            if not found:
                return

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with database.transaction() as s:
        assert len(letters_of(s)) == 40
        assert len({letter.ticket for letter in letters_of(s)}) == 40
        assert len(s.scalars(select(Notice)).all()) == 40
        assert set(s.scalars(select(Escalation.times))) == {1}
