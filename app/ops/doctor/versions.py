"""What the desk is made of."""

import platform
import ssl
from collections.abc import Iterable

from app import __version__
from app.ops import migrate
from app.ops.doctor.findings import Finding, Level, Room


def look(room: Room) -> Iterable[Finding]:  # noqa: ARG001 (every look is handed the room)
    yield Finding("version", Level.OK, ", ".join(f"{name} {value}" for name, value in known().items()))


def known() -> dict[str, str]:
    """Each by its name; what the servers are is told where they are asked."""
    return {
        "ATUM Desk": __version__,
        "schema": migrate.head(),
        "Python": platform.python_version(),
        "OpenSSL": ssl.OPENSSL_VERSION.split()[1],
        "Linux": platform.release(),
    }
