"""Acknowledging a deadline by the link in a letter: without signing in, and only by a POST.

Programs that look for viruses open links. The link says whose letter it was in, and nobody else can make one.
"""

from fastapi import APIRouter, Request, Response

from app.tickets import escalating
from app.web import pages
from app.web.door import Now, Route, Tx

router = APIRouter(tags=["account"], route_class=Route)


@router.get("/acknowledge/{token}")
def ask(token: str, s: Tx, request: Request) -> Response:
    """A button. Looking changes nothing."""
    _, escalation = escalating.of_link(s, token)
    return pages.page(request, "sign_in/acknowledge.html", ticket=escalation.ticket)


@router.post("/acknowledge/{token}")
def acknowledge(token: str, s: Tx, now: Now, request: Request) -> Response:
    """Nobody is told of it again; the same answer as often as it is asked for."""
    ticket = escalating.acknowledge_by_link(s, token, now=now).ticket
    words = f"Nobody is told of this deadline of ticket {ticket} again. The ticket says that you look after it."
    return pages.page(request, "sign_in/done.html", title="Acknowledged", words=words, sign_in=False)
