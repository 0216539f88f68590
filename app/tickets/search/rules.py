"""The language of queries, as people write them into a box:

    status:open assignee:me team:billing priority>=high org:"Acme" tag:vpn created:>2026-11-01 "exact phrase" -word beginn*

What stands side by side has to hold all at once, OR between two is either of them, ( ) keep together, - in front is not.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from app.core.errors import Invalid
from app.tickets.search import values
from app.tickets.search.nodes import All, Either, FieldValue, Filter, Node, Not, Query, Value, Words
from app.tickets.search.values import Around, Near

LONGEST = 2000  # characters of a query
MOST = 40  # words and filters of a query
DEEPEST = 8  # parentheses within each other
LEAST_BEGINNING = 3  # letters before a *
COMPARISONS = ("=", ">", "<", ">=", "<=")
_HEAD = re.compile(r"([A-Za-z_]{1,30})(?:\.([\w-]{1,100}))?(:>=|:<=|:>|:<|:=|:|>=|<=|>|<|=)")
_UNHEARD = re.compile("[\0\ud800-\udfff]")
_NUMBER = re.compile(r"\[?(?:ticket ?)?#(\d{1,18})\]?", re.IGNORECASE | re.ASCII)


class QueryWrong(Invalid):
    """There is a word in this query that can't be understood."""

    slug = "query"

    def __init__(self, query: str, start: int, end: int, what: str, meant: str | None = None) -> None:
        word = query[start:end][:200]
        hint = f" Did you mean {meant}?" if meant else ""
        super().__init__(f"At character {start + 1}, {word!r}: {what}.{hint}" if word else f"{what}.{hint}")
        self.more = {"start": start, "end": end, "word": word, "what": what, "suggestion": meant}


@dataclass(frozen=True)
class Known:
    """What may be filtered by: how its values are read, how it may be compared, and whether customers may, too."""

    read: values.Read
    compared: bool = False
    everybody: bool = False


KNOWN: Mapping[str, Known] = {
    "status": Known(values.status, everybody=True),
    "priority": Known(values.priority, compared=True, everybody=True),
    "requester": Known(values.name, everybody=True),
    "org": Known(values.name, everybody=True),
    "channel": Known(values.channel, everybody=True),
    "created": Known(values.moment, compared=True, everybody=True),
    "updated": Known(values.moment, compared=True, everybody=True),
    "resolved": Known(values.moment, compared=True, everybody=True),
    "closed": Known(values.moment, compared=True, everybody=True),
    "has": Known(values.has, everybody=True),
    "is": Known(values.flag, everybody=True),
    "assignee": Known(values.name),
    "team": Known(values.name),
    "tag": Known(values.name),
    "in": Known(values.place),
    "watching": Known(values.name),
    "mentions": Known(values.name),
}
_OTHER_WORDS = {"organization": "org", "organisation": "org", "assigned": "assignee", "from": "requester", "tags": "tag"}
_NAMES = frozenset({"requester", "org", "assignee", "team", "tag", "watching", "mentions"})


def parse(query: str, around: Around) -> Query:
    """What a query asks for. Raises QueryWrong, which points at the word."""
    if len(query) > LONGEST:
        raise QueryWrong("", 0, 0, f"A query has at most {LONGEST} characters, this one has {len(query)}")
    if unheard := _UNHEARD.search(query):
        raise QueryWrong(query.encode(errors="replace").decode(), *unheard.span(), "no ticket can hold this character")
    return _Reader(query, around).read()


def known_to(around: Around) -> list[str]:
    """What this reader may filter by."""
    return [name for name, each in KNOWN.items() if each.everybody or around.staff]


class _Reader:
    """One reading of a query, from its first character to its last."""

    def __init__(self, query: str, around: Around) -> None:
        self.query, self.around = query, around
        self.at, self.depth, self.count = 0, 0, 0

    def read(self) -> Query:
        found = self._either()
        if self.at < len(self.query):
            raise self._wrong(self.at, self.at + 1, "there is no ( that this closes")
        wanted = found if isinstance(found, All) else All((found,))
        return Query(wanted, _only_number(wanted), self.query)

    def _either(self) -> Node:
        sides = [self._together()]
        while word := self._keyword("OR"):
            start, end = word
            sides.append(self._together())
            if not _says_something(sides[-1]) or not _says_something(sides[-2]):
                raise self._wrong(start, end, "OR stands between two things; write it in small letters to search for the word")
        return sides[0] if len(sides) == 1 else Either(tuple(sides))

    def _together(self) -> All:
        parts: list[Node] = []
        while not self._ends():
            if self._keyword("AND"):
                continue
            if (part := self._one()) is not None:
                parts.append(part)
        return All(tuple(parts))

    def _ends(self) -> bool:
        while self.at < len(self.query) and self.query[self.at].isspace():
            self.at += 1
        here = self.query[self.at : self.at + 1]
        return not here or (here == ")" and self._closes()) or self._is_keyword("OR")

    def _closes(self) -> bool:
        return self.depth > 0 or self.query[self.at + 1 : self.at + 2].strip() == ""

    def _one(self) -> Node | None:
        start = self.at
        self.count += 1
        if self.count > MOST:
            raise self._wrong(start, start + 1, f"a query has at most {MOST} words and filters")
        if self._keyword("NOT") or self._minus():
            negated = None if self._ends() else self._one()
            return negated and Not(negated)
        if self.query[start] == "(":
            return self._group()
        if self.query[start] == '"':
            return self._words(self._quoted(), start)
        head = _HEAD.match(self.query, start)
        if head and (read := self._reading(head)):
            self.at = head.end()
            return self._filter(start, head, read)
        return self._words(self._bare(""), start)

    def _minus(self) -> bool:
        rest = self.query[self.at : self.at + 2]
        if rest[:1] == "-" and rest[1:].strip() and rest[1] != "-":
            self.at += 1
            return True
        return False

    def _group(self) -> Node:
        start, self.at, self.depth = self.at, self.at + 1, self.depth + 1
        if self.depth > DEEPEST:
            raise self._wrong(start, start + 1, f"parentheses go at most {DEEPEST} deep")
        found = self._either()
        if self.query[self.at : self.at + 1] != ")":
            raise self._wrong(start, start + 1, "this ( is never closed")
        self.at, self.depth = self.at + 1, self.depth - 1
        return found

    def _words(self, text: str, start: int) -> Node | None:
        if number := _NUMBER.fullmatch(text):
            return Words(number[1])
        beginning = text.endswith("*") and self.query[start] != '"'
        if beginning and sum(each.isalnum() for each in text) < LEAST_BEGINNING:
            what = f"there have to be {LEAST_BEGINNING} letters or more before a *"
            raise self._wrong(start, self.at, what)
        if not any(each.isalnum() for each in text):
            return None
        return Words(text.rstrip("*") if beginning else text, beginning)

    def _reading(self, head: re.Match[str]) -> Known | None:
        """How a filter is read; None where this only looks like one (https://…, 10:30, a>b). Raises QueryWrong."""
        name, key, operator = head[1].lower(), head[2], head[3]
        if self.query.startswith("//", head.end()):
            return None
        if name == "field" and key:
            return Known(lambda compared, raw, _: (values.field(key, compared, raw),), compared=True)
        names = known_to(self.around)
        if key is None and _OTHER_WORDS.get(name, name) in names:
            return KNOWN[_OTHER_WORDS.get(name, name)]
        near, rest = values.nearest(name, names), self._peek(head.end())
        if not rest or (operator[0] != ":" and (key or not near)):
            return None
        what = f"there is no filter {head[1]!r}. To search for these words put them in quotation marks"
        raise self._wrong(head.start(), head.end() + len(rest), what, f"{near}{operator}{rest}" if near else None)

    def _filter(self, start: int, head: re.Match[str], known: Known) -> Node:
        operator = head[3].lstrip(":") or "="
        if operator != "=" and not known.compared:
            raise self._wrong(start, self._word_end(), "this can't be compared; write : and a value", f"{head[1]}:")
        name = _OTHER_WORDS.get(head[1].lower(), head[1].lower())
        found: list[Value] = []
        while True:
            found += self._value(start, known, operator, name)
            if self.query[self.at : self.at + 1] != ",":
                break
            self.at += 1
        return Filter(name, tuple(dict.fromkeys(found)), start, self.at)

    def _value(self, start: int, known: Known, operator: str, name: str) -> tuple[Value, ...]:
        begin = self.at
        quoted = self.query[begin : begin + 1] == '"'
        raw = self._quoted() if quoted else self._bare(",")
        if not raw:
            what = "there is no value after this" if begin == self.at else "there is nothing between these quotation marks"
            raise self._wrong(start, max(self.at, begin), what)
        try:
            read = known.read(operator, raw, self.around)
        except Near as wrong:
            meant = f"{self.query[start:begin]}{wrong.meant}" if wrong.meant else None
            raise self._wrong(start, self.at, str(wrong), meant) from None
        if quoted and name in _NAMES:
            return tuple(values.quoted_name(each) if isinstance(each, str) else each for each in read)
        return tuple(replace(each, value=raw) if isinstance(each, FieldValue) else each for each in read)

    def _quoted(self) -> str:
        start = self.at
        end = self.query.find('"', start + 1)
        if end < 0:
            raise self._wrong(start, len(self.query), "this quotation mark is never closed")
        self.at = end + 1
        return self.query[start + 1 : end].strip()

    def _bare(self, ends: str) -> str:
        start = self.at
        self.at = self._end(start, lambda c: c.isspace() or c in ends or (c == ")" and self.depth > 0))
        return self.query[start : self.at]

    def _end(self, at: int, ends: Callable[[str], bool]) -> int:
        while at < len(self.query) and not ends(self.query[at]):
            at += 1
        return at

    def _peek(self, at: int) -> str:
        if self.query.startswith('"', at):
            return self.query[at : max(self.query.find('"', at + 1), at) + 1]
        return self.query[at : self._end(at, str.isspace)]

    def _word_end(self) -> int:
        return self._end(self.at, str.isspace)

    def _is_keyword(self, word: str) -> bool:
        after = self.query[self.at + len(word) : self.at + len(word) + 1]
        return self.query.startswith(word, self.at) and (not after or after.isspace() or after in "()")

    def _keyword(self, word: str) -> tuple[int, int] | None:
        if not self._is_keyword(word):
            return None
        start, self.at = self.at, self.at + len(word)
        return start, self.at

    def _wrong(self, start: int, end: int, what: str, meant: str | None = None) -> QueryWrong:
        return QueryWrong(self.query, start, max(end, start), what, meant)


def _says_something(node: Node) -> bool:
    return not isinstance(node, All) or bool(node.of)


def _only_number(wanted: All) -> int | None:
    if len(wanted.of) == 1 and isinstance(only := wanted.of[0], Words) and not only.beginning:
        return int(only.text) if only.text.isascii() and only.text.isdigit() and len(only.text) <= 18 else None
    return None
