"""The door of every route: who is asking, may they, and one transaction in one thread.

A route is a plain function whose annotations say what it needs: `me: Agent`, `ticket: TicketToWork`, `s: Tx`, `now: Now`. The
door hands these in, in the same thread as the function itself, commits when it returns and rolls back when it raises. FastAPI's
own dependencies would cost two more changes of thread for each of them, and its own way into a thread costs twice what asyncio's
does; the framework sees only what comes from the request.

A route that only reads takes `c: Reader` and `me: Asker`: a connection that commits by itself and refuses to write, and who is
asking as one light row.
"""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Annotated, Any, get_args, get_origin

from fastapi import Request
from fastapi.routing import APIRoute
from sqlalchemy import Connection, func, select
from sqlalchemy.orm.attributes import set_committed_value
from starlette.convertors import Convertor, register_url_convertor

from app.accounts import identity
from app.accounts.identity import Identity
from app.accounts.models import Person, SignIn
from app.accounts.rules import Actor, Role, Scope, Verb, may
from app.core.errors import Forbidden, NotFound, NotSignedIn
from app.db import plain
from app.db.session import Session
from app.tickets import places
from app.tickets import queries as tickets
from app.tickets.holding import InTrash, Moved, refuse_merged, with_its_end
from app.tickets.models import Ticket
from app.web import origin, repeats, straight
from app.web.desk import Desk, desk_of
from app.web.origin import SAFE
from app.web.repeats import ACCOUNT
from app.web.stale import IfMatch

COOKIE = "__Host-sid"


class SecondFactorNeeded(Forbidden):
    """Your role needs a second factor. Set one up first; nothing else works until then."""

    slug = "second-factor-needed"


class ScopeMissing(Forbidden):
    """This token was not given the scope for that."""

    slug = "scope-missing"


class Key(Convertor[int]):
    """The number of a row in a path: `{number:key}`. What has more digits than a row's number can have is no such page."""

    regex = "[0-9]{1,18}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("key", Key())


class Call:
    """One request on its way through the door; what is asked for is found once. `area` is what scopes are given for."""

    def __init__(
        self, request: Request, *, s: Session | None = None, c: Connection | None = None, area: str | None = None
    ) -> None:
        self.request = request
        self._s, self._c = s, c
        self.desk = desk_of(request)
        self.area = area
        self.known: Identity | None = None
        self.repeated = False  # a request that was answered before acts no more, so it is held to no present state
        self._me: Person | None = None

    @property
    def writes(self) -> bool:
        """Whether there is anything that a second request could do twice."""
        return self._s is not None and self.request.method not in SAFE

    @property
    def s(self) -> Session:
        """The transaction of a route that writes."""
        assert self._s is not None, "a route with a Reader has no transaction"
        return self._s

    @property
    def c(self) -> Connection:
        """The connection, whether the route writes or reads."""
        return self._c if self._c is not None else self.s.connection()

    @property
    def now(self) -> datetime:
        return self.known.now if self.known else self.c.execute(select(func.now())).scalar_one()

    @property
    def asker(self) -> Identity:
        """Who is asking. Raises NotSignedIn, ScopeMissing, SecondFactorNeeded."""
        if self.known is None:
            self.known = self._let_in(self._find())
            if self._s is not None:
                self._s.info["now"] = self.known.now
        return self.known

    @property
    def me(self) -> Person:
        """The same, as a row that can be changed and pointed to."""
        if self._me is None:
            self._me = self._row(self.asker)
        return self._me

    def _row(self, who: Identity) -> Person:
        """A row of this session without reading it again; what the identity doesn't say is read when it is asked for."""
        columns = ("id", "email", "name", "role", "organization_id", "zone")
        found = plain.known(self.s, Person, **{name: getattr(who, name) for name in columns})
        set_committed_value(found, "parts", {str(team): part.value for team, part in who.teams.items()})
        return found

    @property
    def session(self) -> SignIn:
        """The session this request belongs to; an API token has none."""
        found = self.s.get(SignIn, self.asker.session_id) if self.asker.session_id else None
        if found is None:
            raise Forbidden("This takes a session; an API token has none.")
        return found

    def ticket(self, number: int, verb: Verb, *, trashed: bool = False, merged: bool = False) -> Ticket:
        """The ticket, if I may do this to it. What I may not even see does not exist.

        One in the trash or merged can't be changed, but by routes that say they take it.
        """
        who, changes = self.asker, self.request.method not in SAFE and not self.repeated
        found = with_its_end(self.s, number) if changes else tickets.by_number(self.s, number)
        if found is None or not may(who, Verb.SEE, found):
            raise NotFound(f"There is no ticket {number} here.")
        if not may(who, verb, found):
            raise Forbidden(f"Your role ({who.role}) may not {verb}.")
        if changes and found.trashed_at and not trashed:
            raise InTrash
        if changes and not merged:
            refuse_merged(found)
        if changes and who.staff:  # a customer has no revision: it would count notes, and what changed would name them
            IfMatch(self.request).check_ticket(self.s, found, who)
        return found

    def _find(self) -> Identity:
        kind, _, token = self.request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and token:
            return identity.of_bearer(self.c, token.strip())
        cookie = self.request.cookies.get(COOKIE)
        if not cookie:
            raise NotSignedIn
        origin.refuse_foreign(self.request)
        return identity.of_cookie(self.c, cookie)

    def _let_in(self, who: Identity) -> Identity:
        if who.restricted and self.area != ACCOUNT:
            raise SecondFactorNeeded
        if who.scopes is not None:
            wanted = f"{self.area}:{'read' if self.request.method in SAFE else 'write'}"
            if wanted not in list(Scope) or not who.allows(Scope(wanted)):
                raise ScopeMissing(f"This token was not given the scope {wanted}.")
        return who


ANYBODY = "anybody"
Still = Callable[[Connection], Identity]


@dataclass(frozen=True)
class Provide:
    """How a parameter is handed in; `path` names what of the URL it takes, `rule` says who passes."""

    by: Callable[..., Any]
    path: str | None = None
    rule: str = ANYBODY


def _role(least: Role) -> Provide:
    def provide(call: Call) -> Person:
        _require(call.asker, least)
        return call.me

    return Provide(provide, rule=least.value)


def _asker(least: Role) -> Provide:
    def provide(call: Call) -> Identity:
        _require(call.asker, least)
        return call.asker

    return Provide(provide, rule=least.value)


def _still(least: Role) -> Provide:
    """For what goes on after the door has closed: who is asking, looked at anew."""

    def provide(call: Call) -> Still:
        def again(c: Connection) -> Identity:
            found = Call(call.request, c=c, area=call.area).asker
            _require(found, least)
            return found

        return again

    return Provide(provide)


def _require(actor: Actor, least: Role) -> None:
    if actor.role.rank < least.rank:
        raise Forbidden(f"Your role ({actor.role}) may not do this; it takes {least} or more.")


def _ticket(verb: Verb, *, trashed: bool = False, merged: bool = False) -> Provide:
    def provide(call: Call, number: int) -> Ticket:
        return call.ticket(number, verb, trashed=trashed, merged=merged)

    return Provide(provide, path="number", rule=verb.value)


def _number_to_see(call: Call, number: int) -> int:
    """For routes that hold their tickets themselves: what the asker may not see does not exist, whatever their role."""
    places.of(call.c, call.asker, number)
    return number


def _visitor(call: Call) -> Person | None:
    try:
        return call.me
    except NotSignedIn:
        return None


Tx = Annotated[Session, Provide(lambda call: call.s)]
Reader = Annotated[Connection, Provide(lambda call: call.c)]
Now = Annotated[datetime, Provide(lambda call: call.now)]
House = Annotated[Desk, Provide(lambda call: call.desk)]
Match = Annotated[IfMatch, Provide(lambda call: IfMatch(call.request))]
Current = Annotated[SignIn, Provide(lambda call: call.session, rule=Role.CUSTOMER.value)]
Visitor = Annotated[Person | None, Provide(_visitor)]
Anyone = Annotated[Person, _role(Role.CUSTOMER)]
Agent = Annotated[Person, _role(Role.AGENT)]
Manager = Annotated[Person, _role(Role.MANAGER)]
Admin = Annotated[Person, _role(Role.ADMIN)]
Asker = Annotated[Identity, _asker(Role.CUSTOMER)]
CustomerAdminAsker = Annotated[Identity, _asker(Role.CUSTOMER_ADMIN)]
AgentAsker = Annotated[Identity, _asker(Role.AGENT)]
ManagerAsker = Annotated[Identity, _asker(Role.MANAGER)]
AdminAsker = Annotated[Identity, _asker(Role.ADMIN)]
StillAgent = Annotated[Still, _still(Role.AGENT)]
StillAdmin = Annotated[Still, _still(Role.ADMIN)]
NumberToSee = Annotated[int, Provide(_number_to_see, path="number", rule=Verb.SEE.value)]
TicketToSee = Annotated[Ticket, _ticket(Verb.SEE)]
TicketToSpeak = Annotated[Ticket, _ticket(Verb.SEE, merged=True)]  # answers land where it went; who may which part is asked later
TicketToAnswer = Annotated[Ticket, _ticket(Verb.ANSWER, merged=True)]
TicketToNote = Annotated[Ticket, _ticket(Verb.NOTE)]
TicketToWork = Annotated[Ticket, _ticket(Verb.WORK)]
TicketOfPlans = Annotated[Ticket, _ticket(Verb.WORK, merged=True)]  # what was planned on a ticket stays on it when it is merged
TicketInTrash = Annotated[Ticket, _ticket(Verb.WORK, trashed=True)]


class Route(APIRoute):
    """A route that goes through the door. `rules` are who may pass, for the matrix of roles; `area` is its first tag."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self.rules = sorted({p.rule for p in _provided(inspect.signature(endpoint, eval_str=True)).values()})
        self.area = str((options.get("tags") or [""])[0]) or None
        options.setdefault("response_model", None)
        super().__init__(path, through_the_door(endpoint, self.area), **options)

    def get_route_handler(self) -> straight.Handler:
        return straight.handler(self, super().get_route_handler())


def through_the_door(endpoint: Callable[..., Any], area: str | None = None) -> Callable[..., Any]:
    """`endpoint` as FastAPI sees it: only what comes from the request, with ours handed in behind its back."""
    signature = inspect.signature(endpoint, eval_str=True)
    ours = _provided(signature)
    reads_only = any(p.annotation is Reader for p in signature.parameters.values())
    wants_request = "request" in signature.parameters
    paths = {p.path for p in ours.values() if p.path}
    guarded = any(p.rule != ANYBODY for p in ours.values())

    @wraps(endpoint)
    async def door(request: Request, **given: Any) -> Any:
        return await asyncio.to_thread(through, request, given)

    def through(request: Request, given: dict[str, Any]) -> Any:
        try:
            return once(request, dict(given))
        except Moved:  # before anything was done: in a new transaction it is held together with where it went
            return once(request, given)

    def once(request: Request, given: dict[str, Any]) -> Any:
        with _call(request, area, reads_only) as call:
            before = repeats.before(call, given) if guarded else repeats.Before(call)
            call.repeated = before.answer is not None
            path = {name: given.pop(name) for name in paths}
            for name, p in ours.items():
                given[name] = p.by(call, path[p.path]) if p.path else p.by(call)
            if before.answer is not None:  # to whoever may still do this
                return before.answer
            if wants_request:
                given["request"] = request
            return before.keep(endpoint(**given))

    door.__signature__ = _seen_by_the_framework(signature, ours)  # type: ignore[attr-defined]
    return door


@contextmanager
def _call(request: Request, area: str | None, reads_only: bool) -> Iterator[Call]:
    db = desk_of(request).db
    if reads_only:
        with db.reading() as c:
            yield (call := Call(request, c=c, area=area))
    else:
        with db.transaction() as s:
            yield (call := Call(request, s=s, area=area))
    if call.known and call.known.seen_again:
        with db.transaction() as s:
            identity.note_seen(s.connection(), call.known)


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
