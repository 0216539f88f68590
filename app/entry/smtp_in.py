"""The smtp-in process: the SMTP door, on the socket that supervisord opened (it may, and we needn't), or on 127.0.0.1:2525."""

import asyncio
import contextlib
import logging
import resource
import signal
import socket
import ssl
import sys

from app.config import Settings
from app.db.session import Database
from app.entry.loop import Worker, worker
from app.intake.smtp import STOPPING, Door
from app.ops.installed import Mark, for_smtp, mark

LOOK_EVERY = 1.0  # seconds
LAST_WORDS = 0.5  # seconds
FILES = 4096  # two for each connection, and some

log = logging.getLogger(__name__)


class Certificate:
    """The certificate that is installed for us, taken up again when it is replaced. Without one there is no STARTTLS."""

    def __init__(self, settings: Settings) -> None:
        self._files = for_smtp(settings)
        self._seen: Mark = (None, None)
        self.context: ssl.SSLContext | None = None

    def look(self) -> None:
        """Take up what is there now. The key may be newer than the certificate for a moment: then what was there stays."""
        now = mark(*self._files)
        if now == self._seen or None in now:
            return
        fresh = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        fresh.minimum_version = ssl.TLSVersion.TLSv1_2
        with contextlib.suppress(ssl.SSLError, OSError):
            fresh.load_cert_chain(*self._files)
            self.context, self._seen = fresh, now


def listening() -> socket.socket:
    """The socket on our standard input, where somebody opened one for us."""
    with contextlib.suppress(OSError):
        given = socket.socket(fileno=sys.__stdin__.fileno())  # type: ignore[union-attr]
        if given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return given
        given.detach()
    return socket.create_server(("127.0.0.1", 2525))


async def serve(me: Worker, database: Database) -> None:
    """Until told to stop. Whoever is connected then is told to come again."""
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    certificate = Certificate(me.settings)
    door = Door(me.settings, database, tls=lambda: certificate.context)
    certificate.look()
    server = await loop.create_server(door.connection, sock=listening(), backlog=1024)
    while not stopping.is_set() and not me.stop.is_set():
        me.beat()
        certificate.look()
        door.crowd.forget(loop.time())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), LOOK_EVERY)
    server.close()
    for connection in list(door.connections):
        connection.end(STOPPING)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(loop.run_in_executor(None, door.close), LAST_WORDS)


def main() -> None:
    """Run until told to stop."""
    me = worker("smtp-in")
    for noisy in ("mail.log", "asyncio"):  # they tell of what strangers do, line by line
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(FILES, hard)), hard))
    me.listen_for_signals()
    if me.wait_until_ready():
        database = Database(me.settings.database_dsn, pool=5, name=me.name)
        asyncio.run(serve(me, database))
        database.close()


if __name__ == "__main__":
    main()
