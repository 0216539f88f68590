"""How long a mailbox that failed is left in peace."""

from datetime import timedelta

import pytest

from app.intake.rules.patience import before_next_try, state_after
from app.intake.rules.states import FailureClass, MailboxState


def minutes(kind: FailureClass, failures: int) -> float:
    return before_next_try(kind, failures, chance=1).total_seconds() / 60


def test_a_refused_password_waits_1_5_15_60_minutes_and_then_6_hours() -> None:
    assert [minutes(FailureClass.AUTH, n) for n in range(1, 8)] == [1, 5, 15, 60, 360, 360, 360]


def test_a_day_of_a_wrong_password_is_no_siege() -> None:
    clock, tries = 0.0, 0
    while clock < 24 * 60:
        tries += 1
        clock += minutes(FailureClass.AUTH, tries)
    assert tries <= 10


def test_a_lost_connection_is_tried_again_within_a_second_and_at_least_every_five_minutes() -> None:
    assert before_next_try(FailureClass.TRANSPORT, 1, chance=1) == timedelta(seconds=1)
    assert before_next_try(FailureClass.TRANSPORT, 1000, chance=1) == timedelta(minutes=5)


@pytest.mark.parametrize("failures", [1, 5, 100])
def test_chance_spreads_the_tries_over_half_of_the_wait(failures: int) -> None:
    longest = before_next_try(FailureClass.TRANSPORT, failures, chance=1)
    assert before_next_try(FailureClass.TRANSPORT, failures, chance=0) == longest / 2


@pytest.mark.parametrize("kind", FailureClass)
def test_every_failure_has_its_wait(kind: FailureClass) -> None:
    assert all(before_next_try(kind, n, chance=0) > timedelta() for n in range(1, 20))


def test_only_a_password_refused_five_times_blocks_a_mailbox() -> None:
    assert [state_after(FailureClass.AUTH, n) for n in (4, 5, 6)] == [
        MailboxState.FAILING,
        MailboxState.BLOCKED,
        MailboxState.BLOCKED,
    ]
    assert state_after(FailureClass.TRANSPORT, 100) is MailboxState.FAILING
