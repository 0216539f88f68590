"""@mentions in internal notes: `@alice`, `@alice@desk.example` or `@"Alice Example"`.

Only the staff can be mentioned, and only who may see the ticket hears of it. Addresses in the text, and code, mention nobody.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import undefer

from app.accounts.models import Person
from app.accounts.queries import STAFF
from app.accounts.rules import Verb, may
from app.audit.models import Event
from app.core import text
from app.db.session import Session
from app.tickets.history import record
from app.tickets.models import Mention, Message, Ticket, Watcher
from app.tickets.places import Place
from app.tickets.rules import WatcherKind

MOST = 20  # people one note can call
_FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_MENTION = re.compile(r'(?<![\w@./+-])@(?:"([^"\n]{1,100})"|([\w.+-]{1,64}(?:@[\w.-]{1,255})?))')


def names(said: str) -> list[str]:
    """Whom a text calls, as they are compared, each once, in order."""
    plain = _CODE.sub(" ", _FENCED.sub(" ", said))
    found = (quoted or bare.rstrip(".-+") for quoted, bare in _MENTION.findall(plain))
    return list(dict.fromkeys(" ".join(text.address(name).split()) for name in found if name.strip()))


def take(s: Session, ticket: Ticket, message: Message, *, now: datetime) -> set[int]:
    """Note whom a note mentions, and have them follow the ticket from here on. Answers their ids."""
    called = _called(s, names(message.text)[:MOST])
    people = [p for p in called.values() if p.id != message.author_id and may(p, Verb.SEE_NOTES, ticket)]
    if not people:
        return set()
    s.execute(insert(Mention).values([{"message_id": message.id, "person_id": p.id} for p in people]).on_conflict_do_nothing())
    rows = [{"ticket": ticket.number, "person_id": p.id, "kind": WatcherKind.AGENT, "added_at": now} for p in people]
    new = set(s.scalars(insert(Watcher).values(rows).on_conflict_do_nothing().returning(Watcher.person_id)))
    for person in people:
        if person.id in new:
            what = {"watcher": person.email, "kind_of": WatcherKind.AGENT.value, "mentioned_in": message.id}
            record(s, ticket, Event.TICKET_WATCHED, by=message.author, now=now, **what)
    return {p.id for p in people}


def not_notified(s: Session, message: Message) -> list[str]:
    """Whom a note calls who does not hear of it: nobody of the staff, several of them, or one who may not see the ticket."""
    called = names(message.text) if message.internal else []
    if not called:
        return []
    heard = {message.author_id, *s.scalars(select(Mention.person_id).where(Mention.message_id == message.id))}
    found = _called(s, called[:MOST])
    return [name for name in called if name not in found or found[name].id not in heard]


def mentionable(c: Connection, ticket: Place, actor_id: int, beginning: str) -> list[dict[str, Any]]:
    """Those of the staff who may see a ticket and whose name or address begins like this; the asker is not among them."""
    start = func.lower(beginning)
    query = select(Person).where(Person.role.in_(STAFF), Person.disabled_at.is_(None), Person.id != actor_id)
    query = query.where(or_(func.starts_with(func.lower(Person.name), start), func.starts_with(Person.email, start)))
    with Session(c, autoflush=False) as s:
        found = s.scalars(query.options(undefer(Person.parts)).order_by(func.lower(Person.name), Person.id)).all()
        return [{"id": p.id, "name": p.name, "email": p.email} for p in found if may(p, Verb.SEE_NOTES, ticket)]


def _called(s: Session, called: Sequence[str]) -> dict[str, Person]:
    """Who is meant by each of these; a name that means nobody or several people is left out."""
    if not called:
        return {}
    matches = (
        Person.email.in_(called),
        func.split_part(Person.email, "@", 1).in_(called),
        func.lower(Person.name).in_(called),
    )
    query = select(Person).where(Person.role.in_(STAFF), Person.disabled_at.is_(None), or_(*matches))
    found = s.scalars(query.options(undefer(Person.parts)), execution_options={"populate_existing": True}).all()
    meant = {name: _meant(name, found) for name in called}
    return {name: people[0] for name, people in meant.items() if len(people) == 1}


def _meant(name: str, people: Iterable[Person]) -> list[Person]:
    """A whole address means its owner, whatever anybody else is called."""
    everybody = list(people)
    exactly = [p for p in everybody if p.email == name]
    return exactly or [p for p in everybody if name in {p.email.partition("@")[0], " ".join(text.address(p.name).split())}]
