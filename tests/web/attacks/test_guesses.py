"""Ten thousand guesses at what opens something: whatever is tried, the answer is the same, and it is no."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from httpx2 import Response
from sqlalchemy import update

from app.accounts import identity
from app.accounts.models import ApiToken, Link, Person
from app.accounts.rules import LinkPurpose, Scope
from app.core import ids
from app.core.errors import NotFound, NotSignedIn
from app.db.session import now as database_now
from app.people import links
from app.tickets import attachments
from app.web.door import COOKIE
from tests.web.conftest import Web
from tests.web.furniture import headers
from tests.web.sign_in.steps import words
from tests.web.trial import Trial, opened

pytestmark = pytest.mark.db
NEW = "four words in a row"
AUTH = "/api/v1/auth"
Door = Callable[[str], dict[str, Any]]


@pytest.fixture
def trial(web: Web, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trial]:
    with opened(web, monkeypatch) as made:
        yield made


def test_a_guessed_link_or_token_is_answered_like_every_other(trial: Trial, web: Web) -> None:
    found, things = Mallory(trial), trial.found.things
    doors: dict[str, tuple[Door, str]] = {
        "reset": (lambda guess: {"url": f"/reset/{quote(guess, safe='')}"}, things["reset token"]),
        "invite": (lambda guess: {"url": f"/invite/{quote(guess, safe='')}"}, things["invite token"]),
        "set-up": (lambda guess: {"url": f"/setup/{quote(guess, safe='')}"}, things["setup token"]),
        "address": (lambda guess: found.page(f"/confirm-email/{quote(guess, safe='')}"), things["confirm-email token"]),
        "API reset": (lambda guess: found.sends(f"{AUTH}/password/reset", token=guess, password=NEW), things["reset token"]),
        "API invite": (lambda guess: found.sends(f"{AUTH}/invitation", token=guess, password=NEW), things["invite token"]),
        "API address": (lambda guess: found.sends(f"{AUTH}/email/confirmation", token=guess), things["confirm-email token"]),
        "refresh": (lambda guess: found.sends(f"{AUTH}/refresh", refresh_token=guess), things["refresh"]),
        "session": (found.bears, trial.found.tokens["admin"]),
        "key": (found.bears, web.api_token(web.cast.root, ["tickets:read"])),
        "cookie": (lambda guess: {"url": f"{AUTH}/me", "headers": {"Cookie": f"{COOKIE}={guess}"}}, trial.found.cookies["admin"]),
    }
    ended = ended_ones(web)
    tried = 0
    for name, (door, good) in doors.items():
        others = [each for other, (_, each) in doors.items() if each != good and {name, other} != {"session", "key"}]
        guesses = [*near(good), *others, *ended, *(ids.token() for _ in range(30))]
        answers = {guess: told(found.ask(door(guess)), guess) for guess in guesses if guess != good}
        assert len(set(answers.values())) == 1, (
            name,
            [guess for guess, each in answers.items() if each != answers[guesses[-1]]],
            set(answers.values()),
        )
        assert next(iter(answers.values()))[0] in {401, 404}, name
        tried += len(answers)
        if name not in {"address", "API address", "set-up"}:  # good for somebody else alone, or before there is anybody
            assert found.ask(door(good)).is_success, name
    assert tried > 500


def test_a_guessed_file_or_message_is_answered_as_if_it_were_not_there(trial: Trial) -> None:
    found, things = Mallory(trial), trial.found.things
    theirs = {things["attachments"], things["messages"]}
    numbers = [*range(1, 200), *(each + 1 for each in theirs), 10**6, 2**31, 10**17]
    tried = 0
    for path, door in (("/attachments", found.page), ("/messages", found.page), ("/api/v1/attachments", found.program)):
        urls = {n: f"{path}/{n}" + ("/html" if path == "/messages" else "") for n in numbers}
        answers = {n: told(found.ask(door(url)), "") for n, url in urls.items()}
        assert len(set(answers.values())) == 1, (path, set(answers.values()))
        assert answers[things["attachments"]][0] == 404
        tried += len(answers)
    assert tried > 500


def test_ten_thousand_guesses_open_nothing(web: Web) -> None:
    tries = 0
    with web.desk.db.transaction() as s:
        c, now = s.connection(), database_now(s)
        mallory = s.get_one(Person, web.cast.mallory.id)
        doors: list[Callable[[str, int], Any]] = [
            lambda guess, _: identity.of_bearer(c, guess),
            lambda guess, _: identity.of_cookie(c, guess),
            lambda guess, n: links.shown(s, guess, [*LinkPurpose][n % len(LinkPurpose)], now=now),
            lambda _, n: attachments.read(s, n, by=mallory, now=now),
        ]
        for n in range(2_500):
            for door in doors:
                with pytest.raises((NotFound, NotSignedIn)):
                    door(ids.token(), n)
                tries += 1
    assert tries == 10_000


class Mallory:
    """Guesses, at a browser of hers or without any name."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial

    def ask(self, request: dict[str, Any]) -> Response:
        with self._trial.db.again():
            return self._trial.send(**({"method": "GET"} | request))

    def page(self, url: str) -> dict[str, Any]:
        return {"url": url, "headers": headers(self._trial.found, "mallory", page=True)}

    def program(self, url: str) -> dict[str, Any]:
        return {"url": url, "headers": headers(self._trial.found, "mallory", page=False)}

    def sends(self, url: str, **body: str) -> dict[str, Any]:
        return self.program(url) | {"method": "POST", "json": body}

    def bears(self, token: str) -> dict[str, Any]:
        return {"url": "/api/v1/tickets?limit=1", "headers": {"Authorization": f"Bearer {token}"}}


def near(good: str) -> list[str]:
    """What is almost the one that opens."""
    last = "A" if good[-1] != "A" else "B"
    whole = [good.upper(), good.lower(), good.swapcase(), good[::-1], good + "A", "A" + good, good * 2, good[:-1] + last]
    parts = [good[:length] for length in (8, 16, 22, len(good) // 2, len(good) - 1)] + [good[1:], good[5:]]
    fingerprint = ids.fingerprint(good)
    return [*whole, *parts, fingerprint.hex(), "\\x" + fingerprint.hex(), "A" * len(good), "null", "0", "undefined", "x" * 200]


def ended_ones(web: Web) -> list[str]:
    """What opened something once: too old, used, replaced, revoked."""
    made = []
    with web.desk.db.transaction() as s:
        now: datetime = database_now(s)
        for purpose in LinkPurpose:
            for expires, used in ((now - timedelta(seconds=1), None), (now + timedelta(hours=1), now)):
                made.append(ids.token())
                link = Link(purpose=purpose, person_id=web.cast.mallory.id, token_hash=ids.fingerprint(made[-1]), email=None)
                link.created_at, link.expires_at, link.used_at = now - timedelta(days=1), expires, used
                s.add(link)
    key = web.api_token(web.cast.root, [Scope.TICKETS_READ])
    with web.desk.db.transaction() as s:
        s.execute(update(ApiToken).where(ApiToken.token_hash == ids.fingerprint(key)).values(revoked_at=ApiToken.created_at))
    return [*made, key]


def told(answer: Response, guess: str) -> tuple[int, str, str]:
    """Status, body and kind of an answer, without the guess itself."""
    said = re.sub(r"(attachment|message) \d+", r"\1", words(answer))
    return answer.status_code, said.replace(guess, "") if len(guess) > 4 else said, answer.headers.get("content-type", "")
