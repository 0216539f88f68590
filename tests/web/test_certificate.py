"""The certificate on its page and for programs: told to administrators alone, and looked at when they say so."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.audit.models import Entry
from app.core import clock
from app.ops import installed, wanted
from tests.web.conftest import Web

API, PAGE = "/api/v1/certificate", "/admin/certificate"


@pytest.fixture
def told(web: Web) -> Callable[..., None]:
    """What `certificates` is to have found."""

    def tell(**known: Any) -> None:
        end = clock.now() + timedelta(days=30, minutes=5)
        state = {
            "mode": "acme", "shown": "acme", "not_before": (end - timedelta(days=90)).isoformat(), "not_after": end.isoformat(),
            "names": ["desk.example.com"], "issuer": "CN=R10,O=Let's Encrypt", "serial": "3af", "trusted": True,
        }  # fmt: skip
        web.desk.settings.run_dir.mkdir(parents=True, exist_ok=True)
        (web.desk.settings.run_dir / "tls.json").write_text(json.dumps(state | known))

    return tell


def test_the_page_says_what_is_shown_and_until_when(web: Web, told: Callable[..., None]) -> None:
    told(tried={"at": clock.now().isoformat(), "failures": 0})
    said = " ".join(web.browser(web.cast.root).page(PAGE).text.split())
    assert "It came from an authority, and is renewed by itself" in said
    assert "desk.example.com" in said
    assert "CN=R10,O=Let's Encrypt" in said
    assert "(30 d left)" in said
    assert "gave this certificate just now" in said
    assert "do not vouch" not in said


def test_it_says_what_the_authority_said_and_when_it_is_asked_again(web: Web, told: Callable[..., None]) -> None:
    now = clock.now()
    tried = {"at": now.isoformat(), "failures": 3, "said": "no <address>", "next_at": (now + timedelta(minutes=4)).isoformat()}
    told(shown="self-signed", trusted=False, problem="There is no certificate yet: no <address>", tried=tried)
    said = " ".join(web.browser(web.cast.root).page(PAGE).text.split())
    for words in ("was asked just now", "3 times in a row:", "no <address>", "It is asked again at"):
        assert words in said.partition("The authority")[2]
    assert "There is no certificate yet: no <address>" in said
    answer = web.program(web.cast.root).get(API).json()
    assert (answer["failures"], answer["said"], answer["problem"]) == (
        3,
        "no <address>",
        "There is no certificate yet: no <address>",
    )
    assert answer["authority"] == web.desk.settings.acme_directory


@pytest.mark.parametrize(
    ("mode", "words"), [("off", "TLS ends at the proxy"), ("files", "brought by somebody"), ("self-signed", "signed it itself")]
)
def test_each_way_to_have_one_is_told_in_words(web: Web, told: Callable[..., None], mode: str, words: str) -> None:
    told(mode=mode, shown=None if mode == "off" else mode, tried=None, **({"not_after": None} if mode == "off" else {}))
    said = web.browser(web.cast.root).page(PAGE).text
    assert words in said
    assert "The authority" not in said


def test_before_anything_is_known_the_page_says_so(web: Web) -> None:
    assert "Not known yet." in web.browser(web.cast.root).page(PAGE).text


def test_it_is_looked_at_when_a_page_or_a_program_asks_and_that_is_recorded(web: Web) -> None:
    mark = installed.asked(web.desk.settings)
    answer = web.browser(web.cast.root).submit(PAGE, PAGE)
    assert answer.headers["location"] == "/admin/certificate?asked=1"
    assert mark.exists()
    mark.unlink()
    answer = web.program(web.cast.root).post(API)
    assert (answer.status_code, answer.json()) == (202, {"words": wanted.WORDS})
    assert mark.exists()
    with web.desk.db.transaction() as s:
        actors = s.scalars(select(Entry.actor).where(Entry.kind == "certificate.asked")).all()
    assert actors == ["Root <root@desk.example>"] * 2


@pytest.mark.parametrize("name", ["bob", "alice", "carol", "mallory"])
def test_it_is_nobody_elses_business(web: Web, name: str) -> None:
    person = getattr(web.cast, name)
    assert web.program(person).get(API).status_code == 403
    assert web.program(person).post(API).status_code == 403
    assert web.browser(person).get(PAGE).status_code == 403
    assert not installed.asked(web.desk.settings).exists()
    assert PAGE not in web.browser(person).get("/account/second-factor").text
