"""Mail servers that hang and that cut, and how long the API takes meanwhile."""

import socket
import socketserver
import struct
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from scripts.load.fill import TOKEN

EVERY = 0.05  # seconds between two requests


class Hanging(socketserver.BaseRequestHandler):
    """Takes the connection and never says a word."""

    def handle(self) -> None:
        while self.request.recv(1024):
            pass


class Cutting(socketserver.BaseRequestHandler):
    """Greets, and resets the connection at the first command."""

    def handle(self) -> None:
        self.request.sendall(b"* OK ready\r\n")
        self.request.recv(1024)
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Peer(socketserver.ThreadingTCPServer):
    """One of them."""

    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False


@contextmanager
def bad_servers() -> Iterator[list[int]]:
    """The ports of one that hangs and one that cuts."""
    with ExitStack() as both:
        ports = []
        for way in (Hanging, Cutting):
            peer = both.enter_context(Peer(("127.0.0.1", 0), way))
            threading.Thread(target=peer.serve_forever, daemon=True).start()
            both.callback(peer.shutdown)
            ports.append(peer.server_address[1])
        yield ports


def asked(url: str, over: threading.Event) -> list[float]:
    """The seconds that each answer took until it is over. Any refusal ends the measurement."""
    times = []
    while not over.wait(EVERY):
        began = time.monotonic()
        request = urllib.request.Request(f"{url}/api/v1/tickets?limit=50", headers={"Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            if answer.status != 200 or not answer.read():
                sys.exit("the list of tickets is none")
        times.append(time.monotonic() - began)
    return times
