"""What the door does for every route."""

from datetime import datetime, timedelta

from sqlalchemy import select, update

from app.accounts.models import SignIn
from tests.web.conftest import Web


def test_somebody_who_only_watches_a_list_is_seen_and_stays_signed_in(web: Web) -> None:
    alice = web.browser(web.cast.alice)
    with web.desk.db.transaction() as s:
        s.execute(update(SignIn).values(seen_at=SignIn.seen_at - timedelta(hours=7)))
    assert alice.get("/tickets").status_code == 200
    assert last_seen(web) > web.desk.watch.report().at - timedelta(minutes=1)


def last_seen(web: Web) -> datetime:
    with web.desk.db.transaction() as s:
        return s.scalars(select(SignIn.seen_at).order_by(SignIn.id.desc())).one()
