"""What an older policy made of a mail's HTML is made anew from its bytes, and nobody notices anything else."""

import logging
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.audit.models import Entry
from app.core import html
from app.entry.mail_poller import Poller
from app.files.models import Attachment
from app.intake.models import InboundMail
from app.intake.redoing import Redoing
from app.outbox.models import Letter
from app.tickets.models import Message, Ticket, TicketText
from tests.unit.intake.letters import mail, multipart, part
from tests.web.conftest import Web
from tests.web.mailed import Here, delivered, taken

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
TEXT = "It smokes.\n\nOn Mon, Apr 2, 2012 at 6:26 PM, Alice <alice@desk.example> wrote:\n> Did you switch it on?"
PAGE = '<p style="color:red">It smokes.</p><img src="cid:1@x"><img src="https://a.example/x.png">'


def old_mail(web: Web, number: int = 1) -> int:
    """A message as the first policy left it."""
    picture = part(PNG, "image/png", Content_ID="<1@x>")
    raw = multipart(part(TEXT), part(PAGE, "text/html"), picture, kind="alternative", mail_id=f"<{number}@a>")
    message = delivered(web, raw)
    with web.desk.db.transaction() as s:
        s.execute(update(Message).where(Message.id == message.id).values(html="<p>It smokes.</p><img>", html_policy=1, folds=[]))
        s.execute(update(Attachment).where(Attachment.message_id == message.id).values(content_id=None))
    return message.id


def redoing(web: Web) -> Redoing:
    return Redoing(web.desk.db, web.desk.settings, reader=Here(), beat=lambda: None)


def redo_all(web: Web) -> Redoing:
    doing = redoing(web)
    while waiting := doing.waiting():
        for message, number in waiting:
            doing.redo(message, number)
    return doing


def message(web: Web, id: int) -> Message:
    with web.desk.db.transaction() as s:
        found = s.get_one(Message, id)
        s.expunge_all()
        return found


def everything_else(web: Web) -> dict[str, Any]:
    """What must not change."""
    with web.desk.db.transaction() as s:
        return {
            "letters": s.scalar(select(func.count()).select_from(Letter)),
            "audit": s.scalar(select(func.count()).select_from(Entry)),
            "tickets": [(t.number, t.updated_at, t.revision) for t in s.scalars(select(Ticket).order_by(Ticket.number))],
            "words": [(w.ticket, w.shown, w.whole) for w in s.scalars(select(TicketText).order_by(TicketText.ticket))],
            "texts": list(s.scalars(select(Message.text).order_by(Message.id))),
            "files": list(s.scalars(select(Attachment.name).order_by(Attachment.id))),
        }


def test_an_old_mail_gets_what_the_policy_gives_now_and_nobody_is_told(web: Web) -> None:
    ids = [old_mail(web, n) for n in range(7)]
    before = everything_else(web)
    assert redo_all(web).done == 7
    assert everything_else(web) == before
    for id in ids:
        found = message(web, id)
        assert found.html == '<p style="color:red">It smokes.</p><img src="cid:1%40x"><img src="remote:https://a.example/x.png">'
        assert found.html_policy == html.POLICY
        assert [why for *_, why in found.folds] == ["quote"]
    assert "data:image/png" in web.browser(web.cast.alice).get(f"/messages/{ids[0]}/html").text
    assert redoing(web).waiting() == []


@pytest.mark.parametrize("how", ["empty", "no such file"])
def test_where_the_bytes_are_gone_it_stays_as_it_is_and_is_never_tried_again(web: Web, how: str) -> None:
    id, fine = old_mail(web, 1), old_mail(web, 2)
    gone = {"raw": b""} if how == "empty" else {"raw": None, "blob": "0" * 64}
    with web.desk.db.transaction() as s:
        s.execute(update(InboundMail).where(InboundMail.message_id == id).values(**gone))
    doing = redo_all(web)
    assert (doing.done, doing.left) == (1, 1)
    found = message(web, id)
    assert (found.html, found.html_policy, found.text) == ("<p>It smokes.</p><img>", None, TEXT)
    assert message(web, fine).html_policy == html.POLICY


def test_what_another_has_redone_meanwhile_is_left_alone(web: Web) -> None:
    id = old_mail(web)
    doing = redoing(web)
    [(first, number)] = doing.waiting()
    with web.desk.db.transaction() as s:
        s.execute(update(Message).where(Message.id == id).values(html="<p>newer</p>", html_policy=html.POLICY))
    doing.redo(first, number)
    assert message(web, id).html == "<p>newer</p>"


def test_what_was_written_on_a_page_or_has_no_html_is_no_old_mail(web: Web) -> None:
    web.ticket(web.cast.carol)
    delivered(web, mail("Only text"))
    assert redoing(web).waiting() == []


def test_the_poller_does_it_when_nothing_new_waits_and_tells_it_once(
    web: Web, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ids = [old_mail(web, n) for n in range(6)]
    waits = taken(web, mail(mail_id="<new@a>"))
    worker: Any = SimpleNamespace(settings=web.desk.settings, stop=threading.Event(), beat=lambda: None)
    poller = Poller(worker, web.desk.db, Here())
    try:
        with caplog.at_level(logging.INFO, logger="app.entry.mail_poller"):
            poller.once()  # new mail first
            with web.desk.db.transaction() as s:
                assert s.get_one(InboundMail, waits).state != "new"
                assert s.scalar(select(func.count()).where(Message.html_policy == 1)) == 6
            for _ in range(60):
                poller.once()
                if any("made anew" in record.message for record in caplog.records):
                    break
    finally:
        poller.close()
    assert {message(web, id).html_policy for id in ids} == {html.POLICY}
    assert [(record.mails, record.left) for record in caplog.records if "made anew" in record.message] == [(6, 0)]  # type: ignore[attr-defined]
