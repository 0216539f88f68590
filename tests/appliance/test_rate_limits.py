"""How much one visitor may ask for: counted at nginx, to the request."""

import math
import socket
import ssl
import time

from tests.appliance.driver import Appliance


def at_once(desk: Appliance, request: bytes, count: int) -> tuple[list[bytes], float]:
    """The heads of the answers to so many requests, sent together over connections that were open before; and in what time."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    port = desk.port(443)
    open_ = [
        context.wrap_socket(socket.create_connection(("127.0.0.1", port), 5), server_hostname="localhost") for _ in range(count)
    ]
    began = time.monotonic()
    for s in open_:
        s.sendall(request)
    heads = []
    for s in open_:
        answer = b""
        while b"\r\n\r\n" not in answer and (part := s.recv(65536)):
            answer += part
        heads.append(answer.partition(b"\r\n\r\n")[0])
    took = time.monotonic() - began
    for s in open_:
        s.close()
    return heads, took


def refused(heads: list[bytes]) -> list[bytes]:
    """Those that came too fast."""
    return [head for head in heads if head.split()[1] == b"429"]


def settle(burst: int, rate: float) -> None:
    """As long as nginx remembers a full bucket; only time empties it."""
    time.sleep((burst + 1) / rate + 0.5)


def test_of_60_requests_at_once_21_pass(desk: Appliance) -> None:
    settle(burst=20, rate=10)
    heads, took = at_once(desk, b"GET /api/v1/tickets HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 60)
    passed = [head for head in heads if head.split()[1] == b"401"]
    # One more may pass for every tenth of a second that sending and answering took.
    assert 21 <= len(passed) <= 21 + math.ceil(took * 10)
    assert len(passed) + len(refused(heads)) == 60
    assert all(b"retry-after:" in head.lower() for head in refused(heads))


def test_of_20_sign_ins_at_once_6_reach_the_desk(desk: Appliance) -> None:
    settle(burst=5, rate=1)
    body = b"username=nobody%40desk.example&password=wrong"
    head = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    heads, took = at_once(desk, head + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body, 20)
    reached = [head for head in heads if head.split()[1] != b"429"]
    assert 6 <= len(reached) <= 6 + math.ceil(took)
    assert {head.split()[1] for head in reached} <= {b"401", b"429"}


def test_health_and_static_files_are_outside_of_all_limits(desk: Appliance) -> None:
    for path in (b"/api/v1/health", b"/healthz", b"/static/desk.css"):
        heads, _ = at_once(desk, b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 45)
        assert refused(heads) == []
