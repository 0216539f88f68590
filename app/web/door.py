"""The door of every route: who is asking, may they, and one transaction in one thread.

A route is a plain function whose annotations say what it needs: `me: Agent`, `ticket: TicketToWork`, `s: Tx`, `now: Now`. The
door hands these in, in the same thread as the function itself, commits when it returns and rolls back when it raises. FastAPI's
own dependencies would cost two more changes of thread for each of them; the framework sees only what comes from the request.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Annotated, Any, get_args, get_origin

from fastapi import Request
from fastapi.routing import APIRoute
from sqlalchemy import Connection
from starlette.convertors import Convertor, register_url_convertor

from app.accounts import actions as accounts
from app.accounts.models import Person, SignIn
from app.accounts.rules import Door, Role, Verb, may
from app.core.errors import Forbidden, NotFound, NotSignedIn
from app.db.session import Session
from app.db.session import now as database_now
from app.tickets import queries as tickets
from app.tickets.models import Ticket
from app.web import origin
from app.web.desk import Desk, desk_of

COOKIE = "__Host-sid"


class Key(Convertor[int]):
    """The number of a row in a path: `{number:key}`. What has more digits than a row's number can have is no such page."""

    regex = "[0-9]{1,18}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("key", Key())


class Call:
    """One request on its way through the door; what is asked for is found once."""

    def __init__(self, request: Request, s: Session) -> None:
        self.request = request
        self.s = s
        self.desk = desk_of(request)
        self._session: SignIn | None = None

    @property
    def now(self) -> datetime:
        return database_now(self.s)

    @property
    def session(self) -> SignIn:
        """The session this request belongs to. Raises NotSignedIn."""
        if self._session is None:
            self._session = self._find_session()
        return self._session

    @property
    def me(self) -> Person:
        return self.session.person

    def ticket(self, number: int, verb: Verb) -> Ticket:
        """The ticket, if I may do this to it. What I may not even see does not exist."""
        me = self.me
        found = tickets.by_number(self.s, number, lock=verb is not Verb.SEE)
        if found is None or not may(me, Verb.SEE, found):
            raise NotFound(f"There is no ticket {number} here.")
        if not may(self.me, verb, found):
            raise Forbidden(f"Your role ({self.me.role}) may not {verb}.")
        return found

    def _find_session(self) -> SignIn:
        kind, _, token = self.request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and token:
            return accounts.signed_in(self.s, token.strip(), door=Door.API, now=self.now)
        cookie = self.request.cookies.get(COOKIE)
        if not cookie:
            raise NotSignedIn
        origin.refuse_foreign(self.request)
        return accounts.signed_in(self.s, cookie, door=Door.PAGE, now=self.now)


@dataclass(frozen=True)
class Provide:
    """How a parameter is handed in; `path` names what of the URL it takes, `rule` says who passes."""

    by: Callable[..., Any]
    path: str | None = None
    rule: str = "anybody"


def _role(least: Role) -> Provide:
    def provide(call: Call) -> Person:
        if call.me.role.rank < least.rank:
            raise Forbidden(f"Your role ({call.me.role}) may not do this; it takes {least} or more.")
        return call.me

    return Provide(provide, rule=least.value)


def _ticket(verb: Verb) -> Provide:
    def provide(call: Call, number: int) -> Ticket:
        return call.ticket(number, verb)

    return Provide(provide, path="number", rule=verb.value)


def _visitor(call: Call) -> Person | None:
    try:
        return call.me
    except NotSignedIn:
        return None


Tx = Annotated[Session, Provide(lambda call: call.s)]
Reader = Annotated[Connection, Provide(lambda call: call.s.connection())]
Now = Annotated[datetime, Provide(lambda call: call.now)]
House = Annotated[Desk, Provide(lambda call: call.desk)]
Current = Annotated[SignIn, Provide(lambda call: call.session, rule=Role.CUSTOMER.value)]
Visitor = Annotated[Person | None, Provide(_visitor)]
Anyone = Annotated[Person, _role(Role.CUSTOMER)]
Agent = Annotated[Person, _role(Role.AGENT)]
Manager = Annotated[Person, _role(Role.MANAGER)]
TicketToSee = Annotated[Ticket, _ticket(Verb.SEE)]
TicketToAnswer = Annotated[Ticket, _ticket(Verb.ANSWER)]
TicketToWork = Annotated[Ticket, _ticket(Verb.WORK)]


class Route(APIRoute):
    """A route that goes through the door. `rules` are who may pass, for the matrix of roles."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self.rules = sorted({p.rule for p in _provided(inspect.signature(endpoint, eval_str=True)).values()})
        options.setdefault("response_model", None)
        super().__init__(path, through_the_door(endpoint), **options)


def through_the_door(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """`endpoint` as FastAPI sees it: only what comes from the request, with ours handed in behind its back."""
    signature = inspect.signature(endpoint, eval_str=True)
    ours = _provided(signature)
    reads_only = any(p.annotation is Reader for p in signature.parameters.values())
    wants_request = "request" in signature.parameters

    @wraps(endpoint)
    def door(request: Request, **given: Any) -> Any:
        with _call(request, reads_only) as call:
            path = {name: given.pop(name) for name in {p.path for p in ours.values() if p.path}}
            for name, p in ours.items():
                given[name] = p.by(call, path[p.path]) if p.path else p.by(call)
            if wants_request:
                given["request"] = request
            return endpoint(**given)

    door.__signature__ = _seen_by_the_framework(signature, ours)  # type: ignore[attr-defined]
    return door


@contextmanager
def _call(request: Request, reads_only: bool) -> Iterator[Call]:
    db = desk_of(request).db
    if reads_only:
        with db.reading() as c, Session(c, autoflush=False) as s:
            yield Call(request, s)
            seen_again = bool(s.dirty)  # the session was, and can't be written down here
        if seen_again:
            with db.transaction() as s:
                _ = Call(request, s).session
    else:
        with db.transaction() as s:
            yield Call(request, s)


def _provided(signature: inspect.Signature) -> dict[str, Provide]:
    found = {}
    for name, parameter in signature.parameters.items():
        if get_origin(parameter.annotation) is Annotated:
            for extra in get_args(parameter.annotation)[1:]:
                if isinstance(extra, Provide):
                    found[name] = extra
    return found


def _seen_by_the_framework(signature: inspect.Signature, ours: dict[str, Provide]) -> inspect.Signature:
    def keyword(name: str, annotation: Any) -> inspect.Parameter:
        return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation)

    theirs = [
        p.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, p in signature.parameters.items()
        if name not in ours and name != "request"
    ]
    path = [keyword(name, int) for name in sorted({p.path for p in ours.values() if p.path})]
    return signature.replace(parameters=[keyword("request", Request), *path, *theirs])
