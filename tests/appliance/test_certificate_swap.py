"""A certificate of one's own, replaced while people come."""

import asyncio
import http.client
import shutil
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509

from tests.appliance import certificates, http3
from tests.appliance.conftest import kept
from tests.appliance.driver import Appliance, eventually
from tests.appliance.ports import port_of
from tests.appliance.visitors import BELIEVING, Visitors, shown

WITHIN = 15.0


class Brought:
    """A desk that is handed its certificates in a folder, and an authority that it knows."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder / "tls", certificates.root()
        self.root.issue(self.folder)
        (self.folder / "known.pem").write_bytes(self.root.pem)
        settings = {
            "ATUM_TLS": "files", "TLS_CERT": "/tls/tls.crt", "TLS_KEY": "/tls/tls.key", "SSL_CERT_FILE": "/tls/known.pem",
            "HSTS": "300", "HTTP3": "on",
        }  # fmt: skip
        self.root_pem = self.folder / "known.pem"
        self.desk = Appliance(folder, mail=False, settings=settings, more=f'volumes: ["{self.folder}:/tls:ro"]')

        self.desk.ports.append("127.0.0.1::443/udp")

    @property
    def port(self) -> int:
        return self.desk.port(443)

    def replace(self, made: Path) -> None:
        """Put another pair there, as programs that renew do: each file whole, one after the other."""
        for name in ("tls.crt", "tls.key"):
            shutil.copy(made.with_name(name), self.folder / f"{name}.new")
            (self.folder / f"{name}.new").rename(self.folder / name)

    def until_shown(self, made: Path, meanwhile: Callable[[], object] = lambda: None) -> float:
        """The seconds until visitors get this one."""
        wanted = x509.load_pem_x509_certificate(made.read_bytes())
        return eventually(lambda: (meanwhile(), shown(self.port))[1] == wanted, within=WITHIN, otherwise=self.desk.logs)

    def until_told(self, words: str) -> None:
        """Wait until health says it."""
        eventually(lambda: words in str(self.desk.parts()["tls"].get("reason")), within=WITHIN, otherwise=self.desk.parts)


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brought]:
    made = Brought(tmp_path_factory.mktemp("brought"))
    for _ in kept(made.desk, lambda one: one.up()):
        yield made


def test_browsers_that_believe_it_are_told_to_insist_and_of_http_3(brought: Brought) -> None:
    headers = brought.desk.client().http.get("/sign-in").headers
    assert headers["Strict-Transport-Security"] == "max-age=300"
    assert headers["Alt-Svc"] == 'h3=":443"; ma=86400'
    plain = http.client.HTTPConnection("127.0.0.1", brought.desk.port(80), timeout=10)
    plain.request("GET", "/", headers={"Host": "localhost"})
    answer = plain.getresponse()
    assert (answer.status, answer.headers["Strict-Transport-Security"], answer.headers["Alt-Svc"]) == (308, None, None)
    plain.close()


def test_it_answers_by_http_3(brought: Brought) -> None:
    found = asyncio.run(http3.get(port_of(brought.desk.container, 443, "udp"), "/sign-in", authorities=brought.root_pem))
    assert found[b":status"] == b"200"
    assert found[b"strict-transport-security"] == b"max-age=300"
    stranger = asyncio.run(
        http3.get(port_of(brought.desk.container, 443, "udp"), "/", authorities=brought.root_pem, host="evil.example")
    )
    assert stranger[b":status"] == b"421"


def test_a_pair_that_does_not_belong_together_changes_nothing_and_is_told(brought: Brought, tmp_path: Path) -> None:
    before = shown(brought.port)
    shutil.copy(certificates.make(tmp_path / "other")[0], brought.folder / "tls.crt")
    brought.until_told("/tls/tls.key is not the key of /tls/tls.crt")
    assert shown(brought.port) == before
    assert brought.desk.health()[1]["status"] == "degraded"
    assert brought.desk.logs().count("/tls/tls.key is not the key of /tls/tls.crt") == 1


@pytest.mark.parametrize("least", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_new_pair_is_shown_within_seconds_and_no_request_fails(brought: Brought, tmp_path: Path, least: int) -> None:
    made = brought.root.issue(tmp_path / "new")
    with Visitors(brought.port).coming() as visitors:
        eventually(lambda: visitors.answered > least / 3, within=200, every=0.05)
        with sending(brought.port) as slow:
            brought.replace(made)
            took = brought.until_shown(made, lambda: slow.sendall(b"1\r\nx\r\n"))
            time.sleep(2.5)
            slow.sendall(b"0\r\n\r\n")
            assert slow.recv(100).split()[1] == b"401"
        eventually(lambda: visitors.answered >= least, within=200, every=0.05)
    print(f"{visitors.answered} requests, {len(visitors.failed)} failed, new certificate after {took:.1f} s")
    assert visitors.failed == []
    assert brought.desk.parts()["tls"]["status"] == "ok"


@contextmanager
def sending(port: int) -> Iterator[ssl.SSLSocket]:
    """A request whose end has yet to come."""
    with (
        socket.create_connection(("127.0.0.1", port), 200) as raw,
        BELIEVING.wrap_socket(raw, server_hostname="localhost") as slow,
    ):
        slow.sendall(b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        yield slow
