"""A program elsewhere that is told things, in this process, and does what a script says."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HERE = "127.0.0.2"  # not where we ask from: that would be ourselves
SAID = b"what nobody is to see"


@dataclass
class Heard:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    def signed_by(self, secret: str) -> bool:
        """As whoever reads https://www.standardwebhooks.com would check it."""
        said = b".".join([self.headers["webhook-id"].encode(), self.headers["webhook-timestamp"].encode(), self.body])
        mac = hmac.digest(base64.b64decode(secret.split("_", 1)[1]), said, hashlib.sha256)
        return f"v1,{base64.b64encode(mac).decode()}" in self.headers["webhook-signature"].split(" ")


@dataclass
class Receiver:
    """Answers with `status`; `closes` without a word; says nothing before `free` is set where it `hangs`."""

    status: int = 200
    closes: bool = False
    hangs: bool = False
    location: str | None = None
    port: int = 0
    heard: list[Heard] = field(default_factory=list)
    free: threading.Event = field(default_factory=threading.Event)
    before: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        return f"http://{HERE}:{self.port}/in?token=in-the-address"

    @property
    def told(self) -> list[dict[str, Any]]:
        return [one.told for one in self.heard]

    def types(self) -> list[str]:
        return [told["type"] for told in self.told]


class _Talk(BaseHTTPRequestHandler):
    script: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.script.heard.append(Heard(self.path, headers, body))
        self.script.before()
        if self.script.hangs:
            self.script.free.wait(30)
        if self.script.closes:
            self.close_connection = True
            return
        self.send_response(self.script.status)
        if self.script.location:
            self.send_header("Location", self.script.location)
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(SAID)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def listening(script: Receiver | None = None) -> Iterator[Receiver]:
    """A receiver on a port of its own, or of one that it had before."""
    served = script or Receiver()
    handler = type("Scripted", (_Talk,), {"script": served})
    with ThreadingHTTPServer((HERE, served.port), handler) as server:
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        served.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield served
        served.free.set()
        server.shutdown()
