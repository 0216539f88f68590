"""The same mail again and again, by several ways at once: one message on a ticket, and every copy accounted for."""

import threading
from collections import Counter
from pathlib import Path

from sqlalchemy import func, select

from app.db.session import Database
from app.db.session import now as database_now
from app.files.disk import Blobs
from app.intake import outcomes
from app.intake.models import InboundMail, Mailbox
from app.intake.rules import read
from app.intake.rules.states import MailState
from app.outbox import actions as outbox
from app.tickets.models import Message, Ticket
from tests.cast import assemble
from tests.db.intake.conftest import Desk, a_mailbox
from tests.unit.intake.letters import mail

MAILS = 10


def test_each_mail_three_times_at_once_by_two_mailboxes_with_other_received_lines(database: Database, tmp_path: Path) -> None:
    """New matters are a ticket in each mailbox; answers to a ticket stand on it once, whichever mailbox was quicker."""
    with database.transaction() as s:
        now = database_now(s)
        assemble(s, now)
        boxes = [a_mailbox(s, now), a_mailbox(s, now, "sales@desk.example")]
        desk = Desk(s, boxes[0], Blobs(tmp_path), now)
        answered = desk.deliver(mail("the ticket", mail_id="<0@acme.example>")).ticket
        assert answered
        ours = desk.house.mail_id(outbox.new_mail_id(answered, 1))
        raws = [mail(f"new {n}", mail_id=f"<new.{n}@acme.example>") for n in range(MAILS)]
        raws += [mail(f"answer {n}", mail_id=f"<answer.{n}@acme.example>", In_Reply_To=ours) for n in range(MAILS)]
        copies = {
            row.id: raw
            for box in boxes
            for n in range(3)
            for raw in raws
            for row in desk.take(b"Received: from mx%d by mail%d\r\n" % (n, box.id) + raw, mailbox=box)
        }

    def settle(box: Mailbox, times: int) -> None:
        for id, raw in list(copies.items())[::times]:
            with database.transaction() as s:
                if s.get_one(InboundMail, id).mailbox_id == box.id:
                    found, _ = read.mail(raw)
                    outcomes.settle(s, id, found, [], house=desk.house, gate=True, now=database_now(s))

    threads = [threading.Thread(target=settle, args=(box, times)) for box in boxes for times in (1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.transaction() as s:
        assert s.scalar(select(func.count()).select_from(Ticket)) == 1 + 2 * MAILS
        texts = Counter(s.scalars(select(Message.text).where(Message.ticket == answered)))
        assert texts == {"the ticket": 1} | {f"answer {n}": 1 for n in range(MAILS)}
        states = Counter(s.scalars(select(InboundMail.state)))
        assert states == {MailState.DONE: 1 + 3 * MAILS, MailState.DUPLICATE: 6 * 2 * MAILS - 3 * MAILS}
        reasons = s.scalars(select(InboundMail.reason).where(InboundMail.state == MailState.DUPLICATE))
        assert all("number" in str(reason) for reason in reasons)
