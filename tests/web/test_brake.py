"""On a disk that is nearly full everything can be read, people come in, and nothing new is taken."""

import pytest

from app.files import room
from tests.web.conftest import Web


def test_what_is_sent_is_refused_in_words_and_what_is_asked_for_is_shown(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = web.program(web.cast.alice)
    ticket = {"subject": "Before", "body": "It fits."}
    number = alice.post("/api/v1/tickets", json=ticket).json()["number"]
    browser = web.browser(web.cast.alice)
    monkeypatch.setattr(room, "is_short", lambda _folder: True)

    refused = alice.post("/api/v1/tickets", json=ticket)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert refused.json()["type"] == "urn:atum-desk:problem:disk-full"
    assert alice.patch(f"/api/v1/tickets/{number}", json={"subject": "x"}).status_code == 503
    assert alice.get(f"/api/v1/tickets/{number}").json()["subject"] == "Before"
    web.program(web.cast.bob)

    page = browser.get(f"/tickets/{number}")
    assert page.status_code == 200
    assert room.WORDS in page.text
    monkeypatch.undo()
    assert alice.post("/api/v1/tickets", json=ticket).status_code == 201
    assert room.WORDS not in browser.get(f"/tickets/{number}").text
