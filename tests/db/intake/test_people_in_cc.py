"""Who stands in Cc of a customer's mail: colleagues get what is said from then on, if the mail is known to be the customer's."""

import pytest

from app.accounts.models import OrganizationDomain
from app.intake.rules.authentication import Verdict
from app.outbox.models import Kind, Letter
from app.tickets import actions as tickets
from app.tickets import queries
from app.tickets.actions import Body, Source
from app.tickets.models import Channel, Watcher
from tests.cast import Cast
from tests.db.intake.conftest import Desk
from tests.unit.intake.letters import mail

COLLEAGUES = "Frank <frank@acme.example>, new@acme.example"
OTHERS = "mallory@evil.example, alice@desk.example, somebody@gmail.com, support@desk.example, carol@acme.example"


@pytest.fixture(autouse=True)
def _domain(desk: Desk, cast: Cast) -> None:
    desk.s.add(OrganizationDomain(domain="acme.example", organization_id=cast.carol.organization_id, added_at=desk.now))
    desk.s.flush()


def in_copy(desk: Desk) -> list[str]:
    return sorted(w.person.email for w in desk.s.query(Watcher))


def test_colleagues_get_later_answers_and_nothing_from_before(desk: Desk, cast: Cast) -> None:
    number = desk.deliver(mail("a secret", mail_id="<1@acme.example>"), verdict=Verdict.PASS).ticket
    ticket = queries.by_number(desk.s, number or 0)
    assert ticket
    more = mail("more", mail_id="<2@acme.example>", In_Reply_To="<1@acme.example>", Cc=f"{COLLEAGUES}, {OTHERS}")
    assert desk.deliver(more, verdict=Verdict.PASS).ticket == number
    assert in_copy(desk) == ["frank@acme.example", "new@acme.example"]

    tickets.accept(desk.s, ticket, by=cast.alice, now=desk.now)
    tickets.reply(desk.s, ticket, by=cast.alice, body=Body("the answer"), source=Source(Channel.PAGE), now=desk.now)
    letters = {letter.to_address: letter.text for letter in desk.s.query(Letter).filter_by(kind=Kind.REPLY)}
    assert sorted(letters) == ["carol@acme.example", "frank@acme.example", "new@acme.example"]
    assert all("the answer" in said and "secret" not in said and "more" not in said for said in letters.values())


@pytest.mark.parametrize("verdict", [Verdict.NONE, Verdict.TEMPERROR, Verdict.FAIL])
def test_a_mail_that_may_be_anybody_s_puts_nobody_in_copy(desk: Desk, verdict: Verdict) -> None:
    desk.deliver(mail(Cc=COLLEAGUES), verdict=verdict)
    assert in_copy(desk) == []


def test_nor_does_a_machine_s_or_one_of_somebody_without_an_organization(desk: Desk) -> None:
    desk.deliver(mail(Cc=COLLEAGUES, Auto_Submitted="auto-generated"), verdict=Verdict.PASS)
    desk.deliver(mail(sender="somebody@gmail.com", mail_id="<2@gmail>", Cc="other@gmail.com"), verdict=Verdict.PASS)
    assert in_copy(desk) == []


def test_one_mail_puts_ten_in_copy_at_most(desk: Desk) -> None:
    desk.deliver(mail(Cc=", ".join(f"c{n}@acme.example" for n in range(30))), verdict=Verdict.PASS)
    assert len(in_copy(desk)) == 10


def test_who_only_answers_in_copy_puts_nobody_else_in_copy(desk: Desk) -> None:
    number = desk.deliver(mail(Cc="frank@acme.example"), verdict=Verdict.PASS).ticket
    to = desk.house.reply_address(number or 0, "frank@acme.example")
    answer = mail("me too", sender="frank@acme.example", mail_id="<2@acme.example>", to=to, Cc="new@acme.example")
    assert desk.deliver(answer, verdict=Verdict.PASS).ticket == number
    assert in_copy(desk) == ["frank@acme.example"]
