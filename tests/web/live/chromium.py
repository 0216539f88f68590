"""A real browser, steered through a pipe (the DevTools protocol), for what only its own scripts do."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

PROGRAM = shutil.which("chromium")


class Chromium:
    """One page of it. What takes longer than `patience` seconds fails."""

    def __init__(self, *, patience: float = 30.0) -> None:
        self._patience = patience
        self._numbers = itertools.count(1)
        self._came = b""
        self._session = ""

    def __enter__(self) -> Self:
        assert PROGRAM
        self._home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        theirs, self._to = os.pipe()
        self._from, told = os.pipe()
        options = [
            *(
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-background-networking",
                "--no-first-run",
            ),
            *("--remote-debugging-pipe", f"--user-data-dir={self._home.name}", "--window-size=1200,1400", "about:blank"),
        ]
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{theirs} 4>&{told}', "bash", PROGRAM, *options],
            pass_fds=(theirs, told),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs)
        os.close(told)
        pages = self._eventually(lambda: [t for t in self("Target.getTargets")["targetInfos"] if t["type"] == "page"])
        self._session = self("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)["sessionId"]
        return self

    def __exit__(self, kind: type[BaseException] | None, wrong: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)
        self._home.cleanup()

    def __call__(self, method: str, **given: Any) -> dict[str, Any]:
        """What the browser answers to a command."""
        number = next(self._numbers)
        asked = {"id": number, "method": method, "params": given} | ({"sessionId": self._session} if self._session else {})
        os.write(self._to, json.dumps(asked).encode() + b"\0")
        while True:
            while b"\0" not in self._came:
                piece = os.read(self._from, 1_000_000)
                assert piece, "the browser went away"
                self._came += piece
            one, _, self._came = self._came.partition(b"\0")
            told = json.loads(one)
            if told.get("id") == number:
                assert "error" not in told, told
                found: dict[str, Any] = told["result"]
                return found

    def open(self, url: str, **headers: str) -> None:
        self("Network.enable")
        self("Network.setExtraHTTPHeaders", headers=headers)
        self("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && location.href.startsWith('http')")

    def value(self, script: str) -> Any:
        return self("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)["result"].get("value")

    def until(self, script: str) -> None:
        """Wait until this is so."""
        self._eventually(lambda: self.value(script))

    def picture(self) -> bytes:
        """The whole page (PNG)."""
        return base64.b64decode(self("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def _eventually(self, found: Callable[[], Any]) -> Any:
        until = time.monotonic() + self._patience
        while not (value := found()):
            assert time.monotonic() < until, "it did not come to pass"
            time.sleep(0.05)
        return value
