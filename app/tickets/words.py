"""The words a ticket is found by: its number and subject, who wrote, what they wrote, and what their files are called.

Words are kept twice: those that customers may see, and all of them, notes included. A ticket that others were merged into is
found by their words too.
"""

from collections.abc import Iterable

from sqlalchemy import text

from app.db.session import Session
from app.files.actions import File
from app.tickets.models import Message, Ticket

_OPEN = text(
    "INSERT INTO ticket_text (ticket, shown, whole) SELECT :ticket, words, words FROM desk_words(:words) AS words"
    " ON CONFLICT (ticket) DO NOTHING"
)
_MORE = text(
    """
    UPDATE ticket_text SET
        shown = CASE WHEN :internal THEN shown ELSE desk_words_joined(shown, words) END,
        whole = desk_words_joined(whole, words)
    FROM desk_words(:words) AS words WHERE ticket = :ticket
    """
)
_ANEW = text(
    r"""
    UPDATE ticket_text SET
        shown = desk_words_joined(desk_words(head.words), coalesce(said.shown, '')),
        whole = desk_words_joined(desk_words(head.words), coalesce(said.whole, ''))
    FROM ticket t JOIN person p ON p.id = t.requester_id
    CROSS JOIN LATERAL (
        SELECT names || ' ' || translate(names, '@._-/', '     ') AS words
        FROM (SELECT concat_ws(' ', t.number, t.subject, p.name, p.email) AS names) AS plain
    ) AS head
    LEFT JOIN LATERAL (
        SELECT desk_words_sum(desk_words(m.words)) FILTER (WHERE NOT m.internal) AS shown,
               desk_words_sum(desk_words(m.words)) AS whole
        FROM (
            SELECT message.internal, concat_ws(' ', message.text, author.name, author.email, files.names) AS words
            FROM message
            JOIN person author ON author.id = message.author_id
            JOIN ticket part ON part.number = message.ticket
            LEFT JOIN LATERAL (
                SELECT string_agg(a.name || ' ' || translate(a.name, '@._-/', '     '), ' ') AS names
                FROM attachment a WHERE a.message_id = message.id
            ) AS files ON true
            WHERE part.number = t.number OR part.conversation = t.number
        ) AS m
    ) AS said ON true
    WHERE ticket_text.ticket = t.number AND t.number = ANY(:tickets)
    """
)
_SPLIT = str.maketrans("@._-/", "     ")


def begin(s: Session, ticket: Ticket) -> None:
    """The words of a new ticket itself."""
    names = f"{ticket.number} {ticket.subject} {ticket.requester.name} {ticket.requester.email}"
    s.execute(_OPEN, {"ticket": ticket.number, "words": f"{names} {names.translate(_SPLIT)}"})


def add(s: Session, message: Message, files: Iterable[File], *, ticket: int) -> None:
    """The words of a new message, on the ticket whose conversation it is part of."""
    names = " ".join(f"{file.name} {file.name.translate(_SPLIT)}" for file in files)
    said = f"{names} {message.author.name} {message.author.email} {message.text[:100_000]}"
    s.execute(_MORE, {"ticket": ticket, "words": said, "internal": message.internal})


def refresh(s: Session, *tickets: int) -> None:
    """Collect the words of these tickets anew: after a merge, a move of messages, another subject or requester."""
    s.flush()
    s.execute(_ANEW, {"tickets": list(tickets)})
