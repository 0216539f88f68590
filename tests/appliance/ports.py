"""Where a container's ports are on this machine."""

import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable

from docker.models.containers import Container

Way = Callable[[Container, int], int]
RELAY = """
import os, socket, sys, threading
line = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def there():
    while data := os.read(0, 65536):
        line.sendall(data)
    line.shutdown(socket.SHUT_WR)
threading.Thread(target=there, daemon=True).start()
while data := line.recv(65536):
    os.write(1, data)
os._exit(0)
"""


def port_of(container: Container, inside: int, kind: str = "tcp") -> int:
    """The port on 127.0.0.1 that leads to a port inside. Raises LookupError where none does."""
    container.reload()
    bound = container.ports.get(f"{inside}/{kind}")
    if not bound:
        raise LookupError(f"{container.name} has no port {inside} at the moment")
    return int(bound[0]["HostPort"])


class ByHand:
    """A way to the ports of containers that have no network: each connection is carried by a `docker exec`."""

    def __init__(self) -> None:
        self._doors: dict[tuple[str, int], socket.socket] = {}
        self._carriers: list[subprocess.Popen[bytes]] = []

    def __call__(self, container: Container, inside: int) -> int:
        key = (container.id or "", inside)
        if key not in self._doors:
            self._doors[key] = socket.create_server(("127.0.0.1", 0))
            threading.Thread(target=self._serve, args=key, daemon=True).start()
        return int(self._doors[key].getsockname()[1])

    def close(self) -> None:
        for door in self._doors.values():
            door.close()
        for carrier in self._carriers:
            carrier.kill()
            carrier.wait()

    def _serve(self, container: str, inside: int) -> None:
        command = ["docker", "exec", "-i", container, "python3", "-c", RELAY, str(inside)]
        with contextlib.suppress(OSError):  # closed
            while True:
                line, _ = self._doors[container, inside].accept()
                with line:
                    self._carriers.append(subprocess.Popen(command, stdin=line.fileno(), stdout=line.fileno()))
