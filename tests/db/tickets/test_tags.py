"""Tags on tickets, and what managers do with them."""

import threading
from datetime import datetime

import pytest
from sqlalchemy import select

from app.accounts.models import Person
from app.core.errors import Conflict, NotFound
from app.db.session import Database, Session
from app.db.session import now as database_now
from app.tickets import queries, tags
from app.tickets.models import Tag, Ticket
from app.tickets.tags import WrongTag
from tests.cast import Cast, assemble
from tests.db.tickets.scene import opened, told


def names(s: Session) -> list[str]:
    s.flush()
    return list(s.scalars(select(Tag.name).order_by(Tag.name)))


def counted(s: Session, actor: Person) -> dict[str, int]:
    s.flush()
    found = tags.listed(s.connection(), actor, prefix="", limit=100, cursor=None)
    return {row["name"]: row["tickets"] for row in found["items"]}


def test_a_word_becomes_a_tag_by_being_used(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now)
    tags.put(s, ticket, add=["VPN", "vpn ", "home"], by=cast.alice, now=now)
    tags.put(s, ticket, add=["home"], remove=["vpn", "unknown"], by=cast.alice, now=now)
    tags.put(s, ticket, add=["home"], remove=["unknown"], by=cast.alice, now=now)
    assert ticket.tags == ["home"]
    assert names(s) == ["home", "vpn"]
    assert told(s, ticket) == [
        ("ticket.tagged", {"added": ["home", "vpn"], "removed": []}),
        ("ticket.tagged", {"added": [], "removed": ["vpn"]}),
    ]


def test_twenty_are_enough(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now)
    tags.put(s, ticket, add=[f"t{n}" for n in range(20)], by=cast.alice, now=now)
    with pytest.raises(WrongTag, match="would have 21"):
        tags.put(s, ticket, add=["more"], by=cast.alice, now=now)
    tags.put(s, ticket, add=["more"], remove=["t3"], by=cast.alice, now=now)
    assert len(ticket.tags) == 20


def test_a_count_is_of_the_tickets_that_the_asker_sees(s: Session, cast: Cast, now: datetime) -> None:
    for team in (None, cast.billing, cast.billing):
        tags.put(s, opened(s, cast, now, team=team), add=["vpn"], by=cast.bob, now=now)
    gone = opened(s, cast, now)
    tags.put(s, gone, add=["vpn"], by=cast.bob, now=now)
    gone.trashed_at = now
    assert [counted(s, who)["vpn"] for who in (cast.alice, cast.erin, cast.bob)] == [1, 3, 3]


def test_they_are_listed_page_by_page(s: Session, cast: Cast, now: datetime) -> None:
    tags.keep(s, ["a_1", "a1", "a2", "b", "100%"], now=now)
    first = tags.listed(s.connection(), cast.bob, prefix="", limit=3, cursor=None)
    rest = tags.listed(s.connection(), cast.bob, prefix="", limit=3, cursor=first["next"])
    assert [row["name"] for row in first["items"] + rest["items"]] == names(s)
    assert rest["next"] is None
    found = tags.listed(s.connection(), cast.bob, prefix="a_", limit=3, cursor=None)
    assert [row["name"] for row in found["items"]] == ["a_1"]


def test_renaming_rewrites_every_ticket_and_gives_it_a_new_revision(s: Session, cast: Cast, now: datetime) -> None:
    ticket, other = opened(s, cast, now), opened(s, cast, now)
    tags.put(s, ticket, add=["vpn", "home"], by=cast.alice, now=now)
    s.flush()
    before, untouched = ticket.revision, other.revision
    tags.describe(s, "vpn", description="Working from home", by=cast.bob, now=now)
    tags.rename(s, "vpn", to="Network", by=cast.bob, now=now)
    s.expire_all()
    assert (ticket.tags, ticket.revision, other.revision) == (["home", "network"], before + 1, untouched)
    assert names(s) == ["home", "network"]
    assert s.get_one(Tag, "network").description == "Working from home"


def test_renaming_into_another_makes_the_two_one(s: Session, cast: Cast, now: datetime) -> None:
    both, one = opened(s, cast, now), opened(s, cast, now)
    tags.put(s, both, add=["vpn", "network"], by=cast.alice, now=now)
    tags.put(s, one, add=["vpn"], by=cast.alice, now=now)
    s.flush()
    tags.rename(s, "vpn", to="network", by=cast.bob, now=now)
    s.expire_all()
    assert (both.tags, one.tags, names(s)) == (["network"], ["network"], ["network"])
    last = s.info["audit"][-1]["data"]
    assert last == {"tag": "vpn", "did": "merged", "to": "network", "tickets": 2}


def test_deleting_takes_it_off_every_ticket(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now)
    tags.put(s, ticket, add=["vpn", "home"], by=cast.alice, now=now)
    s.flush()
    tags.drop(s, "vpn", by=cast.bob, now=now)
    s.expire_all()
    assert (ticket.tags, names(s)) == (["home"], ["home"])
    with pytest.raises(NotFound):
        tags.drop(s, "vpn", by=cast.bob, now=now)
    with pytest.raises(NotFound):
        tags.rename(s, "vpn", to="x", by=cast.bob, now=now)


def test_one_that_is_there_is_not_made_again(s: Session, cast: Cast, now: datetime) -> None:
    tags.make(s, "VPN", description="", by=cast.bob, now=now)
    with pytest.raises(Conflict, match="a tag vpn already"):
        tags.make(s, "vpn", description="", by=cast.bob, now=now)


def test_a_ticket_that_is_tagged_while_its_tag_is_renamed_keeps_a_tag_that_exists(database: Database) -> None:
    with database.transaction() as s:
        now = database_now(s)
        cast = assemble(s, now)
        numbers = [opened(s, cast, now).number for _ in range(2)]
        tags.keep(s, ["vpn"], now=now)

    def rename() -> None:
        with database.transaction() as s:
            tags.rename(s, "vpn", to="network", by=s.merge(cast.bob), now=database_now(s))

    with database.transaction() as s:
        ticket = queries.by_number(s, numbers[0], lock=True)
        assert ticket
        tags.put(s, ticket, add=["vpn"], by=s.merge(cast.alice), now=now)
        s.flush()
        renaming = threading.Thread(target=rename)
        renaming.start()
        renaming.join(0.3)
        assert renaming.is_alive()  # it waits for us
    renaming.join(10)
    with database.transaction() as s:
        used = {tag for tags_of in s.scalars(select(Ticket.tags)) for tag in tags_of}
        assert used == {"network"}
        assert set(s.scalars(select(Tag.name))) == {"network"}


def test_a_tag_that_is_deleted_while_it_is_being_used_is_made_anew(database: Database) -> None:
    with database.transaction() as s:
        now = database_now(s)
        cast = assemble(s, now)
        number = opened(s, cast, now).number
        tags.keep(s, ["vpn"], now=now)

    def use() -> None:
        with database.transaction() as s:
            ticket = queries.by_number(s, number, lock=True)
            assert ticket
            tags.put(s, ticket, add=["vpn"], by=s.merge(cast.alice), now=now)

    with database.transaction() as s:
        tags.drop(s, "vpn", by=s.merge(cast.bob), now=now)
        s.flush()
        using = threading.Thread(target=use)
        using.start()
        using.join(0.3)
    using.join(10)
    with database.transaction() as s:
        assert s.get_one(Ticket, number).tags == ["vpn"]
        assert set(s.scalars(select(Tag.name))) == {"vpn"}
