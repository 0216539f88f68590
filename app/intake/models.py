"""The mailboxes we read, and the ledger of every mail that ever came."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Sequence, Text, UniqueConstraint, false, text, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.models import Person
from app.core.priority import Priority
from app.db.types import Table, words
from app.intake.rules.authentication import Verdict
from app.intake.rules.seal import SealState
from app.intake.rules.signs import Sign
from app.intake.rules.states import Disowned, FailureClass, MailboxState, MailState, SenderFrom
from app.tickets.models import Message, Ticket

BY_SMTP = 0  # the UIDVALIDITY of what came by SMTP; no IMAP server may have it (RFC 3501 section 9, nz-number)

smtp_in_uid = Sequence("smtp_in_uid_seq", metadata=Table.metadata)


class Mailbox(Table):
    """One folder of one account on one server, or an address that mail comes to by SMTP alone (`smtp_only`, without a server).

    `uidvalidity` and `last_uid` are the cursor: everything up to it is in the ledger. `failures` counts since
    `failing_since`. `credentials` is a keyed fingerprint of how we sign in, so that changed ones are noticed.
    `lease_epoch` rises with each poller that takes the mailbox: one that lost it can't move the cursor.
    `password` is sealed, and None for the mailbox that the settings name. `removed_at` is set while nobody names it.

    What comes in is given to the team, at the priority, and answered from `address`. The first look takes everything since
    `import_since`, or where that is None what is unread of the last day. What has its outcome is moved to `processed_folder`,
    where there is one. `trusts` are the names of the mail servers before it whose Authentication-Results are believed,
    `forwarders` the domains of mailing lists and the like whose seals (ARC) are. `sender_from` is the field that
    says who wrote; `tells_too_large`, whether senders hear of a mail that is; `disowned`, what becomes of one that its sender's
    domain disowns. `anywhere` is False where the host may not be this
    machine: somebody named it from afar. `revision` rises with everything that somebody changes.
    """

    __tablename__ = "mailbox"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    address: Mapped[str]
    host: Mapped[str]
    port: Mapped[int]
    tls: Mapped[bool]
    username: Mapped[str]
    folder: Mapped[str]
    smtp_only: Mapped[bool] = mapped_column(default=False, server_default=false())
    credentials: Mapped[str] = mapped_column(default="")
    password: Mapped[bytes | None]
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    priority: Mapped[Priority] = mapped_column(words(Priority, "priority"), default=Priority.MEDIUM, server_default="medium")
    import_since: Mapped[datetime | None]
    trusts: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}", default=list)
    forwarders: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}", default=list)
    sender_from: Mapped[SenderFrom] = mapped_column(
        words(SenderFrom, "sender_from"), default=SenderFrom.FROM, server_default="from"
    )
    tells_too_large: Mapped[bool] = mapped_column(default=False, server_default=false())
    disowned: Mapped[Disowned] = mapped_column(
        words(Disowned, "disowned"), default=Disowned.QUARANTINE, server_default="quarantine"
    )
    processed_folder: Mapped[str | None]
    anywhere: Mapped[bool] = mapped_column(default=True, server_default=true())
    revision: Mapped[int] = mapped_column(default=1, server_default="1")
    created_at: Mapped[datetime]
    paused_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]

    uidvalidity: Mapped[int | None]
    last_uid: Mapped[int] = mapped_column(default=0)
    lease_epoch: Mapped[int] = mapped_column(default=0)

    state: Mapped[MailboxState] = mapped_column(words(MailboxState, "state"), default=MailboxState.OK)
    failure_class: Mapped[FailureClass | None] = mapped_column(words(FailureClass, "failure_class"))
    failures: Mapped[int] = mapped_column(default=0)
    failing_since: Mapped[datetime | None]
    reason: Mapped[str | None]
    next_try_at: Mapped[datetime | None]
    last_ok_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("host", "username", "folder"),)


class Grant(Table):
    """What a mailbox signs in with instead of a password (OAuth 2.0). The secrets are sealed.

    `refresh_token` is None where the client signs in for itself. `access_token` was given at `issued_at`, until `expires_at`.
    `refresh_expires_at` and `secret_expires_at` are when the refresh token and the client's secret end, where anybody said so.
    """

    __tablename__ = "mailbox_grant"
    mailbox_id: Mapped[int] = mapped_column(ForeignKey(Mailbox.id), primary_key=True)
    provider: Mapped[str]
    token_url: Mapped[str]
    authorize_url: Mapped[str | None]
    device_url: Mapped[str | None]
    scope: Mapped[str]
    client_id: Mapped[str]
    client_secret: Mapped[bytes | None]
    refresh_token: Mapped[bytes | None]
    access_token: Mapped[bytes | None]
    issued_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    refresh_expires_at: Mapped[datetime | None]
    secret_expires_at: Mapped[datetime | None]


class InboundMail(Table):
    """One mail as one server gave it to us once: its bytes for ever, and what became of it.

    What came by SMTP has `uidvalidity` BY_SMTP and the next number of a sequence for its `uid`: there is no server to tell.
    The bytes are in `raw` up to 1 MB, else in the blob of this name under the mail folder. `header_only` marks one of
    which there is nothing but its header: it was too large to fetch whole, and then what it says may follow, or the server did
    not give it, and then `refusal` says why. `size` is what
    the server says. `content_key` is the same for the same mail come twice. `server_acked_at` is when the server was told that
    the mail is ours; `received_at` is the server's own time, never in the future. `thread` are the Message-IDs that a mail of a
    person refers to. `verdict` is whether it is from the address it names, and `verdict_words` what that rests on. One with
    `released_at` was let through by a person: no rule holds it. `charset` is how the text was read, and what spoke for it. `seal`
    is what its signature shows, or that it is encrypted, and `seal_words` says so.
    """

    __tablename__ = "inbound_mail"
    id: Mapped[int] = mapped_column(primary_key=True)
    mailbox_id: Mapped[int] = mapped_column(ForeignKey(Mailbox.id))
    uidvalidity: Mapped[int]
    uid: Mapped[int]
    raw_sha256: Mapped[str]
    size: Mapped[int]
    raw: Mapped[bytes | None] = mapped_column(deferred=True)
    blob: Mapped[str | None]
    header_only: Mapped[bool]
    refusal: Mapped[str | None]
    received_at: Mapped[datetime]
    taken_at: Mapped[datetime]

    state: Mapped[MailState] = mapped_column(words(MailState, "state"))
    reason: Mapped[str | None]
    attempts: Mapped[int]
    content_key: Mapped[str | None]
    mail_id: Mapped[str | None] = mapped_column(index=True)
    charset: Mapped[str | None]
    sender: Mapped[str | None]
    subject: Mapped[str | None]
    thread: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    verdict: Mapped[Verdict | None] = mapped_column(words(Verdict, "verdict"))
    verdict_words: Mapped[str | None]
    seal: Mapped[SealState | None] = mapped_column(words(SealState, "seal"))
    seal_words: Mapped[str | None]
    ticket: Mapped[int | None] = mapped_column(ForeignKey(Ticket.number), index=True)
    message_id: Mapped[int | None] = mapped_column(ForeignKey(Message.id))
    processed_at: Mapped[datetime | None]
    server_acked_at: Mapped[datetime | None]
    released_at: Mapped[datetime | None]

    mailbox: Mapped[Mailbox] = relationship(lazy="joined", innerjoin=True)

    __table_args__ = (
        UniqueConstraint("mailbox_id", "uidvalidity", "uid"),
        Index(
            "inbound_mail_content_idx",
            "mailbox_id",
            "content_key",
            unique=True,
            postgresql_where=text("state IN ('done', 'quarantined')"),
        ),
        Index("inbound_mail_new_idx", "id", postgresql_where=text("state = 'new'")),
        Index(
            "inbound_mail_unacked_idx",
            "mailbox_id",
            "uid",
            postgresql_where=text("state <> 'new' AND server_acked_at IS NULL"),
        ),
        Index("inbound_mail_state_idx", "state", "id"),
        Index("inbound_mail_thread_idx", "thread", postgresql_using="gin"),
    )


class SenderKey(Table):
    """An OpenPGP key, and somebody's say that it belongs to whoever writes from an address; until it is withdrawn.

    `names` are the fingerprints and IDs of its parts, `people` who it says it belongs to. `content` is the key without what is
    secret. It came with the mail `inbound_mail_id`, or was brought by who confirmed it.
    """

    __tablename__ = "sender_key"
    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str]
    fingerprint: Mapped[str]
    names: Mapped[list[str]] = mapped_column(ARRAY(Text))
    people: Mapped[list[str]] = mapped_column(ARRAY(Text))
    expires_at: Mapped[datetime | None]
    content: Mapped[bytes] = mapped_column(deferred=True)
    inbound_mail_id: Mapped[int | None] = mapped_column(ForeignKey(InboundMail.id))
    confirmed_at: Mapped[datetime]
    confirmed_by_id: Mapped[int] = mapped_column(ForeignKey(Person.id))
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by_id: Mapped[int | None] = mapped_column(ForeignKey(Person.id))

    __table_args__ = (
        Index("sender_key_confirmed_idx", "address", "fingerprint", unique=True, postgresql_where=text("withdrawn_at IS NULL")),
        Index("sender_key_names_idx", "names", postgresql_using="gin", postgresql_where=text("withdrawn_at IS NULL")),
    )


class Suggestion(Table):
    """A mail that may belong to a ticket though its sender takes no part in it, until somebody decides.

    It waits while its mail is quarantined and nobody has decided. `sign` is how it refers to the ticket, `issued_to` whose
    address it showed, if somebody else's. `body` and `files` are what becomes a message, as the mail was read.
    """

    __tablename__ = "suggestion"
    id: Mapped[int] = mapped_column(primary_key=True)
    inbound_mail_id: Mapped[int] = mapped_column(ForeignKey(InboundMail.id), unique=True)
    ticket: Mapped[int] = mapped_column(ForeignKey(Ticket.number), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey(Person.id))
    sign: Mapped[Sign] = mapped_column(words(Sign, "sign"))
    issued_to: Mapped[str | None]
    auto: Mapped[bool]
    body: Mapped[dict[str, Any]]
    files: Mapped[list[Any]]
    made_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey(Person.id))

    person: Mapped[Person] = relationship(foreign_keys=[person_id], lazy="joined", innerjoin=True)


class Canary(Table):
    """What the desk found out about a mailbox by sending itself mail there, and whether it is too quiet.

    `probe` numbers the mails. The last was put into the outbox at `asked_at` and was back at `came_at`; `trips` are the seconds
    that the last twenty took. `words` say what is amiss, since `since`; both are None when all is well.
    """

    __tablename__ = "canary"
    mailbox_id: Mapped[int] = mapped_column(ForeignKey(Mailbox.id), primary_key=True, autoincrement=False)
    probe: Mapped[int]
    asked_at: Mapped[datetime | None]
    came_at: Mapped[datetime | None]
    trips: Mapped[list[Any]]
    words: Mapped[str | None]
    since: Mapped[datetime | None]
