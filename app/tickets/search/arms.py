"""How the tickets of one page are found: by their numbers alone, in a few steps of which each runs only if it is needed.

- In order of `updated_at`, with nothing more asked: by the parts that somebody may see (`conditions.apart`), each of which an
  index has in that order.
- By words, the newest tickets first: among the newest few thousand numbers, where that isn't enough among the newest ten
  thousands, and so on. The index of the words knows these stretches of numbers, and who may see a ticket, as words of their
  own (the marks), so that it costs the same however many tickets have the words.
- In an order in which tickets may have no place (by assignee): first those that have one, then the others.
- Anything else: as PostgreSQL thinks best.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.tickets.search import conditions
from app.tickets.search.conditions import NARROW, Asked, Bound, fill
from app.tickets.search.nodes import Query
from app.tickets.search.orders import OF_WORDS, Order, Place

PARTS_MOST = 10  # parts of what somebody may see, beyond which they are one condition
STRETCHES = (("/a", 10), ("/b", 13), ("/c", 16))  # marks, and how many bits of a number they leave out

_SORTED = """SELECT t.number, {key} AS k, false AS exact FROM {source} WHERE {where}
    ORDER BY {key} {way}, t.number {way} LIMIT {most}"""
_MERGED = "SELECT number, k, exact FROM ({parts}) AS parts ORDER BY k {way}, number {way} LIMIT {most}"
_EXACT = "SELECT t.number, t.number AS k, true AS exact FROM ticket t WHERE {where}"
_NEWEST = "SELECT {top} AS n, {words} AS q"
_TOP = "coalesce((SELECT max(ticket) FROM ticket_text), 0)"
# The sums and OFFSET 0 keep the planner from going by number, or by who may see a ticket, rather than by the index of the words.
_STRETCH = """SELECT t.number, t.number AS k, false AS exact FROM ticket_text tt
    CROSS JOIN LATERAL (SELECT t.number FROM ticket t WHERE t.number = tt.ticket AND {where} OFFSET 0) AS t
    WHERE {column} @@ {query} AND {bounds} ORDER BY tt.ticket + 0 DESC LIMIT {most}"""
_HOW_MANY = "(SELECT count(*) FROM {name})"
_FOUND = """SELECT number, k, exact FROM ({arms}) AS arms
    ORDER BY exact DESC, k IS NULL, k {way}, number {way} LIMIT {most}"""


@dataclass
class Page:
    """One page that is wanted. `exact` is the ticket that comes before all others."""

    asked: Asked
    query: Query
    by: Order
    limit: int
    after: Place | None
    exact: int | None
    bound: Bound = field(default_factory=Bound)

    @property
    def way(self) -> str:
        return "DESC" if self.by.down else "ASC"


def steps(page: Page) -> dict[str, str]:
    """The steps of finding a page, each a query by its name; the last one is `found`."""
    made, arms = {}, _arms(page)
    if "newest" in arms:
        made["newest"] = arms.pop("newest")
    if page.exact is not None and page.after is None:
        mine = [page.bound.fill("t.number = :v", page.exact), *conditions.visible(page.asked.actor, page.bound)]
        made["exact_one"] = fill(_EXACT, where=_and(mine))
    made |= arms
    tables = [name for name in made if name != "newest"]
    made["found"] = fill(
        _FOUND, arms=" UNION ALL ".join(f"(TABLE {name})" for name in tables), way=page.way, most=str(page.limit + 1)
    )
    return made


def _arms(page: Page) -> dict[str, str]:
    if page.by.said == OF_WORDS and not page.query.names & NARROW:
        words = conditions.words(page.query, page.bound)
        if words is not None:
            return _stretches(page, words)
    if page.by.column.without:
        return _placed_and_not(page)
    if page.by.name == "updated" and not page.query.wanted.of:
        parts = conditions.apart(page.asked.actor, page.bound)
        if 1 < len(parts) <= PARTS_MOST:
            return {"a0": _merged(page, parts)}
    return {"a0": _sorted(page, _where(page))}


def _where(page: Page, *, words: bool = True) -> list[str]:
    """Everything that the query and the asker's rights ask for; with or without what it asks of words alone."""
    found = [*conditions.visible(page.asked.actor, page.bound), *conditions.hidden(page.query, page.asked.actor)]
    found += conditions.others(page.query, page.asked, page.bound, with_words=words)
    return [*found, *_not_exact(page)]


def _not_exact(page: Page) -> list[str]:
    return [] if page.exact is None else [page.bound.fill("t.number <> :v", page.exact)]


def _source(page: Page) -> str:
    words = " JOIN ticket_text tt ON tt.ticket = t.number" if conditions.reads_words(page.query) else ""
    return f"ticket t {page.by.column.joined}{words}"


def _beyond(page: Page) -> list[str]:
    """What lies after the cursor."""
    if page.after is None:
        return []
    sign, key = "<" if page.by.down else ">", page.by.column.key
    number = page.bound.put(page.after.number)
    if page.by.name == "number":
        return [f"t.number {sign} {number}"]
    value = page.bound.put(page.after.key)
    return [f"{key} {sign}= {value}", f"({key}, t.number) {sign} ({value}, {number})"]


def _sorted(page: Page, where: Sequence[str]) -> str:
    parts = {"key": page.by.column.key, "way": page.way, "most": str(page.limit + 1), "source": _source(page)}
    return fill(_SORTED, **parts, where=_and([*where, *_beyond(page)]))


def _merged(page: Page, parts: Sequence[Sequence[str]]) -> str:
    hidden = conditions.hidden(page.query, page.asked.actor)
    arms = " UNION ALL ".join(f"({_sorted(page, [*part, *hidden])})" for part in parts)
    return fill(_MERGED, parts=arms, way=page.way, most=str(page.limit + 1))


def _placed_and_not(page: Page) -> dict[str, str]:
    """First the tickets that have what the list is sorted by, then those that don't."""
    found: dict[str, str] = {}
    without, where = page.by.column.without, _where(page)
    last = page.after is not None and page.after.key is None
    if not last:
        found["a0"] = _sorted(page, where)
        where.append(_still_wanted(page, found))
    if last and page.after is not None:
        where.append(f"t.number {'<' if page.by.down else '>'} {page.bound.put(page.after.number)}")
    parts = {"key": "t.number", "way": page.way, "most": str(page.limit + 1)}
    source = _source(page).replace(page.by.column.joined, "")
    nothing = f"CAST(NULL AS {_TYPES[page.by.column.kind.__name__]})"
    where.append(without or "true")
    unplaced = _SORTED.replace("{key} AS k", "{nothing} AS k")
    rest = fill(unplaced, **parts, nothing=nothing, source=source, where=_and(where))
    return found | {"a1": rest}


_TYPES: Mapping[str, str] = {"str": "text", "datetime": "timestamptz"}


def _stretches(page: Page, words: str) -> dict[str, str]:
    """The newest tickets that have the words, by ever longer stretches of numbers."""
    marks = conditions.marks(page.asked.actor)
    scope = f" && CAST({page.bound.put(marks)} AS tsquery)" if marks else ""
    top = _TOP if page.after is None else fill("least({top}, {number} - 1)", top=_TOP, number=page.bound.put(page.after.number))
    found: dict[str, str] = {}
    made, bound = {"newest": fill(_NEWEST, top=top, words=words + scope)}, "tt.ticket + 0 <= (SELECT n FROM newest)"
    parts = {"where": _and(_where(page, words=False)), "column": page.asked.words, "most": str(page.limit + 1)}
    for mark, bits in STRETCHES:
        query = fill("(SELECT q && desk_among('{mark}', n >> {bits}) FROM newest)", mark=mark, bits=str(bits))
        found[f"a{bits}"] = fill(_STRETCH, **parts, query=query, bounds=_and([bound, _still_wanted(page, found)]))
        bound = fill("tt.ticket + 0 < (SELECT ((n >> {bits}) - 1) << {bits} FROM newest)", bits=str(bits))
    rest = _and([bound, _still_wanted(page, found)])
    found["rest"] = fill(_STRETCH, **parts, query="(SELECT q FROM newest)", bounds=rest)
    return made | found


def _still_wanted(page: Page, found: Mapping[str, str]) -> str:
    """Whether the steps before found too little; PostgreSQL asks this once, before it begins a step."""
    if not found:
        return "true"
    counts = " + ".join(fill(_HOW_MANY, name=name) for name in found)
    return f"{counts} <= {page.limit}"


def _and(parts: Sequence[str]) -> str:
    return " AND ".join(parts) or "true"
