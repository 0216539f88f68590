"""`atum mailbox …` and `atum mail …`: what arrived, and what became of it."""

import argparse
from collections.abc import Callable
from typing import Any

from app.config import Settings
from app.core.errors import NotFound
from app.db.session import Database
from app.intake import actions as intake
from app.intake import queries

Answer = tuple[int, Any]


def add_to(mailbox: Any, mail: Any, verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the verbs to the nouns of the command line."""
    verb("list", list_mailboxes, "Each mailbox and how it is.", mailbox)
    listing = verb("list", list_mail, "The last mails that came, and what became of them.", mail)
    listing.add_argument("--state", choices=["new", "done", "duplicate", "ignored", "quarantined"])
    listing.add_argument("--limit", type=int, default=50)
    verb("show", show_mail, "One mail as it came.", mail).add_argument("id", type=int)
    verb("replay", replay_mail, "Process a quarantined or ignored mail again.", mail).add_argument("id", type=int)


def list_mailboxes(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings).reading() as c:
        states = queries.mailbox_states(c)
    if given.json:
        return 0, states
    lines = [f"{m['name']}: {m['state']}{' - ' + m['reason'] if m.get('reason') else ''}" for m in states]
    return 0, "\n".join(lines) or "No mailbox is set: give IMAP_HOST, IMAP_USER and IMAP_PASSWORD."


def list_mail(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings).reading() as c:
        rows = queries.ledger(c, state=given.state, limit=given.limit)
    if given.json:
        return 0, rows
    lines = [
        f"{r['id']:>8}  {r['state']:<12}{r['ticket'] or '-':>8}  {r['sender'] or '?':<40}  {r['subject'] or ''}" for r in rows
    ]
    return 0, "\n".join(lines) or "No mail yet."


def show_mail(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings).transaction() as s:
        raw = intake.raw(s, settings, given.id)
    if raw is None:
        raise NotFound(f"There is no mail {given.id} in the ledger. List them with: atum mail list")
    return 0, {"id": given.id, "raw": raw.decode("utf-8", "replace")} if given.json else raw.decode("utf-8", "replace")


def replay_mail(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings).transaction() as s:
        intake.replay(s, given.id)
    return 0, f"Mail {given.id} will be processed again within seconds."


def database(settings: Settings) -> Database:
    """A connection for one command, patient enough for a long one."""
    return Database(settings.database_dsn, pool=2, patience=60, name="atum")
