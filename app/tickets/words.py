"""The words a ticket is found by: its number and subject, who wrote, what they wrote, and what their files are called.

Words are kept twice: those that customers may see, and all of them, notes included. A ticket that others were merged into is
found by their words too. How a text becomes words, and what marks are, the migration that made the table says.
"""

from collections.abc import Iterable

from sqlalchemy import text

from app.db import plain
from app.db.session import Session
from app.files.actions import File
from app.tickets.models import Message, Ticket

# OFFSET 0 keeps PostgreSQL from collecting the words anew for each column.
_OPEN = """
INSERT INTO ticket_text (ticket, shown, whole)
SELECT number, words, words FROM (
    SELECT t.number, desk_marks(t.number, t.requester_id, t.organization_id, t.team_id)
        || desk_words(concat_ws(' ', t.number, t.subject, p.name, p.email)) AS words
    FROM ticket t JOIN person p ON p.id = t.requester_id WHERE t.number = %(ticket)s OFFSET 0
) AS head RETURNING ticket
"""
_MORE = text(
    """
    UPDATE ticket_text SET
        shown = CASE WHEN :internal THEN shown ELSE desk_words_joined(shown, words) END,
        whole = desk_words_joined(whole, words)
    FROM desk_words(:words) AS words WHERE ticket = :ticket
    """
)
_ANEW = text(
    """
    UPDATE ticket_text SET
        shown = desk_words_joined(head.words, coalesce(said.shown, '')),
        whole = desk_words_joined(head.words, coalesce(said.whole, ''))
    FROM ticket t JOIN person p ON p.id = t.requester_id
    CROSS JOIN LATERAL (
        SELECT desk_marks(t.number, t.requester_id, t.organization_id, t.team_id)
            || desk_words(concat_ws(' ', t.number, t.subject, p.name, p.email)) AS words
    ) AS head
    LEFT JOIN LATERAL (
        SELECT desk_words_sum(desk_words(m.words)) FILTER (WHERE NOT m.internal) AS shown,
               desk_words_sum(desk_words(m.words)) AS whole
        FROM (
            SELECT message.internal, concat_ws(' ', author.name, author.email, files.names, left(message.text, 100000)) AS words
            FROM message
            JOIN person author ON author.id = message.author_id
            JOIN ticket part ON part.number = message.ticket
            LEFT JOIN LATERAL (
                SELECT string_agg(a.name, ' ') AS names FROM attachment a WHERE a.message_id = message.id
            ) AS files ON true
            WHERE part.number = t.number OR part.conversation = t.number
            ORDER BY message.id
        ) AS m
    ) AS said ON true
    WHERE ticket_text.ticket = t.number AND t.number = ANY(:tickets)
    """
)
LONGEST = 100_000  # characters of a message by which it is found


def begin(s: Session, ticket: Ticket) -> None:
    """The words of a new ticket on which nothing was said yet."""
    s.flush()
    plain.rows(s.connection(), _OPEN, {"ticket": ticket.number})


def of_new(ticket: Ticket, first: Message, files: Iterable[File]) -> str:
    """The words of a ticket that is being written with its first message, but for its number and subject."""
    return f"{ticket.requester.name} {ticket.requester.email} {_said(first, files)}"


def add(s: Session, message: Message, files: Iterable[File], *, ticket: int) -> None:
    """The words of a new message, on the ticket whose conversation it is part of."""
    s.execute(_MORE, {"ticket": ticket, "words": _said(message, files), "internal": message.internal})


def refresh(s: Session, *tickets: int) -> None:
    """Collect the words of these tickets anew: after a merge, a move of messages, another subject or requester."""
    s.flush()
    s.execute(_ANEW, {"tickets": list(tickets)})


def _said(message: Message, files: Iterable[File]) -> str:
    names = " ".join(file.name for file in files)
    return f"{message.author.name} {message.author.email} {names} {message.text[:LONGEST]}"
