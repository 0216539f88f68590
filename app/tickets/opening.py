"""Writing a new ticket down: with its first message and the words it is found by, in one statement."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from app.db import plain
from app.db.session import Session
from app.files import actions as files
from app.files.actions import File
from app.tickets import words
from app.tickets.models import Message, Ticket

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MOST_A_DAY = 5  # acknowledgements to an address from a mailbox; and one an hour
MOST_TO_A_DOMAIN = 100  # an hour
# OFFSET 0 keeps PostgreSQL from collecting the words anew for each column.
_WORDS = """
, new_words AS (
    INSERT INTO ticket_text (ticket, shown, whole)
    SELECT number, words, words FROM (
        SELECT t.number, desk_marks(t.number, t.requester_id, t.organization_id, t.team_id)
            || desk_words(concat_ws(' ', t.number, t.subject, %s::text)) AS words
        FROM new_ticket t OFFSET 0
    ) AS head
)
SELECT number, (SELECT id FROM new_message), may FROM new_ticket,
"""
_MAY = """
(SELECT (
    SELECT count(*) < %s AND count(*) FILTER (WHERE created_at > %s) = 0 FROM outbox
    WHERE kind = 'acknowledgement' AND to_address = %s AND from_address IS NOT DISTINCT FROM %s AND created_at > %s
) AND (
    SELECT count(*) < %s FROM outbox
    WHERE kind = 'acknowledgement' AND split_part(to_address, '@', 2) = split_part(%s, '@', 2) AND created_at > %s
) AS may) AS limits
"""
_THEN = _WORDS + _MAY
_ASK = "SELECT may FROM"


def write(s: Session, ticket: Ticket, first: Message, attached: Sequence[File], *, now: datetime) -> bool:
    """Write both down, and answer whether the requester may get an acknowledgement. Whoever got one from the same mailbox within
    the hour, or several within the day, gets no more, and many to one domain are too many: they would only help a mail bomb.

    Of two at the same moment neither sees the other: the letter's own key (`notices.acknowledgement`) is taken once.
    """
    values = [words.of_new(ticket, first, attached), *_limits(ticket.requester.email, ticket.desk_address, now)]
    (may_acknowledge,) = plain.add_both(s, ticket, first, pointer="ticket", then=_THEN, values=values)
    files.attach(s, attached, message_id=first.id, now=now)
    return bool(may_acknowledge)


def may_acknowledge(s: Session, to: str, desk_address: str | None, *, now: datetime) -> bool:
    """The same of any address, where no ticket is written down."""
    return bool(s.connection().exec_driver_sql(_ASK + _MAY, tuple(_limits(to, desk_address, now))).scalar_one())


def _limits(to: str, desk_address: str | None, now: datetime) -> list[Any]:
    return [MOST_A_DAY, now - HOUR, to, desk_address, now - DAY, MOST_TO_A_DOMAIN, to, now - HOUR]
