"""What each kind of custom field takes. Every refusal names the field and says what would do."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from app.core import text
from app.core.errors import Invalid
from app.tickets.rules import FieldKind

LONGEST = 1000  # characters of a text
LARGEST = 10**15  # as exact as a number in JSON can be


class WrongValue(Invalid):
    """That is nothing this field can hold."""

    slug = "wrong-value"


@dataclass(frozen=True)
class Kind:
    """A field as far as its values go."""

    key: str
    kind: FieldKind
    choices: Sequence[str] = ()


def checked(field: Kind, value: Any) -> Any:
    """The value as it is stored; None where there is none (also for an empty text or list). Raises WrongValue."""
    return None if value is None else _READ[field.kind](field, value)


def _text(field: Kind, value: Any) -> str | None:
    if not isinstance(value, str) or len(value) > LONGEST:
        raise WrongValue(f"{field.key} takes a text of at most {LONGEST} characters.")
    if not value.isprintable() and any("\ud800" <= each <= "\udfff" for each in value):
        raise WrongValue(f"{field.key} has half a character in it, which no text can hold.")
    return text.printable(value).strip() or None


def _number(field: Kind, value: Any) -> int | float:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    if not known or (isinstance(value, float) and not math.isfinite(value)) or abs(value) > LARGEST:
        raise WrongValue(f"{field.key} takes a number between -{LARGEST} and {LARGEST}.")
    return value  # type: ignore[no-any-return]


def _date(field: Kind, value: Any) -> str:
    try:
        if len(value) == len("2026-11-23"):
            return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        pass
    raise WrongValue(f"{field.key} takes a date, written like 2026-11-23.")


def _choice(field: Kind, value: Any) -> str:
    if not isinstance(value, str) or value not in field.choices:
        raise WrongValue(f"{field.key} takes one of: {', '.join(field.choices)}.")
    return value


def _choices(field: Kind, value: Any) -> list[str] | None:
    if not isinstance(value, list) or not all(isinstance(each, str) and each in field.choices for each in value):
        raise WrongValue(f"{field.key} takes a list of any of: {', '.join(field.choices)}.")
    return [choice for choice in field.choices if choice in value] or None


def _checkbox(field: Kind, value: Any) -> bool:
    if not isinstance(value, bool):
        raise WrongValue(f"{field.key} takes true or false.")
    return value


_READ: dict[FieldKind, Callable[[Kind, Any], Any]] = {
    FieldKind.TEXT: _text,
    FieldKind.NUMBER: _number,
    FieldKind.DATE: _date,
    FieldKind.CHOICE: _choice,
    FieldKind.MULTI_CHOICE: _choices,
    FieldKind.CHECKBOX: _checkbox,
}
