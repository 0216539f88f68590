"""The desk mails itself, through the real server and back."""

from tests.appliance.conftest import Make
from tests.appliance.driver import SUPPORT, eventually


def test_a_quiet_mailbox_gets_a_mail_from_the_desk_itself_that_becomes_nothing(make: Make) -> None:
    desk = make().up()
    eventually(lambda: desk.sql("SELECT count(*) FROM mailbox WHERE last_ok_at IS NOT NULL") == [["1"]], within=20)
    desk.sql("UPDATE mailbox SET created_at = now() - interval '7 hours'")
    eventually(lambda: desk.sql("SELECT probe FROM canary WHERE came_at IS NOT NULL") == [["1"]], within=90, otherwise=desk.logs)
    [mail] = desk.mail.inbox(SUPPORT)
    assert mail["Auto-Submitted"] == "auto-generated"
    [[state, reason]] = desk.sql("SELECT state, reason FROM inbound_mail")
    assert state == "ignored"
    assert reason.startswith("the desk's own probe, back after ")
    assert desk.sql("SELECT count(*) FROM ticket") == [["0"]]
    assert desk.parts()["mailboxes"]["status"] == "ok"
