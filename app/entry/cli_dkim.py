"""`atum dkim`: what to publish in DNS so that letters are signed, and whether DNS shows it."""

import argparse
from typing import Any

from app.config import Settings
from app.entry.cli_mail import Answer, database
from app.intake import queries as intake
from app.outbox import dkim
from app.outbox.dkim import Shown
from app.outbox.house import house

_WORDS = {
    Shown.OURS: "published; its letters are signed.",
    Shown.NOTHING: "not published; its letters go out as they are, which is right where the mail server signs them. To have the"
    " desk sign them, add this line to the domain's DNS:",
    Shown.ANOTHER: "DNS shows another key or several records, so its letters are not signed. This line belongs there, alone:",
    Shown.SILENT: "DNS did not answer, so nobody knows whether this line is there:",
}


def listed(settings: Settings, given: argparse.Namespace) -> Answer:
    """Exit 1 where DNS shows something else than it should."""
    with database(settings) as db, db.reading() as c:
        ours = house(settings, others=intake.addresses(c))
    key = dkim.known_or_new(dkim.key_file(settings))
    found = [_told(key, domain) for domain in sorted(ours.domains)]
    code = int(any(one["state"] is Shown.ANOTHER for one in found))
    return code, found if given.json else "\n\n".join(map(_in_words, found))


def _told(key: dkim.Key, domain: str) -> dict[str, Any]:
    state = dkim.shown(key, domain)
    return {"domain": domain, "selector": dkim.SELECTOR, "record": key.record(domain), "state": state}


def _in_words(one: dict[str, Any]) -> str:
    record = "" if one["state"] is Shown.OURS else f"\n{one['record']}"
    return f"{one['domain']}: {_WORDS[one['state']]}{record}"
