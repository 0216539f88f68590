"""How the tickets of one page are found: by their numbers alone, in a few steps of which each runs only if it is needed.

- In order of `updated_at`, with nothing more asked: by the parts that somebody may see (`conditions.apart`), each of which an
  index has in that order.
- By words, the newest tickets first: among the newest few thousand numbers, where that isn't enough among the newest ten
  thousands. Then all the others where they are few; where they are many, stretch after stretch of numbers until the page is
  full. The index of the words knows these stretches, and who may see a ticket, as words of their own (the marks).
- By the beginning of a word, for which that index reads all it has of every such word: the newest thousand tickets are looked
  through without it first, and a customer's tickets without it at all.
- By the name of a team or an assignee: few tickets are sorted, many are taken name by name. In such an order tickets may have
  no place: they come last.
- Anything else: as PostgreSQL thinks best.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from app.tickets.search import conditions
from app.tickets.search.conditions import NARROW, Asked, Bound, fill
from app.tickets.search.nodes import Query
from app.tickets.search.orders import OF_WORDS, Order, Place

PARTS_MOST = 10  # parts of what somebody may see, beyond which they are one condition
STRETCHES = (("/a", 10), ("/b", 13))  # marks, and how many bits of a number they leave out
LONG = 13  # the bits of the longest of them
FEW = 5000  # tickets that are looked at one by one, wherever they are
NEWEST = 1000  # tickets that are looked through for the beginning of a word
_LAST = 2**63 - 1

_SORTED = """SELECT t.number, {key} AS k, false AS exact FROM {source} WHERE {where}
    ORDER BY {key} {way}, t.number {way} LIMIT {most}"""
_MERGED = "SELECT number, k, exact FROM ({parts}) AS parts ORDER BY k {way}, number {way} LIMIT {most}"
_EXACT = "SELECT t.number, t.number AS k, true AS exact FROM ticket t WHERE {where}"
_NEWEST = "SELECT {top} AS n, {words} AS q, {marks} AS mine"
_TOP = "coalesce((SELECT max(ticket) FROM ticket_text), 0)"
# Conditions of their own, the one that leaves least first: the index leaps from one to what the others have next.
_WORDS = "{column} @@ (SELECT q FROM newest)"
_MINE = "{column} @@ (SELECT mine FROM newest)"
_HAVE = "EXISTS (SELECT 1 FROM ticket_text tt WHERE tt.ticket = t.number AND {words})"
# The sums keep the planner from going by number rather than by the index of the words. OFFSET 0 keeps what is sorted sorted,
# from which tickets are then taken one by one until there are enough; and it spares planning for every index of the tickets.
_HITS = "SELECT tt.ticket FROM ticket_text tt WHERE {where} ORDER BY tt.ticket + 0 DESC OFFSET 0"
_LOOKED_THROUGH = """SELECT tt.ticket FROM (
        SELECT tt.ticket, {column} FROM ticket_text tt
        WHERE tt.ticket <= (SELECT n FROM newest) AND tt.ticket > (SELECT n FROM newest) - {many} ORDER BY tt.ticket DESC OFFSET 0
    ) AS tt WHERE {words}"""
_ONE_BY_ONE = """SELECT t.number, t.number AS k, false AS exact FROM ({hits}) AS tt
    CROSS JOIN LATERAL (
        SELECT t.number FROM (SELECT * FROM ticket WHERE ticket.number = tt.ticket OFFSET 0) AS t WHERE {where} OFFSET 0
    ) AS t WHERE {wanted} LIMIT {most}"""
_DOWN = """SELECT found.* FROM generate_series((SELECT (n >> {bits}) - 2 FROM newest), 0, -2) AS stretch (nth)
    CROSS JOIN LATERAL ({hits}) AS found WHERE {wanted} LIMIT {most}"""
_BY_NAME = """SELECT t.number, names.k, false AS exact
    FROM (SELECT DISTINCT lower(name) AS k FROM {named} WHERE {names} ORDER BY k {way} OFFSET 0) AS names
    CROSS JOIN LATERAL (
        SELECT t.number FROM {named} AS one CROSS JOIN LATERAL (
            SELECT t.number FROM {source} WHERE {id} = one.id AND {where} ORDER BY t.number {way} LIMIT {most}
        ) AS t WHERE lower(one.name) = names.k ORDER BY t.number {way} LIMIT {most}
    ) AS t WHERE {wanted} LIMIT {most}"""
_FEW = "SELECT {what} FROM {source} WHERE {where} LIMIT {most}"
# Whether the next one in the index is this one: so that whoever has no ticket isn't looked for among all tickets.
_HAS_ANY = "{named}.id = (SELECT {id} FROM ticket t WHERE {id} >= {named}.id ORDER BY {id} LIMIT 1)"
_HOW_MANY = "(SELECT count(*) FROM {name})"
_FOUND = """SELECT number, k, exact FROM ({arms}) AS arms
    ORDER BY exact DESC, k IS NULL, k {way}, number {way} LIMIT {most}"""
_HELPING = ("newest", "few")  # steps that find no rows of the page themselves


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

    @cached_property
    def without_words(self) -> str:
        """What a ticket must be that has the words."""
        return _and(_where(self, words=False))


def statement(page: Page) -> str:
    """The steps as the head of a statement, which reads them `FROM found`."""
    return ", ".join(f"{name} AS MATERIALIZED ({step})" for name, step in steps(page).items())


def steps(page: Page) -> dict[str, str]:
    """The steps of finding a page, each a query by its name; the last one is `found`."""
    made = {}
    if page.exact is not None and page.after is None:
        mine = [page.bound.fill("t.number = :v", page.exact), *conditions.visible(page.asked.actor, page.bound)]
        made["exact_one"] = fill(_EXACT, where=_and(mine))
    made |= _arms(page)
    if len(made) == 1:  # which has no more rows than the page
        return {"found": made.popitem()[1]}
    arms = " UNION ALL ".join(f"(TABLE {name})" for name in made if name not in _HELPING)
    made["found"] = fill(_FOUND, arms=arms, way=page.way, most=str(page.limit + 1))
    return made


def _arms(page: Page) -> dict[str, str]:
    if by_words := _by_words(page):
        return by_words
    if page.by.column.named:
        return _by_name(page)
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
    where = _where(page)
    found = {} if _among_the_last(page) else {"a0": _sorted(page, where)}
    return found | {"a1": _unplaced(page, where, found)}


def _among_the_last(page: Page) -> bool:
    return page.after is not None and page.after.key is None


def _unplaced(page: Page, where: Sequence[str], found: Mapping[str, str]) -> str:
    column, where = page.by.column, [*where, page.by.column.without or "true", _still_wanted(page, found)]
    if page.after is not None and page.after.key is None:
        where.append(f"t.number {'<' if page.by.down else '>'} {page.bound.put(page.after.number)}")
    source = _source(page).replace(column.joined, "")
    nothing = f"CAST(NULL AS {_TYPES[column.kind.__name__]})"
    unplaced = _SORTED.replace("{key} AS k", "{nothing} AS k")
    parts = {"key": "t.number", "way": page.way, "most": str(page.limit + 1), "nothing": nothing, "source": source}
    return fill(unplaced, **parts, where=_and(where))


_TYPES: Mapping[str, str] = {"str": "text", "datetime": "timestamptz"}


def _by_name(page: Page) -> dict[str, str]:
    """Few tickets are sorted, many are taken name by name; then come those without."""
    where, found = _where(page), dict[str, str]()
    if not _among_the_last(page):
        column, most = page.by.column, str(page.limit + 1)
        source, mine = _source(page).replace(column.joined, ""), _of_mine(page)
        placed = _and([*where, f"{column.id} {mine}"])
        found["few"] = fill(_FEW, what="t.number", source=source, where=placed, most=str(FEW + 1))
        are_few = _and([_count("few", "<="), *_beyond(page)])
        few = f"few JOIN ticket t ON t.number = few.number {column.joined}"
        found["sorted"] = fill(_SORTED, key=column.key, way=page.way, most=most, source=few, where=are_few)
        names, numbers = _beyond_name(page)
        names = _and([f"id {mine}", fill(_HAS_ANY, id=column.id, named=column.named), names])
        parts = {"named": column.named, "id": column.id, "names": names, "way": page.way, "most": most, "source": source}
        found["by_name"] = fill(_BY_NAME, **parts, where=_and([*where, numbers]), wanted=_count("few", ">"))
    return found | {"a1": _unplaced(page, where, found)}


def _of_mine(page: Page) -> str:
    """Of an agent's own teams alone: the tickets of the others would be looked through for nothing."""
    actor = page.asked.actor
    if page.by.name == "team" and not actor.role.manages:
        return page.bound.fill("= ANY(CAST(:v AS bigint[]))", sorted(actor.teams))
    return "IS NOT NULL"


def _beyond_name(page: Page) -> tuple[str, str]:
    """Which names come after the cursor, and of the cursor's own name which tickets."""
    if page.after is None:
        return "true", "true"
    sign, name, number = "<" if page.by.down else ">", page.bound.put(page.after.key), page.bound.put(page.after.number)
    none = str(_LAST if page.by.down else 0)
    return f"lower(name) {sign}= {name}", f"t.number {sign} CASE WHEN names.k = {name} THEN {number} ELSE {none} END"


def _by_words(page: Page) -> dict[str, str]:
    """The newest tickets that have the words, where that is what is asked; otherwise nothing."""
    if page.by.said != OF_WORDS or page.query.names & NARROW:
        return {}
    words = conditions.words(page.query, page.bound)
    if words is None:
        return {}
    marks = conditions.marks(page.asked.actor)
    mine = f"CAST({page.bound.put(marks)} AS tsquery)" if marks else "CAST(NULL AS tsquery)"
    top = _TOP if page.after is None else fill("least({top}, {number} - 1)", top=_TOP, number=page.bound.put(page.after.number))
    newest = {"newest": fill(_NEWEST, top=top, words=words, marks=mine)}
    return newest | (_beginnings(page) if conditions.reads_beginnings(page.query) else _stretches(page))


def _stretches(page: Page) -> dict[str, str]:
    """By ever longer stretches of numbers; then all others at once, or stretch after stretch."""
    found, below = dict[str, str](), "tt.ticket + 0 <= (SELECT n FROM newest)"
    for mark, bits in STRETCHES:
        found[f"a{bits}"] = _stretch(page, mark, bits, _still_wanted(page, found), below)
        below = _beyond_stretch(bits)
    few = _and([*_having_few(page), _beyond_stretch(LONG), _still_wanted(page, found)])
    found["few"] = fill(_FEW, what="tt.ticket", source="ticket_text tt", where=few, most=str(FEW + 1))
    found["rest"] = _one_by_one(page, "SELECT tt.ticket FROM few AS tt ORDER BY tt.ticket DESC OFFSET 0", _count("few", "<="))
    nth = f"{page.asked.words} @@ desk_among('/b', stretch.nth)"
    hits = _one_by_one(page, fill(_HITS, where=_and([nth, *_having(page)])), "true")
    return found | {"down": fill(_DOWN, bits=str(LONG), hits=hits, wanted=_count("few", ">"), most=str(page.limit + 1))}


def _stretch(page: Page, mark: str, bits: int, wanted: str, below: str) -> str:
    among = fill("(SELECT desk_among('{mark}', n >> {bits}) FROM newest)", mark=mark, bits=str(bits))
    hits = fill(_HITS, where=_and([f"{page.asked.words} @@ {among}", *_having(page), below]))
    return _one_by_one(page, hits, wanted)


def _beyond_stretch(bits: int) -> str:
    return fill("tt.ticket + 0 < (SELECT ((n >> {bits}) - 1) << {bits} FROM newest)", bits=str(bits))


def _beginnings(page: Page) -> dict[str, str]:
    """Without the index of the words first, then by it; of a customer's tickets without it at all."""
    words = fill(_WORDS, column=page.asked.words)
    if not page.asked.actor.role.staff:
        mine = [fill(_MINE, column=page.asked.words), "tt.ticket + 0 <= (SELECT n FROM newest)"]
        return {"theirs": _one_by_one(page, fill(_HITS, where=_and(mine)), "true", having=fill(_HAVE, words=words))}
    newest = fill(_LOOKED_THROUGH, column=page.asked.words, words=words, many=str(NEWEST))
    found = {"looked_through": _one_by_one(page, newest, "true")}
    below = fill("tt.ticket + 0 <= (SELECT n FROM newest) - {many}", many=str(NEWEST))
    found["stretch"] = _stretch(page, "/b", LONG, _still_wanted(page, found), below)
    rest = fill(_HITS, where=_and([*_having(page), _beyond_stretch(LONG)]))
    return found | {"rest": _one_by_one(page, rest, _still_wanted(page, found))}


def _having(page: Page) -> list[str]:
    """That a ticket's words have what is asked for, and a mark of those who ask."""
    mine = [fill(_MINE, column=page.asked.words)] if conditions.marks(page.asked.actor) else []
    words = [fill(_WORDS, column=page.asked.words)]
    return [*words, *mine] if page.asked.actor.role.staff else [*mine, *words]


def _having_few(page: Page) -> list[str]:
    """The same where few tickets may have the words: whether staff may see one is soon asked of it. The marks of their teams are
    those of most tickets, and the index would leap through all of these for each ticket that it finds.
    """
    return [fill(_WORDS, column=page.asked.words)] if page.asked.actor.role.staff else _having(page)


def _one_by_one(page: Page, hits: str, wanted: str, having: str = "true") -> str:
    return fill(_ONE_BY_ONE, hits=hits, where=_and([page.without_words, having]), wanted=wanted, most=str(page.limit + 1))


def _still_wanted(page: Page, found: Mapping[str, str]) -> str:
    """Whether the steps before found too little; PostgreSQL asks this once, before it begins a step."""
    counts = [fill(_HOW_MANY, name=name) for name in found if name not in _HELPING]
    return f"{' + '.join(counts)} <= {page.limit}" if counts else "true"


def _count(step: str, sign: str) -> str:
    """Whether a step found few tickets or many."""
    return f"{fill(_HOW_MANY, name=step)} {sign} {FEW}"


def _and(parts: Sequence[str]) -> str:
    return " AND ".join(parts) or "true"
