"""`atum mailbox …`: which mailboxes are read, and how each of them is."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from app.config import Settings
from app.core.errors import Invalid
from app.core.priority import Priority
from app.db.locks import Keeper
from app.db.session import Session, now
from app.entry import asking, cli_oauth
from app.entry.cli_mail import NO_MAILBOX, Answer, database
from app.intake import grants, managed, queries
from app.intake.failure import MailboxFailure
from app.intake.grants import Offer
from app.intake.imap import Account
from app.intake.models import Mailbox
from app.intake.rules.states import Disowned, SenderFrom


def add_to(mailbox: Any, verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the verbs to the noun of the command line."""
    verb("list", listed, "Each mailbox and how it is.", mailbox)
    adding = verb("add", add, "Read one more mailbox, or take mail to one more address by SMTP.", mailbox)
    adding.add_argument("address", help="the address that people write to, and get their answers from")
    source = adding.add_mutually_exclusive_group(required=True)
    source.add_argument("--host", help="the IMAP server")
    source.add_argument("--smtp", action="store_true", help="none: its mail comes to port 25 (SMTP_IN=on)")
    adding.add_argument("--port", type=int, help="993, or 143 with --no-tls")
    adding.add_argument("--user", help="who to sign in as; the address where it isn't given")
    adding.add_argument("--folder", default="INBOX")
    adding.add_argument("--no-tls", action="store_true", help="no TLS from the start; STARTTLS where the server asks for it")
    adding.add_argument("--import-since", type=cli_oauth.day, metavar="YYYY-MM-DD", help="take older mail too, read or not")
    adding.add_argument("--untested", action="store_true", help="save it though its server can't be reached now")
    cli_oauth.add_to(adding)
    changing = verb(
        "set", change, "Change a mailbox's way in, team, priority, processed folder, or which servers it trusts.", mailbox
    )
    changing.add_argument("name")
    changing.add_argument("--import-since", type=cli_oauth.day, metavar="YYYY-MM-DD", help="begin anew with what came since then")
    changing.add_argument(
        "--trusts",
        action="append",
        metavar="SERVER",
        help="believe what this mail server says of a sender: the name that its Authentication-Results begin with, such as"
        " mx.example.com; several times for several, '' for none",
    )
    changing.add_argument(
        "--forwarders",
        action="append",
        metavar="DOMAIN",
        help="believe this mailing list or other forwarder that a mail was its sender's own before it changed it, and hold none:"
        " the domain (d=) of its ARC-Seal; several times for several, '' for none",
    )
    for parser in (adding, changing):
        parser.add_argument("--team", help="the team that gets what comes in; '' for none")
        parser.add_argument("--priority", choices=[priority.value for priority in Priority])
        parser.add_argument(
            "--sender-from",
            choices=[field.value for field in SenderFrom],
            help="the field that says who wrote; reply_to for forms that write everything in their own name",
        )
        parser.add_argument(
            "--tell-too-large", choices=["yes", "no"], help="answer who sends a mail that is too large that it is; no unless said"
        )
        parser.add_argument(
            "--disowned",
            choices=[policy.value for policy in Disowned],
            help="what becomes of a mail that its sender's domain disowns: held on the page Mail (unless said); a ticket of its"
            " own or a suggestion, marked as perhaps forged; or taken as one of which nothing is known",
        )
        parser.add_argument("--processed-folder", metavar="NAME", help="move what was taken there; '' to leave it where it is")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    changing.add_argument("--password", action="store_true", help="ask for a new password")
    changing.add_argument("--sign-in-again", action="store_true", help="allow it once more, where it signs in by OAuth")
    changing.add_argument("--client-secret", action="store_true", help="ask for another secret of the application (OAuth)")
    until = "when the application's secret ends (OAuth)"
    changing.add_argument("--client-secret-until", type=cli_oauth.day, metavar="YYYY-MM-DD", help=until)
    changing.add_argument("--refresh-token", action="store_true", help="ask for another refresh token (OAuth)")
    verb(
        "test", test, "Sign in to a mailbox's server now, and say what it says; if it works, it is read at once.", mailbox
    ).add_argument("name")
    verb("pause", pause, "Leave a mailbox's server in peace; its mail waits there.", mailbox).add_argument("name")
    verb("resume", resume, "Read a mailbox again, at once.", mailbox).add_argument("name")
    verb("remove", remove, "Read a mailbox no more. Its mails and tickets stay.", mailbox).add_argument("name")


def listed(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db, db.reading() as c:
        states = queries.mailbox_states(c)
    if given.json:
        return 0, states
    return 0, "\n".join(_in_words(settings, state) for state in states) or NO_MAILBOX


def add(settings: Settings, given: argparse.Namespace) -> Answer:
    if given.smtp:
        return _add_by_smtp(settings, given)
    user, tls = given.user or given.address, not given.no_tls
    offer = _offered(given, user, tls) if given.oauth else None
    password = "" if offer else asking.password(given)
    token = offer.tokens.access if offer and offer.tokens else None
    account = Account(given.host, given.port or (993 if tls else 143), tls, user, password, given.folder, token=token)
    unread = None if given.untested else _tried(account, "Nothing was saved. Save it all the same with --untested.")
    with database(settings) as db, db.transaction() as s:
        priority = Priority(given.priority or Priority.MEDIUM)
        more: dict[str, Any] = {"team": given.team, "priority": priority, "import_since": given.import_since, "offer": offer}
        more |= {"processed_folder": given.processed_folder, "sender_from": _sender_from(given)}
        more |= {"tells_too_large": given.tell_too_large == "yes", "disowned": _disowned(given)}
        made = managed.add(s, settings, account, address=given.address, **more, now=now(s))
        told = {"id": made.id, "name": made.name, "unread": unread}
    which = f"what came since {given.import_since:%Y-%m-%d}" if given.import_since else "what is unread of the last day"
    return 0, told if given.json else f"{told['name']} is read from now on, beginning with {which}."


def _add_by_smtp(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db, db.transaction() as s:
        priority = Priority(given.priority or Priority.MEDIUM)
        more: dict[str, Any] = {"team": given.team, "priority": priority, "sender_from": _sender_from(given)}
        more["disowned"] = _disowned(given)
        made = managed.add_by_smtp(s, settings, given.address, **more, now=now(s))
        told = {"id": made.id, "name": made.name}
    return 0, told if given.json else f"Mail to {told['name']} is taken by SMTP from now on."


def change(settings: Settings, given: argparse.Namespace) -> Answer:
    password = asking.password(given) if given.password or given.password_stdin else None
    priority = Priority(given.priority) if given.priority else None
    what: dict[str, Any] = {"password": password, "team": given.team, "priority": priority, "trusts": given.trusts}
    what["forwarders"] = given.forwarders
    what |= {
        "import_since": given.import_since,
        "processed_folder": given.processed_folder,
        "sender_from": SenderFrom(given.sender_from) if given.sender_from else None,
        "tells_too_large": given.tell_too_large == "yes" if given.tell_too_large else None,
        "disowned": Disowned(given.disowned) if given.disowned else None,
        "offer": _offered_again(settings, given),
    }
    if all(value is None for value in what.values()):
        raise Invalid(
            "Say what to change: --password, --sign-in-again, --team, --priority, --processed-folder, --sender-from,"
            " --tell-too-large, --disowned, --trusts or --forwarders."
        )
    return _done(settings, given, lambda s, box: managed.change(s, settings, box, **what, now=now(s)), "is changed.")


def test(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db:
        with db.transaction() as s:
            mailbox = managed.named(s, given.name)
        try:
            account = grants.account(db, Keeper(db.dsn, name="atum"), mailbox, settings)
        except MailboxFailure as failure:
            raise Invalid(f"{failure}. It stays as it is.") from failure
    unread = _tried(account, "It stays as it is.")
    with database(settings) as db, db.transaction() as s:
        managed.let_in(s, mailbox.id)
    told = {"name": mailbox.name, "unread": unread}
    return 0, told if given.json else f"{mailbox.name}: signed in, opened {mailbox.folder}; {unread} unread."


def pause(settings: Settings, given: argparse.Namespace) -> Answer:
    return _done(settings, given, lambda s, box: managed.pause(s, box, now=now(s)), "is paused; its mail waits on the server.")


def resume(settings: Settings, given: argparse.Namespace) -> Answer:
    return _done(settings, given, lambda s, box: managed.resume(s, box, now=now(s)), "is read again within seconds.")


def remove(settings: Settings, given: argparse.Namespace) -> Answer:
    return _done(settings, given, lambda s, box: managed.remove(s, box, now=now(s)), "is read no more; its tickets stay.")


def _done(settings: Settings, given: argparse.Namespace, act: Callable[[Session, Mailbox], None], words: str) -> Answer:
    with database(settings) as db, db.transaction() as s:
        mailbox = managed.named(s, given.name)
        act(s, mailbox)
        name = mailbox.name
    return 0, {"name": name} if given.json else f"{name} {words}"


def _offered(given: argparse.Namespace, user: str, tls: bool) -> Offer:
    if not tls:
        raise Invalid(managed.OAUTH_NEEDS_TLS)
    try:
        return cli_oauth.offer(given, user)
    except MailboxFailure as failure:
        raise Invalid(f"Nothing was saved: {failure}.") from failure


def _offered_again(settings: Settings, given: argparse.Namespace) -> Offer | None:
    """Another sign-in with what is known of the provider."""
    if not (given.sign_in_again or given.client_secret or given.client_secret_until or given.refresh_token):
        return None
    with database(settings) as db, db.transaction() as s:
        mailbox = managed.named(s, given.name)
        known = grants.offered(s, settings, mailbox)
    secret = asking.unseen("Client secret") if given.client_secret else known.client.secret
    until = given.client_secret_until or (None if given.client_secret else known.client.until)
    client = replace(known.client, secret=secret, until=until)
    try:
        if given.refresh_token:
            return Offer(client, asking.unseen("Refresh token")).tried()
        if given.sign_in_again and known.refresh is not None:
            return cli_oauth.signed_in(client, mailbox.username)
        return Offer(client, known.refresh).tried()
    except MailboxFailure as failure:
        raise Invalid(f"{failure}. It stays as it is.") from failure


def _tried(account: Account, then: str) -> int:
    try:
        return managed.tried(account)
    except MailboxFailure as failure:
        raise Invalid(f"{failure}. {then}") from failure


def _in_words(settings: Settings, one: dict[str, Any]) -> str:
    goes_to = f" (to {one['team']})" if one["team"] else ""
    by_smtp = (", by SMTP" if settings.smtp_in else ", takes nothing: SMTP_IN is off") if one["smtp_only"] else ""
    return f"{one['name']}{goes_to}: {one['state']}{by_smtp}{' - ' + one['reason'] if one['reason'] else ''}"


def _sender_from(given: argparse.Namespace) -> SenderFrom:
    return SenderFrom(given.sender_from or SenderFrom.FROM)


def _disowned(given: argparse.Namespace) -> Disowned:
    return Disowned(given.disowned or Disowned.QUARANTINE)
