"""Mailboxes that are kept in the desk rather than named by its settings: any number, each with its team and priority."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app import config
from app.accounts import queries as accounts
from app.accounts.models import Team
from app.audit import actions as audit
from app.audit.models import Event
from app.config import Settings
from app.core import text
from app.core.errors import Conflict, Invalid, NotFound
from app.core.priority import Priority
from app.core.sealing import Sealer
from app.core.signing import Signer
from app.db.session import Session
from app.intake import by_smtp, grants, imap, mailboxes, queries
from app.intake.grants import Offer
from app.intake.imap import Account
from app.intake.models import Mailbox
from app.intake.rules.states import Disowned, SenderFrom

_SERVER = re.compile(r"[a-z0-9._-]{1,253}")
OAUTH_NEEDS_TLS = "A token is worth as much as a password, so it goes nowhere in the clear: a mailbox with OAuth needs TLS."
OF_THE_SETTINGS = "is named by the settings (IMAP_HOST …); change it there"


def add(
    s: Session,
    settings: Settings,
    account: Account,
    *,
    address: str,
    team: str | int | None = None,
    priority: Priority = Priority.MEDIUM,
    import_since: datetime | None = None,
    processed_folder: str | None = None,
    sender_from: SenderFrom = SenderFrom.FROM,
    tells_too_large: bool = False,
    disowned: Disowned = Disowned.QUARANTINE,
    offer: Offer | None = None,
    by: tuple[int, str] | None = None,
    now: datetime,
) -> Mailbox:
    """Read this mailbox from now on, by its account's password or by what is offered instead of one.

    One that was removed before goes on where it was. Raises Invalid and Conflict.
    """
    if not text.is_address(address):
        raise Invalid(f"{address!r} is not an e-mail address; write it like support@example.com.")
    same = (Mailbox.host == account.host, Mailbox.username == account.username, Mailbox.folder == account.folder)
    made = s.scalar(select(Mailbox).where(*same).with_for_update())
    if made is not None and made.removed_at is None:
        raise Conflict(f"The folder {account.folder} of {account.username} at {account.host} is already read, as {made.name}.")
    made = made or _new(account, now)
    made.name = made.address = text.address(address)
    if account.folder.upper() != "INBOX":
        made.name = f"{made.address} ({account.folder})"
    made.port, made.tls, made.removed_at, made.paused_at = account.port, account.tls, None, None
    made.import_since, made.priority, made.team_id, made.sender_from = import_since, priority, _team(s, team), sender_from
    made.tells_too_large, made.anywhere, made.revision = tells_too_large, account.anywhere, (made.revision or 0) + 1
    made.disowned = disowned
    s.add(made)
    _put_away(s, made, processed_folder)
    _let_in(s, made, settings, account.password, offer)
    audit.record(s, Event.MAILBOX_CHANGED, now=now, by=by, mailbox=made.name, host=made.host, folder=made.folder, new=True)
    return made


def add_by_smtp(
    s: Session,
    settings: Settings,
    address: str,
    *,
    team: str | None = None,
    priority: Priority = Priority.MEDIUM,
    sender_from: SenderFrom = SenderFrom.FROM,
    disowned: Disowned = Disowned.QUARANTINE,
    now: datetime,
) -> Mailbox:
    """Take mail to this address by SMTP from now on. Raises Invalid and Conflict."""
    domain = text.address(address).rpartition("@")[2]
    if not settings.smtp_in:
        raise Conflict("SMTP_IN is off, so nothing comes by SMTP. Set SMTP_IN=on and SMTP_IN_DOMAINS, and start again.")
    if domain not in settings.smtp_in_domains:
        raise Invalid(f"SMTP_IN_DOMAINS does not name {domain!r}, so no mail for {address} would be taken. Add it there.")
    made = by_smtp.add(s, address, now=now)
    made.priority, made.team_id, made.sender_from, made.disowned = priority, _team(s, team), sender_from, disowned
    return made


def change(
    s: Session,
    settings: Settings,
    mailbox: Mailbox,
    *,
    password: str | None = None,
    team: str | int | None = None,
    priority: Priority | None = None,
    trusts: Sequence[str] | None = None,
    forwarders: Sequence[str] | None = None,
    processed_folder: str | None = None,
    sender_from: SenderFrom | None = None,
    tells_too_large: bool | None = None,
    disowned: Disowned | None = None,
    import_since: datetime | None = None,
    offer: Offer | None = None,
    by: tuple[int, str] | None = None,
    now: datetime,
) -> None:
    """Give it another password, or what is offered instead of one; another team, priority or processed folder ("" for none).

    `trusts` are the servers that are believed when they say who a mail is from, `forwarders` the domains whose seals (ARC) are;
    `sender_from` is the field that names the sender, `disowned` what becomes of a mail that its domain disowns. `import_since`
    begins with the folder anew, and takes what came since then and is not in the ledger. A new way in is tried at once. Raises
    Invalid and Conflict.
    """
    changed: dict[str, Any] = {}
    if password is not None or offer is not None:
        _refuse_of_settings(mailbox)
        _let_in(s, mailbox, settings, password or "", offer)
        changed["oauth" if offer else "password"] = offer.client.provider.name if offer else True
    if processed_folder is not None:
        _put_away(s, mailbox, processed_folder)
        changed["processed_folder"] = mailbox.processed_folder
    if team is not None:
        mailbox.team_id = _team(s, team)
        changed["team"] = team or None
    if priority is not None:
        mailbox.priority = priority
        changed["priority"] = priority.value
    changed |= _believed(mailbox, trusts, forwarders)
    changed |= _told(mailbox, sender_from=sender_from, tells_too_large=tells_too_large, disowned=disowned)
    if import_since is not None:
        mailbox.import_since, mailbox.uidvalidity, mailbox.last_uid, mailbox.next_try_at = import_since, None, 0, None
        mailbox.lease_epoch += 1  # whoever reads it has another cursor in mind
        changed["import_since"] = import_since.isoformat()
    if changed:
        _changed(s, mailbox, by, now, changed=changed)


def _believed(mailbox: Mailbox, trusts: Sequence[str] | None, forwarders: Sequence[str] | None) -> dict[str, list[str]]:
    changed: dict[str, list[str]] = {}
    if trusts is not None:
        mailbox.trusts = changed["trusts"] = _server_names(trusts)
    if forwarders is not None:
        mailbox.forwarders = changed["forwarders"] = _server_names(forwarders)
    return changed


def _told(mailbox: Mailbox, **given: Any) -> dict[str, Any]:
    """Set what was given to what was said."""
    changed = {name: value for name, value in given.items() if value is not None}
    for name, value in changed.items():
        setattr(mailbox, name, value)
    return changed


def pause(s: Session, mailbox: Mailbox, *, by: tuple[int, str] | None = None, now: datetime) -> None:
    """Leave its server in peace; what comes meanwhile waits there. Who brings mail by SMTP is told to come again later."""
    if mailbox.paused_at is None:
        mailbox.paused_at = now
        _changed(s, mailbox, by, now, paused=True)


def resume(s: Session, mailbox: Mailbox, *, by: tuple[int, str] | None = None, now: datetime) -> None:
    """Read it again, and ask its server at once, however long it was to be left in peace."""
    if mailbox.paused_at is not None:
        _changed(s, mailbox, by, now, paused=False)
    mailbox.paused_at = mailbox.next_try_at = None


def let_in(s: Session, id: int) -> None:
    """Its server lets us in, as somebody has just tried: ask it at once, however long it was to be left in peace."""
    mailbox = s.get(Mailbox, id, with_for_update=True)
    if mailbox is not None:
        mailbox.failures, mailbox.next_try_at = 0, None


def remove(s: Session, mailbox: Mailbox, *, by: tuple[int, str] | None = None, now: datetime) -> None:
    """Read it no more. Its mails stay in the ledger, its tickets are answered from the desk's own address."""
    if not mailbox.smtp_only:
        _refuse_of_settings(mailbox)
    mailbox.removed_at = now
    grants.take_away(s, mailbox)
    _changed(s, mailbox, by, now, removed=True)


def named(s: Session, name: str) -> Mailbox:
    """The mailbox of this name or address, locked. Raises NotFound."""
    found = queries.mailbox(s, name)
    if found is None:
        raise NotFound(f"There is no mailbox {name}. List them with: atum mailbox list")
    return found


def held(s: Session, id: int) -> Mailbox:
    """The mailbox of this number, locked. Raises NotFound."""
    found = s.get(Mailbox, id, with_for_update=True)
    if found is None or found.removed_at is not None:
        raise NotFound(f"There is no mailbox {id} here.")
    return found


def tried(account: Account) -> int:
    """Sign in, open the folder and answer how many mails nobody has read; nothing is changed there. Raises MailboxFailure."""
    with imap.opened(account) as folder:
        return folder.unread()


def _new(account: Account, now: datetime) -> Mailbox:
    return Mailbox(
        host=account.host,
        username=account.username,
        folder=account.folder,
        created_at=now,
    )


def _let_in(s: Session, mailbox: Mailbox, settings: Settings, password: str, offer: Offer | None) -> None:
    if not password and offer is None:
        raise Invalid("A mailbox needs a password.")
    if offer is not None and not mailbox.tls:
        raise Invalid(OAUTH_NEEDS_TLS)
    mailbox.password = Sealer(Signer(config.secret_key(settings))).seal(mailboxes.SEALED_FOR, password)
    mailbox.failures, mailbox.next_try_at = 0, None
    s.flush()
    grants.take_away(s, mailbox)
    if offer is not None:
        grants.give(s, settings, mailbox, offer)


def _put_away(s: Session, mailbox: Mailbox, to: str | None) -> None:
    """What has its outcome is moved there from now on: to no folder that is read, or it would come again."""
    folder = (to or "").strip()
    if any(ord(c) < 32 or ord(c) == 127 for c in folder) or len(folder) > 200:
        raise Invalid("A folder's name has at most 200 characters, and no control character.")
    mailbox.processed_folder = folder or None
    same = (Mailbox.host == mailbox.host, Mailbox.username == mailbox.username, Mailbox.removed_at.is_(None))
    s.flush()
    boxes = s.execute(select(Mailbox.folder, Mailbox.processed_folder).where(*same)).all()
    read = {_folded(box.folder) for box in boxes}
    if clash := next((box.processed_folder for box in boxes if _folded(box.processed_folder or "") in read), None):
        raise Invalid(f"Mail can't be moved to {clash}, because that folder is read: it would come in again.")


def _folded(folder: str) -> str:
    return folder.upper() if folder.upper() == "INBOX" else folder


def _changed(s: Session, mailbox: Mailbox, by: tuple[int, str] | None, now: datetime, **what: Any) -> None:
    mailbox.revision += 1
    audit.record(s, Event.MAILBOX_CHANGED, now=now, by=by, mailbox=mailbox.name, **what)


def _refuse_of_settings(mailbox: Mailbox) -> None:
    if mailbox.smtp_only:
        raise Conflict(f"The mailbox {mailbox.name} {mailboxes.WITHOUT_SERVER}.")
    if mailbox.password is None:
        raise Conflict(f"The mailbox {mailbox.name} {OF_THE_SETTINGS}.")


def _server_names(said: Sequence[str]) -> list[str]:
    """As they stand in Authentication-Results (RFC 8601: authserv-id), in lower case."""
    names = sorted({name.strip().lower() for name in said if name.strip()})
    if wrong := next((name for name in names if not _SERVER.fullmatch(name)), None):
        raise Invalid(f"{wrong!r} is not a mail server's name. Write what its Authentication-Results begin with: mx.example.com")
    return names


def _team(s: Session, named: str | int | None) -> int | None:
    if not named:
        return None
    found = accounts.team_named(s, named) if isinstance(named, str) else s.get(Team, named)
    if found is None:
        raise Invalid(f"There is no team {named!r}.")
    if found.archived_at is not None:
        raise Invalid(f"The team {found.name} is archived and gets no new tickets.")
    return found.id
