"""Many tickets of all kinds, and the plainest reading of a query to hold the real one against."""

import random
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from app.accounts.models import Membership, Person, Team
from app.accounts.rules import Part, Verb, may
from app.core.priority import Priority
from app.db.session import Session
from app.files.models import Attachment
from app.tickets import words
from app.tickets.models import Channel, Mention, Message, Ticket, Watcher
from app.tickets.rules import DONE, OPEN, Status, WatcherKind
from app.tickets.search.nodes import All, Either, FieldValue, Filter, Node, Not, Query, Span, Words
from tests.cast import Cast

VOCABULARY = ["printer", "router", "vpn", "slow", "Zoë", "price-list", "invoice", "fehler"]
NUMBERS = [*range(1, 40), *range(5000, 5030), *range(70_000, 70_020), *range(140_000, 140_015), 700_000]


@dataclass
class Made:
    """A ticket, and what is known of it beside its row."""

    ticket: Ticket
    shown: list[str] = field(default_factory=list)
    whole: list[str] = field(default_factory=list)
    files: list[bool] = field(default_factory=list)  # of each file, whether it hangs on a note
    watching: set[int] = field(default_factory=set)
    mentioned: set[int] = field(default_factory=set)
    due_at: datetime | None = None


def crowd(s: Session, cast: Cast, now: datetime, *, seed: int = 1) -> list[Made]:
    """Tickets at random, of everybody, in every state, their numbers in several stretches."""
    chance = random.Random(seed)
    other = Team(name="Second line", created_at=now)
    s.add(other)
    s.flush()
    s.add(Membership(team_id=other.id, person_id=cast.alice.id, part=Part.READER, joined_at=now))
    s.flush()
    for person in (cast.alice, cast.erin):
        s.expire(person, ["parts"])
    made = [_ticket(s, cast, now, number, [cast.billing.id, other.id], chance) for number in NUMBERS]
    for each in chance.sample(made[2:], 6):
        each.ticket.merged_into = each.ticket.conversation = made[0].ticket.number
    made[0].ticket.merged_into = made[0].ticket.conversation = None
    s.flush()
    return made


def _ticket(s: Session, cast: Cast, now: datetime, number: int, teams: list[int], chance: random.Random) -> Made:
    requester = chance.choice([cast.carol, cast.dave, cast.mallory, cast.frank])
    made_at = now - timedelta(days=chance.randint(0, 20), hours=chance.choice([0, 0, 5]))
    status = chance.choice(list(Status))
    ticket = Ticket(
        number=number,
        subject=" ".join(chance.sample(VOCABULARY, 2)),
        status=status,
        priority=chance.choice(list(Priority)),
        channel=chance.choice(list(Channel)),
        requester=requester,
        organization_id=requester.organization_id if chance.random() < 0.9 else None,
        team_id=chance.choice([None, *teams]),
        assignee=chance.choice([None, cast.alice, cast.bob, cast.erin]),
        tags=sorted(chance.sample(["vpn", "billing", "old"], chance.randint(0, 2))),
        fields=chance.choice(
            [{}, {"sev": 1}, {"sev": 3, "floor": "two"}, {"day": "2026-11-05"}, {"ok": True, "many": ["a", "b"]}]
        ),
        created_at=made_at,
        updated_at=chance.choice([made_at, now - timedelta(days=3), now]),
        resolved_at=now - timedelta(days=2) if status in DONE else None,
        snoozed_until=chance.choice([None, None, now + timedelta(days=1), now - timedelta(days=1)]),
        trashed_at=now if chance.random() < 0.1 else None,
    )
    s.add(ticket)
    s.flush()
    words.begin(s, ticket)
    made = Made(ticket)
    head = f"{number} {ticket.subject} {requester.name} {requester.email}"
    made.shown, made.whole = _plain(head), _plain(head)
    for internal in chance.choice([[False], [False, True], [False, False]]):
        _message(s, cast, made, internal, now, chance)
    if chance.random() < 0.4:
        made.due_at = now + timedelta(hours=chance.randint(-3, 3))
        _clock(s, made, now)
    return made


def _message(s: Session, cast: Cast, made: Made, internal: bool, now: datetime, chance: random.Random) -> None:
    ticket, author = made.ticket, cast.bob if internal else made.ticket.requester
    said = " ".join(chance.choices(VOCABULARY, k=5))
    message = Message(
        ticket=ticket.number,
        author=author,
        internal=internal,
        from_staff=internal,
        auto=False,
        channel=ticket.channel,
        text=said,
        created_at=now,
    )
    s.add(message)
    s.flush()
    names = []
    if chance.random() < 0.3:
        names.append(
            Attachment(
                message_id=message.id, name="scan_2026.pdf", media_type="application/pdf", size=1, blob="0" * 64, created_at=now
            )
        )
        made.files.append(internal)
        s.add(names[0])
    if internal and chance.random() < 0.5:
        s.add(Mention(message_id=message.id, person_id=cast.alice.id))
        made.mentioned.add(cast.alice.id)
    if chance.random() < 0.2 and not made.watching:
        s.add(Watcher(ticket=ticket.number, person_id=cast.alice.id, kind=WatcherKind.AGENT, added_at=now))
        made.watching.add(cast.alice.id)
    s.flush()
    words.add(s, message, names, ticket=ticket.number)  # type: ignore[arg-type]
    more = _plain(f"{author.name} {author.email} {' '.join(each.name for each in names)} {said}")
    made.whole += more
    if not internal:
        made.shown += more


_CLOCK = text(
    "INSERT INTO sla_clock (ticket, metric, cycle, state, policy_id, policy_version, priority, calendar_version_id,"
    " target_seconds, started_at, anchor_at, consumed, due_at, epoch)"
    " SELECT :ticket, t.metric, 1, 'running', t.policy_id, t.version, t.priority, v.id, 3600, :now, :now, '0', :due, 0"
    " FROM sla_target t, calendar_version v WHERE t.metric = 'resolution' LIMIT 1"
)


def _clock(s: Session, made: Made, now: datetime) -> None:
    s.execute(_CLOCK, {"ticket": made.ticket.number, "now": now, "due": made.due_at})


def _plain(said: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", said.lower().replace("ë", "e"))


def wanted(made: Made, query: Query, who: Person, now: datetime) -> bool:
    """Whether a list shows this ticket to somebody, read as plainly as can be."""
    ticket, names = made.ticket, query.names
    if not may(who, Verb.SEE, ticket) or (ticket.trashed_at and "in:trash" not in names):
        return False
    if ticket.merged_into and "is:merged" not in names:
        return False
    open_ones = tuple(each.value for each in Status if each in OPEN)
    open_work = any(isinstance(each, Filter) and each.values in {open_ones, ("open",)} for each in query.wanted.of)
    if who.staff and open_work and "is:snoozed" not in names and ticket.snoozed_until and ticket.snoozed_until > now:
        return False
    return _holds(made, query.wanted, who, now)


def _holds(made: Made, node: Node, who: Person, now: datetime) -> bool:
    match node:
        case Words(said, beginning):
            return _has_words(made.whole if who.staff else made.shown, _plain(said), beginning)
        case Not(of):
            return not _holds(made, of, who, now)
        case All(of):
            return all(_holds(made, each, who, now) for each in of)
        case Either(of):
            return any(_holds(made, each, who, now) for each in of)
        case Filter(name, values):
            return any(_filter(made, name, value, who, now) for value in values)


def _has_words(have: list[str], want: list[str], beginning: bool) -> bool:
    for at in range(len(have) - len(want) + 1):
        pairs = list(zip(want, have[at:], strict=False))
        if all(h.startswith(w) if beginning else h == w for w, h in pairs):
            return True
    return False


def _filter(made: Made, name: str, value: Any, who: Person, now: datetime) -> bool:
    t = made.ticket
    ids = {"assignee": t.assignee_id, "requester": t.requester_id, "org": t.organization_id, "team": t.team_id}
    if name in ids:
        mine: dict[str, list[Any]] = {"me": [who.id], "mine": list(who.teams), "none": [None]}
        return ids[name] in (mine[value] if isinstance(value, str) else [value])
    if name in {"created", "updated", "resolved", "closed"}:
        at, span = getattr(t, f"{name}_at"), value
        assert isinstance(span, Span)
        return at is not None and (not span.since or at >= span.since) and (not span.until or at < span.until)
    simple = {
        "status": t.status == value,
        "priority": t.priority == value,
        "channel": t.channel == value,
        "tag": value in t.tags or (value == "none" and not t.tags),
        "in": t.trashed_at is not None,
        "has": any(who.staff or not internal for internal in made.files),
        "watching": (who.id if value == "me" else value) in made.watching,
        "mentions": (who.id if value == "me" else value) in made.mentioned,
    }
    return simple[name] if name in simple else _flag(t, str(value), now) if name == "is" else _field(t, value)


def _flag(t: Ticket, value: str, now: datetime) -> bool:
    return {
        "open": t.status in OPEN,
        "done": t.status in DONE,
        "snoozed": t.snoozed_until is not None and t.snoozed_until > now,
        "merged": t.merged_into is not None,
        "breached": False,
    }[value]


def _field(t: Ticket, wanted: FieldValue) -> bool:
    held = t.fields.get(wanted.key)
    if wanted.operator == "=":
        if wanted.value == "none":
            return held is None
        texts = {str(each) for each in (held if isinstance(held, list) else [held])} - {"None"}
        return wanted.value in texts or (held is True and wanted.value == "yes")
    if held is None or isinstance(held, bool | list) or (isinstance(held, str) != (wanted.value.count("-") == 2)):
        return False
    if isinstance(held, str) and not re.fullmatch(r"\d{4}-\d\d-\d\d", held):
        return False
    sides: tuple[Any, Any] = (held, wanted.value) if isinstance(held, str) else (held, float(wanted.value))
    left, right = sides
    known: dict[str, bool] = {">": left > right, "<": left < right, ">=": left >= right, "<=": left <= right}
    return known[wanted.operator]
