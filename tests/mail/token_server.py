"""A provider of tokens in this process, that does what a script says, over HTTPS."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

Answer = tuple[int, dict[str, Any] | bytes]


@dataclass
class Tokens:
    """Gives "access-1", "access-2" … and another refresh token with each; remembers what it was asked.

    `refusal` is said instead while it is set; `devices` are the answers to whoever asks for a device's token before that.
    `more` is said with each token.
    """

    refresh: str = "refresh-0"
    rotates: bool = True
    seconds: int = 3600
    refusal: Answer | None = None
    devices: list[Answer] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)
    delay: float = 0.0
    port: int = 0
    asked: list[dict[str, str]] = field(default_factory=list)
    given: int = 0
    on_token: Callable[[str], None] = lambda _: None

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def answer(self, path: str, form: dict[str, str]) -> Answer:
        self.asked.append({"path": path} | form)
        time.sleep(self.delay)
        if path == "/devicecode":
            page = {"verification_uri": "https://login.example/device", "interval": 1, "expires_in": 900}
            return 200, {"device_code": "device-secret", "user_code": "ABCD-EFGH"} | page
        if form["grant_type"].endswith("device_code") and self.devices:
            return self.devices.pop(0)
        if self.refusal is not None:
            return self.refusal
        if form["grant_type"] == "refresh_token" and form["refresh_token"] != self.refresh:
            return 400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
        return 200, self.tokens(form)

    def tokens(self, form: dict[str, str]) -> dict[str, Any]:
        self.given += 1
        access = f"access-{self.given}"
        self.on_token(access)
        told = {"access_token": access, "expires_in": self.seconds, "token_type": "Bearer"} | self.more
        if form["grant_type"] == "client_credentials" or not self.rotates:
            return told
        self.refresh = f"refresh-{self.given}"
        return told | {"refresh_token": self.refresh}


class _Talk(BaseHTTPRequestHandler):
    script: Tokens

    def do_POST(self) -> None:
        form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        status, said = self.script.answer(self.path, form)
        content = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def providing(context: ssl.SSLContext, script: Tokens | None = None) -> Iterator[Tokens]:
    """A provider that listens on a port of its own."""
    served = script or Tokens()
    handler = type("Scripted", (_Talk,), {"script": served})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        server.socket = context.wrap_socket(server.socket, server_side=True)
        served.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield served
        server.shutdown()
