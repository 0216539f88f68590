"""The desk mails itself, through the real server and back; and tells a program beside it what is amiss."""

import json
import os

from tests.appliance.conftest import Make
from tests.appliance.driver import SUPPORT, eventually

LISTENER = """
import http.server

class Talk(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.headers["webhook-signature"], self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.send_response(204)
        self.end_headers()

http.server.HTTPServer(("", 9000), Talk).serve_forever()
"""


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


def test_what_is_amiss_is_told_to_a_program_on_one_s_own_network_once_when_it_begins_and_once_when_it_ends(make: Make) -> None:
    image = os.environ.get("ATUM_TEST_IMAGE", "atum-desk:latest")
    beside = {
        "image": image,
        "entrypoint": ["python3", "-c", LISTENER],
        "healthcheck": {"test": ["CMD", "true"], "interval": "1s"},
    }
    desk = make(services=f"\n  hooks: {json.dumps(beside)}\n").up()
    heard = desk._of("hooks").logs
    made = json.loads(desk.atum("webhook", "add", "http://hooks:9000/in", "--own-network", "--event", "desk.warning",
                                "--event", "desk.warning_cleared", "--json"))  # fmt: skip
    assert desk.atum("webhook", "test", str(made["id"])) == "It answers 204."
    desk.atum(*["mailbox", "add", "lost@desk.example", "--host", "nowhere.invalid", "--untested", "--password-stdin"], stdin="x")
    lost = "address = 'lost@desk.example'"
    eventually(lambda: desk.sql(f"SELECT state FROM mailbox WHERE {lost}") == [["failing"]], within=30, otherwise=desk.logs)
    desk.sql(f"UPDATE mailbox SET failing_since = failing_since - interval '16 minutes' WHERE {lost}")
    eventually(lambda: b'"desk.warning"' in heard(), within=60, otherwise=desk.logs)
    desk.atum("mailbox", "remove", "lost@desk.example")
    eventually(lambda: b'"desk.warning_cleared"' in heard(), within=60, otherwise=desk.logs)
    told = [line.partition(" ")[2] for line in heard().decode().splitlines() if line.startswith("v1,")]
    assert [json.loads(line)["type"] for line in told] == ["webhook.test", "desk.warning", "desk.warning_cleared"]
    assert json.loads(told[1])["warning"]["about"] == "lost@desk.example"
    assert made["secret"] not in desk.logs()
