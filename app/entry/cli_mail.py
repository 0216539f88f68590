"""`atum mail …`: what arrived, and what became of it."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from app.config import Settings
from app.core.errors import NotFound
from app.db.session import Database, now
from app.intake import actions as intake
from app.intake import comparison, queries
from app.intake.failure import MailboxFailure
from app.intake.models import Mailbox
from app.outbox import keys, suppression
from app.outbox import queries as letters
from app.outbox.house import house
from app.outbox.keys import Key

Answer = tuple[int, Any]
NO_MAILBOX = "No mailbox is read: give IMAP_HOST, IMAP_USER and IMAP_PASSWORD, or add one with: atum mailbox add"


def add_to(mail: Any, verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the verbs to the noun of the command line."""
    listing = verb("list", list_mail, "The last mails that came, and what became of them.", mail)
    listing.add_argument("--state", choices=["new", "done", "duplicate", "ignored", "quarantined"])
    listing.add_argument("--limit", type=int, default=50)
    verb("show", show_mail, "One mail as it came.", mail).add_argument("id", type=int)
    verb("replay", replay_mail, "Process a quarantined or ignored mail again.", mail).add_argument("id", type=int)
    verb(
        "release", release_mail, "Let a quarantined mail become a ticket or an answer, whichever rule held it.", mail
    ).add_argument("id", type=int)
    verb("drop", drop_mail, "Say that a quarantined mail needs nobody any more. It stays in the ledger.", mail).add_argument(
        "id", type=int
    )
    suppressed = verb("suppressed", list_suppressed, "The addresses that get no more mail: since when and why.", mail)
    suppressed.add_argument("--limit", type=int, default=1000)
    verb("unsuppress", unsuppress, "Send mail to these addresses again.", mail).add_argument("address", nargs="+")
    verb("keys", list_keys, "The keys that reply addresses and Message-IDs are signed with.", mail)
    rotating = verb("rotate-key", rotate_key, "Sign with a new key from now on; what the ones before signed keeps working.", mail)
    rotating.add_argument(
        "--withdraw",
        type=int,
        metavar="KEY",
        help="make no key, but let this older one count no more: answers by what it signed come as mails without a sign of ours",
    )
    verb("ledger", compare, "Compare each mailbox's server with the ledger: 0 missing, or which.", mail)


def list_mail(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db, db.reading() as c:
        rows = queries.ledger(c, state=given.state, limit=given.limit)
    if given.json:
        return 0, rows
    lines = [
        f"{r['id']:>8}  {r['state']:<12}{r['ticket'] or '-':>8}  {r['sender'] or '?':<40}  {r['subject'] or ''}" for r in rows
    ]
    return 0, "\n".join(lines) or "No mail yet."


def show_mail(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db, db.transaction() as s:
        raw = intake.raw(s, settings, given.id)
    if raw is None:
        raise NotFound(f"There is no mail {given.id} in the ledger. List them with: atum mail list")
    return 0, {"id": given.id, "raw": raw.decode("utf-8", "replace")} if given.json else raw.decode("utf-8", "replace")


def replay_mail(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db, db.transaction() as s:
        intake.replay(s, given.id, now=now(s))
    return 0, f"Mail {given.id} will be processed again within seconds."


def release_mail(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db, db.transaction() as s:
        intake.release(s, given.id, now=now(s))
    return 0, f"Mail {given.id} is let through within seconds."


def drop_mail(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db, db.transaction() as s:
        intake.drop(s, given.id, now=now(s))
    return 0, f"Mail {given.id} is dropped. To have it processed after all: atum mail replay {given.id}"


def list_suppressed(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db, db.reading() as c:
        rows = letters.suppressed(c, limit=given.limit)
    if given.json:
        return 0, rows
    lines = [f"{r['since']:%Y-%m-%d}  {r['cause']:<10}{r['address']:<40}  {r['reason']}" for r in rows]
    return 0, "\n".join(lines) or "Every address gets mail."


def unsuppress(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db, db.transaction() as s:
        for address in given.address:
            suppression.lift_by_hand(s, address, now=now(s))
    return 0, f"Mail is sent to {', '.join(given.address)} again. What failed before is not: answer again."


def list_keys(settings: Settings, given: argparse.Namespace) -> Answer:
    found = house(settings).keys.known
    if given.json:
        return 0, [{"id": key.id, "since": key.since, "withdrawn_at": key.withdrawn_at} for key in found]
    return 0, "\n".join(_key_in_words(key, signs=key is found[-1]) for key in found)


def _key_in_words(key: Key, *, signs: bool) -> str:
    since = f"made {key.since:%Y-%m-%d %H:%M} UTC" if key.since else "the desk's own, from its first day"
    withdrawn = f"withdrawn {key.withdrawn_at:%Y-%m-%d %H:%M} UTC" if key.withdrawn_at else "counts"
    return f"{key.id:>4}  {since}: {'signs' if signs else withdrawn}"


def rotate_key(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db, db.transaction() as s:
        if given.withdraw is not None:
            keys.withdraw(s, settings, given.withdraw, now=now(s))
            return 0, {
                "id": given.withdraw
            } if given.json else f"Key {given.withdraw} counts no more; nothing has to be restarted."
        made = keys.rotate(s, settings, now=now(s))
    words = f"Key {made.id} signs from the next letter on. What older keys signed keeps working until:"
    return 0, {"id": made.id} if given.json else f"{words} atum mail rotate-key --withdraw {made.id - 1}"


def compare(settings: Settings, given: argparse.Namespace) -> Answer:
    """Exit 1 where something is missing, or a server can't be asked."""
    with database(settings) as db:
        with db.transaction() as s:
            known = queries.named(s)
        found = [_compared(db, settings, mailbox) for mailbox in known]
    if not found:
        return 0, [] if given.json else NO_MAILBOX
    code = int(any(one.get("missing") or one.get("withheld") or one.get("problem") for one in found))
    return code, found if given.json else "\n".join(map(_in_words, found))


def _compared(db: Database, settings: Settings, mailbox: Mailbox) -> dict[str, Any]:
    try:
        return vars(comparison.compare(db, settings, mailbox))
    except MailboxFailure as failure:
        return {"mailbox": mailbox.name, "problem": str(failure)}


def _in_words(one: dict[str, Any]) -> str:
    if "problem" in one:
        return f"{one['mailbox']}: can't be compared: {one['problem']}"
    if one["on_server"] is None:
        return f"{one['mailbox']}: {one['by_smtp']} brought by SMTP, all in the ledger"
    named = f" (UID {', '.join(map(str, one['missing']))}; they are looked for again within 6 hours)" if one["missing"] else ""
    withheld = (
        f", {len(one['withheld'])} not given by the server (UID {', '.join(map(str, one['withheld']))})"
        if one["withheld"]
        else ""
    )
    coming = f", {one['coming']} not taken yet" if one["coming"] else ""
    brought = f", {one['by_smtp']} brought by SMTP" if one["by_smtp"] else ""
    return f"{one['mailbox']}: {one['on_server']} on the server, {len(one['missing'])} missing{named}{withheld}{coming}{brought}"


@contextmanager
def database(settings: Settings) -> Iterator[Database]:
    """The database for one command, patient enough for a long one. Its connections end with the block."""
    made = Database(settings.database_dsn, pool=2, patience=60, name="atum")
    try:
        yield made
    finally:
        made.close()
