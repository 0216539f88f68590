"""Every call in the documentation is copied from its page and run with curl, against a server that listens."""

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import uvicorn

from app.core import clock
from app.db.redis import Counters
from app.ops.health import Report, Watch
from app.web import describe, manual
from app.web.app import create
from tests.web.conftest import Web
from tests.web.furniture import Furniture, furnish
from tests.web.undone import Undone

pytestmark = [pytest.mark.db, pytest.mark.timeout(300), pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")]
# What only a person's own device can answer; tests/web/sign_in has them with a device made of software.
BY_A_DEVICE = {
    "POST /api/v1/auth/passkeys",
    "POST /api/v1/auth/passkeys/sign-in",
    "POST /api/v1/auth/otp/confirmation",
    "POST /api/v1/auth/otp/recovery-codes",
    "POST /api/v1/auth/otp/removal",
}


@pytest.fixture
def listening(web: Web, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Undone]]:
    """The URL of the application on a port of its own, and the database in which nothing lasts."""
    monkeypatch.setattr(Counters, "add", lambda *_, **__: 1)
    monkeypatch.setattr(Watch, "report", lambda _: Report("healthy", clock.now(), {}))
    db = Undone(web.desk.db)
    app = create(replace(web.desk, db=db))
    app.state.live.life = 0.0
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([door],))
        thread.start()
        until = time.monotonic() + 10
        while not server.started and time.monotonic() < until:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{door.getsockname()[1]}", db
        server.should_exit = True
        thread.join(10)


def test_every_documented_call_works_as_it_stands(web: Web, listening: tuple[str, Undone], tmp_path: Path) -> None:
    url, db = listening
    found = furnish(web)
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.4")
    document = describe.document(web.app)
    failed = []
    for call in manual.calls(document):
        at = f"{call.method} {call.path}"
        if at in BY_A_DEVICE:
            continue
        script = call.curl.replace(document["servers"][0]["url"], url).replace("curl", "curl -sS -w '\\n%{http_code}'", 1)
        for told, here in _numbers(found, call).items():
            script = script.replace(told, here)
        with db.again():
            done = subprocess.run(
                ["bash", "-c", script], cwd=tmp_path, env=_environment(found, call), capture_output=True, text=True, timeout=20,
                check=False,
            )  # fmt: skip
        status = done.stdout.rpartition("\n")[2]
        if not status.startswith("2"):
            failed.append(f"{at}: {status} {done.stdout[:300]} {done.stderr}\n{script}")
    assert not failed, "\n\n".join(failed)


def _environment(found: Furniture, call: manual.Call) -> dict[str, str]:
    """What the page tells its reader to set: a token, and what stands in the path."""
    who = found.who_may(call.path)
    places = {name.upper(): str(value) for name, value in found.places(call.method, call.path).items()}
    return {"PATH": "/usr/bin:/bin", "TOKEN": found.tokens[who]} | places


def _numbers(found: Furniture, call: manual.Call) -> dict[str, str]:
    """Words of the examples that name something, and what they are called here."""
    example = found.body(call.method, call.path, None)
    known = {f"?ticket={n}": f"?ticket={found.tickets['accepted']}" for n in (1, 7)}
    if isinstance(example, dict):
        body = call.curl.partition("-d '")[2].rpartition("'")[0]
        if body:
            known |= {body: manual.written(example)}
        for line in call.curl.split(" \\\n  "):
            name = line.partition("'")[2].partition("=")[0]
            if line.startswith("--data-urlencode") and name in example:
                known[line] = f"--data-urlencode '{name}={example[name]}'"
    return known
