"""Fetching what lies where strangers say, or leaving something there, without being led into our own house.

A name is looked up once, every address that it has must be a public one, and the connection goes to that very address, whatever
the name means a moment later; a certificate must still be the name's. Each redirect is looked at like the first address.
"""

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TypeVar
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import idna

Address = IPv4Address | IPv6Address

MOST_REDIRECTS = 3
MOST_ADDRESSES = 4  # of one name that are tried
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = {"User-Agent": "Mozilla/5.0", "Accept-Encoding": "identity", "Connection": "close"}
_SAFE = "/%:=&?~+!$,;'@()*[]-._"

# IANA's special-purpose registries, and what leads into another network: relays of 6to4, and multicast.
_SPECIAL = (
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 "
    "192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 "
    "2001::/23 2001:db8::/32 2002::/16 3fff::/20"
)
_NOT_PUBLIC = tuple(map(ip_network, _SPECIAL.split()))
_UNICAST = ip_network("2000::/3")  # the only part of IPv6 that is given out: no mapped, translated, local or own addresses


# What people number their own networks with; but not where clouds tell machines their secrets.
_OWN = tuple(map(ip_network, ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"]))
_METADATA = frozenset(map(ip_address, ("100.100.100.200", "fd00:ec2::254")))

T = TypeVar("T")


class Refused(Exception):
    """This could not be asked for, or must not be; the words say why."""


def is_public(address: Address) -> bool:
    """Whether an address is one of the open net, and leads nowhere else."""
    if isinstance(address, IPv6Address) and address not in _UNICAST:
        return False
    return not any(address in network for network in _NOT_PUBLIC if network.version == address.version)


def is_near(address: Address) -> bool:
    """Whether an address is one of the open net or of a network of one's own, and not of this machine or its link."""
    own = address not in _METADATA and any(address in network for network in _OWN if network.version == address.version)
    return own or is_public(address)


@dataclass(frozen=True)
class Guard:
    """Where may be asked: which addresses and ports. `ours` are names that mean ourselves; `trusted` checks certificates."""

    may_reach: Callable[[Address], bool] = is_public
    ports: Collection[int] = (80, 443)
    ours: Collection[str] = ()
    trusted: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def get(self, url: str, *, most: int, patience: float, accept: str = "*/*") -> bytes:
        """What lies there: at most `most` bytes, within `patience` seconds. Raises Refused.

        No cookie goes along, and no Referer.
        """
        until = time.monotonic() + patience
        for _ in range(MOST_REDIRECTS + 1):
            found = self._ask(url, most, until, accept)
            if isinstance(found, bytes):
                return found
            url = _onward(url, found)
        raise Refused("it sends us on too often")

    def post(self, url: str, body: bytes, headers: Mapping[str, str], *, patience: float) -> int:
        """Leave this there within `patience` seconds, and answer the status. Raises Refused.

        What else is said is not read, and no redirect is followed.
        """
        sent = {"Accept-Encoding": "identity", "Connection": "close", **headers}
        return self._talk("POST", url, body, sent, time.monotonic() + patience, lambda _, response: response.status)

    def _ask(self, url: str, most: int, until: float, accept: str) -> bytes | str:
        """The bytes, or where to go on."""
        sent = {**_HEADERS, "Accept": accept}
        return self._talk("GET", url, None, sent, until, lambda host, response: _taken(host, response, most))

    def _talk(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        until: float,
        read: Callable[[str, http.client.HTTPResponse], T],
    ) -> T:
        """What is read of the answer."""
        parts, host, port = _parts(url)
        if port not in self.ports:
            raise Refused(f"port {port} is not for this")
        connection = _Connection(host, port, self._places(host, port), self.trusted if parts.scheme == "https" else None, until)
        try:
            with connection.answering(method, _path(parts), body, {**headers, "Host": _host_header(parts, host)}) as response:
                return read(host, response)
        except (OSError, http.client.HTTPException, ValueError) as wrong:
            raise Refused(f"{host} could not be asked: {wrong}") from None
        finally:
            connection.close()

    def _places(self, host: str, port: int) -> list[tuple[int, tuple[object, ...]]]:
        """The addresses of a name, all of them allowed."""
        found = _looked_up(host, port)
        ours = {place[0] for name in self.ours for _, place in _looked_up(name, port, missing_ok=True)}
        for _, place in found:
            address = ip_address(str(place[0]).partition("%")[0])
            if not self.may_reach(address) or place[0] in ours:
                raise Refused(f"{host} is {address}, which is not on the open net")
        return found[:MOST_ADDRESSES]


class _Connection(http.client.HTTPConnection):
    """To an address that was looked at. It ends when its time is over, however slowly the other side speaks."""

    def __init__(
        self, host: str, port: int, places: list[tuple[int, tuple[object, ...]]], trusted: ssl.SSLContext | None, until: float
    ) -> None:
        super().__init__(host, port)
        self._name, self._places, self._trusted, self._until = host, places, trusted, until
        self._line: socket.socket

    @contextlib.contextmanager
    def answering(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer, to be read in time. Raises Refused, OSError, HTTPException."""
        watch = threading.Timer(max(self._until - time.monotonic(), 0), self._end)
        watch.daemon = True
        try:
            self.connect()
            watch.start()
            self._greet()
            self.request(method, path, body, headers)
            with self.getresponse() as response:
                yield response
        finally:
            watch.cancel()
        if time.monotonic() >= self._until:
            raise Refused(f"{self._name} took too long")

    def connect(self) -> None:
        """The first address that answers."""
        for last, (family, place) in enumerate(self._places, 1 - len(self._places)):
            self.sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                self.sock.settimeout(max(self._until - time.monotonic(), 0.001))
                self.sock.connect(place)
                break
            except OSError:
                self.sock.close()
                if not last:
                    raise
        self._line = self.sock
        if self.sock.getsockname()[0] == self.sock.getpeername()[0]:
            raise Refused(f"{self._name} is this machine itself")

    def _greet(self) -> None:
        if self._trusted:
            line = self._trusted.wrap_socket(self.sock, server_hostname=self._name, do_handshake_on_connect=False)
            self.sock = self._line = line
            line.do_handshake()

    def _end(self) -> None:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._line, socket.SHUT_RDWR)  # past TLS, which might wait for the other side


def _taken(host: str, response: http.client.HTTPResponse, most: int) -> bytes | str:
    """The bytes of an answer, or where it sends us."""
    if response.status in _REDIRECTS and (place := response.headers.get("Location")):
        return place
    if response.status != http.client.OK:
        raise Refused(f"{host} answers {response.status}")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refused(f"{host} sends what it was not asked for")
    if (response.length or 0) > most or len(body := response.read(most + 1)) > most:
        raise Refused(f"{host} sends more than {most} bytes")
    return body


def _onward(url: str, place: str) -> str:
    try:
        return urljoin(url, place)
    except ValueError:
        raise Refused("it sends us on to what is no address") from None


def _parts(url: str) -> tuple[SplitResult, str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host = host if host.isascii() else idna.encode(host, uts46=True).decode()
    except ValueError:
        raise Refused("that is no address") from None
    if parts.scheme not in {"http", "https"} or not host or "@" in parts.netloc:
        raise Refused("only plain addresses of the web are asked")
    return parts, host, port or (443 if parts.scheme == "https" else 80)


def _host_header(parts: SplitResult, host: str) -> str:
    named = f"[{host}]" if ":" in host else host
    return named if parts.port is None else f"{named}:{parts.port}"


def _path(parts: SplitResult) -> str:
    return quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")


def _looked_up(host: str, port: int, *, missing_ok: bool = False) -> list[tuple[int, tuple[object, ...]]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as wrong:
        if missing_ok:
            return []
        raise Refused(f"{host} is not known: {wrong}") from None
    return [(family, place) for family, *_, place in found]
