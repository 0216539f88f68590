"""The life of a ticket."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tickets import rules
from app.tickets.rules import CustomerAnswer, Status

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
INTERFACE = {
    ("new", "accepted"), ("accepted", "in_progress"), ("in_progress", "waiting_customer"), ("waiting_customer", "in_progress"),
    ("waiting_customer", "resolved"), ("in_progress", "resolved"), ("resolved", "closed"), ("new", "cancelled"),
    ("accepted", "cancelled"), ("in_progress", "cancelled"), ("waiting_customer", "cancelled"), ("resolved", "in_progress"),
    ("closed", "in_progress"), ("accepted", "waiting_customer"), ("accepted", "resolved"),
}  # fmt: skip


def test_the_steps_are_those_that_the_interface_promises() -> None:
    assert {(a.value, b.value) for a in Status for b in Status if rules.may_change(a, b)} == INTERFACE


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.CLOSED])
def test_nobody_reopens_by_hand_what_the_customers_answer_reopens(status: Status) -> None:
    assert Status.IN_PROGRESS not in rules.allowed(status)
    assert rules.may_change(status, Status.IN_PROGRESS)


def test_an_answer_resumes_what_waited_and_reopens_what_was_done() -> None:
    def after(status: Status, closed_at: datetime | None = None) -> CustomerAnswer:
        return rules.after_customer_answer(status, closed_at=closed_at, now=NOON)

    assert after(Status.WAITING_CUSTOMER) is CustomerAnswer.RESUME
    assert after(Status.RESOLVED) is CustomerAnswer.REOPEN
    assert after(Status.CLOSED, NOON - rules.REOPEN_WINDOW) is CustomerAnswer.REOPEN
    assert after(Status.CLOSED, NOON - rules.REOPEN_WINDOW - timedelta(microseconds=1)) is CustomerAnswer.FOLLOW_UP
    assert after(Status.CANCELLED) is CustomerAnswer.FOLLOW_UP
    assert after(Status.NEW) is CustomerAnswer.NOTHING


@given(st.lists(st.sampled_from(Status), max_size=30))
def test_however_people_push_a_ticket_it_never_leaves_the_map_and_never_comes_back_from_cancelled(wanted: list[Status]) -> None:
    status = Status.NEW
    for to in wanted:
        if to in rules.allowed(status):
            assert (status.value, to.value) in INTERFACE
            assert status is not Status.CANCELLED
            status = to
