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


OPEN = {
    ("GET", "/"), ("GET", "/sign-in"), ("POST", "/sign-in"), ("GET", "/setup/{token}"), ("POST", "/setup/{token}"),
    ("GET", "/forgot"), ("POST", "/forgot"), ("GET", "/invite/{token}"), ("POST", "/invite/{token}"),
    ("GET", "/reset/{token}"), ("POST", "/reset/{token}"), ("POST", "/api/v1/auth/password/forgot"),
    ("POST", "/api/v1/auth/password/reset"), ("POST", "/api/v1/auth/invitation"),
    ("POST", "/api/v1/auth/login"), ("POST", "/api/v1/auth/refresh"), ("POST", "/sign-in/second-step"),
    ("GET", "/unfollow/{token}"), ("POST", "/unfollow/{token}"),
    ("GET", "/acknowledge/{token}"), ("POST", "/acknowledge/{token}"),
    ("POST", "/api/v1/auth/passkeys/sign-in"), ("POST", "/api/v1/auth/passkeys/sign-in/options"),
    ("GET", "/api/v1/health"), ("GET", "/healthz"),
}  # fmt: skip


def test_every_route_says_who_may_pass_but_those_that_let_people_in(web: Web) -> None:
    unguarded = {
        (method, route.path)
        for route in web.routes()
        if not set(getattr(route, "rules", [])) - {"anybody"}
        for method in route.methods or ()
    }
    assert unguarded == OPEN
