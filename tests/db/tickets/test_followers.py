"""Who gets letters about a ticket: people in copy, staff who follow it, and those a note mentions."""

from collections.abc import Callable
from datetime import datetime

import pytest
from sqlalchemy import delete, select

from app.accounts import actions as accounts
from app.accounts.models import Membership, Person, Team
from app.accounts.rules import Part, Role
from app.audit.models import Event
from app.core.errors import Invalid, NotFound
from app.db.session import Session
from app.files.actions import File
from app.outbox import queries as outbox
from app.outbox.models import Kind, Letter, State
from app.sla import actions as sla
from app.tickets import actions, mentions, notices, watchers
from app.tickets.models import Channel, Mention, Message, Ticket, Watcher
from app.tickets.rules import WatcherKind
from app.tickets.saying import Body, Source
from tests.cast import Cast

BY_PAGE = Source(Channel.PAGE)
OURS = {"desk@localhost", "support@desk.example"}
Follow = Callable[[Person], Watcher]


@pytest.fixture
def ticket(s: Session, cast: Cast, now: datetime) -> Ticket:
    """Carol's, accepted."""
    sla.ensure_defaults(s, now=now)
    body = Body("It burns.")
    made = actions.open(s, requester=cast.carol, by=None, subject="Printer", body=body, source=BY_PAGE, now=now)
    actions.accept(s, made, by=cast.alice, now=now)
    return made


@pytest.fixture
def follow(s: Session, ticket: Ticket, cast: Cast, now: datetime) -> Follow:
    return lambda person: watchers.watch(s, ticket, person.email, by=cast.bob, now=now)


def letters(s: Session, ticket: Ticket, kind: Kind) -> dict[str, Letter]:
    s.flush()
    found = s.scalars(select(Letter).where(Letter.ticket == ticket.number, Letter.kind == kind).order_by(Letter.id))
    return {letter.to_address: letter for letter in found}


def in_copy(s: Session, ticket: Ticket, cast: Cast, now: datetime, *addresses: str) -> None:
    for address in addresses:
        watchers.copy_to(s, ticket, address, ours=OURS, by=cast.carol, now=now)


def answered(s: Session, ticket: Ticket, by: Person, now: datetime, text: str = "Try water.") -> Message:
    return actions.reply(s, ticket, by=by, body=Body(text), source=BY_PAGE, now=now)


def noted(s: Session, ticket: Ticket, by: Person, now: datetime, text: str = "Hush.") -> Message:
    return actions.note(s, ticket, by=by, body=Body(text), source=BY_PAGE, now=now)


def events(s: Session, kind: Event) -> list[dict[str, object]]:
    return [entry["data"] for entry in s.info.get("audit", []) if entry["kind"] == kind]


def test_who_is_in_copy_gets_every_answer_from_then_on_and_none_from_before(
    s: Session, ticket: Ticket, cast: Cast, now: datetime
) -> None:
    answered(s, ticket, cast.alice, now, "Secret of before")
    in_copy(s, ticket, cast, now, "Boss@Acme.example")
    assert set(letters(s, ticket, Kind.REPLY)) == {"carol@acme.example"}

    said = answered(s, ticket, cast.alice, now, "Try sand.")
    copy = letters(s, ticket, Kind.REPLY)["boss@acme.example"]

    assert "Try sand." in copy.text
    assert "before" not in copy.text
    assert copy.message_id == said.id
    assert copy.mail_id == said.mail_id
    assert copy.dedupe_key == f"reply:{said.id}:boss@acme.example"
    assert events(s, Event.TICKET_WATCHED)[0]["watcher"] == "boss@acme.example"


def test_a_copy_carries_the_files_of_the_answer(s: Session, ticket: Ticket, cast: Cast, now: datetime) -> None:
    in_copy(s, ticket, cast, now, "boss@acme.example")
    file = File("manual.pdf", "application/octet-stream", 3, "0" * 64)
    said = actions.reply(s, ticket, by=cast.alice, body=Body(""), source=BY_PAGE, files=[file], now=now)

    assert letters(s, ticket, Kind.REPLY)["boss@acme.example"].message_id == said.id


def test_notes_and_customers_answers_are_not_copied(s: Session, ticket: Ticket, cast: Cast, now: datetime) -> None:
    in_copy(s, ticket, cast, now, "boss@acme.example")
    noted(s, ticket, cast.alice, now)
    actions.customer_reply(s, ticket, by=cast.carol, body=Body("And?"), source=BY_PAGE, now=now)

    assert letters(s, ticket, Kind.REPLY) == {}
    assert letters(s, ticket, Kind.NOTICE) == {}


def test_who_was_disabled_or_taken_out_gets_no_copy(s: Session, ticket: Ticket, cast: Cast, now: datetime) -> None:
    in_copy(s, ticket, cast, now, "frank@acme.example", "boss@acme.example")
    accounts.disable(s, cast.frank, by=None, now=now)
    watchers.unwatch(s, ticket, "BOSS@acme.example", WatcherKind.CC, by=cast.carol, now=now)

    answered(s, ticket, cast.alice, now)

    assert set(letters(s, ticket, Kind.REPLY)) == {"carol@acme.example"}
    with pytest.raises(NotFound):
        watchers.unwatch(s, ticket, "boss@acme.example", WatcherKind.CC, by=cast.carol, now=now)


def test_the_author_is_not_sent_a_copy_of_their_own_words(s: Session, ticket: Ticket, cast: Cast, now: datetime) -> None:
    in_copy(s, ticket, cast, now, "alice@desk.example")
    answered(s, ticket, cast.alice, now)

    assert set(letters(s, ticket, Kind.REPLY)) == {"carol@acme.example"}


@pytest.mark.parametrize(
    "address",
    [
        "desk@localhost",
        "SUPPORT@desk.example",
        "support+t12.abcdefghijklmnop@desk.example",
        "carol@acme.example",
        "nobody@sender.invalid",
        '"x y"@acme.example',
        "a\r\nBcc: victim@x.example@acme.example",
        "юзер@acme.example",
        "none",
    ],
)
def test_addresses_that_must_not_or_cannot_be_in_copy(
    s: Session, ticket: Ticket, cast: Cast, now: datetime, address: str
) -> None:
    with pytest.raises(Invalid):
        in_copy(s, ticket, cast, now, address)

    assert s.scalars(select(Watcher)).all() == []


def test_twenty_can_be_in_copy_and_no_more(s: Session, ticket: Ticket, cast: Cast, now: datetime) -> None:
    in_copy(s, ticket, cast, now, *(f"p{n}@acme.example" for n in range(20)))
    in_copy(s, ticket, cast, now, "p3@acme.example")  # is in copy already

    with pytest.raises(watchers.TooManyWatchers):
        in_copy(s, ticket, cast, now, "p20@acme.example")


def test_staff_who_follow_hear_of_customers_answers_and_of_notes(
    s: Session, ticket: Ticket, cast: Cast, now: datetime, follow: Follow
) -> None:
    follow(cast.alice)
    follow(cast.root)
    actions.customer_reply(s, ticket, by=cast.carol, body=Body("It still burns."), source=BY_PAGE, now=now)
    assert set(letters(s, ticket, Kind.NOTICE)) == {"alice@desk.example", "root@desk.example"}

    note = noted(s, ticket, cast.alice, now, "Bring sand.")
    heard = letters(s, ticket, Kind.NOTICE)

    assert "Bring sand." in heard["root@desk.example"].text
    assert "Bring sand." not in heard["alice@desk.example"].text, "it is her own"
    assert heard["root@desk.example"].dedupe_key == f"heard:{note.id}:root@desk.example"
    assert letters(s, ticket, Kind.REPLY) == {}


def test_what_a_machine_sent_is_no_news(s: Session, ticket: Ticket, cast: Cast, now: datetime, follow: Follow) -> None:
    follow(cast.alice)
    source = Source(Channel.MAIL, auto=True)
    actions.customer_reply(s, ticket, by=cast.carol, body=Body("I am away."), source=source, now=now)

    assert letters(s, ticket, Kind.NOTICE) == {}


def test_who_may_no_longer_see_the_ticket_hears_no_more_of_it(
    s: Session, ticket: Ticket, cast: Cast, now: datetime, follow: Follow
) -> None:
    ticket.team = cast.billing
    ticket.team_id = cast.billing.id
    follow(cast.erin)
    noted(s, ticket, cast.root, now, "one")
    assert set(letters(s, ticket, Kind.NOTICE)) == {"erin@desk.example"}

    s.execute(delete(Membership).where(Membership.person_id == cast.erin.id))
    noted(s, ticket, cast.root, now, "two")
    assert "two" not in letters(s, ticket, Kind.NOTICE)["erin@desk.example"].text

    s.add(Membership(team_id=cast.billing.id, person_id=cast.erin.id, part=Part.READER, joined_at=now))
    cast.erin.role = Role.CUSTOMER
    noted(s, ticket, cast.root, now, "three")
    assert "three" not in letters(s, ticket, Kind.NOTICE)["erin@desk.example"].text

    cast.erin.role = Role.AGENT
    noted(s, ticket, cast.root, now, "four")
    assert "four" in letters(s, ticket, Kind.NOTICE)["erin@desk.example"].text

    accounts.disable(s, cast.erin, by=None, now=now)
    noted(s, ticket, cast.root, now, "five")
    assert "five" not in letters(s, ticket, Kind.NOTICE)["erin@desk.example"].text


@pytest.mark.parametrize("address", ["carol@acme.example", "nobody@desk.example", "erin@desk.example"])
def test_only_staff_who_may_see_a_ticket_can_follow_it(
    s: Session, ticket: Ticket, cast: Cast, now: datetime, address: str
) -> None:
    ticket.team_id = _other_team(s, now)

    with pytest.raises(Invalid):
        watchers.watch(s, ticket, address, by=cast.bob, now=now)


def test_somebody_can_be_in_copy_and_follow_at_once(
    s: Session, ticket: Ticket, cast: Cast, now: datetime, follow: Follow
) -> None:
    follow(cast.alice)
    in_copy(s, ticket, cast, now, "alice@desk.example")
    watchers.unwatch(s, ticket, "alice@desk.example", WatcherKind.CC, by=cast.carol, now=now)
    noted(s, ticket, cast.bob, now)

    assert set(letters(s, ticket, Kind.NOTICE)) == {"alice@desk.example"}


def test_a_mention_is_kept_and_told_and_makes_a_follower(s: Session, ticket: Ticket, cast: Cast, now: datetime) -> None:
    note = noted(s, ticket, cast.alice, now, "@bob, and @erin@desk.example: what about carol@acme.example?")

    assert set(s.scalars(select(Mention.person_id).where(Mention.message_id == note.id))) == {cast.bob.id, cast.erin.id}
    heard = letters(s, ticket, Kind.NOTICE)
    assert set(heard) == {"bob@desk.example", "erin@desk.example"}
    assert heard["bob@desk.example"].subject == f"Ticket {ticket.number}: an internal note that mentions you"
    assert mentions.not_notified(s, note) == []
    assert {data["watcher"] for data in events(s, Event.TICKET_WATCHED)} == set(heard)

    noted(s, ticket, cast.alice, now, "And more.")
    assert "And more." in letters(s, ticket, Kind.NOTICE)["bob@desk.example"].text


def test_a_mention_by_name_reaches_the_one_who_has_it(s: Session, ticket: Ticket, cast: Cast, now: datetime) -> None:
    cast.bob.name = "Bob  the Builder"
    note = noted(s, ticket, cast.alice, now, 'Ask @"bob the builder".')
    assert mentions.not_notified(s, note) == ["bob the builder"], "his name has two spaces, in SQL"

    cast.bob.name = "Bob the Builder"
    noted(s, ticket, cast.alice, now, 'Ask @"bob the builder".')
    assert set(letters(s, ticket, Kind.NOTICE)) == {"bob@desk.example"}


def test_mentions_of_nobody_several_customers_and_strangers_are_told(
    s: Session, ticket: Ticket, cast: Cast, now: datetime
) -> None:
    accounts.add(s, email="alice@other.example", name="Alice Two", role=Role.AGENT, now=now)
    ticket.team_id = _other_team(s, now)
    note = noted(s, ticket, cast.bob, now, "@alice @carol @nobody @erin @alice@desk.example @bob @root")

    assert mentions.not_notified(s, note) == ["alice", "carol", "nobody", "erin", "alice@desk.example"]
    assert set(letters(s, ticket, Kind.NOTICE)) == {"root@desk.example"}
    assert s.scalars(select(Watcher.person_id)).all() == [cast.root.id]


def test_an_answer_mentions_nobody(s: Session, ticket: Ticket, cast: Cast, now: datetime) -> None:
    said = answered(s, ticket, cast.alice, now, "Ask @bob.")

    assert mentions.not_notified(s, said) == []
    assert letters(s, ticket, Kind.NOTICE) == {}


def test_no_note_of_any_kind_ever_reaches_a_customer(
    s: Session, ticket: Ticket, cast: Cast, now: datetime, follow: Follow
) -> None:
    in_copy(s, ticket, cast, now, "frank@acme.example", "boss@acme.example")
    follow(cast.alice)
    noted(s, ticket, cast.bob, now, "CANARY @carol @alice @frank@acme.example")
    answered(s, ticket, cast.alice, now)

    s.flush()
    written = s.scalars(select(Letter)).all()
    told = {letter.to_address for letter in written if "CANARY" in letter.text}
    assert told == {"alice@desk.example"}
    assert {"carol@acme.example", "frank@acme.example", "boss@acme.example"} <= {letter.to_address for letter in written}


def test_headers_hold_nothing_that_an_attacker_broke_lines_with(
    s: Session, ticket: Ticket, cast: Cast, now: datetime, follow: Follow
) -> None:
    follow(cast.alice)
    ticket.subject = "a\r\nBcc: victim@x.example\u2028\u202eb"
    ticket.requester.name = "x\r\nSubject: y"
    actions.customer_reply(s, ticket, by=cast.carol, body=Body("Hi"), source=BY_PAGE, now=now)
    notice = letters(s, ticket, Kind.NOTICE)["alice@desk.example"]

    assert notice.subject == f"Ticket {ticket.number}: an answer"
    assert "\nBcc" not in notice.text
    assert "\nSubject: y" not in notice.text
    assert notices.reply_subject(ticket) == f"Re: a Bcc: victim@x.exampleb [#{ticket.number}]"


def _other_team(s: Session, now: datetime) -> int:
    team = Team(name="Other", created_at=now)
    s.add(team)
    s.flush()
    return team.id


def test_the_worst_fate_of_an_answers_copies_is_told(s: Session, ticket: Ticket, cast: Cast, now: datetime) -> None:
    in_copy(s, ticket, cast, now, "boss@acme.example", "other@acme.example")
    said = answered(s, ticket, cast.alice, now)
    to = letters(s, ticket, Kind.REPLY)
    to["carol@acme.example"].state = to["other@acme.example"].state = State.SENT
    to["boss@acme.example"].state, to["boss@acme.example"].last_error = State.FAILED, "no such user"
    s.flush()

    assert outbox.fates(s, ticket.number, configured=True)[said.id].words == "not delivered: no such user"
