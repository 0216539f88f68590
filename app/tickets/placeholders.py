"""What placeholders stand for on a ticket."""

from app.accounts.rules import Actor
from app.core import text
from app.db.session import Session
from app.knowledge.rules import first_name
from app.tickets.links import visible
from app.tickets.models import Ticket

MOST = 500  # characters of one value


def of(ticket: Ticket, *, agent_name: str, agent_email: str, url: str) -> dict[str, str]:
    """The value of each placeholder, on one line each."""
    known = {
        "ticket.number": str(ticket.number),
        "ticket.subject": ticket.subject,
        "ticket.status": ticket.status.replace("_", " "),
        "ticket.priority": ticket.priority.value,
        "requester.name": ticket.requester.name,
        "requester.first_name": first_name(ticket.requester.name),
        "requester.email": ticket.requester.email,
        "agent.name": agent_name,
        "agent.first_name": first_name(agent_name),
        "agent.email": agent_email,
        "team.name": ticket.team.name if ticket.team else "",
        "organization.name": ticket.organization.name if ticket.organization else "",
        "desk.url": url,
        "ticket.url": f"{url}/tickets/{ticket.number}",
    }
    return {name: text.one_line(value, most=MOST) for name, value in known.items()}


def of_visible(s: Session, actor: Actor, number: int, *, name: str, email: str, url: str) -> dict[str, str]:
    """The same for a ticket by its number, where `actor` may see it. Raises NotFound."""
    return of(visible(s, actor, number), agent_name=name, agent_email=email, url=url)
