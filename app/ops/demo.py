"""A desk to try: people, and tickets in every status, made by the same actions as real ones, some days ago.

Every address ends in .example, a name nobody owns (RFC 2606): their mail goes no further than the demo's own mail server.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from app.accounts import actions as accounts
from app.accounts import queries as people
from app.accounts.models import Organization, Person
from app.accounts.rules import Role
from app.config import Settings
from app.core import html, ids
from app.db.session import Database, Session
from app.db.session import now as database_now
from app.files import actions as files
from app.files.disk import Blobs
from app.ops.demo_stories import STORIES, Story, Turn
from app.sla import actions as sla
from app.tickets import actions as tickets
from app.tickets.actions import Body, Source
from app.tickets.models import Channel, Ticket

log = logging.getLogger("demo")

_CUSTOMERS = {"Fjord Bakery": ("ingrid", "lars"), "Nile Print": ("omar", "dina")}
_PEOPLE: dict[str, tuple[str, str, Role]] = {
    "amira": ("Amira Okafor", "admin@desk.example", Role.ADMIN),
    "bruno": ("Bruno Keller", "bruno@desk.example", Role.MANAGER),
    "alina": ("Alina Novak", "alina@desk.example", Role.AGENT),
    "tomas": ("Tomás Reyes", "tomas@desk.example", Role.AGENT),
    "ingrid": ("Ingrid Solheim", "ingrid@fjordbakery.example", Role.CUSTOMER),
    "lars": ("Lars Moe", "lars@fjordbakery.example", Role.CUSTOMER_ADMIN),
    "omar": ("Omar Haddad", "omar@nileprint.example", Role.CUSTOMER),
    "dina": ("Dina Aziz", "dina@nileprint.example", Role.CUSTOMER),
}


@dataclass(frozen=True)
class Scene:
    """Where a story is played: its people, its ticket once there is one, and the time."""

    s: Session
    cast: dict[str, Person]
    blobs: Blobs
    tickets: dict[Story, Ticket]


def fill(db: Database, settings: Settings) -> None:
    """Fill an empty desk; one that has a ticket is left as it is. Whom to sign in as is told in the log."""
    with db.transaction() as s:
        if s.scalar(select(Ticket.number).limit(1)) is not None:
            log.info("this desk has tickets already; the demo leaves it as it is")
            return
        password = settings.admin_password or ids.token()[:16]
        now = database_now(s)
        sla.ensure_defaults(s, now=now)
        cast = _people(s, settings, password, now - timedelta(days=30))
        _play(Scene(s, cast, Blobs(settings.data_dir / "files"), {}), now)
    _tell(settings, cast, password)


def _people(s: Session, settings: Settings, password: str, at: datetime) -> dict[str, Person]:
    cast = {key: _person(s, key, settings, password, at) for key in _PEOPLE}
    for name, keys in _CUSTOMERS.items():
        organization = Organization(name=name, created_at=at)
        s.add(organization)
        for key in keys:
            cast[key].organization = organization
    s.flush()
    return cast


def _person(s: Session, key: str, settings: Settings, password: str, at: datetime) -> Person:
    name, email, role = _PEOPLE[key]
    if role is Role.ADMIN and settings.admin_email:
        email = settings.admin_email
    known = people.by_email(s, email)
    return known or accounts.add(s, email=email, name=name, role=role, now=at, password=password)


def _play(scene: Scene, now: datetime) -> None:
    """Every turn of every story, in the order of their times, as it would have been."""
    turns = []
    for story in STORIES:
        at = now - story.ago
        for turn in story.turns:
            at += turn.after
            turns.append((at, story, turn))
    for at, story, turn in sorted(turns, key=lambda one: one[0]):
        _ACTS[turn.act](scene, story, turn, at)


def _opens(scene: Scene, story: Story, turn: Turn, at: datetime) -> None:
    scene.tickets[story] = tickets.open(
        scene.s,
        requester=scene.cast[turn.by],
        by=None,
        subject=story.subject,
        body=_body(turn),
        source=_source(scene, turn),
        files=_files(scene, turn),
        priority=story.priority,
        now=at,
    )


def _says(scene: Scene, story: Story, turn: Turn, at: datetime) -> None:
    by, source = scene.cast[turn.by], _source(scene, turn)
    tickets.customer_reply(scene.s, scene.tickets[story], by=by, body=_body(turn), source=source, now=at)


def _accepts(scene: Scene, story: Story, turn: Turn, at: datetime) -> None:
    by, ticket = scene.cast[turn.by], scene.tickets[story]
    tickets.accept(scene.s, ticket, by=by, now=at)
    tickets.assign(scene.s, ticket, to=scene.cast[turn.to] if turn.to else by, by=by, now=at)


def _answers(scene: Scene, story: Story, turn: Turn, at: datetime) -> None:
    by, source = scene.cast[turn.by], Source(Channel.PAGE)
    tickets.reply(scene.s, scene.tickets[story], by=by, body=_body(turn), source=source, now=at, then=turn.then)


def _notes(scene: Scene, story: Story, turn: Turn, at: datetime) -> None:
    by, source = scene.cast[turn.by], Source(Channel.PAGE)
    tickets.note(scene.s, scene.tickets[story], by=by, body=_body(turn), source=source, now=at)


def _moves(scene: Scene, story: Story, turn: Turn, at: datetime) -> None:
    assert turn.then
    tickets.change_status(scene.s, scene.tickets[story], to=turn.then, by=scene.cast[turn.by], now=at)


_ACTS: dict[str, Callable[[Scene, Story, Turn, datetime], None]] = {
    "opens": _opens,
    "says": _says,
    "accepts": _accepts,
    "answers": _answers,
    "notes": _notes,
    "moves": _moves,
}


def _body(turn: Turn) -> Body:
    clean = html.clean(turn.html) if turn.html else None
    return Body(turn.words, clean, html.POLICY if clean else None)


def _source(scene: Scene, turn: Turn) -> Source:
    if not turn.mail:
        return Source(Channel.PAGE)
    domain = scene.cast[turn.by].email.partition("@")[2]
    return Source(Channel.MAIL, mail_id=f"<{ids.token()[:20].lower()}@{domain}>")


def _files(scene: Scene, turn: Turn) -> list[files.File]:
    return [files.keep(scene.blobs, name=name, content=content.encode()) for name, content in turn.files]


def _tell(settings: Settings, cast: dict[str, Person], password: str) -> None:
    log.info("this is a DEMO desk: its people and tickets are made up. Open %s and sign in", settings.atum_url)
    for person in cast.values():
        log.info("demo sign-in: %-28s password %s  (%s, %s)", person.email, password, person.name, person.role.replace("_", " "))
