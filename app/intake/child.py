"""The child that reads foreign mail: little memory, little time, no files, no children, none of our secrets.

It stands between two risks: a mail that makes a parser slow or makes it fall, and a mail that makes it do something else.
It is started for `app.intake.reader`, forked from a process that has loaded the parsers and reads nothing. It serves one mail
after the other, and goes when nothing comes for a while, because what is loaded takes memory that a quiet desk doesn't need.
"""

import json
import math
import resource
import select
import socket
from contextlib import suppress
from dataclasses import asdict

from app.core import clock
from app.core.confine import AUTHORITIES, confine
from app.intake import frames, nursery
from app.intake.rules import keys, read, sequoia, smime
from app.intake.rules import mail as mails
from app.intake.rules.mail import Mail

MEMORY = 512 * 1024 * 1024
CPU = 10  # seconds for one mail
OPEN_FILES = 16  # its three, and what is loaded when it is needed


def main() -> None:
    """The process that children are forked from."""
    nursery.keep(serve)


def serve() -> None:
    """Serve until the parent goes or nothing comes."""
    _limit()
    confine()
    with socket.socket(fileno=0) as parent:
        while select.select([parent], [], [], nursery.IDLE)[0]:
            try:
                raw = frames.receive(parent)
                _allow_cpu()
                _answer(parent, raw)
            except frames.Broken:
                return


def _answer(parent: socket.socket, raw: bytes) -> None:
    mail, files = read.mail(raw)
    head = {"mail": mails.to_json(mail), "files": [f.described() for f in files]}
    frames.send(parent, json.dumps(head).encode())
    for f in files:
        frames.send(parent, f.content)
    if mail.unchecked:  # last, so that whatever happens here the mail is read
        _look_closer(parent, raw, mail)


def _look_closer(parent: socket.socket, raw: bytes, mail: Mail) -> None:
    """What its signature shows, by the keys that the parent names, and which keys it brings."""
    confirmed = keys.confirmed_from_json(json.loads(frames.receive(parent)))
    seal = mail.seal
    if seal and seal.unchecked:
        now = clock.now()
        seal = sequoia.checked(raw, confirmed, now=now) if seal.openpgp else smime.checked(raw, now=now, roots=_roots())
    brought = sequoia.brought(raw) if mail.brings_keys else ()
    frames.send(parent, json.dumps({"seal": seal and asdict(seal), "keys": keys.to_json(brought)}).encode())


def _roots() -> bytes:
    """The certificates of the authorities that this system knows (PEM)."""
    with suppress(OSError):
        return AUTHORITIES.read_bytes()
    return b""


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))


def _allow_cpu() -> None:
    """CPU time is counted over a process's life, so the limit moves on with each mail; the kernel ends who passes it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = math.ceil(used.ru_utime + used.ru_stime) + CPU
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
