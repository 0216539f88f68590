"""The application as a server runs it: wired, waiting for the ready mark, and giving signs of life."""

import asyncio
import signal
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from types import FrameType

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import config
from app.accounts import passwords
from app.core.signing import Signer
from app.db.redis import Counters
from app.db.session import Database
from app.entry.loop import Worker
from app.files.disk import Blobs
from app.ops.health import Watch
from app.web.app import create
from app.web.desk import Desk

THREADS = 5  # more of them take the interpreter from each other: lists are a quarter slower with eight
CONNECTIONS = 8  # some for streams that begin and for downloads, which have threads of their own


def application() -> ASGIApp:
    """The desk's application, with the settings in force."""
    worker = Worker(config.process_name("api_00"), config.load())
    settings = worker.settings
    passwords.share(settings.app_run)
    _make_room(settings)
    db = Database(settings.database_dsn, pool=CONNECTIONS, name=worker.name)
    counters = Counters(settings.redis_dsn)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(worker.wait_until_ready)
        _when_asked_to_stop(app.state.live.end)
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "door"))
        current_default_thread_limiter().total_tokens = THREADS
        beating = asyncio.create_task(_beat(worker))
        yield
        beating.cancel()
        app.state.live.end()
        db.close()

    return calm(create(_desk(settings, db, counters), life))


def _make_room(settings: config.Settings) -> None:
    """Uploads wait on the volume. TMPDIR would be tried by writing into it, and given up for good if that is full just then."""
    settings.uploads.mkdir(mode=0o700, parents=True, exist_ok=True)
    tempfile.tempdir = str(settings.uploads)


def calm(app: ASGIApp) -> ASGIApp:
    """The framework raises once more what it has answered with 500, and a server then closes the connection.

    nginx may have sent it the next request by then, which would be lost. What was answered whole is logged, and that is all.
    """

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        whole = False

        async def sent(message: Message) -> None:
            nonlocal whole
            await send(message)
            whole = message["type"] == "http.response.body" and not message.get("more_body")

        try:
            await app(scope, receive, sent)
        except Exception:
            if not whole:
                raise

    return answering


def _when_asked_to_stop(end: Callable[[], None]) -> None:
    """The server says that it ends only after the last answer: streams, which never end, hear it from the signal itself."""
    if threading.current_thread() is not threading.main_thread():
        return
    loop, servers = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)

    def stop(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(end)
        if callable(servers):
            servers(number, frame)

    signal.signal(signal.SIGTERM, stop)


async def _beat(worker: Worker) -> None:
    while True:
        worker.beat()
        await asyncio.sleep(1)


def _desk(settings: config.Settings, db: Database, counters: Counters) -> Desk:
    return Desk(
        settings=settings,
        db=db,
        counters=counters,
        signer=Signer(config.secret_key(settings)),
        blobs=Blobs(settings.data_dir / "files"),
        watch=Watch(settings, db, counters),
    )
