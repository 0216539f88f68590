"""What the list pages leave out."""

import pytest

from app.accounts.models import Person
from app.db.session import now as database_now
from app.tickets import merging, queries, trash
from tests.web.conftest import Web


def aside(web: Web, how: str) -> None:
    """A ticket of Carol's called Aside, which was merged or put in the trash."""
    number, other = web.ticket(web.cast.carol, "Aside"), web.ticket(web.cast.carol, "Kept")
    with web.desk.db.transaction() as s:
        alice, now = s.get_one(Person, web.cast.alice.id), database_now(s)
        if how == "merged":
            merging.merge(s, number, other, by=alice, now=now, reveal=True)
        else:
            first = queries.by_number(s, number, lock=True)
            assert first
            trash.discard(s, first, reason="spam", by=alice, now=now)


@pytest.mark.parametrize("how", ["merged", "trashed"])
def test_a_ticket_set_aside_is_in_no_list_and_not_counted(web: Web, how: str) -> None:
    aside(web, how)
    for person, path in ((web.cast.alice, "/tickets?status=all"), (web.cast.carol, "/my/tickets")):
        words = web.browser(person).page(path).text
        assert "Kept" in words, path
        assert "Aside" not in words, path
    with web.desk.db.reading() as c:
        assert sum(queries.counts(c, web.cast.bob).values()) == 1
