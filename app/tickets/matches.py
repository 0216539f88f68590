"""What the conditions of a policy may name: facts that tickets have, and words that can be true of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from app.accounts.models import Organization, Team
from app.core.errors import Invalid
from app.core.priority import Priority
from app.db.session import Session
from app.sla.rules.policies import FIELD, PRIORITY
from app.tickets import facts, tags
from app.tickets.models import Channel, Field
from app.tickets.rules import FieldKind

MOST = 20  # facts of one policy
LONGEST = 200  # characters of a word


def checked(s: Session, match: Mapping[str, Sequence[Any]]) -> dict[str, list[str]]:
    """Conditions with their words as facts have them. Raises Invalid, which names what is wrong."""
    if len(match) > MOST:
        raise Invalid(f"A policy depends on at most {MOST} facts.")
    return {name: _words(s, name, [word for each in words for word in facts.words(each)]) for name, words in match.items()}


def _words(s: Session, name: str, words: list[str]) -> list[str]:
    if any(len(word) > LONGEST for word in words):
        raise Invalid(f"{name}: a word has at most {LONGEST} characters.")
    if name.startswith(FIELD):
        return _of_field(s, name, words)
    return _READ[name](s, words) if name in _READ else words  # the engine refuses what is no fact


def _one_of(name: str, kind: type[Priority | Channel]) -> Callable[[Session, list[str]], list[str]]:
    def read(_: Session, words: list[str]) -> list[str]:
        wrong = [word for word in words if word not in list(kind)]
        if wrong:
            raise Invalid(f"{name}: there is no {wrong[0]!r}. Use any of: {', '.join(kind)}.")
        return words

    return read


def _numbers_of(name: str, table: type[Team | Organization]) -> Callable[[Session, list[str]], list[str]]:
    def read(s: Session, words: list[str]) -> list[str]:
        wrong = [word for word in words if not (word.isascii() and word.isdecimal() and len(word) <= 18)]
        known = set(s.scalars(select(table.id).where(table.id.in_([int(word) for word in words if word not in wrong]))))
        wrong += [word for word in words if word not in wrong and int(word) not in known]
        if wrong:
            raise Invalid(f"{name}: there is no {name} with the number {wrong[0]!r}.")
        return [str(int(word)) for word in words]

    return read


def _tags(_: Session, words: list[str]) -> list[str]:
    return [tags.normal(word) for word in words]


def _of_field(s: Session, name: str, words: list[str]) -> list[str]:
    field = s.scalar(select(Field).where(Field.key == name.removeprefix(FIELD)))
    if field is None:
        raise Invalid(f"There is no custom field {name.removeprefix(FIELD)[:60]!r}. Name its key, as in field:room.")
    choices = {FieldKind.CHECKBOX: ["true", "false"]}.get(field.kind, field.choices)
    wrong = [word for word in words if choices and word not in choices]
    if wrong:
        raise Invalid(f"{name} is never {wrong[0]!r}. It can be any of: {', '.join(choices)}.")
    return words


_READ: dict[str, Callable[[Session, list[str]], list[str]]] = {
    PRIORITY: _one_of(PRIORITY, Priority),
    "channel": _one_of("channel", Channel),
    "team": _numbers_of("team", Team),
    "organization": _numbers_of("organization", Organization),
    "tag": _tags,
}
