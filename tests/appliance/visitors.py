"""Many visitors at once, who keep count of what failed."""

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography import x509

PLACES = ("/healthz", "/sign-in", "/api/v1/health")
BELIEVING = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
BELIEVING.check_hostname, BELIEVING.verify_mode = False, ssl.CERT_NONE


class Visitors:
    """Half of them keep their connection as browsers do, half come anew with each request."""

    def __init__(self, port: int, crowd: int = 6) -> None:
        self.port, self.answered = port, 0
        self.failed: list[str] = []
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._visit, args=(n % 2 == 0,)) for n in range(crowd)]

    @contextmanager
    def coming(self) -> Iterator["Visitors"]:
        for each in self._threads:
            each.start()
        try:
            yield self
        finally:
            self._stop.set()
            for each in self._threads:
                each.join(30)

    def _visit(self, stays: bool) -> None:
        mine, kept = 0, self._connection()
        while not self._stop.is_set():
            mine += 1
            if not stays:
                kept.close()
                kept = self._connection()
            try:
                status = self._ask(kept, PLACES[mine % len(PLACES)])
            except (OSError, http.client.HTTPException) as wrong:
                kept.close()
                status, kept = 0, self._connection()
                self.failed.append(repr(wrong))
            if status not in {0, 200}:
                self.failed.append(str(status))
            with self._lock:
                self.answered += 1
        kept.close()

    def _ask(self, connection: http.client.HTTPSConnection, place: str) -> int:
        used = connection.sock is not None
        try:
            return self._once(connection, place)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            # An idle connection may be closed at any time, and every client asks again then (RFC 9112, 9.3.1).
            if not used:
                raise
            connection.close()
            return self._once(connection, place)

    def _once(self, connection: http.client.HTTPSConnection, place: str) -> int:
        connection.request("GET", place, headers={"Host": "localhost"})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def _connection(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=BELIEVING)


def shown(port: int, host: str = "localhost") -> x509.Certificate:
    """The certificate that is shown now, whoever signed it."""
    with socket.create_connection(("127.0.0.1", port), 5) as raw, BELIEVING.wrap_socket(raw, server_hostname=host) as s:
        return x509.load_der_x509_certificate(s.getpeercert(binary_form=True) or b"")
