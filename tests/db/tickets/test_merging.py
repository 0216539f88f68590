"""Two tickets that become one, and two again."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text

from app.accounts import actions as accounts
from app.accounts.models import Membership, Organization, Person
from app.accounts.rules import Part, Role
from app.audit.models import Event
from app.core.errors import Forbidden, NotFound
from app.db.session import Session
from app.sla import actions as sla
from app.sla.models import Clock
from app.tickets import actions, merging, queries, trash, watchers
from app.tickets.actions import Body, Source
from app.tickets.holding import InTrash, Merged, end_of
from app.tickets.merging import CantMerge, NotMerged
from app.tickets.models import Channel, Message, Ticket, Watcher
from app.tickets.rules import Status, WatcherKind
from tests.cast import Cast

pytestmark = pytest.mark.db

BY_MAIL = Source(Channel.MAIL)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def service_levels(s: Session, now: datetime) -> None:
    sla.ensure_defaults(s, now=now)


def opened(s: Session, by: Person, now: datetime, words: str = "It burns.", *, team: int | None = None) -> Ticket:
    made = actions.open(
        s, requester=by, by=None, subject="Printer", body=Body(words), source=BY_MAIL, now=now, gate=False, team_id=team
    )
    s.flush()
    return made


def said(s: Session, ticket: Ticket) -> list[str]:
    return [m.text for m in queries.messages(s, ticket, notes=True)]


def copied(s: Session, ticket: Ticket) -> set[int]:
    s.flush()
    return set(s.scalars(select(Watcher.person_id).where(Watcher.ticket == ticket.number, Watcher.kind == WatcherKind.CC)))


def clocks(s: Session, ticket: Ticket) -> dict[str, Clock]:
    s.flush()
    s.expire_all()
    return {c.metric.value: c for c in s.scalars(select(Clock).where(Clock.ticket == ticket.number).order_by(Clock.cycle))}


def found_by(s: Session, ticket: Ticket, word: str) -> bool:
    query = text("SELECT whole @@ to_tsquery('pg_catalog.simple', :word) FROM ticket_text WHERE ticket = :ticket")
    return bool(s.execute(query, {"word": word, "ticket": ticket.number}).scalar_one())


def test_what_was_said_on_both_is_read_on_the_one(s: Session, cast: Cast, now: datetime) -> None:
    a, b = opened(s, cast.carol, now, "Smoke"), opened(s, cast.carol, now, "Fire")
    merging.merge(s, a.number, b.number, by=cast.alice, now=now, reveal=True)
    assert (a.merged_into, a.conversation, a.status) == (b.number, b.number, Status.ACCEPTED)
    assert said(s, b) == ["Smoke", "Fire"]
    assert (found_by(s, b, "smoke"), found_by(s, a, "fire")) == (True, False)


def test_unmerged_it_is_as_before_and_what_came_meanwhile_stays(s: Session, cast: Cast, now: datetime) -> None:
    a, b = opened(s, cast.carol, now, "Smoke"), opened(s, cast.carol, now, "Fire")
    merging.merge(s, a.number, b.number, by=cast.alice, now=now, reveal=True)
    actions.customer_reply(s, a, by=cast.carol, body=Body("Hurry"), source=BY_MAIL, now=now)
    merging.unmerge(s, a.number, by=cast.alice, now=now)
    assert (a.merged_into, a.conversation) == (None, None)
    assert (said(s, a), said(s, b)) == (["Smoke"], ["Fire", "Hurry"])
    assert (found_by(s, b, "smoke"), found_by(s, b, "hurry"), found_by(s, a, "smoke")) == (False, True, True)


def test_both_are_told_in_the_audit(s: Session, cast: Cast, now: datetime) -> None:
    a, b = opened(s, cast.carol, now), opened(s, cast.frank, now)
    before = a.revision, b.revision
    merging.merge(s, a.number, b.number, by=cast.alice, now=now, reveal=True)
    of_a, of_b = s.info["audit"][-2:]
    assert (of_a["kind"], of_a["ticket"], of_a["data"]["into"]) == (Event.TICKET_MERGED, a.number, b.number)
    assert (of_b["ticket"], of_b["data"]["source"], of_b["data"]["followers"]) == (b.number, a.number, [cast.carol.id])
    merging.unmerge(s, a.number, by=cast.bob, now=now)
    assert [e["kind"] for e in s.info["audit"][-2:]] == [Event.TICKET_UNMERGED] * 2
    assert (a.revision, b.revision) == (before[0] + 2, before[1] + 2)


def test_the_merged_one_can_not_be_changed_and_names_where_it_went(s: Session, cast: Cast, now: datetime) -> None:
    a, b = opened(s, cast.carol, now), opened(s, cast.carol, now)
    merging.merge(s, a.number, b.number, by=cast.alice, now=now, reveal=True)
    for deed in (
        lambda: actions.reply(s, a, by=cast.alice, body=Body("x"), source=BY_MAIL, now=now),
        lambda: actions.note(s, a, by=cast.alice, body=Body("x"), source=BY_MAIL, now=now),
        lambda: actions.change_status(s, a, to=Status.RESOLVED, by=cast.alice, now=now),
        lambda: trash.discard(s, a, reason="x", by=cast.alice, now=now),
    ):
        with pytest.raises(Merged, match=f"part of ticket {b.number}"):
            deed()


def test_what_its_customer_writes_lands_at_the_end_of_the_chain(s: Session, cast: Cast, now: datetime) -> None:
    a, b, c = (opened(s, cast.carol, now, word) for word in "abc")
    merging.merge(s, a.number, b.number, by=cast.alice, now=now, reveal=True)
    merging.merge(s, b.number, c.number, by=cast.alice, now=now, reveal=True)
    assert end_of(s, a) is c
    assert actions.customer_reply(s, a, by=cast.carol, body=Body("d"), source=BY_MAIL, now=now) is c
    assert said(s, c) == ["a", "b", "c", "d"]


def test_unmerging_the_middle_of_a_chain_takes_along_what_was_part_of_it(s: Session, cast: Cast, now: datetime) -> None:
    a, b, c = (opened(s, cast.carol, now, word) for word in "abc")
    merging.merge(s, a.number, b.number, by=cast.alice, now=now, reveal=True)
    merging.merge(s, b.number, c.number, by=cast.alice, now=now, reveal=True)
    assert (a.merged_into, a.conversation) == (b.number, c.number)
    merging.unmerge(s, b.number, by=cast.alice, now=now)
    assert (said(s, b), said(s, c)) == (["a", "b"], ["c"])
    assert (a.merged_into, a.conversation, b.conversation) == (b.number, b.number, None)


def test_unmerging_the_first_of_a_chain_leaves_the_rest_together(s: Session, cast: Cast, now: datetime) -> None:
    a, b, c = (opened(s, cast.carol, now, word) for word in "abc")
    merging.merge(s, a.number, b.number, by=cast.alice, now=now, reveal=True)
    merging.merge(s, b.number, c.number, by=cast.alice, now=now, reveal=True)
    merging.unmerge(s, a.number, by=cast.alice, now=now)
    assert (said(s, a), said(s, b), said(s, c)) == (["a"], ["b"], ["b", "c"])
    assert (found_by(s, c, "a"), found_by(s, c, "b")) == (False, True)


def test_those_who_followed_it_get_the_others_answers_until_it_is_undone(s: Session, cast: Cast, now: datetime) -> None:
    a, b = opened(s, cast.carol, now), opened(s, cast.frank, now)
    watchers.copy_to(s, a, cast.dave.email, ours=(), by=cast.alice, now=now)
    watchers.copy_to(s, b, "friend@elsewhere.example", ours=(), by=cast.alice, now=now)
    before = copied(s, b)
    merging.merge(s, a.number, b.number, by=cast.alice, now=now, reveal=True)
    assert copied(s, b) == before | {cast.carol.id, cast.dave.id}
    merging.unmerge(s, a.number, by=cast.alice, now=now)
    assert (copied(s, b), copied(s, a)) == (before, {cast.dave.id})


def test_whoever_followed_both_goes_on_following_both(s: Session, cast: Cast, now: datetime) -> None:
    a, b = opened(s, cast.carol, now), opened(s, cast.frank, now)
    for ticket in (a, b):
        watchers.copy_to(s, ticket, cast.dave.email, ours=(), by=cast.alice, now=now)
    merging.merge(s, a.number, b.number, by=cast.alice, now=now, reveal=True)
    merging.unmerge(s, a.number, by=cast.alice, now=now)
    assert copied(s, b) == {cast.dave.id}


def test_a_follower_whom_two_tickets_brought_stays_until_both_are_gone(s: Session, cast: Cast, now: datetime) -> None:
    first, second, into = opened(s, cast.carol, now), opened(s, cast.carol, now), opened(s, cast.frank, now)
    merging.merge(s, first.number, into.number, by=cast.alice, now=now, reveal=True)
    merging.merge(s, second.number, into.number, by=cast.alice, now=now, reveal=True)
    merging.unmerge(s, first.number, by=cast.alice, now=now)
    assert copied(s, into) == {cast.carol.id}
    merging.unmerge(s, second.number, by=cast.alice, now=now)
    assert copied(s, into) == set()


def test_a_follower_who_came_along_a_chain_leaves_along_the_chain(s: Session, cast: Cast, now: datetime) -> None:
    a, b, c = opened(s, cast.carol, now), opened(s, cast.frank, now), opened(s, cast.dave, now)
    merging.merge(s, a.number, b.number, by=cast.alice, now=now, reveal=True)
    merging.merge(s, b.number, c.number, by=cast.alice, now=now, reveal=True)
    assert copied(s, c) == {cast.carol.id, cast.frank.id}
    merging.unmerge(s, a.number, by=cast.alice, now=now)
    assert (copied(s, b), copied(s, c)) == (set(), {cast.frank.id})


def test_a_follower_whom_somebody_added_again_by_hand_stays(s: Session, cast: Cast, now: datetime) -> None:
    a, b = opened(s, cast.carol, now), opened(s, cast.frank, now)
    merging.merge(s, a.number, b.number, by=cast.alice, now=now, reveal=True)
    watchers.unwatch(s, b, cast.carol.email, WatcherKind.CC, by=cast.alice, now=now)
    s.flush()
    watchers.copy_to(s, b, cast.carol.email, ours=(), by=cast.alice, now=now + HOUR)
    merging.unmerge(s, a.number, by=cast.alice, now=now + HOUR)
    assert copied(s, b) == {cast.carol.id}


def test_a_follower_of_another_organization_is_left_behind(s: Session, cast: Cast, now: datetime) -> None:
    a, b = opened(s, cast.carol, now), opened(s, cast.frank, now)
    watchers.copy_to(s, a, cast.mallory.email, ours=(), by=cast.alice, now=now)
    merging.merge(s, a.number, b.number, by=cast.alice, now=now, reveal=True)
    assert cast.mallory.id not in copied(s, b)


def test_its_clocks_stop_and_go_on_where_they_stood(s: Session, cast: Cast, now: datetime) -> None:
    a, b = opened(s, cast.carol, now), opened(s, cast.carol, now)
    merging.merge(s, a.number, b.number, by=cast.alice, now=now + HOUR, reveal=True)
    assert {c.outcome for c in clocks(s, a).values()} == {"merged"}
    assert {c.outcome for c in clocks(s, b).values()} == {None}
    merging.unmerge(s, a.number, by=cast.alice, now=now + 6 * HOUR)
    assert clocks(s, a)["first_response"].due_at == now + 13 * HOUR


def test_whoever_waited_there_waits_here_from_the_same_moment(s: Session, cast: Cast, now: datetime) -> None:
    """Merging must not make a promise go away."""
    b = opened(s, cast.carol, now)
    actions.reply(s, b, by=cast.alice, body=Body("Water."), source=BY_MAIL, now=now)
    a = opened(s, cast.carol, now + HOUR, "Still burns")
    merging.merge(s, a.number, b.number, by=cast.alice, now=now + 3 * HOUR, reveal=True)
    assert (clocks(s, b)["next_response"].started_at, clocks(s, b)["next_response"].outcome) == (now + HOUR, None)
    merging.unmerge(s, a.number, by=cast.alice, now=now + 4 * HOUR)
    assert (clocks(s, b)["next_response"].outcome, clocks(s, a)["first_response"].outcome) == ("moved", None)


def test_what_was_answered_there_starts_nothing_here(s: Session, cast: Cast, now: datetime) -> None:
    a, b = opened(s, cast.carol, now), opened(s, cast.carol, now)
    for ticket in (a, b):
        actions.reply(s, ticket, by=cast.alice, body=Body("Water."), source=BY_MAIL, now=now)
    merging.merge(s, a.number, b.number, by=cast.alice, now=now, reveal=True)
    assert "next_response" not in clocks(s, b)


def test_who_reads_the_one_reads_the_others_messages_and_files_until_it_is_undone(s: Session, cast: Cast, now: datetime) -> None:
    a, b = opened(s, cast.carol, now), opened(s, cast.frank, now)
    (message,) = queries.messages(s, a, notes=True)
    note = actions.note(s, a, by=cast.alice, body=Body("Hm"), source=BY_MAIL, now=now)
    s.flush()

    def readers(of: Message) -> set[str]:
        return {p.name for p in (cast.carol, cast.frank, cast.dave, cast.mallory, cast.alice) if queries.message(s, p, of.id)}

    assert readers(message) == {"Carol", "Dave", "Alice"}
    merging.merge(s, a.number, b.number, by=cast.alice, now=now, reveal=True)
    assert readers(message) == {"Carol", "Frank", "Dave", "Alice"}
    assert readers(note) == {"Alice"}
    merging.unmerge(s, a.number, by=cast.alice, now=now)
    assert readers(message) == {"Carol", "Dave", "Alice"}


# What is refused.


def test_a_ticket_is_not_merged_into_itself(s: Session, cast: Cast, now: datetime) -> None:
    a = opened(s, cast.carol, now)
    with pytest.raises(CantMerge, match="into itself"):
        merging.merge(s, a.number, a.number, by=cast.alice, now=now, reveal=True)


def test_a_merged_ticket_is_neither_merged_again_nor_merged_into(s: Session, cast: Cast, now: datetime) -> None:
    a, b, c = (opened(s, cast.carol, now) for _ in range(3))
    merging.merge(s, a.number, b.number, by=cast.alice, now=now, reveal=True)
    with pytest.raises(Merged):
        merging.merge(s, a.number, c.number, by=cast.alice, now=now, reveal=True)
    with pytest.raises(CantMerge, match=f"Merge into ticket {b.number} instead"):
        merging.merge(s, c.number, a.number, by=cast.alice, now=now, reveal=True)
    with pytest.raises(CantMerge, match="itself part of"):
        merging.merge(s, b.number, a.number, by=cast.alice, now=now, reveal=True)


def test_what_is_in_the_trash_is_neither_merged_nor_merged_into(s: Session, cast: Cast, now: datetime) -> None:
    a, b = opened(s, cast.carol, now), opened(s, cast.carol, now)
    trash.discard(s, a, reason="Advertising", by=cast.alice, now=now)
    for numbers in ((a.number, b.number), (b.number, a.number)):
        with pytest.raises(InTrash):
            merging.merge(s, *numbers, by=cast.alice, now=now, reveal=True)


def test_what_is_over_for_good_is_not_merged_into(s: Session, cast: Cast, now: datetime) -> None:
    a, b = opened(s, cast.carol, now), opened(s, cast.carol, now)
    actions.change_status(s, b, to=Status.CANCELLED, by=cast.alice, now=now)
    with pytest.raises(CantMerge, match="is cancelled"):
        merging.merge(s, a.number, b.number, by=cast.alice, now=now, reveal=True)


def test_what_is_not_merged_can_not_be_unmerged(s: Session, cast: Cast, now: datetime) -> None:
    a = opened(s, cast.carol, now)
    with pytest.raises(NotMerged):
        merging.unmerge(s, a.number, by=cast.alice, now=now)
    with pytest.raises(NotFound):
        merging.unmerge(s, 10**9, by=cast.alice, now=now)


def test_two_customers_tickets_never_become_one(s: Session, cast: Cast, now: datetime) -> None:
    """The rival's hole: whoever could answer on one ticket read the other's messages after a merge."""
    ours, hers = opened(s, cast.carol, now), opened(s, cast.mallory, now)
    for numbers in ((ours.number, hers.number), (hers.number, ours.number)):
        with pytest.raises(CantMerge, match="different customers"):
            merging.merge(s, *numbers, by=cast.bob, now=now, reveal=True)


def test_two_people_without_an_organization_are_two_customers(s: Session, cast: Cast, now: datetime) -> None:
    one, two = (accounts.add(s, email=f"{n}@x.example", name=n, role=Role.CUSTOMER, now=now) for n in "ab")
    with pytest.raises(CantMerge, match="different customers"):
        merging.merge(s, opened(s, one, now).number, opened(s, two, now).number, by=cast.bob, now=now, reveal=True)
    merging.merge(s, opened(s, one, now).number, opened(s, one, now).number, by=cast.bob, now=now, reveal=True)


def test_somebody_who_has_left_the_organization_gets_nothing_of_it(s: Session, cast: Cast, now: datetime) -> None:
    hers, franks = opened(s, cast.carol, now), opened(s, cast.frank, now)
    cast.frank.organization = s.scalars(select(Organization).where(Organization.name == "Evil Corp")).one()
    s.flush()
    for numbers in ((hers.number, franks.number), (franks.number, hers.number)):
        with pytest.raises(CantMerge, match="different customers"):
            merging.merge(s, *numbers, by=cast.bob, now=now, reveal=True)


def test_tickets_of_one_person_in_two_organizations_stay_two(s: Session, cast: Cast, now: datetime) -> None:
    """The organization's administrators read all of its tickets, so one must not carry what was said in another."""
    before = opened(s, cast.frank, now)
    cast.frank.organization = s.scalars(select(Organization).where(Organization.name == "Evil Corp")).one()
    s.flush()
    with pytest.raises(CantMerge, match="different customers"):
        merging.merge(s, before.number, opened(s, cast.frank, now).number, by=cast.bob, now=now, reveal=True)


def test_an_agent_merges_only_what_they_may_work_on(s: Session, cast: Cast, now: datetime) -> None:
    free, billing = opened(s, cast.carol, now), opened(s, cast.carol, now, team=cast.billing.id)
    for numbers in ((free.number, billing.number), (billing.number, free.number)):
        with pytest.raises(NotFound, match=f"no ticket {billing.number} here"):
            merging.merge(s, *numbers, by=cast.alice, now=now, reveal=True)
    s.add(Membership(team_id=cast.billing.id, person_id=cast.alice.id, part=Part.READER, joined_at=now))
    s.flush()
    s.expire(cast.alice)
    with pytest.raises(Forbidden):
        merging.merge(s, free.number, billing.number, by=cast.alice, now=now, reveal=True)
    merging.merge(s, free.number, billing.number, by=cast.erin, now=now, reveal=True)
    with pytest.raises(Forbidden):
        merging.unmerge(s, free.number, by=cast.alice, now=now)


def test_a_customer_merges_nothing(s: Session, cast: Cast, now: datetime) -> None:
    a, b = opened(s, cast.carol, now), opened(s, cast.carol, now)
    for person in (cast.carol, cast.dave, cast.mallory):
        with pytest.raises((NotFound, Forbidden)):
            merging.merge(s, a.number, b.number, by=person, now=now, reveal=True)
