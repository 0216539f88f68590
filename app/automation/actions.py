"""Keeping macros, and applying one: all of its steps or none."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.accounts import sharing
from app.accounts.models import Person, Team
from app.accounts.sharing import SharedWith
from app.audit import actions as audit
from app.audit.models import Event
from app.automation.models import Macro
from app.core import text
from app.core.errors import Conflict, DeskError, Invalid, NotFound
from app.db.session import Session
from app.knowledge import rules as placeholders
from app.tickets import actions as tickets
from app.tickets import change as changes
from app.tickets.change import Change
from app.tickets.history import record
from app.tickets.models import Field, Ticket
from app.tickets.placeholders import of as values_of
from app.tickets.rules import Status
from app.tickets.saying import Body, Source
from app.tickets.typed import Kind
from app.tickets.typed import checked as typed

ME = "me"
CHANGES = ("team_id", "assignee_id", "priority", "add_tags", "remove_tags", "fields", "status")  # in the order they are done
NOTHING_IS_A_VALUE = {"team_id", "assignee_id"}


class MacroRefused(DeskError):
    """This macro can't be applied to this ticket; nothing was changed."""

    status = 409  # or that of the step's own refusal
    slug = "macro-refused"

    def __init__(self, macro: Macro, step: str, wrong: DeskError) -> None:
        super().__init__(f"The macro {macro.title} can't be applied, and nothing was changed. Its step {step}: {wrong.message}")
        self.status = wrong.status
        self.more = {**wrong.more, "step": step, "reason": wrong.slug}


def add(
    s: Session, *, title: str, steps: Mapping[str, Any], shared: SharedWith, team_id: int | None, by: Person, now: datetime
) -> Macro:
    """A new macro. Raises Invalid where a step could never be done."""
    made = Macro(title=_title(title), steps=checked(s, steps), created_at=now, revision=1)
    sharing.place(s, by, made, shared, team_id)
    s.add(made)
    s.flush()
    _record(s, made, "added", by, now, steps=made.steps)
    return made


def found(s: Session, id: int, *, by: Person, lock: bool = True) -> Macro:
    """A macro that this person may use, locked where it is going to be changed. Raises NotFound."""
    query = select(Macro).where(Macro.id == id, sharing.visible_to(by, Macro))
    macro = s.scalar(query.with_for_update() if lock else query, execution_options={"populate_existing": True})
    if macro is None:
        raise NotFound(f"There is no macro {id} here.")
    return macro


def change(s: Session, macro: Macro, given: Mapping[str, Any], *, by: Person, now: datetime) -> None:
    """Change what is given of it: title, steps, shared_with and team_id."""
    sharing.require_change(by, macro)
    if "title" in given:
        macro.title = _title(given["title"])
    if "steps" in given:
        macro.steps = checked(s, given["steps"])
    if "shared_with" in given:
        sharing.place(s, by, macro, given["shared_with"], given.get("team_id"))
    elif given.get("team_id") is not None:
        raise Invalid("Say shared_with too where you say team_id.")
    macro.revision += 1
    _record(s, macro, "changed", by, now, steps=macro.steps)


def remove(s: Session, macro: Macro, *, by: Person, now: datetime) -> None:
    """Nobody needs it any more."""
    sharing.require_change(by, macro)
    _record(s, macro, "removed", by, now)
    s.delete(macro)


def checked(s: Session, given: Mapping[str, Any]) -> dict[str, Any]:
    """Steps as they are kept: only what is to be done. Raises Invalid, UnknownPlaceholder."""
    steps = {name: value for name, value in given.items() if _means_something(name, value)}
    if not steps:
        raise Invalid("This macro does nothing. Give it a step.")
    if "then" in steps and "reply" not in steps:
        raise Invalid("then is the status after the answer, and there is no reply. Use status.")
    assigned = {"assignee_id": None} if steps.get("assignee_id") == ME else {}
    wanted = Change.of({name: steps[name] for name in CHANGES if name in steps} | assigned)
    _refuse_strangers(s, steps)
    if "fields" in steps:
        steps["fields"] = _fitting(s, steps["fields"])
    for name in ("note", "reply"):
        if name in steps:
            steps[name] = text.printable(steps[name])
            placeholders.placeholders(steps[name])
            if not steps[name].strip():
                raise Invalid(f"There is nothing in the {name}.")
    return {**steps, **{name: value for name, value in wanted.told().items() if name.endswith("_tags")}}


def apply(s: Session, macro: Macro, ticket: Ticket, *, by: Person, source: Source, url: str, now: datetime) -> None:
    """Do all of its steps. Raises MacroRefused, which names the step; the caller then rolls back. The ticket's row is locked."""
    record(s, ticket, Event.TICKET_MACRO_APPLIED, by=by, now=now, macro=macro.id, title=macro.title)

    def written(name: str) -> Body:
        known = values_of(ticket, agent_name=by.name, agent_email=by.email, url=url)
        return Body(placeholders.fill(macro.steps[name], known))

    def answer() -> None:
        if by.id == ticket.requester_id:
            raise Conflict("This is your own ticket: an answer of yours would be its customer's.")
        then = Status(macro.steps["then"]) if "then" in macro.steps else None
        tickets.reply(s, ticket, by=by, body=written("reply"), source=source, now=now, then=then)

    def sleep() -> None:
        until = now + timedelta(minutes=macro.steps["snooze_minutes"])
        changes.apply(s, ticket, Change(snoozed_until=until), by=by, now=now)

    acts: dict[str, Callable[[], object]] = {
        **{name: _change(s, macro, ticket, name, by=by, now=now) for name in CHANGES},
        "note": lambda: tickets.note(s, ticket, by=by, body=written("note"), source=source, now=now),
        "reply": answer,
        "snooze_minutes": sleep,
    }
    for step, act in acts.items():
        if step in macro.steps:
            try:
                act()
            except DeskError as wrong:
                raise MacroRefused(macro, step, wrong) from wrong


def _change(s: Session, macro: Macro, ticket: Ticket, name: str, *, by: Person, now: datetime) -> Callable[[], None]:
    def act() -> None:
        value = macro.steps[name]
        wanted = Change.of({name: by.id if name == "assignee_id" and value == ME else value})
        changes.apply(s, ticket, wanted, by=by, now=now)

    return act


def _means_something(name: str, value: Any) -> bool:
    return name in NOTHING_IS_A_VALUE or (value is not None and value not in ([], {}))


def _refuse_strangers(s: Session, steps: Mapping[str, Any]) -> None:
    """What a macro points to has to be there when it is kept; what became of it is seen when it is applied."""
    team_id, assignee_id = steps.get("team_id"), steps.get("assignee_id")
    team = s.get(Team, team_id) if team_id is not None else None
    if team_id is not None and (team is None or team.archived_at):
        raise Invalid(f"There is no team {team_id}.")
    person = s.get(Person, assignee_id) if isinstance(assignee_id, int) else None
    if isinstance(assignee_id, int) and (person is None or not person.staff or person.disabled_at):
        raise Invalid(f"Nobody who works here has the number {assignee_id}.")


def _fitting(s: Session, values: Mapping[str, Any]) -> dict[str, Any]:
    """What fields take, as it is stored. Raises Invalid, which names the field."""
    keys = [key for key in values if key.isprintable()]
    found = s.scalars(select(Field).where(Field.key.in_(keys), Field.archived_at.is_(None)))
    known = {field.key: Kind(field.key, field.kind, field.choices) for field in found}
    if strange := sorted(set(values) - set(known)):
        raise Invalid(f"There is no custom field {strange[0]!r}.")
    return {key: typed(known[key], value) for key, value in values.items()}


def _title(raw: str) -> str:
    title = text.one_line(raw, most=200)
    if not title:
        raise Invalid("A title has at least one character that can be seen.")
    return title


def _record(s: Session, macro: Macro, what: str, by: Person, now: datetime, **more: Any) -> None:
    told = {"id": macro.id, "title": macro.title, **sharing.whose(macro), **more}
    audit.record(s, Event.MACRO_CHANGED, now=now, by=by.signature, what=what, **told)
