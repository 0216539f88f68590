"""Mailboxes whose servers hang, cut the line and refuse: nobody else is kept waiting, and nothing is held meanwhile."""

import json
import os

from tests.appliance.conftest import Make
from tests.appliance.driver import eventually

EACH = 5  # of three kinds: more than the poller has connections to the database
# The first port takes a connection and never says a word, the second greets and resets it at the first command.
BAD = """
import socket, socketserver, struct, threading

class Hanging(socketserver.BaseRequestHandler):
    def handle(self):
        print("somebody hangs", flush=True)
        while self.request.recv(1024):
            pass

class Cutting(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"* OK ready\\r\\n")
        self.request.recv(1024)
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

for port, way in ((1143, Hanging), (1144, Cutting)):
    threading.Thread(target=socketserver.ThreadingTCPServer(("", port), way).serve_forever).start()
"""


def test_mailboxes_that_hang_that_are_cut_and_that_are_refused_hold_nothing_and_keep_no_other_waiting(make: Make) -> None:
    beside = {
        "image": os.environ.get("ATUM_TEST_IMAGE", "atum-desk:latest"),
        "entrypoint": ["python3", "-c", BAD],
        "healthcheck": {"test": ["CMD", "true"], "interval": "1s"},
    }
    desk = make(services=f"\n  bad: {json.dumps(beside)}\n").up()
    root = desk.signed_in()
    for n in range(EACH):
        for name, host, port in (("hangs", "bad", 1143), ("cut", "bad", 1144), ("refused", "mail", 143)):
            way = {"host": host, "port": port, "tls": False, "password": "wrong", "untested": True}
            root.post("/mailboxes", {"address": f"{name}{n}@desk.example"} | way)
    hanging = desk._of("bad").logs
    eventually(lambda: hanging().count(b"somebody hangs") >= EACH, within=30, otherwise=desk.logs)
    failing = "SELECT count(*) FROM mailbox WHERE state = 'failing' AND address ~ '^(cut|refused)'"
    eventually(lambda: desk.sql(failing) == [[str(2 * EACH)]], within=30, otherwise=desk.logs)

    desk.mail.write("Amid trouble")
    landed = "SELECT count(*) FROM ticket WHERE subject = 'Amid trouble'"
    eventually(lambda: desk.sql(landed) == [["1"]], within=20, otherwise=desk.logs)
    assert root.get("/tickets")["items"][0]["subject"] == "Amid trouble"

    eventually(lambda: desk.sql("SELECT now() - max(created_at) > '6 seconds' FROM mailbox") == [["t"]], within=20)
    assert desk.sql("SELECT count(*) FROM mailbox WHERE address ~ '^hangs' AND last_ok_at IS NOT NULL") == [["0"]]
    assert desk.sql("SELECT application_name, query FROM pg_stat_activity WHERE now() - xact_start > '5 seconds'") == []
    [[held]] = desk.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^mail-poller'")
    assert int(held) <= 12 < 3 * EACH  # five to read and five to write, the locks', and the one that hears of mail by SMTP
    assert desk.health()[0] == 200
