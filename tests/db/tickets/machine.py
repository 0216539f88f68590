"""A desk that a machine of Hypothesis plays on, on a real PostgreSQL; every example is rolled back."""

from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from sqlalchemy import select
from sqlalchemy.orm import Session as RawSession

from app.accounts.models import Person
from app.db.session import Database
from app.db.session import now as database_now
from app.sla import actions as sla
from app.sla import queries as sla_queries
from app.sla import rules
from app.sla.models import Clock
from app.sla.rules.preview import standings
from app.tickets import actions, preview
from app.tickets.actions import Body, Source
from app.tickets.models import Channel, Ticket
from tests.cast import assemble

BY_MAIL = Source(Channel.MAIL)
MINUTE = timedelta(minutes=1)


class Desk(RuleBasedStateMachine):
    """Time goes on by a minute a step. What an action did is committed, as at the end of a request."""

    database: ClassVar[Database]

    def __init__(self) -> None:
        super().__init__()
        self.undo = ExitStack()
        c = self.undo.enter_context(self.database.engine.connect())
        outer = c.begin()
        self.undo.callback(outer.rollback)
        self.s = self.undo.enter_context(RawSession(c, expire_on_commit=False, join_transaction_mode="create_savepoint"))
        self.now: datetime = database_now(self.s)
        sla.ensure_defaults(self.s, now=self.now)
        self.cast = assemble(self.s, self.now)
        self.said = 0

    def teardown(self) -> None:
        self.undo.close()

    def later(self, by: timedelta = MINUTE) -> datetime:
        """What was done is committed and forgotten by the session, and it is a little later."""
        self.s.commit()
        self.s.expire_all()
        self.s.info["now"] = self.now = self.now + by
        return self.now

    def words(self) -> str:
        """A word that is said once."""
        self.said += 1
        return f"word{self.said}"

    def opened(self, by: Person, *, gate: bool = False) -> Ticket:
        made = actions.open(
            self.s, requester=by, by=None, subject="Printer", body=Body(self.words()), source=BY_MAIL, now=self.now, gate=gate
        )
        self.s.commit()
        return made

    def clocks_are_what_their_segments_say(self) -> None:
        assert sla_queries.drifts(self.s, after=0, limit=1000) == ([], None)

    def clocks_are_what_their_moments_say(self, *tickets: Ticket) -> None:
        """A life reckoned again from what happened, under the promises of today, is the one that was lived."""
        offers = preview.offers(self.s)
        for number, known, life in preview.lives(self.s, tickets):
            told = standings(life, rules.chosen(offers, known), self.now)
            rows = self.s.scalars(select(Clock).where(Clock.ticket == number))
            assert {key: (it.verdict, it.due_at) for key, it in told.items()} == {
                (r.metric, r.cycle): stands(r, self.now) for r in rows
            }


def stands(row: Clock, now: datetime) -> tuple[str, datetime | None]:
    """What a clock's row says of its promise, where no worker looks."""
    if row.breached_at:
        return "missed", row.breached_at
    if row.outcome is None and row.due_at and row.due_at <= now:
        return "missed", row.due_at
    if row.outcome is None:
        return ("paused" if row.state == "paused" else "running"), row.due_at
    return ("met" if row.outcome == "met" else "off"), row.due_at


def play(machine: type[Desk], database: Database, *, examples: int, steps: int) -> None:
    """Let Hypothesis play, the same games each time: what fails here fails everywhere."""
    on_this = type(machine.__name__, (machine,), {"database": database})
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],  # a game of a few steps needs no shrinking, which takes minutes
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(on_this, settings=chosen)
