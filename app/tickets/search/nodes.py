"""What a query asks for, as a tree. Values are typed and complete: nothing is left to be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

ME, NONE, MINE = "me", "none", "mine"  # what a filter's value may be instead of a name


@dataclass(frozen=True)
class Words:
    """Words that follow each other; of the last one only the `beginning`, where that is said."""

    text: str
    beginning: bool = False


@dataclass(frozen=True)
class Span:
    """From a moment on (inclusive) until another (exclusive), either of them open."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class FieldValue:
    """A custom field's value, compared."""

    key: str
    operator: str
    value: str


Value = str | int | Span | FieldValue  # an id, once a name is understood


@dataclass(frozen=True)
class Filter:
    """A property that has one of these values; from where to where it stood in the query."""

    name: str
    values: tuple[Value, ...]
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Not:
    """Whatever this isn't."""

    of: Node


@dataclass(frozen=True)
class All:
    """Every one of these."""

    of: tuple[Node, ...]


@dataclass(frozen=True)
class Either:
    """At least one of these."""

    of: tuple[Node, ...]


Node = Words | Filter | Not | All | Either


@dataclass(frozen=True)
class Query:
    """A whole query. `number` is the one ticket meant, where it says nothing but that."""

    wanted: All = All(())
    number: int | None = None
    text: str = ""

    @property
    def names(self) -> frozenset[str]:
        """What is filtered by, and for flags also how (`is:merged`)."""
        return frozenset(name for node in walk(self.wanted) if isinstance(node, Filter) for name in _names(node))


def walk(node: Node) -> Iterator[Node]:
    """A node and all below it."""
    yield node
    below: tuple[Node, ...] = ()
    if isinstance(node, All | Either):
        below = node.of
    elif isinstance(node, Not):
        below = (node.of,)
    for each in below:
        yield from walk(each)


def _names(node: Filter) -> Iterator[str]:
    yield node.name
    if node.name in {"is", "in"}:
        yield from (f"{node.name}:{value}" for value in node.values)
