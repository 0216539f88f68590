"""A ticket's whole life against a model of it: every action in every status, in any order."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from sqlalchemy import func, select

from app.core.errors import DeskError
from app.db.session import Database
from app.sla.models import Clock
from app.sla.rules import State
from app.tickets import actions, snooze, trash
from app.tickets.actions import Body
from app.tickets.models import Message, Ticket
from app.tickets.rules import Status
from tests.db.tickets.machine import BY_MAIL, Desk, play

pytestmark = pytest.mark.db

BY_HAND = {
    "new": {"accepted", "cancelled"},
    "accepted": {"in_progress", "waiting_customer", "resolved", "cancelled"},
    "in_progress": {"waiting_customer", "resolved", "cancelled"},
    "waiting_customer": {"in_progress", "resolved", "cancelled"},
    "resolved": {"closed"},
    "closed": set(),
    "cancelled": set(),
}
OVER = {"resolved", "closed", "cancelled"}
here = precondition(lambda self: not self.trashed)  # the door lets nobody at a ticket in the trash


class Life(Desk):
    """The model: where it stands, what was said, whether somebody owes an answer, and whether it is in the trash."""

    @initialize(gate=st.booleans())
    def begin(self, gate: bool) -> None:
        self.ticket: Ticket = self.opened(self.cast.carol, gate=gate)
        self.status = "new" if gate else "accepted"
        self.messages, self.follow_ups = 1, 0
        self.first_over = self.asked = self.trashed = self.asleep = False
        self.closed_at: datetime | None = None
        self.revision = self.ticket.revision

    @here
    @rule(to=st.sampled_from(list(Status)))
    def step(self, to: Status) -> None:
        allowed = to in BY_HAND[self.status]
        self.tried(lambda: actions.change_status(self.s, self.ticket, to=to, by=self.cast.alice, now=self.now), allowed)
        if allowed:
            self.becomes(to)

    @here
    @rule(then=st.none() | st.sampled_from(list(Status)))
    def answer(self, then: Status | None) -> None:
        allowed = self.status not in {"new", "closed", "cancelled"}
        allowed = allowed and (then in {None, self.status} or then in BY_HAND[self.status])
        body = Body(self.words())
        said = {"by": self.cast.alice, "body": body, "source": BY_MAIL, "now": self.now, "then": then}
        self.tried(lambda: actions.reply(self.s, self.ticket, **said), allowed)  # type: ignore[arg-type]
        if allowed:
            self.messages += 1
            self.first_over, self.asked = True, False
            if then is not None and then != self.status:
                self.becomes(then)

    @here
    @rule()
    def note(self) -> None:
        actions.note(self.s, self.ticket, by=self.cast.alice, body=Body(self.words()), source=BY_MAIL, now=self.now)
        self.messages += 1

    @rule(days=st.sampled_from([0, 0, 13, 15]))
    def customer_writes(self, days: int) -> None:
        self.later(timedelta(days=days))
        long_ago = self.closed_at is not None and self.now - self.closed_at > timedelta(days=14)
        anew = self.trashed or self.status == "cancelled" or (self.status == "closed" and long_ago)
        said = {"by": self.cast.carol, "body": Body(self.words()), "source": BY_MAIL, "now": self.now}
        landed = actions.customer_reply(self.s, self.ticket, **said)  # type: ignore[arg-type]
        assert (landed.number != self.ticket.number) is anew
        if anew:
            self.follow_ups += 1
            return
        self.messages += 1
        self.asleep = False
        if self.status in OVER | {"waiting_customer"}:
            self.status, self.closed_at = "in_progress", None
        self.asked = self.asked or (self.first_over and self.status != "new")

    @here
    @rule()
    def discard(self) -> None:
        trash.discard(self.s, self.ticket, reason="x", by=self.cast.bob, now=self.now)
        self.trashed = True

    @precondition(lambda self: self.trashed)
    @rule()
    def take_back(self) -> None:
        trash.take_back(self.s, self.ticket, by=self.cast.bob, now=self.now)
        self.trashed = False

    @here
    @rule()
    def sleep(self) -> None:
        until = self.now + timedelta(days=60)
        allowed = self.status not in OVER
        self.tried(lambda: snooze.until(self.s, self.ticket, until, by=self.cast.alice, now=self.now), allowed)
        self.asleep = self.asleep or allowed

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        self.later()
        t = self.ticket
        assert t.status == self.status
        assert (t.accepted_at is not None) is (self.status != "new" and self.was_accepted())
        assert (t.closed_at is not None) is (self.status in {"closed", "cancelled"})
        assert t.resolved_at is not None or self.status not in {"resolved", "closed"}
        assert (t.snoozed_until is not None, t.trashed_at is not None) == (self.asleep, self.trashed)
        of = select(func.count()).where(Message.ticket == t.number)
        assert self.s.scalar(of) == self.messages
        assert self.s.scalar(select(func.count()).where(Ticket.follows == t.number)) == self.follow_ups
        assert t.revision >= self.revision
        self.revision = t.revision

    @invariant()
    def its_clocks_follow(self) -> None:
        self.clocks_are_what_their_segments_say()
        self.clocks_are_what_their_moments_say(self.ticket)
        rows = self.s.scalars(select(Clock).where(Clock.ticket == self.ticket.number, Clock.outcome.is_(None)))
        running = {clock.metric.value: clock.state is State.PAUSED for clock in rows}
        if self.trashed or self.status in OVER | {"new"}:
            assert running == {}
            return
        expected = {"resolution": self.status == "waiting_customer"}
        expected |= {} if self.first_over else {"first_response": False}
        expected |= {"next_response": False} if self.asked else {}
        assert running == expected

    def becomes(self, to: str) -> None:
        self.status = str(to)
        if to in OVER:
            self.asked = self.asleep = False
            self.first_over = self.first_over or self.was_accepted()
            self.closed_at = self.now if to != "resolved" else None

    def was_accepted(self) -> bool:
        return self.ticket.accepted_at is not None

    def tried(self, deed: Callable[[], object], allowed: bool) -> None:
        try:
            deed()
        except DeskError:
            assert not allowed
            self.s.rollback()
        else:
            assert allowed


def test_every_action_in_every_status_does_what_the_model_says(shared_database: Database) -> None:
    play(Life, shared_database, examples=25, steps=20)
