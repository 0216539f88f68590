"""Takes mail by SMTP on 25 (from anybody) and 587 (after signing in), and runs Dovecot beside it.

Every address is a mailbox; "name+anything@domain" is the mailbox "name@domain". Mail is kept here and goes nowhere else.
"""

# The names and what is handed in are aiosmtpd's, and the network is the container's own.
# ruff: noqa: ARG001, ARG002, N802, S104
import asyncio
import mailbox
import re
import signal
import sys
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

MAIL = Path("/mail")
PASSWORD = b"demo"
LARGEST = 64 * 1024 * 1024


class Door:
    """What the server does with each command."""

    async def handle_RCPT(self, server: SMTP, session: Any, envelope: Envelope, address: str, options: list[str]) -> str:
        """Anybody has a mailbox here, if the address can be a folder's name."""
        if not folder_of(address):
            return "550 5.1.3 That is not an address this server can have a mailbox for"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:
        """Into the maildir of each recipient, before it is confirmed."""
        assert isinstance(envelope.content, bytes)
        for address in {folder_of(one) for one in envelope.rcpt_tos}:
            await asyncio.to_thread(deliver, address, envelope.mail_from or "", envelope.content)
        return "250 2.0.0 Kept"


def folder_of(address: str) -> str:
    """The mailbox of an address, or nothing where it has none."""
    local, _, domain = address.lower().rpartition("@")
    name = f"{local.partition('+')[0]}@{domain}"
    return name if re.fullmatch(r"[a-z0-9_'-][a-z0-9._'=-]*@[a-z0-9][a-z0-9.-]*", name) else ""


def deliver(folder: str, sender: str, content: bytes) -> None:
    """Write to tmp, then move to new: whoever reads sees all of it or nothing."""
    box = mailbox.Maildir(MAIL / folder, create=True)
    box.add(b"Return-Path: <" + sender.strip("<>").encode() + b">\r\n" + content)


def authenticate(server: SMTP, session: Any, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
    """Any address with the one password."""
    return AuthResult(success=isinstance(given, LoginPassword) and given.password == PASSWORD, handled=False)


def anybody() -> SMTP:
    """Port 25."""
    return SMTP(Door(), hostname="mail", data_size_limit=LARGEST)


def signed_in() -> SMTP:
    """Port 587, in the clear: this is for a network between two containers."""
    return SMTP(
        Door(), hostname="mail", data_size_limit=LARGEST, authenticator=authenticate, auth_required=True, auth_require_tls=False
    )


async def serve() -> int:
    """Until told to stop, or until Dovecot ends."""
    loop = asyncio.get_running_loop()
    dovecot = await asyncio.create_subprocess_exec("/usr/sbin/dovecot", "-F")
    servers = [await loop.create_server(anybody, "0.0.0.0", 25), await loop.create_server(signed_in, "0.0.0.0", 587)]
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    ended = asyncio.ensure_future(dovecot.wait())
    await asyncio.wait([ended, asyncio.ensure_future(stopped.wait())], return_when=asyncio.FIRST_COMPLETED)
    for server in servers:
        server.close()
    if stopped.is_set():
        dovecot.terminate()
        await ended
        return 0
    return 1


if __name__ == "__main__":
    Path("/run/dovecot").mkdir(exist_ok=True)
    sys.exit(asyncio.run(serve()))
