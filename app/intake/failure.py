"""What can go wrong with a mailbox, in our terms: a class that says how patiently to ask again, and words for people."""

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, IMAPClientReadOnlyError, ProtocolError

from app.core import text
from app.intake.rules.states import FailureClass

_OVERLOAD = re.compile(
    r"\[(?:UNAVAILABLE|LIMIT|INUSE|OVERQUOTA|THROTTLED)\]|too many|not connected|try again later", re.IGNORECASE
)
_COMMAND = re.compile(r"^(?:command: \S+ => |[a-z]+ failed: )+")  # which the library sets before them
_BYTES_SHOWN = re.compile(r"^b(['\"])(.*)\1$", re.DOTALL)  # the library passes some answers on as Python would print them


class MailboxFailure(Exception):
    """The mailbox can't be read now. `kind` says how patiently to ask again; the words are for people."""

    def __init__(self, kind: FailureClass, words: str) -> None:
        super().__init__(words)
        self.kind = kind


class Refused(MailboxFailure):
    """The server understood and said no."""

    def __init__(self, words: str) -> None:
        super().__init__(kind_of(words), words)


class Garbled(MailboxFailure):
    """The server answered what isn't IMAP."""

    def __init__(self, words: str) -> None:
        super().__init__(FailureClass.TRANSPORT, f"the server answered what isn't IMAP: {words}")


def kind_of(words: str) -> FailureClass:
    """Whether the server is only busy, by what it says."""
    return FailureClass.OVERLOAD if _OVERLOAD.search(words) else FailureClass.TRANSPORT


@contextmanager
def failures() -> Iterator[None]:
    """What the library raises, in our terms."""
    try:
        yield
    except ssl.SSLCertVerificationError as wrong:
        raise MailboxFailure(FailureClass.CERTIFICATE, f"its certificate is not good: {wrong.verify_message}") from wrong
    except IMAPClientReadOnlyError as wrong:  # an abort to the library, but the connection is fine
        raise Refused("it can only be read, and we have to mark what we have taken") from wrong
    except (OSError, IMAPClientAbortError) as wrong:
        words = said(wrong)
        raise MailboxFailure(kind_of(words), f"the connection was lost: {words}") from wrong
    except (ProtocolError, ValueError, TypeError, LookupError) as wrong:  # what the library trips over is the server's doing
        raise Garbled(said(wrong)) from wrong
    except IMAPClientError as wrong:
        raise Refused(said(wrong)) from wrong


def said(wrong: Exception) -> str:
    """What went wrong, in the server's or the system's own words."""
    if isinstance(wrong, TimeoutError):
        return "no answer in time"
    if isinstance(wrong, OSError) and wrong.strerror:
        return wrong.strerror
    first = wrong.args[0] if wrong.args else ""
    words = first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)
    words = _BYTES_SHOWN.sub(r"\2", _COMMAND.sub("", words))
    return text.one_line(words, most=300)
