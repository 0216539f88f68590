"""If-Match (RFC 9110, section 13.1.1): a save that lost the race is told what changed, and changes nothing."""

from fastapi import Request

from app.accounts.rules import Actor
from app.audit import queries as audit
from app.audit.models import Entry
from app.core.errors import Stale
from app.db.session import Session
from app.tickets import history
from app.tickets.models import Ticket

TOLD = 100  # changes, of those that a save missed


def etag(revision: int) -> str:
    """The entity tag of a revision."""
    return f'"{revision}"'


class IfMatch:
    """What the asker believes to be the present revision, where they said."""

    def __init__(self, request: Request) -> None:
        self._given = request.headers.get("if-match")

    def check(self, revision: int) -> None:
        """Raises Stale where the asker read another revision."""
        if not self._fits(revision):
            raise Stale

    def check_ticket(self, s: Session, ticket: Ticket, who: Actor) -> None:
        """The same for a ticket; `changes` of the refusal lists what happened since."""
        if self._fits(ticket.revision):
            return
        stale = Stale()
        stale.more = {"revision": ticket.revision, "changes": [audit.told(e) for e in self._since(s, ticket, who)]}
        raise stale

    def _fits(self, revision: int) -> bool:
        if self._given is None or self._given.strip() == "*":
            return True
        return etag(revision) in [each.strip() for each in self._given.split(",")]

    def _since(self, s: Session, ticket: Ticket, who: Actor) -> list[Entry]:
        known = (self._given or "").strip().strip('"')
        if not known.isdecimal() or len(known) > 18:
            return []
        return history.seen_by(s, who, ticket.number, since=int(known), most=TOLD)
