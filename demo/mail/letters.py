"""What `write`, `inbox` and `answer` share: sending to the server next door, and reading a mailbox."""

import os
import re
import smtplib
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from email.utils import formatdate, make_msgid, parseaddr
from pathlib import Path

SUPPORT = os.environ.get("SUPPORT", "support@desk.example")
CUSTOMER = os.environ.get("CUSTOMER", "carol@example.net")


def send(sender: str, to: str, subject: str, text: str, **headers: str) -> str:
    """One mail to one address; its Message-ID."""
    message = EmailMessage()
    name = parseaddr(sender)[1].partition("@")[0].replace(".", " ").title()
    message["From"], message["To"], message["Subject"] = f"{name} <{sender}>", to, subject
    message["Date"], message["Message-ID"] = formatdate(localtime=True), make_msgid(domain=sender.rpartition("@")[2])
    for header, value in headers.items():
        message[header.replace("_", "-")] = value
    message.set_content(text)
    with smtplib.SMTP("127.0.0.1", 25, "localhost", timeout=10) as smtp:
        smtp.send_message(message, from_addr=sender, to_addrs=[parseaddr(to)[1]])
    return str(message["Message-ID"])


def inbox(address: str) -> list[EmailMessage]:
    """What arrived for an address, oldest first."""
    folder = Path("/mail") / address.lower()
    if not re.fullmatch(r"[a-z0-9._'=@-]+", address.lower()) or not folder.is_dir():
        return []
    arrived = sorted(folder.glob("[cn]*/*"), key=lambda path: path.name.partition(":")[0])
    return [_parsed(path) for path in arrived]


def _parsed(path: Path) -> EmailMessage:
    with path.open("rb") as file:
        message = BytesParser(policy=default).parse(file)
    assert isinstance(message, EmailMessage)
    return message


def text_of(message: EmailMessage) -> str:
    """Its plain text."""
    part = message.get_body(("plain", "html"))
    return str(part.get_content()).strip() if part else ""
