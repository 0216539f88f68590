"""The `certificates` program: sees a new or ageing certificate, has it installed, and has nginx take it up.

It only looks at the files' times. What needs a cryptography library runs in a process of its own that ends again (a renewal
now and then is not worth its memory all the time), and so does the reload, as nginx's own user.
"""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from app import config
from app.config import Settings

LOOK_EVERY = 5.0  # seconds
CHECK_EVERY = 6 * 3600.0  # seconds: expiry comes nearer without any file changing
AS = Path(__file__).parents[2] / "image" / "as"

Mark = tuple[tuple[int, int, int] | None, ...]


def mark(*paths: Path) -> Mark:
    """What changes when one of these files is replaced, also by a symbolic link that now leads elsewhere."""
    return tuple(_one(path) for path in paths)


def watched(settings: Settings) -> tuple[Path, Path]:
    """The two files that people replace."""
    folder = settings.data_dir / "tls"
    return settings.tls_cert or folder / "tls.crt", settings.tls_key or folder / "tls.key"


def refresh(settings: Settings) -> None:
    """Install what is in force; reload nginx if that changed what it shows. A refused pair has been told, and changes nothing."""
    installed = (settings.run_dir / "tls" / "tls.crt", settings.run_dir / "tls" / "tls.key")
    before = mark(*installed)
    subprocess.run([sys.executable, "-m", "app.ops.certificates"], check=False)
    if mark(*installed) != before:
        conf = str(settings.run_dir / "conf" / "nginx" / "nginx.conf")
        command = [str(AS), "nginx", "nginx", "-e", "stderr", "-c", conf, "-s", "reload"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        failed = f"ERROR: nginx did not take up the new certificate: {done.stderr}"
        print(failed if done.returncode else "INFO: nginx shows the new certificate", file=sys.stderr)


def main() -> None:
    settings = config.load()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    seen, checked = mark(*watched(settings)), time.monotonic()
    while not stop.wait(LOOK_EVERY):
        present, now = mark(*watched(settings)), time.monotonic()
        if present != seen or now - checked > CHECK_EVERY:
            seen, checked = present, now
            refresh(settings)


def _one(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


if __name__ == "__main__":
    main()
