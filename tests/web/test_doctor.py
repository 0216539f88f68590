"""The doctor and the queues on their pages and for programs: looked at when an administrator asks, and by nobody else."""

import time
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from app.audit.models import Entry
from app.core import clock
from app.ops.doctor import asking
from app.ops.doctor.findings import Examination, Finding, Level
from app.sla.models import Clock
from tests.mail.imap_server import eventually
from tests.web.conftest import Web

API = "/api/v1"
FOUND = (
    Finding(
        "smtp",
        Level.BAD,
        "mail:587 refused us: 535 <b>no</b>",
        "Letters wait until it takes them.",
        "SMTP_PASSWORD=…\nSMTP_USER=…",
    ),
    Finding("dns", Level.OK, "desk.example leads to 203.0.113.9", "which nobody needs to know", "nothing to paste"),
)


@pytest.fixture
def looked(web: Web) -> None:
    """A look that was just over."""
    web.desk.settings.app_run.mkdir(parents=True, exist_ok=True)
    asking.keep(web.desk.settings, Examination(clock.now(), 1.26, FOUND))


@pytest.mark.usefixtures("looked")
def test_what_was_found_is_told_with_its_time_the_worst_first_and_the_lines_to_paste(web: Web) -> None:
    told = web.program(web.cast.root).get(f"{API}/doctor").json()
    assert (told["running"], told["last"]["worst"], told["last"]["seconds"]) == (False, "bad", 1.3)
    assert told["last"]["findings"][0]["paste"] == "SMTP_PASSWORD=…\nSMTP_USER=…"
    said = web.browser(web.cast.root).page("/admin/doctor").text
    assert "in 1.3 s" in said
    assert "535 <b>no</b>" in said
    assert "SMTP_USER=…" in said
    assert said.index("535") < said.index("desk.example leads to")
    assert "nothing to paste" not in said


def test_a_desk_that_nobody_looked_at_says_so(web: Web) -> None:
    answer = web.browser(web.cast.root).page("/admin/doctor")
    assert "Nobody has looked since the desk was started" in answer.text
    assert web.program(web.cast.root).get(f"{API}/doctor").json() == {"running": False, "last": None}


def test_it_is_looked_at_when_somebody_asks_and_the_page_shows_it_when_it_is_done(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = web.desk.settings
    for name in ("database_url", "redis_url", "data_dir", "run_dir"):
        monkeypatch.setenv(name.upper(), str(getattr(settings, name)))
    browser = web.browser(web.cast.root)
    answer = browser.submit("/admin/doctor", "/admin/doctor")
    assert answer.headers["location"] == "/admin/doctor"
    page = browser.get("/admin/doctor")
    assert page.headers["refresh"] == "3"
    assert asking.WORDS in page.text
    eventually(lambda: asking.last(settings))
    page = browser.get("/admin/doctor")
    assert "refresh" not in page.headers
    assert "SMTP_HOST is not set" in page.text
    with web.desk.db.transaction() as s:
        assert s.scalars(select(Entry.actor).where(Entry.kind == "doctor.asked")).all() == ["Root <root@desk.example>"]


def test_two_who_ask_at_once_wait_for_one_look(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "COMMAND", ("sh", "-c", f"echo >>{web.desk.settings.run_dir}/looks; sleep 1"))
    program = web.program(web.cast.root)
    for _ in range(3):
        assert program.post(f"{API}/doctor").status_code == 202
    assert program.get(f"{API}/doctor").json()["running"]
    time.sleep(0.5)
    assert (web.desk.settings.run_dir / "looks").read_text() == "\n"


def test_a_look_that_left_nothing_is_over_after_a_while(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "COMMAND", ("false",))
    web.program(web.cast.root).post(f"{API}/doctor")
    monkeypatch.setattr(asking, "MOST", -1)
    assert not asking.running(web.desk.settings)


def test_what_waits_is_told_with_its_age(web: Web) -> None:
    web.ticket(web.cast.carol, accepted=True)
    with web.desk.db.transaction() as s:
        s.execute(update(Clock).values(next_at=func.now() - timedelta(minutes=10)))
    items = {one["name"]: one for one in web.program(web.cast.root).get(f"{API}/queues").json()["queues"]}
    assert set(items) == {"mail", "outbox", "webhooks", "clocks", "escalations", "planned answers"}
    assert items["clocks"]["due"] == items["clocks"]["waiting"] >= 1
    assert 600 <= items["clocks"]["late_by"] < 660
    assert items["mail"]["late_by"] == 0
    said = " ".join(web.browser(web.cast.root).page("/admin/queues").text.split())
    assert f"{items['clocks']['due']}, the first for 10 min" in said


@pytest.mark.usefixtures("looked")
@pytest.mark.parametrize("name", ["bob", "alice", "carol", "mallory"])
def test_it_is_nobody_elses_business(web: Web, name: str) -> None:
    person = getattr(web.cast, name)
    for path in ("/doctor", "/queues"):
        assert web.program(person).get(API + path).status_code == 403
        assert web.browser(person).get(f"/admin{path}").status_code == 403
    assert web.program(person).post(f"{API}/doctor").status_code == 403
    assert not asking.running(web.desk.settings)
    assert "/admin/doctor" not in web.browser(person).get("/account/second-factor").text
