"""`atum restore FILE`, root's half: stops the programs, has the other half work, decides, and starts the programs again.

Until the decision is on the disk (app/ops/backup/swapping.py) whatever fails leaves the desk as it was. After it, whatever fails
is finished by the next start.
"""

import os
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from app import config
from app.config import BadSettings, Settings
from app.core import clock
from app.entry.cli_restore import CHECKED, GO, PREPARED
from app.ops.backup import swapping

# In a container that was given a user of its own, that one is the desk's too.
BECOME = ["setpriv", "--reuid", "app", "--regid", "app", "--init-groups", "--inh-caps", "-all", "--"] if os.geteuid() == 0 else []
CLI = [sys.executable, "-m", "app.entry.cli"]
# All that uses the database; nginx stays, and shows what is being done.
PAUSED = ("api", "smtp-in", "workers")


def main() -> int:
    """The exit code of the command."""
    try:
        settings = config.load()
    except BadSettings:
        return subprocess.run([*BECOME, *CLI, "config", "check"], check=False).returncode
    here, there = socket.socketpair()
    tls = os.memfd_create("tls", 0)
    command = [*BECOME, *CLI, "restore", *sys.argv[1:], "--control", str(there.fileno()), "--tls-fd", str(tls)]
    with here, here.makefile("rw") as other, subprocess.Popen(command, pass_fds=(there.fileno(), tls)) as child:
        there.close()
        if other.readline() == CHECKED:
            restore(settings, other, tls)
        here.shutdown(socket.SHUT_RDWR)
        code = child.wait()
    if code == 0 and "--forget" in sys.argv:
        swapping.forget(settings.data_dir)
    return code


def restore(settings: Settings, other: TextIO, tls: int) -> None:
    """Once the backup is known to be whole and meant."""
    swapping.make_room(settings.data_dir)
    with paused(settings):
        other.write(GO)
        other.flush()
        if other.readline() != PREPARED:  # it has said why
            swapping.folders(settings.data_dir)
            return
        lay_certificates(settings.data_dir / "tls", tls)
        swapping.decide(settings.data_dir, clock.now())
        swapping.folders(settings.data_dir)
        supervisor(settings, "start", "workers:boot")
        while "RUNNING" in supervisor(settings, "status", "workers:boot"):
            time.sleep(0.2)
        subprocess.run([sys.executable, "-m", "app.ops.certificates", "again"], stdout=subprocess.DEVNULL, check=False)


def lay_certificates(folder: Path, tls: int) -> None:
    """Put those there that are not there yet: one that the desk has now is never older than the backup's."""
    with os.fdopen(tls, "rb") as file:
        file.seek(0)
        with tarfile.open(fileobj=file, mode="r:") as tar:
            for info in tar:
                path, found = folder / info.name, tar.extractfile(info)
                if found is None or path.exists():
                    continue
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as put:
                    put.write(found.read())


@contextmanager
def paused(settings: Settings) -> Iterator[None]:
    """Without the programs that use the database. Whatever happens, those that ran run again afterwards."""
    running = [line.split()[0] for line in supervisor(settings, "status").splitlines() if " RUNNING " in line]
    names = [name for name in running if name.partition(":")[0] in PAUSED]
    supervisor(settings, "stop", *names)
    try:
        yield
    finally:
        supervisor(settings, "start", *names)


def supervisor(settings: Settings, *words: str) -> str:
    """Ask supervisord, by its own command; what it says."""
    conf = str(settings.run_dir / "conf" / "supervisor" / "supervisord.conf")
    command = [str(Path(sys.executable).with_name("supervisorctl")), "-c", conf, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


if __name__ == "__main__":
    sys.exit(main())
