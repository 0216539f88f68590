"""Leaving something at an address that somebody named, by the same guarded door by which is fetched what lies there (http.py)."""

import http.client
import threading
import time
from collections.abc import Mapping
from ipaddress import ip_address, ip_network

from app.core.http import Address, Guard, Refused, _Connection, _host_header, _parts, _path, is_public

# What people number their own networks with; but not where clouds tell machines their secrets.
_OWN = tuple(map(ip_network, ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"]))
_METADATA = frozenset(map(ip_address, ("100.100.100.200", "fd00:ec2::254")))


def is_near(address: Address) -> bool:
    """Whether an address is one of the open net or of a network of one's own, and not of this machine or its link."""
    own = address not in _METADATA and any(address in network for network in _OWN if network.version == address.version)
    return own or is_public(address)


def post(guard: Guard, url: str, body: bytes, headers: Mapping[str, str], *, patience: float) -> int:
    """Leave this there within `patience` seconds, and answer the status. Raises Refused.

    What else is said is not read, and no redirect is followed.
    """
    parts, host, port = _parts(url)
    if port not in guard.ports:
        raise Refused(f"port {port} is not for this")
    until = time.monotonic() + patience
    line = _Line(host, port, guard._places(host, port), guard.trusted if parts.scheme == "https" else None, until)
    sent = {"Accept-Encoding": "identity", "Connection": "close", **headers, "Host": _host_header(parts, host)}
    try:
        return line.leave(_path(parts), body, sent)
    except (OSError, http.client.HTTPException, ValueError) as wrong:
        raise Refused(f"{host} could not be asked: {wrong}") from None
    finally:
        line.close()


class _Line(_Connection):
    """The same connection; what is asked of it is to take something."""

    def leave(self, path: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status. Raises Refused, OSError, HTTPException."""
        watch = threading.Timer(max(self._until - time.monotonic(), 0), self._end)
        watch.daemon = True
        try:
            self.connect()
            watch.start()
            self._greet()
            self.request("POST", path, body, headers)
            with self.getresponse() as response:
                return response.status
        finally:
            watch.cancel()
