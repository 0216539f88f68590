"""Following a ticket no more, by the link in a letter: without signing in, and only by a POST (RFC 8058).

Programs of mail providers press the button too. They bring no cookie and nothing else of ours: the link itself says who it is
for, and nobody else can make one.
"""

from fastapi import APIRouter, Request, Response

from app.core.errors import NotFound
from app.outbox.house import house as letters
from app.tickets import watchers
from app.web import pages
from app.web.desk import Desk
from app.web.door import House, Now, Route, Tx

router = APIRouter(tags=["account"], route_class=Route)


class NoSuchLink(NotFound):
    """This link is none of ours. Open it as it stands in the letter."""


@router.get("/unfollow/{token}")
def ask(token: str, house: House, request: Request) -> Response:
    """A button. Looking changes nothing: programs that look for viruses open links."""
    ticket, _ = _following(house, token)
    return pages.page(request, "sign_in/unfollow.html", ticket=ticket)


@router.post("/unfollow/{token}")
def unfollow(token: str, s: Tx, now: Now, house: House, request: Request) -> Response:
    """No more letters about this ticket; the same answer as often as it is asked for."""
    ticket, person = _following(house, token)
    watchers.unfollow(s, ticket, person, now=now)
    words = f"You get no more letters about what is said on ticket {ticket}. On its page you can follow it again."
    return pages.page(request, "sign_in/done.html", title="You don't follow it any more", words=words, sign_in=False)


def _following(house: Desk, token: str) -> tuple[int, int]:
    found = letters(house.settings, house.signer).following_of(token)
    if found is None:
        raise NoSuchLink
    return found
