"""What mails show that an older key signed, or one that was withdrawn, or nobody."""

from dataclasses import replace
from datetime import datetime

import pytest

from app.intake.rules.states import MailState
from app.outbox import actions as outbox
from app.outbox.house import House
from app.outbox.keys import Key, Keys
from tests.db.intake.conftest import Desk
from tests.unit.intake.letters import mail

CAROL, MALLORY = "Carol <carol@acme.example>", "Mallory <mallory@evil.example>"


def later(house: House, now: datetime, *, withdrawn: bool = False) -> House:
    """The house after a new key, and after the first was withdrawn."""
    known = [Key(0, withdrawn_at=now if withdrawn else None), Key(1, "5a" * 32, now)]
    return replace(house, ring=Keys(house.signer, known))


@pytest.fixture
def ticket(desk: Desk) -> int:
    number = desk.deliver(mail("first", mail_id="<first@acme.example>")).ticket
    assert number
    return number


def signs(house: House, ticket: int, now: datetime) -> list[dict[str, str]]:
    """Carol's address for answers, and the Message-ID of a letter."""
    ours = house.mail_id(outbox.new_mail_id(ticket, 1), now)
    return [{"to": house.reply_address(ticket, "carol@acme.example")}, {"In_Reply_To": ours}]


@pytest.mark.parametrize("which", [0, 1])
def test_an_answer_to_an_old_mail_joins_its_ticket_after_a_new_key(desk: Desk, ticket: int, which: int) -> None:
    old = signs(desk.house, ticket, desk.now)[which]
    desk.house = later(desk.house, desk.now)
    new = signs(desk.house, ticket, desk.now)[which]
    assert old != new
    assert [
        desk.deliver(mail(f"More {n}", sender=CAROL, mail_id=f"<{n}@acme.example>", **shown)).ticket
        for n, shown in enumerate((old, new))
    ] == [ticket, ticket]


@pytest.mark.parametrize("which", [0, 1])
def test_under_a_withdrawn_key_it_is_a_mail_without_a_sign(desk: Desk, ticket: int, which: int) -> None:
    old = signs(desk.house, ticket, desk.now)[which]
    desk.house = later(desk.house, desk.now, withdrawn=True)
    row = desk.deliver(mail("More", sender=CAROL, mail_id="<more@acme.example>", **old))
    assert row.state is MailState.DONE
    assert row.ticket not in (None, ticket)
    new = signs(desk.house, ticket, desk.now)[which]
    assert desk.deliver(mail("Again", sender=CAROL, mail_id="<again@acme.example>", **new)).ticket == ticket


@pytest.mark.parametrize("which", [0, 1])
def test_mallory_gains_nothing_by_a_key_that_was_never_ours_nor_by_another_tickets_sign(
    desk: Desk, ticket: int, which: int
) -> None:
    other = desk.deliver(mail("Mine", sender=MALLORY, mail_id="<mine@evil.example>")).ticket
    assert other
    stolen = replace(desk.house, ring=Keys(desk.house.signer, [Key(0), Key(1, "66" * 32, desk.now)]))
    made = signs(stolen, ticket, desk.now)[which]
    desk.house = later(desk.house, desk.now)
    swapped = {
        name: value.replace(f"t{other}.", f"t{ticket}.").replace(f"t.{other}.", f"t.{ticket}.")
        for name, value in signs(desk.house, other, desk.now)[which].items()
    }
    for n, shown in enumerate((made, swapped)):
        for sender in (MALLORY, CAROL):
            row = desk.deliver(mail(f"Let me in {n}", sender=sender, mail_id=f"<{n}.{sender[:5]}@evil.example>", **shown))
            assert row.ticket not in (None, ticket)
    assert len(desk.messages(ticket)) == 1
    assert desk.suggested() == []
