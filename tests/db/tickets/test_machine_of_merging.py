"""Any forest of merges, made and undone in any order, against a model; undone, everything is back where it was."""

from datetime import datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from sqlalchemy import ColumnElement, func, select

from app.core.errors import DeskError
from app.db.session import Database
from app.sla.models import Clock
from app.tickets import actions, merging, queries, watchers
from app.tickets.actions import Body
from app.tickets.models import Ticket, TicketText, Watcher
from app.tickets.rules import WatcherKind
from tests.db.tickets.machine import BY_MAIL, Desk, play

pytestmark = pytest.mark.db

COUNT = 5
which = st.integers(0, COUNT - 1)
PROMISED = timedelta(hours=72)  # the resolution, round the clock


class Forest(Desk):
    """The model: what each ticket is merged into, what was said on it, who was put in copy by hand, and how long it was away."""

    @initialize()
    def begin(self) -> None:
        self.requesters = [self.cast.carol, self.cast.carol, self.cast.frank, self.cast.dave, self.cast.mallory]
        self.tickets: list[Ticket] = []
        for person in self.requesters:
            self.tickets.append(self.opened(person))
        self.own = [{f"word{n + 1}"} for n in range(COUNT)]
        self.into: dict[int, int] = {}
        self.copied: list[set[int]] = [set() for _ in range(COUNT)]
        self.away: list[timedelta] = [timedelta(0)] * COUNT
        self.since: dict[int, datetime] = {}
        self.due = dict.fromkeys(range(COUNT), self.now + PROMISED)

    @rule(source=which, into=which)
    def merge(self, source: int, into: int) -> None:
        strangers = (source == COUNT - 1) is not (into == COUNT - 1)
        allowed = source != into and not strangers and source not in self.into and into not in self.into
        a, b = self.tickets[source].number, self.tickets[into].number
        try:
            merging.merge(self.s, a, b, by=self.cast.alice, now=self.now, reveal=True)
        except DeskError:
            assert not allowed
            self.s.rollback()
            return
        assert allowed
        self.into[source], self.since[source] = into, self.now

    @rule(source=st.integers(0, 2))
    def merge_into_daves(self, source: int) -> None:
        self.merge(source, 3)

    @rule(source=which)
    def unmerge(self, source: int) -> None:
        if source in self.into:
            self.apart(source)
            return
        with pytest.raises(merging.NotMerged):
            merging.unmerge(self.s, self.tickets[source].number, by=self.cast.alice, now=self.now)
        self.s.rollback()

    @rule(on=which)
    def customer_writes(self, on: int) -> None:
        word = self.words()
        said = {"by": self.requesters[on], "body": Body(word), "source": BY_MAIL, "now": self.now}
        landed = actions.customer_reply(self.s, self.tickets[on], **said)  # type: ignore[arg-type]
        assert landed.number == self.tickets[self.end(on)].number
        self.own[self.end(on)].add(word)

    @rule(on=which, who=st.integers(0, COUNT - 1))
    def copy_to(self, on: int, who: int) -> None:
        person = self.requesters[who]
        if on in self.into or person.id == self.requesters[on].id:
            return
        watchers.copy_to(self.s, self.tickets[on], person.email, ours=(), by=self.cast.alice, now=self.now)
        if person.id not in self.followers(on):
            self.copied[on].add(person.id)

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        self.later()
        words = {row.ticket: set(row.words) for row in self.s.execute(select(TicketText.ticket, _words()))}
        rows = self.s.execute(select(Watcher.ticket, Watcher.person_id).where(Watcher.kind == WatcherKind.CC))
        copied = {(row.ticket, row.person_id) for row in rows}
        for n, ticket in enumerate(self.tickets):
            into = self.tickets[self.into[n]].number if n in self.into else None
            end = self.tickets[self.end(n)].number if n in self.into else None
            assert (ticket.merged_into, ticket.conversation) == (into, end)
            read = self.own[n] if n in self.into else set[str]().union(*(self.own[m] for m in self.tree(n)))
            assert {m.text for m in queries.messages(self.s, ticket, notes=True)} == read
            assert {word for word in words[ticket.number] if word.startswith("word")} == read
            assert {person for number, person in copied if number == ticket.number} == self.followers(n)

    @invariant()
    def its_clocks_count_only_the_time_it_was_there(self) -> None:
        self.clocks_are_what_their_segments_say()
        self.clocks_are_what_their_moments_say(*self.tickets)
        rows = self.s.scalars(select(Clock).where(Clock.metric == "resolution"))
        clocks = {clock.ticket: clock for clock in rows}
        for n, ticket in enumerate(self.tickets):
            clock = clocks[ticket.number]
            if n in self.into:
                assert (clock.outcome, clock.next_at) == ("merged", None)
            else:
                assert (clock.outcome, clock.due_at) == (None, self.due[n] + self.away[n])

    def teardown(self) -> None:
        """Whatever is still merged is undone, last in, first out or the other way round: all are as they were."""
        if hasattr(self, "into"):
            for source in sorted(self.into, reverse=self.said % 2 == 0):
                self.apart(source)
                self.it_is_as_the_model_says()
            self.its_clocks_count_only_the_time_it_was_there()
            assert all(self.followers(n) == self.copied[n] for n in range(COUNT))
        super().teardown()

    def apart(self, source: int) -> None:
        merging.unmerge(self.s, self.tickets[source].number, by=self.cast.alice, now=self.now)
        del self.into[source]
        self.away[source] += self.now - self.since.pop(source)

    def end(self, n: int) -> int:
        while n in self.into:
            n = self.into[n]
        return n

    def tree(self, n: int) -> list[int]:
        return [m for m in range(COUNT) if m == n or n in self.above(m)]

    def above(self, n: int) -> list[int]:
        return [self.into[n], *self.above(self.into[n])] if n in self.into else []

    def followers(self, n: int) -> set[int]:
        """Whom somebody put in copy, and those of the same organization who followed what is part of it."""
        brought: set[int] = set()
        for part, into in self.into.items():
            if into == n:
                brought |= {self.requesters[part].id} | self.followers(part)
        ours = {p.id for p in self.requesters if p.organization_id == self.requesters[n].organization_id}
        return self.copied[n] | ((brought & ours) - {self.requesters[n].id})


def _words() -> ColumnElement[list[str]]:
    return func.tsvector_to_array(TicketText.whole).label("words")


def test_any_merges_made_and_undone_in_any_order_leave_everything_where_it_was(shared_database: Database) -> None:
    play(Forest, shared_database, examples=14, steps=15)
