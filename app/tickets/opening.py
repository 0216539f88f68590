"""Writing a new ticket down: with its first message and the words it is found by, in one statement."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from app.db import plain
from app.db.session import Session
from app.files import actions as files
from app.files.actions import File
from app.tickets import words
from app.tickets.models import Message, Ticket

ACKNOWLEDGE_AGAIN = timedelta(hours=1)
# OFFSET 0 keeps PostgreSQL from collecting the words anew for each column.
_THEN = """
, new_words AS (
    INSERT INTO ticket_text (ticket, shown, whole)
    SELECT number, words, words FROM (
        SELECT t.number, desk_marks(t.number, t.requester_id, t.organization_id, t.team_id)
            || desk_words(concat_ws(' ', t.number, t.subject, %s::text)) AS words
        FROM new_ticket t OFFSET 0
    ) AS head
)
SELECT number, (SELECT id FROM new_message), EXISTS (
    SELECT FROM outbox WHERE kind = 'acknowledgement' AND to_address = %s AND created_at > %s
) FROM new_ticket
"""


def write(s: Session, ticket: Ticket, first: Message, attached: Sequence[File], *, now: datetime) -> bool:
    """Write both down, and answer whether the requester got an acknowledgement within the last hour: another would only help
    a mail bomb.
    """
    values = [words.of_new(ticket, first, attached), ticket.requester.email, now - ACKNOWLEDGE_AGAIN]
    (acknowledged,) = plain.add_both(s, ticket, first, pointer="ticket", then=_THEN, values=values)
    files.attach(s, attached, message_id=first.id, now=now)
    return bool(acknowledged)
