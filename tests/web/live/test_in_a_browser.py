"""The ticket's page in a real browser: it tells by itself what became of an answer, and leaves alone what is typed."""

import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from sqlalchemy import update

from app.accounts.rules import Door
from app.db.session import now as database_now
from app.outbox.models import Letter, State
from app.web.door import COOKIE
from tests.web.conftest import Web
from tests.web.live.chromium import PROGRAM, Chromium
from tests.web.tickets.test_planned_answers import let_it_be_time

pytestmark = [pytest.mark.db, pytest.mark.skipif(PROGRAM is None, reason="there is no chromium here")]


@pytest.fixture
def address(web: Web) -> Iterator[str]:
    """The application at a port of its own."""
    with socket.socket() as here:
        here.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(web.app, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [here]})
        thread.start()
        yield f"http://127.0.0.1:{here.getsockname()[1]}"
        web.app.state.live.end()
        server.should_exit = True
        thread.join()
        web.app.state.live.wait()


@pytest.fixture
def chromium() -> Iterator[Chromium]:
    with Chromium() as made:
        yield made


def test_an_answer_whose_undo_time_is_over_stands_in_the_conversation(web: Web, address: str, chromium: Chromium) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    browser = web.browser(web.cast.alice)
    browser.submit(f"/tickets/{number}", f"/tickets/{number}/messages", having="answer", text="Pull the plug.", wait="10")
    chromium.open(f"{address}/tickets/{number}", Cookie=f"{COOKIE}={web.token(web.cast.alice, Door.PAGE)}")
    assert "Undo" in chromium.value("document.querySelector('[data-part=planned]').innerText")
    chromium.value("document.querySelector('textarea').focus(), document.querySelector('textarea').value = 'half a sen'")

    let_it_be_time(web)

    chromium.until("document.querySelector('[data-part=conversation]').innerText.includes('Pull the plug.')")
    assert chromium.value("document.querySelector('[data-part=planned]').innerText.trim()") == ""
    assert chromium.value("document.querySelectorAll('[data-part=conversation] > article').length") == 2
    footer = "document.querySelector('[data-part=conversation] > article:last-child footer').innerText"
    assert "waiting" in chromium.value(footer)
    with web.desk.db.transaction() as s:
        s.execute(update(Letter).values(state=State.SENT, next_at=None, sent_at=database_now(s)))
    chromium.until(f"{footer} === 'Mail sent'")
    assert chromium.value("document.querySelector('textarea').value") == "half a sen"


def test_what_was_unfolded_stays_so_and_what_others_say_comes(web: Web, address: str, chromium: Chromium) -> None:
    quoted = "Yes.\n\nOn Mon, Apr 2, 2012 at 6:26 PM, Alice <alice@desk.example> wrote:\n> Did you?\n"
    number = web.ticket(web.cast.carol, text=quoted, accepted=True)
    chromium.open(f"{address}/tickets/{number}", Cookie=f"{COOKIE}={web.token(web.cast.alice, Door.PAGE)}")
    chromium.value("document.querySelector('.conversation article').dataset.seen = 'yes'")
    web.note(number, "Between us.")
    chromium.until("document.querySelector('[data-part=conversation]').innerText.includes('Between us.')")
    assert chromium.value("document.querySelector('.conversation article').dataset.seen") == "yes"
    assert (
        chromium.value("[...document.querySelectorAll('.conversation article')].map((a) => a.id).join()").count("message-") == 2
    )
