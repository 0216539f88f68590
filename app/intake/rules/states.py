"""The states of mailboxes and of mails."""

from enum import StrEnum


class MailboxState(StrEnum):
    """`failing` is tried again at `next_try_at`; `blocked` was refused so often that we only ask a few times a day.

    `needs_reauth` is not tried at all: what we were allowed is over, and a person has to allow it again.
    """

    OK = "ok"
    FAILING = "failing"
    BLOCKED = "blocked"
    NEEDS_REAUTH = "needs_reauth"


class SenderFrom(StrEnum):
    """Which field of a mailbox's mails says who wrote: From, or Reply-To, where forms write everything in their own name."""

    FROM = "from"
    REPLY_TO = "reply_to"


class Disowned(StrEnum):
    """What becomes of a mail that the domain of its From disowns: it is held; it becomes a ticket of its own or a suggestion,
    marked as what it is; or it is taken as one of which nothing is known.
    """

    QUARANTINE = "quarantine"
    FLAG = "flag"
    ACCEPT = "accept"


class FailureClass(StrEnum):
    """Why a mailbox can't be read: who has to do something about it, and how patiently we ask again."""

    AUTH = "auth"
    GRANT = "grant"
    FOLDER = "folder"
    CERTIFICATE = "certificate"
    OVERLOAD = "overload"
    TRANSPORT = "transport"


class MailState(StrEnum):
    """`new` waits to be processed; every other state is the one outcome of a mail."""

    NEW = "new"
    DONE = "done"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    QUARANTINED = "quarantined"
