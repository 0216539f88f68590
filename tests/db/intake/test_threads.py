"""Threads whose mails come in any order, with gaps and with cycles: one ticket each, whatever comes first."""

import random
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.tickets.models import Message
from tests.db.intake.conftest import Desk, a_mailbox
from tests.unit.intake.letters import mail

CAROL, DAVE, MALLORY = "carol@acme.example", "dave@acme.example", "mallory@evil.example"


def thread(name: str, parents: list[int | None], *, sender: str = CAROL, auto: str = "no") -> list[bytes]:
    """Mails of one thread as mail programs write them: each names the one it answers, and the whole chain up to the first."""
    chains: list[list[str]] = []
    raws = []
    for n, parent in enumerate(parents):
        chain = [] if parent is None else [*chains[parent], f"<{name}.{parent}@x.example>"]
        chains.append(chain)
        signs = {"In_Reply_To": chain[-1], "References": " ".join(chain)} if chain else {}
        raws.append(
            mail(f"{name} {n}", sender=sender, mail_id=f"<{name}.{n}@x.example>", subject="Help", Auto_Submitted=auto, **signs)
        )
    return raws


def trees(desk: Desk) -> set[frozenset[str]]:
    """What stands together."""
    return {frozenset(m.text for m in desk.messages(t.number)) for t in desk.tickets() if desk.messages(t.number)}


PARENTS = st.integers(2, 7).flatmap(lambda n: st.tuples(*(st.integers(0, i) for i in range(n - 1))))


@given(parents=PARENTS, order=st.randoms(use_true_random=False), missing=st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_gives_the_same_tree_also_where_the_first_mail_never_comes(
    desk: Desk, parents: tuple[int, ...], order: random.Random, missing: bool
) -> None:
    with desk.s.begin_nested() as attempt:
        raws = thread("one", [None, *parents])[missing:]
        order.shuffle(raws)
        for raw in raws:
            desk.deliver(raw)
        assert trees(desk) == {frozenset(f"one {n}" for n in range(missing, len(parents) + 1))}
        attempt.rollback()


def test_two_hundred_threads_shuffled_together_come_apart_again(desk: Desk) -> None:
    """Four senders of two companies use the same subject, and one thread of each ten lacks its first mail."""
    chance = random.Random(20261130)
    expected, raws = set(), []
    for n in range(200):
        parents = [None, *(chance.randrange(i + 1) for i in range(chance.randrange(1, 4)))]
        sender = (CAROL, DAVE, MALLORY, "eve@evil.example")[n % 4]
        mails = thread(f"t{n}", parents, sender=sender)
        gone = int(n % 10 == 0)
        expected.add(frozenset(f"t{n} {i}" for i in range(gone, len(mails))))
        raws += mails[gone:]
    chance.shuffle(raws)
    for raw in raws:
        desk.now += timedelta(minutes=3)  # all at once they would be a flood
        desk.deliver(raw)
    assert trees(desk) == expected
    for ticket in desk.tickets():
        assert {m.author_id for m in desk.messages(ticket.number)} == {ticket.requester_id}


def test_a_cycle_of_references_is_one_ticket(desk: Desk) -> None:
    for n, other in ((1, 2), (2, 3), (3, 1)):
        refers = f"<{other}@x> <{n}@x>"
        desk.deliver(mail(f"{n}", mail_id=f"<{n}@x>", In_Reply_To=f"<{other}@x>", References=refers))
    assert trees(desk) == {frozenset("123")}


def test_without_references_the_answer_to_an_answer_finds_it_in_either_order(desk: Desk) -> None:
    """Some programs name only the mail they answer."""
    desk.deliver(mail("answer", mail_id="<2@x>", In_Reply_To="<1@x>"))
    desk.deliver(mail("first", mail_id="<1@x>"))
    desk.deliver(mail("third", mail_id="<3@x>", In_Reply_To="<2@x>"))
    assert trees(desk) == {frozenset({"answer", "first", "third"})}


@pytest.mark.parametrize("sender", [DAVE, MALLORY])
def test_the_same_references_of_somebody_else_are_another_ticket(desk: Desk, sender: str) -> None:
    desk.deliver(mail("one", mail_id="<1@x>", References="<root@x>"))
    desk.deliver(mail("other", sender=sender, mail_id="<2@y>", References="<root@x>"))
    desk.deliver(mail("root", sender=sender, mail_id="<root@x>"))
    assert trees(desk) == {frozenset({"one"}), frozenset({"other", "root"})}


def test_the_same_subject_is_no_thread(desk: Desk) -> None:
    for n in range(3):
        desk.deliver(mail(f"{n}", mail_id=f"<{n}@x>", subject="Re: Help", Thread_Index="AdABCDEF", Thread_Topic="Help"))
    assert trees(desk) == {frozenset("0"), frozenset("1"), frozenset("2")}


def test_what_machines_write_makes_no_thread(desk: Desk) -> None:
    for raw in thread("report", [None, 0, 0], auto="auto-generated"):
        desk.deliver(raw)
    assert len(trees(desk)) == 3


def test_the_same_mail_to_two_mailboxes_is_a_ticket_in_each_also_when_it_refers_to_others(desk: Desk) -> None:
    sales = a_mailbox(desk.s, desk.now, "sales@desk.example")
    for mailbox in (desk.mailbox, sales):
        desk.deliver(mail("both", References="<elsewhere@x>"), mailbox=mailbox)
    assert [len(desk.messages(t.number)) for t in desk.tickets()] == [1, 1]


def test_of_two_tickets_of_one_mail_the_newer_gets_the_answer(desk: Desk) -> None:
    sales = a_mailbox(desk.s, desk.now, "sales@desk.example")
    tickets = [desk.deliver(mail("both"), mailbox=mailbox).ticket for mailbox in (desk.mailbox, sales)]
    assert desk.deliver(mail("more", mail_id="<2@x>", In_Reply_To="<1@acme.example>")).ticket == max(t or 0 for t in tickets)
    assert desk.s.query(Message).count() == 3
