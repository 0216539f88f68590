"""How long to wait before a mailbox that failed is asked again."""

from datetime import timedelta

from app.intake.rules.states import FailureClass, MailboxState

BLOCKED_AFTER = 5
_MINUTES = {
    FailureClass.AUTH: (1, 5, 15, 60, 360),
    FailureClass.FOLDER: (1, 5, 15, 60),
    FailureClass.CERTIFICATE: (1, 5, 15, 60),
    FailureClass.OVERLOAD: (5, 15, 30, 60),
}
STOPPED = timedelta(days=36_500)
_TRANSPORT_MOST = timedelta(minutes=5)


def before_next_try(kind: FailureClass, failures: int, *, chance: float) -> timedelta:
    """The wait after the `failures`-th failure in a row. `chance` (0 to 1) spreads those who lost the same server.

    A refused password is tried again rarely: providers lock accounts and ban addresses for less.
    """
    if kind is FailureClass.TRANSPORT:
        longest = min(timedelta(seconds=2 ** min(failures, 12) / 2), _TRANSPORT_MOST)
        return longest * (0.5 + chance / 2)
    if kind is FailureClass.GRANT:
        return STOPPED
    steps = _MINUTES[kind]
    return timedelta(minutes=steps[min(failures, len(steps)) - 1])


def state_after(kind: FailureClass, failures: int) -> MailboxState:
    """A mailbox whose password was refused again and again waits for a person, and one that lost its permission at once."""
    if kind is FailureClass.GRANT:
        return MailboxState.NEEDS_REAUTH
    return MailboxState.BLOCKED if kind is FailureClass.AUTH and failures >= BLOCKED_AFTER else MailboxState.FAILING
