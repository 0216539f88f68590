"""`atum user …`: people, from the shell. Whoever has the shell may manage everybody."""

import argparse
from collections.abc import Callable
from typing import Any

from app.accounts import actions as accounts
from app.accounts import factors, queries
from app.accounts.models import Person
from app.accounts.rules import Role
from app.config import Settings
from app.core.errors import NotFound
from app.db.session import Session, now
from app.entry import asking
from app.entry.cli_mail import Answer, database
from app.outbox.house import house
from app.people import actions as people


def add_to(user: Any, verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the verbs to the noun of the command line."""
    adding = verb("add", add, "Add somebody.", user)
    inviting = verb("invite", invite, "Add somebody and mail them a link to choose a password with.", user)
    for parser in (adding, inviting):
        parser.add_argument("email")
        parser.add_argument("--name", default="")
        parser.add_argument("--role", choices=[role.value for role in Role], default=Role.AGENT.value)
    verb("list", listed, "List the staff.", user)
    verb("disable", disable, "Let nobody in as this person any more.", user).add_argument("email")
    verb("enable", enable, "Let a disabled person sign in again.", user).add_argument("email")
    lost = "Remove somebody's authenticator app, recovery codes and passkeys: they lost them."
    verb("forget-factors", forget_factors, lost, user).add_argument("email")
    zoning = verb("zone", set_zone, "Tell somebody times in a time zone of theirs; without one, in the desk's.", user)
    zoning.add_argument("email")
    zoning.add_argument("zone", nargs="?", metavar="ZONE", help="like Europe/Berlin")
    password = verb("password", set_password, "Give somebody a new password.", user)
    password.add_argument("email")
    for parser in (adding, password):
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")


def add(settings: Settings, given: argparse.Namespace) -> Answer:
    password = asking.password(given)
    with database(settings) as db, db.transaction() as s:
        made = accounts.add(s, email=given.email, name=given.name, role=Role(given.role), now=now(s), password=password)
        told = {"id": made.id, "email": made.email, "role": made.role.value}
    return 0, told if given.json else f"Added {told['email']} as {told['role']}."


def invite(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db, db.transaction() as s:
        role = Role(given.role)
        made = people.invite(s, house(settings), email=given.email, name=given.name, role=role, by=None, now=now(s))
        told = {"id": made.id, "email": made.email, "role": made.role.value}
    waits = "" if settings.smtp_host else " It waits: no SMTP server is set (SMTP_HOST)."
    return 0, told if given.json else f"Invited {told['email']} as {told['role']}. A link, good for 72 hours, is mailed.{waits}"


def listed(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db, db.transaction() as s:
        rows = [{"email": p.email, "name": p.name, "role": p.role.value} for p in queries.staff(s)]
    return 0, rows if given.json else "\n".join(f"{r['role']:<16}{r['email']:<40}{r['name']}" for r in rows) or "Nobody yet."


def disable(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db, db.transaction() as s:
        accounts.disable(s, _person(s, given.email), by=None, now=now(s))
    return 0, f"{given.email} is disabled and signed out everywhere."


def enable(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db, db.transaction() as s:
        accounts.enable(s, _person(s, given.email), by=None, now=now(s))
    return 0, f"{given.email} may sign in again."


def forget_factors(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db, db.transaction() as s:
        factors.forget_all(s, _person(s, given.email), by=None, now=now(s))
    return 0, f"{given.email} signs in with the password alone, and is signed out everywhere."


def set_zone(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db, db.transaction() as s:
        accounts.set_zone(s, _person(s, given.email), given.zone, by=None, now=now(s))
    return 0, f"{given.email} is told times in {given.zone or f'{settings.tz}, the zone of the desk'}."


def set_password(settings: Settings, given: argparse.Namespace) -> Answer:
    password = asking.password(given)
    with database(settings) as db, db.transaction() as s:
        accounts.set_password(s, _person(s, given.email), password, by=None, now=now(s))
    return 0, f"{given.email} has a new password and is signed out everywhere."


def _person(s: Session, email: str) -> Person:
    found = queries.by_email(s, email)
    held = queries.by_id(s, found.id) if found else None
    if held is None:
        raise NotFound(f"There is nobody with the address {email}. List the staff with: atum user list")
    return held
