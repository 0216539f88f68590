"""Fetching what strangers name: only from the open net, and never longer or more than was allowed."""

import ipaddress
import random
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.core import http
from app.core.http import Guard, Refused

HERE = "127.0.0.2"  # not where we ask from: that would be ourselves
ALSO_ALLOWED = ("192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24")  # in IANA's list, and reached from everywhere


def local(address: IPv4Address | IPv6Address) -> bool:
    return address == ip_address(HERE)


@contextmanager
def serving(answer: Callable[[socket.socket], None], trusted: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """A server that gives each connection to `answer`; its port, and what it was asked."""
    asked: list[bytes] = []
    server = socket.create_server((HERE, 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                line, _ = server.accept()
                threading.Thread(target=one, args=(line,), daemon=True).start()

    def one(line: socket.socket) -> None:
        with suppress(OSError), line:
            if trusted:
                line = trusted.wrap_socket(line, server_side=True)
            asked.append(whole(line))
            answer(line)
            line.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield server.getsockname()[1], asked
    finally:
        server.close()


def whole(line: socket.socket) -> bytes:
    """A request, its body too, in however many pieces it comes."""
    got = b""
    while piece := line.recv(65536):
        got += piece
        head, end, body = got.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if end and len(body) >= (int(length[1]) if length else 0):
            break
    return got


def says(body: bytes, status: str = "200 OK", **headers: str) -> Callable[[socket.socket], None]:
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return lambda line: line.sendall(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)


def fetched(url: str, port: int, *, most: int = 1000, patience: float = 5.0, guard: Guard | None = None) -> bytes:
    return (guard or Guard(may_reach=local, ports=(port,))).get(url, most=most, patience=patience, accept="image/png")


def test_it_brings_what_lies_there_and_takes_nothing_along() -> None:
    with serving(says(b"bytes")) as (port, asked):
        assert fetched(f"http://{HERE}:{port}/a b.png?x=1&ü=2#f", port) == b"bytes"
    lines = asked[0].decode().split("\r\n")
    assert lines[0] == "GET /a%20b.png?x=1&%C3%BC=2 HTTP/1.1"
    assert {line.partition(":")[0] for line in lines[1:] if line} == {
        "User-Agent",
        "Accept-Encoding",
        "Connection",
        "Host",
        "Accept",
    }
    assert f"Host: {HERE}:{port}" in lines


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
     "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[fe80::1]", "[fd00::1]", "[fec0::1]", "[ff02::1]",
     "[2001:db8::1]",
     "169.254.169.254", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255",
     "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "0", "localhost", "localhost.", "LOCALHOST",
     "\uff11\uff12\uff17.0.0.1"],
)  # fmt: skip
def test_no_address_of_a_house_is_asked(host: str) -> None:
    with pytest.raises(Refused, match=r"not on the open net|not known"):
        Guard().get(f"http://{host}/", most=1000, patience=5)


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "gopher://x.example/", "ftp://x.example", "http://u@x.example/", "http://u:p@x.example/", "http://",
     "//x", "http://[::1", "http://x.example:99999/", "javascript:1", "", "http://x.example:22/", "http://x.example:5432/",
     "https://\u2488.example:6379/", "http://" + "a" * 70],
)  # fmt: skip
def test_no_other_kind_of_address_is_asked(url: str) -> None:
    with pytest.raises(Refused):
        Guard().get(url, most=1000, patience=5)


def test_we_do_not_ask_ourselves(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(says(b"x")) as (port, asked):
        named(monkeypatch, {"desk.example": [HERE], "alias.example": [HERE]})
        for host in ("desk.example", "alias.example"):
            with pytest.raises(Refused, match="open net"):
                Guard(may_reach=local, ports=(port,), ours=("desk.example",)).get(f"http://{host}:{port}/", most=9, patience=5)
        assert asked == []


def test_we_do_not_ask_this_machine_by_any_of_its_addresses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as ours:
        port = ours.getsockname()[1]
        with pytest.raises(Refused, match="this machine itself"):
            Guard(may_reach=lambda _: True, ports=(port,)).get(f"http://127.0.0.1:{port}/", most=9, patience=5)


def named(monkeypatch: pytest.MonkeyPatch, names: dict[str, list[str]]) -> list[str]:
    """What names mean, from now on; answers the list of those that are asked for."""
    asked: list[str] = []

    def look_up(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        if host not in names:
            raise socket.gaierror(f"{host} is unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in names[host]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def test_a_name_with_one_address_in_a_house_is_not_asked_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, {"x.example": ["93.184.215.14", "10.0.0.1"]})
    with pytest.raises(Refused, match="open net"):
        Guard().get("http://x.example/", most=9, patience=5)


def test_a_name_that_changes_its_mind_is_asked_where_it_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the second answer would lead into the house, so there is no second question, but for a redirect."""
    with serving(says(b"x")) as (port, _):
        names = {"x.example": [HERE]}
        asked = named(monkeypatch, names)
        assert fetched(f"http://x.example:{port}/", port) == b"x"
        assert asked == ["x.example"]

    def once(address: IPv4Address | IPv6Address) -> bool:
        names["x.example"] = ["127.0.0.1"]
        return local(address)

    with serving(says(b"", "302 Found", Location="/again")) as (port, _), pytest.raises(Refused, match=r"is 127\.0\.0\.1"):
        fetched(f"http://x.example:{port}/", port, guard=Guard(may_reach=once, ports=(port,)))


@pytest.mark.parametrize(
    "place", ["http://10.0.0.1/", "//169.254.169.254/", "file:///etc/passwd", "gopher://x/", "http://[::1]/"]
)
def test_a_redirect_into_a_house_is_refused(place: str) -> None:
    with serving(says(b"", "302 Found", Location=place)) as (port, _), pytest.raises(Refused):
        fetched(f"http://{HERE}:{port}/", port)


@pytest.mark.parametrize("place", ["http://[::1", "//[x", "http://a]b/", "http://" + "a" * 70, "http://\u2488..x/", "x:" * 999])
def test_a_redirect_to_what_is_no_address_is_refused_like_any_other(place: str) -> None:
    with serving(says(b"", "302 Found", Location=place)) as (port, _), pytest.raises(Refused):
        fetched(f"http://{HERE}:{port}/", port)


def test_three_redirects_are_followed_and_no_fourth() -> None:
    def answer(line: socket.socket) -> None:
        step = int(asked[-1].split(b" ")[1].strip(b"/"))
        says(b"there" if not step else b"", "200 OK" if not step else "302 Found", Location=f"/{step - 1}")(line)

    with serving(answer) as (port, asked):
        assert fetched(f"http://{HERE}:{port}/3", port) == b"there"
        with pytest.raises(Refused, match="too often"):
            fetched(f"http://{HERE}:{port}/4", port)


@pytest.mark.parametrize("told", [True, False])
def test_too_much_is_refused_whether_it_is_announced_or_not(told: bool) -> None:
    with serving(says(b"x" * 1001, **({"Content_Length": "1001"} if told else {}))) as (port, _):
        with pytest.raises(Refused, match="more than 1000 bytes"):
            fetched(f"http://{HERE}:{port}/", port)
        assert len(fetched(f"http://{HERE}:{port}/", port, most=1001)) == 1001


@pytest.mark.parametrize(
    "answer",
    [says(b"x", "404 Not Found"), says(b"x", Content_Encoding="gzip"), lambda line: line.sendall(b"SSH-2.0\r\n"), lambda _: None],
)
def test_what_is_no_answer_is_refused(answer: Callable[[socket.socket], None]) -> None:
    with serving(answer) as (port, _), pytest.raises(Refused):
        fetched(f"http://{HERE}:{port}/", port)


def drip(first: bytes) -> Callable[[socket.socket], None]:
    def answer(line: socket.socket) -> None:
        line.sendall(first)
        while True:
            line.sendall(b"x")
            time.sleep(0.05)

    return answer


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\nX-A: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_who_speaks_slowly_is_not_listened_to_for_long(first: bytes) -> None:
    began = time.monotonic()
    with serving(drip(first)) as (port, _), pytest.raises(Refused):
        fetched(f"http://{HERE}:{port}/", port, patience=0.5, most=10**6)
    assert time.monotonic() - began < 3


def test_who_does_not_shake_hands_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    with serving(drip(b"\x16\x03\x01")) as (port, _), pytest.raises(Refused):
        fetched(f"https://{HERE}:{port}/", port, patience=0.5)
    assert time.monotonic() - began < 3


def test_a_certificate_must_be_the_names_though_an_address_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    server, client = certified("pictures.example", tmp_path)
    named(monkeypatch, {"pictures.example": [HERE], "other.example": [HERE]})
    with serving(says(b"x"), server) as (port, _):
        guard = Guard(may_reach=local, ports=(port,), trusted=client)
        assert fetched(f"https://pictures.example:{port}/", port, guard=guard) == b"x"
        with pytest.raises(Refused, match="certificate"):
            fetched(f"https://other.example:{port}/", port, guard=guard)
        with pytest.raises(Refused, match="certificate"):
            fetched(f"https://pictures.example:{port}/", port)


def certified(name: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for `name`, and a client's that trusts it."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "both.pem").write_bytes(pem + secret)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "both.pem")
    return server, ssl.create_default_context(cadata=pem.decode())


def test_the_second_address_of_a_name_is_tried_where_the_first_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(says(b"x")) as (port, _):
        named(monkeypatch, {"x.example": ["127.0.0.3", HERE]})
        guard = Guard(may_reach=lambda address: address.is_loopback, ports=(port,))
        assert fetched(f"http://x.example:{port}/", port, guard=guard) == b"x"


def test_what_is_public_is_what_the_registries_say() -> None:
    """100,000 addresses of each kind, half of them near the edges of what is special, by another implementation."""
    chance = random.Random(52)
    edges = [network[side] for network in http._NOT_PUBLIC for side in (0, -1)]
    for version, bits, make in ((4, 32, IPv4Address), (6, 128, IPv6Address)):
        near = [int(edge) for edge in edges if edge.version == version]
        for n in range(100_000):
            number = chance.getrandbits(bits) if n % 2 else (chance.choice(near) + chance.randint(-3, 3)) % 2**bits
            address = make(number)
            assert http.is_public(address) == expected(address), address


def expected(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and (
        address not in ipaddress.ip_network("2000::/3")
        or any(address in ipaddress.ip_network(each) for each in ("2001::/23", "2002::/16", "3fff::/20"))
    ):
        return False
    if address in ipaddress.ip_network("192.0.0.0/24") or address in ipaddress.ip_network("192.88.99.0/24"):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved
