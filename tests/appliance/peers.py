"""The mail server beside the desk: what a customer's mail program does with it."""

import contextlib
import imaplib
import smtplib
from collections.abc import Callable, Iterator, Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from docker.models.containers import Container

from tests.appliance.ports import Way, port_of

CAROL, DAVE, SUPPORT = "carol@acme.example", "dave@acme.example", "support@desk.example"
PASSWORD = "demo"


class Mail:
    """Sends by SMTP and reads by IMAP, as people do."""

    def __init__(self, container: Callable[[], Container], way: Way = port_of) -> None:
        self._container, self._way = container, way

    @property
    def container(self) -> Container:
        """The server's container, as it is now."""
        return self._container()

    def write(
        self, subject: str, text: str = "Please help.", *, sender: str = CAROL, to: str = SUPPORT, **headers: str
    ) -> EmailMessage:
        """Send one mail."""
        message = a_mail(subject, text, sender=sender, to=to, **headers)
        self.send([message])
        return message

    def send(self, messages: list[EmailMessage]) -> None:
        """Send several over one connection."""
        with smtplib.SMTP("127.0.0.1", self._way(self.container, 25), "test", timeout=10) as smtp:
            for message in messages:
                smtp.send_message(message)

    def answer(self, to: EmailMessage, text: str, *, sender: str = CAROL) -> EmailMessage:
        """Answer a mail as a mail program does."""
        references = f"{to['References'] or ''} {to['Message-ID']}".strip()
        subject = str(to["Subject"])
        return self.write(
            subject if subject.startswith("Re:") else f"Re: {subject}",
            text,
            sender=sender,
            to=str(to["Reply-To"] or to["From"]),
            In_Reply_To=str(to["Message-ID"]),
            References=references,
        )

    def inbox(self, address: str) -> list[EmailMessage]:
        """What arrived for an address, oldest first."""
        with self.imap(address) as imap:
            numbers = imap.search(None, "ALL")[1][0].split()
            return [_parsed(imap.fetch(number, "(BODY.PEEK[])")[1]) for number in (n.decode() for n in numbers)]

    def run_in_server(self, *command: str) -> list[str]:
        """The lines that a command inside the server's container prints."""
        code, output = self.container.exec_run(list(command))
        assert code == 0, output
        assert isinstance(output, bytes)
        return output.decode().splitlines()

    @contextlib.contextmanager
    def imap(self, address: str) -> Iterator[imaplib.IMAP4]:
        """Signed in to a mailbox."""
        imap = imaplib.IMAP4("127.0.0.1", self._way(self.container, 143), timeout=10)
        try:
            imap.login(address, PASSWORD)
            imap.select("INBOX", readonly=True)
            yield imap
        finally:
            imap.logout()


def a_mail(subject: str, text: str = "Please help.", *, sender: str = CAROL, to: str = SUPPORT, **headers: str) -> EmailMessage:
    """A customer's mail. Underscores in the names of further headers become hyphens."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = f"{sender.partition('@')[0].title()} <{sender}>"
    message["To"], message["Subject"] = to, subject
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=sender.partition("@")[2])
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message


def text_of(message: EmailMessage) -> str:
    """Its plain text."""
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def _parsed(fetched: Sequence[object]) -> EmailMessage:
    [(_, raw)] = [part for part in fetched if isinstance(part, tuple)]
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message
