"""What a query asks for, as conditions on `ticket t` (and `ticket_text tt`). Every value is bound; the words of SQL are ours."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.accounts.rules import Actor, Role
from app.tickets.rules import OPEN, Status
from app.tickets.search.nodes import ME, MINE, NONE, All, Either, FieldValue, Filter, Node, Not, Query, Span, Words, walk

_OPEN_STATUSES = "t.status IN ('new', 'accepted', 'in_progress', 'waiting_customer')"
_FILES = """(EXISTS (SELECT 1 FROM message m JOIN attachment a ON a.message_id = m.id WHERE m.ticket = t.number{shown})
    OR EXISTS (SELECT 1 FROM ticket part JOIN message m ON m.ticket = part.number JOIN attachment a ON a.message_id = m.id
               WHERE part.conversation = t.number{shown}))"""
_MENTIONS = """t.number IN (SELECT coalesce(part.conversation, part.number) FROM mention n JOIN message m ON m.id = n.message_id
    JOIN ticket part ON part.number = m.ticket WHERE n.person_id = ANY(:v))"""
_WATCHING = "EXISTS (SELECT 1 FROM watcher w WHERE w.ticket = t.number AND w.person_id = ANY(:v))"
_FLAGS = {
    "open": _OPEN_STATUSES,
    "done": "t.status IN ('resolved', 'closed', 'cancelled')",
    "snoozed": "t.snoozed_until > now()",
    "merged": "(t.merged_into IS NOT NULL AND t.conversation IS NOT NULL)",  # the second has an index
    "breached": "EXISTS (SELECT 1 FROM sla_clock c WHERE c.ticket = t.number AND c.outcome IS NULL AND c.due_at IS NOT NULL"
    " AND c.breached_at IS NOT NULL)",
}
_TIMES = {"created": "t.created_at", "updated": "t.updated_at", "resolved": "t.resolved_at", "closed": "t.closed_at"}
_IDS = {"assignee": "t.assignee_id", "requester": "t.requester_id", "org": "t.organization_id", "team": "t.team_id"}
# What leaves so few tickets that they are looked through one by one, rather than all those that have the words.
NARROW = frozenset(
    {"assignee", "assignee_id", "requester", "org", "tag", "field", "watching", "mentions", "in", "is:snoozed", "is:merged"}
)


@dataclass
class Bound:
    """The values of a statement, by the names it knows them by."""

    values: dict[str, Any] = field(default_factory=dict)

    def put(self, value: Any) -> str:
        """Bind a value; answers how the statement names it."""
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f":{name}"

    def fill(self, words: str, value: Any) -> str:
        """These words with `:v` standing for this value."""
        return words.replace(":v", self.put(value))


@dataclass(frozen=True)
class Asked:
    """Who asks; `words` is the column in which they may search."""

    actor: Actor

    @property
    def words(self) -> str:
        return "tt.whole" if self.actor.role.staff else "tt.shown"


def fill(words: str, /, **parts: str) -> str:
    """A statement's words with its parts filled in. The parts are ours as well: values are bound."""
    for name, part in parts.items():
        words = words.replace(f"{{{name}}}", part)
    return words


def visible(actor: Actor, bound: Bound) -> list[str]:
    """The same as `queries.visible_to`, to which a test holds it."""
    if actor.role.manages:
        return []
    if actor.role.staff:
        return [bound.fill("(t.team_id IS NULL OR t.team_id = ANY(CAST(:v AS bigint[])))", sorted(actor.teams))]
    mine = bound.fill("t.requester_id = :v", actor.id)
    if _answers_for_organization(actor):
        mine = f"({mine} OR {bound.fill('t.organization_id = :v', actor.organization_id)})"
    return [mine, "t.trashed_at IS NULL"]


def apart(actor: Actor, bound: Bound) -> list[list[str]]:
    """`visible` in parts that share no ticket, each of which one index has in order of `updated_at`."""
    if actor.role.manages:
        return [[]]
    if actor.role.staff:
        return [["t.team_id IS NULL"], *([bound.fill("t.team_id = :v", team)] for team in sorted(actor.teams))]
    mine, alive = bound.fill("t.requester_id = :v", actor.id), "t.trashed_at IS NULL"
    if not _answers_for_organization(actor):
        return [[mine, alive]]
    ours = bound.put(actor.organization_id)
    return [[f"t.organization_id = {ours}", alive], [mine, f"t.organization_id IS DISTINCT FROM {ours}", alive]]


def marks(actor: Actor) -> str | None:
    """The marks one of which a ticket's words have if this person may see it; None where all do."""
    if actor.role.manages:
        return None
    if actor.role.staff:
        return " | ".join(f"'/t{team}'" for team in (0, *sorted(actor.teams)))
    ours = [f"'/o{actor.organization_id}'"] if _answers_for_organization(actor) else []
    return " | ".join([f"'/r{actor.id}'", *ours])


def hidden(query: Query, actor: Actor) -> list[str]:
    """What a list leaves out unless it is asked for: the trash, what was merged, and of the open work what sleeps."""
    names = query.names
    found = [] if "in:trash" in names else ["t.trashed_at IS NULL"]
    if "is:merged" not in names:
        found.append("t.merged_into IS NULL")
    if actor.role.staff and "is:snoozed" not in names and any(_is_open_work(each) for each in query.wanted.of):
        found.append("(t.snoozed_until IS NULL OR t.snoozed_until <= now())")
    return found


def words(query: Query, bound: Bound) -> str | None:
    """All that the query asks of a ticket's words alone, as one tsquery; None where that is nothing (or only what not)."""
    parts = [each for each in query.wanted.of if _only_words(each)]
    return _tsquery(All(tuple(parts)), bound) if any(_finds(each) for each in parts) else None


def others(query: Query, asked: Asked, bound: Bound, *, with_words: bool = False) -> list[str]:
    """Everything that `words` leaves, or simply everything."""
    finds = any(_finds(each) for each in query.wanted.of if _only_words(each))
    left = [each for each in query.wanted.of if with_words or not (finds and _only_words(each))]
    return [condition(each, asked, bound) for each in left]


def reads_words(query: Query) -> bool:
    """Whether any condition needs the tickets' words."""
    return any(isinstance(node, Words) for node in walk(query.wanted))


def reads_beginnings(query: Query) -> bool:
    """Whether any word is asked for by its beginning alone."""
    return any(isinstance(node, Words) and node.beginning for node in walk(query.wanted))


def condition(node: Node, asked: Asked, bound: Bound) -> str:
    """One node as a condition."""
    match node:
        case _ if _only_words(node):
            return f"{asked.words} @@ {_tsquery(node, bound)}"
        case Filter():
            return _FILTERS[node.name](node, asked, bound)
        case Not(of):
            return f"({condition(of, asked, bound)}) IS NOT TRUE"
        case All(of):
            return _joined(" AND ", [condition(each, asked, bound) for each in of])
        case Either(of):
            return _joined(" OR ", [condition(each, asked, bound) for each in of])
    raise AssertionError(node)


def _joined(word: str, parts: Sequence[str]) -> str:
    return f"({word.join(parts)})" if parts else ("false" if word == " OR " else "true")


def _answers_for_organization(actor: Actor) -> bool:
    return actor.role is Role.CUSTOMER_ADMIN and actor.organization_id is not None


def _is_open_work(node: Node) -> bool:
    return isinstance(node, Filter) and (node.values == tuple(s.value for s in Status if s in OPEN) or node == _IS_OPEN)


_IS_OPEN = Filter("is", ("open",))


def _only_words(node: Node) -> bool:
    leaves = [each for each in walk(node) if isinstance(each, Words | Filter)]
    return bool(leaves) and not any(isinstance(each, Filter) for each in leaves)


def _finds(node: Node) -> bool:
    """Whether words alone find something here, rather than only leave something out."""
    match node:
        case Words():
            return True
        case All(of):
            return any(_finds(each) for each in of)
        case Either(of):
            return all(_finds(each) for each in of)
    return False


def _tsquery(node: Node, bound: Bound) -> str:
    match node:
        case Words(text, beginning):
            return f"desk_query({bound.put(text)}, {'true' if beginning else 'false'})"
        case Not(of):
            return f"!!({_tsquery(of, bound)})"
        case All(of) | Either(of):
            sign = " && " if isinstance(node, All) else " || "
            return "(" + (sign.join(_tsquery(each, bound) for each in of) or "CAST('' AS tsquery)") + ")"
    raise AssertionError(node)


def _status(node: Filter, _asked: Asked, bound: Bound) -> str:
    if set(node.values) == {each.value for each in OPEN}:
        return _OPEN_STATUSES
    return _one_of("t.status", node, bound)


def _one_of(column: str, node: Filter, bound: Bound) -> str:
    if len(node.values) == 1:
        return f"{column} = {bound.put(node.values[0])}"
    return f"{column} = ANY({bound.put(list(node.values))})"


def _time(node: Filter, _asked: Asked, bound: Bound) -> str:
    column, spans = _TIMES[node.name], [each for each in node.values if isinstance(each, Span)]
    found = []
    for span in spans:
        ends = [f"{column} >= {bound.put(span.since)}"] if span.since else []
        ends += [f"{column} < {bound.put(span.until)}"] if span.until else []
        found.append(_joined(" AND ", ends))
    return _joined(" OR ", found)


def _whose(node: Filter, asked: Asked, bound: Bound) -> str:
    column, actor = _IDS[node.name], asked.actor
    found = [f"{column} IS NULL"] if NONE in node.values else []
    if MINE in node.values and node.name == "team":
        found.append(bound.fill(f"{column} = ANY(CAST(:v AS bigint[]))", sorted(actor.teams)))
    if ids := _ids(node, actor.organization_id if node.name == "org" else actor.id):
        alone = len(ids) == 1
        found.append(bound.fill(f"{column} = {':v' if alone else 'ANY(CAST(:v AS bigint[]))'}", ids[0] if alone else ids))
    return _joined(" OR ", found)


def _ids(node: Filter, me: int | None) -> list[int]:
    """Whom a filter means, by id."""
    found = [value for value in node.values if isinstance(value, int)]
    mine = {ME, MINE} if node.name == "org" else {ME} if node.name != "team" else set()
    return [*found, me or 0] if mine & set(node.values) else found


def _people(words: str) -> Callable[[Filter, Asked, Bound], str]:
    def by(node: Filter, asked: Asked, bound: Bound) -> str:
        return words.replace(":v", f"CAST({bound.put(_ids(node, asked.actor.id))} AS bigint[])")

    return by


def _tag(node: Filter, _asked: Asked, bound: Bound) -> str:
    names = [str(value).removeprefix('"') for value in node.values if value != NONE]
    found = ["t.tags = '{}'"] if NONE in node.values else []
    if names:
        found.append(bound.fill("t.tags && CAST(:v AS text[])", names))
    return _joined(" OR ", found)


def _flag(node: Filter, _asked: Asked, _bound: Bound) -> str:
    return _joined(" OR ", [_FLAGS[str(value)] for value in node.values])


def _has(_node: Filter, asked: Asked, _bound: Bound) -> str:
    return _FILES.replace("{shown}", "" if asked.actor.role.staff else " AND NOT m.internal")


def _field(node: Filter, asked: Asked, bound: Bound) -> str:
    found = [_field_value(each, bound) for each in node.values if isinstance(each, FieldValue)]
    if asked.actor.role.staff:
        return _joined(" OR ", found)
    key = next(each.key for each in node.values if isinstance(each, FieldValue))
    known = bound.fill("EXISTS (SELECT 1 FROM custom_field f WHERE f.key = :v AND f.shown_to_customers)", key)
    return f"({known} AND {_joined(' OR ', found)})"


def _field_value(wanted: FieldValue, bound: Bound) -> str:
    key, value = bound.put(wanted.key), bound.put(wanted.value)
    if wanted.value.lower() == NONE and wanted.operator == "=":
        return f"(t.fields -> {key}) IS NULL"
    held = f"t.fields ->> {key}"
    if wanted.operator == "=":
        alike = f"jsonb_build_object(CAST({key} AS text), CAST({value} AS text))"
        among = f"jsonb_build_object(CAST({key} AS text), jsonb_build_array(CAST({value} AS text)))"
        return f"(t.fields @> {alike} OR t.fields @> {among} OR {_plain_value(wanted.value, key, value)})"
    if wanted.value.count("-") == 2:
        dated = f"{held} ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}$'"
        return f"(jsonb_typeof(t.fields -> {key}) = 'string' AND {dated} AND {held} {wanted.operator} {value})"
    number = f"CASE WHEN jsonb_typeof(t.fields -> {key}) = 'number' THEN CAST({held} AS numeric) END"
    return f"{number} {wanted.operator} CAST({value} AS numeric)"


def _plain_value(raw: str, key: str, value: str) -> str:
    """A number or a box, which JSON has without quotation marks."""
    if raw.lower() in {"yes", "no", "true", "false"}:
        tick = "true" if raw.lower() in {"yes", "true"} else "false"
        return f"t.fields @> jsonb_build_object(CAST({key} AS text), {tick})"
    if raw.lstrip("-").replace(".", "", 1).isdecimal() and raw.isascii() and len(raw) < 32:
        return f"t.fields @> jsonb_build_object(CAST({key} AS text), CAST({value} AS numeric))"
    return "false"


_Write = Callable[[Filter, Asked, Bound], str]
_FILTERS: Mapping[str, _Write] = {
    "status": _status,
    "priority": lambda node, _, bound: _one_of("t.priority", node, bound),
    "channel": lambda node, _, bound: _one_of("t.channel", node, bound),
    **dict.fromkeys(_TIMES, _time),
    **dict.fromkeys(_IDS, _whose),
    "assignee_id": lambda node, _, bound: bound.fill("t.assignee_id = :v", node.values[0]),
    "tag": _tag,
    "is": _flag,
    "in": lambda *_: "t.trashed_at IS NOT NULL",
    "has": _has,
    "field": _field,
    "watching": _people(_WATCHING),
    "mentions": _people(_MENTIONS),
}
