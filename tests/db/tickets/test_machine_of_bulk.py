"""Changes of many at once, changes of single ones in between, and reversions, against a model."""

import json
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from app.db.session import Database
from app.tickets import bulk, change
from app.tickets.bulk import AlreadyReverted, Changing, Deed, Trashing
from app.tickets.change import Change
from app.tickets.models import Ticket
from tests.db.tickets.machine import Desk, play
from tests.db.tickets.test_machine_of_a_life import BY_HAND

pytestmark = pytest.mark.db

COUNT = 4
STAMPS = {"accepted": "accepted_at", "resolved": "resolved_at", "closed": "closed_at", "cancelled": "closed_at"}
some = st.sets(st.integers(0, COUNT - 1), min_size=1)
tags = st.lists(st.sampled_from("abc"), max_size=2, unique=True)
wishes = st.fixed_dictionaries(
    {},
    optional={
        "subject": st.sampled_from(["Smoke", "Fire"]),
        "priority": st.sampled_from(["low", "medium", "urgent"]),
        "status": st.sampled_from(["accepted", "in_progress", "waiting_customer", "resolved", "closed", "cancelled"]),
        "assignee_id": st.sampled_from([None, "alice", "bob"]),
        "add_tags": tags,
        "remove_tags": tags,
    },
)
Values = dict[str, Any]


class Many(Desk):
    """The model: the values of each ticket, and of each change of many what was there before and what it left."""

    @initialize()
    def begin(self) -> None:
        self.tickets: list[Ticket] = [self.opened(self.cast.carol, gate=n == 0) for n in range(COUNT)]
        nothing = dict.fromkeys(("team_id", "assignee_id", "snoozed_until", *STAMPS.values(), "trashed_at"))
        first = nothing | {"subject": "Printer", "priority": "medium", "tags": [], "fields": {}}
        accepted = {"status": "accepted", "accepted_at": self.now.isoformat()}
        self.values: list[Values] = [first | (accepted if n else {"status": "new"}) for n in range(COUNT)]
        self.made: list[tuple[int, dict[int, tuple[Values, Values]]]] = []
        self.reverted: set[int] = set()

    @rule(which=some, wish=wishes)
    def change_many(self, which: set[int], wish: Values) -> None:
        self.do(which, Changing(self.change(wish)), {n: self.changed(n, wish) for n in which})

    @rule(which=some)
    def discard_many(self, which: set[int]) -> None:
        gone = {"trashed_at": self.now.isoformat()}
        self.do(which, Trashing("x"), {n: None if self.values[n]["trashed_at"] else self.values[n] | gone for n in which})

    @rule(n=st.integers(0, COUNT - 1), wish=wishes)
    def change_one(self, n: int, wish: Values) -> None:
        after = self.changed(n, wish)
        if after is not None:
            change.apply(self.s, self.tickets[n], self.change(wish), by=self.cast.bob, now=self.now)
            self.values[n] = after

    @rule(data=st.data())
    def revert(self, data: st.DataObject) -> None:
        if not self.made:
            return
        id, did = data.draw(st.sampled_from(self.made))
        if id in self.reverted:
            with pytest.raises(AlreadyReverted):
                bulk.revert(self.s, id, by=self.cast.alice, now=self.now)
            self.s.rollback()
            return
        bulk.revert(self.s, id, by=self.cast.alice, now=self.now)
        self.reverted.add(id)
        outcomes = self.outcomes(id)
        for n, (before, after) in did.items():
            same = self.values[n] == after
            assert outcomes[n] == ("unchanged" if before == after else "reverted" if same else "kept")
            self.values[n] = before if same else self.values[n]

    @invariant()
    def all_are_as_the_model_says(self) -> None:
        self.later()
        assert [bulk.values(ticket) for ticket in self.tickets] == self.values
        self.clocks_are_what_their_segments_say()

    def do(self, which: set[int], deed: Deed, after: dict[int, Values | None]) -> None:
        made = bulk.do(self.s, [self.tickets[n].number for n in which], deed, by=self.cast.alice, now=self.now)
        done = {n: (self.values[n], values) for n, values in after.items() if values is not None}
        expected = {n: "changed" if before != values else "unchanged" for n, (before, values) in done.items()}
        assert self.outcomes(made.id) == dict.fromkeys(which, "refused") | expected
        self.made.append((made.id, done))
        for n, (_, values) in done.items():
            self.values[n] = values

    def outcomes(self, id: int) -> dict[int, str]:
        self.s.flush()
        told = json.loads(bulk.told(self.s.connection(), self.cast.alice, id))
        places = {ticket.number: n for n, ticket in enumerate(self.tickets)}
        return {places[row["number"]]: row["outcome"] for row in told["tickets"]}

    def change(self, wish: Values) -> Change:
        return Change.of(self.named(wish))

    def named(self, wish: Values) -> Values:
        who = wish.get("assignee_id")
        return wish | ({"assignee_id": getattr(self.cast, who).id} if who else {})

    def changed(self, n: int, wish: Values) -> Values | None:
        """What a ticket would be afterwards; None where that is refused."""
        before, wish = self.values[n], self.named(wish)
        to = wish.get("status", before["status"])
        if before["trashed_at"] or (to != before["status"] and to not in BY_HAND[before["status"]]):
            return None
        plain = {name: wish[name] for name in ("subject", "priority", "assignee_id") if name in wish}
        kept = (set(before["tags"]) - set(wish.get("remove_tags", ()))) | set(wish.get("add_tags", ()))
        stamp = {STAMPS[to]: self.now.isoformat()} if to != before["status"] and to in STAMPS else {}
        return before | plain | {"status": to, "tags": sorted(kept)} | stamp


def test_what_is_changed_at_once_is_reverted_at_once_and_nothing_else_is(shared_database: Database) -> None:
    play(Many, shared_database, examples=20, steps=15)
