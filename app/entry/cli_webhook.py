"""`atum webhook …`: which programs elsewhere are told of what happens. From here one on your own network may be named too."""

import argparse
import time
from collections.abc import Callable
from typing import Any

from app.config import Settings
from app.db.session import Session, now
from app.entry.cli_mail import Answer, database
from app.outbox import telling, webhooks
from app.outbox.models import Topic, Webhook

PATIENCE = 20.0  # seconds for the sender to tell it


def add_to(webhook: Any, verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the verbs to the noun of the command line."""
    verb("list", listed, "Each webhook and how it is.", webhook)
    adding = verb("add", add, "Tell one more program of what happens. Its secret is shown this once.", webhook)
    adding.add_argument("url")
    events = [topic.value for topic in Topic]
    adding.add_argument("--event", action="append", choices=events, help="several times for several; all where none is given")
    adding.add_argument("--own-network", action="store_true", help="it may be on a network of your own, and without TLS")
    for name, run, words in (
        ("test", test, "Tell a webhook that this is a test, and say what came of it."),
        ("on", on, "Tell a webhook what happens again, at once, after it was switched off or failed."),
        ("off", off, "Tell a webhook nothing until it is switched on."),
        ("secret", secret, "Make another secret, shown this once; for a day the desk signs by the one before as well."),
        ("remove", remove, "Tell a webhook nothing any more."),
    ):
        verb(name, run, words, webhook).add_argument("id", type=int)


def listed(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db, db.reading() as c:
        found, _ = webhooks.listed(c, limit=webhooks.MOST, cursor=None)
    return 0, found if given.json else "\n".join(map(_in_words, found)) or "There is no webhook. Add one with: atum webhook add"


def add(settings: Settings, given: argparse.Namespace) -> Answer:
    topics = [Topic(name) for name in given.event or Topic]
    with database(settings) as db, db.transaction() as s:
        made, words = webhooks.add(s, settings, given.url, topics, own_network=given.own_network, now=now(s))
        told = {"id": made.id, "secret": words}
    return 0, told if given.json else f"Webhook {told['id']} is told from now on. Its secret, shown this once: {words}"


def test(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db:
        with db.transaction() as s:
            id = telling.try_out(s, webhooks.held(s, given.id), now=now(s)).id
        until = time.monotonic() + PATIENCE
        while True:
            with db.reading() as c:
                told = webhooks.delivery(c, id)
            if told["ended_at"] or told["problem"] or time.monotonic() > until:
                break
            time.sleep(0.2)
    works = told["state"] == "delivered"
    words = told["problem"] or "the outbox sender has not told it yet; see atum health"
    return int(not works), told if given.json else f"It answers {told['status']}." if works else f"It was not taken: {words}."


def on(settings: Settings, given: argparse.Namespace) -> Answer:
    return _done(settings, given, lambda s, hook: webhooks.change(s, hook, active=True, now=now(s)), "is on.")


def off(settings: Settings, given: argparse.Namespace) -> Answer:
    return _done(settings, given, lambda s, hook: webhooks.change(s, hook, active=False, now=now(s)), "is off.")


def secret(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db, db.transaction() as s:
        words = webhooks.rotate(s, settings, webhooks.held(s, given.id), now=now(s))
    return 0, {"id": given.id, "secret": words} if given.json else f"Its new secret, shown this once: {words}"


def remove(settings: Settings, given: argparse.Namespace) -> Answer:
    return _done(settings, given, lambda s, hook: webhooks.remove(s, hook, now=now(s)), "is removed.")


def _done(settings: Settings, given: argparse.Namespace, act: Callable[[Session, Webhook], None], words: str) -> Answer:
    with database(settings) as db, db.transaction() as s:
        act(s, webhooks.held(s, given.id))
    return 0, {"id": given.id} if given.json else f"Webhook {given.id} {words}"


def _in_words(one: dict[str, Any]) -> str:
    amiss = f" - {one['problem']}" if one["problem"] else ""
    return f"{one['id']} {one['url']}: {one['state']}, {one['waiting']} waiting ({', '.join(one['events'])}){amiss}"
