"""What a report about mail of ours changes: the letters it is about, and whether their addresses get any more.

Anybody can write a report. Nothing acts on a letter unless the report shows what we signed: the return path of that very letter,
which only its recipient and the servers on the way have seen, or our Message-ID, which whoever was in the conversation has too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.audit import actions as audit
from app.audit.models import Event
from app.core import text
from app.db.session import Session
from app.intake.rules.mail import COMPLAINTS, Mail, ReportKind, Told
from app.outbox import actions as outbox
from app.outbox import queries as letters
from app.outbox import suppression
from app.outbox.house import House
from app.outbox.models import Letter
from app.tickets import queries as tickets

_WORST_FIRST = ("failed", "delayed")
_MOST_NAMED = 5  # recipients that are told of on a ticket though no letter went to them


@dataclass(frozen=True)
class Noted:
    """The ticket that a report is about, if it still exists, and what it says, for the ledger."""

    ticket: int | None
    words: str


@dataclass(frozen=True)
class _About:
    """The letters of a mail of ours, locked. `sure`: by a return path, which names one letter."""

    ticket: int | None
    letters: Sequence[Letter]
    sure: bool


def note(s: Session, mail: Mail, house: House, *, id: int, now: datetime) -> Noted | None:
    """Take down what a report (the inbound mail `id`) says of our mail; None for anything that doesn't show a sign of ours."""
    if mail.report is None:
        return None
    about = _about(s, mail, house)
    if about is None:
        return None
    told = _each_once(about, mail.report.recipients)
    for letter, one in told:
        _apply(s, letter, one, mail, sure=about.sure, id=id, now=now)
    ticket = about.ticket if about.ticket and tickets.by_number(s, about.ticket) else None
    if ticket and not told and mail.report.kind is ReportKind.DELIVERY:
        _tell_of_strangers(s, ticket, mail.report.recipients, id=id, now=now)
    said = "; ".join(_in_words(one, mail) for one in [one for _, one in told] or mail.report.recipients[:_MOST_NAMED])
    return Noted(ticket, f"a report about our own mail: {said or 'it names nobody'}")


def _about(s: Session, mail: Mail, house: House) -> _About | None:
    assert mail.report
    for address in (*mail.recipients, *mail.report.return_paths):
        if (letter := letters.by_return_address(s, address, house, lock=True)) is not None:
            return _About(letter.ticket, [letter], sure=True)
    for mail_id in (*mail.report.mail_ids, *mail.in_reply_to, *reversed(mail.references)):
        if bare := house.bare(mail_id):
            return _About(house.ticket_of_mail_id(mail_id), letters.by_mail_id(s, bare), sure=False)
    return None


def _each_once(about: _About, told: Sequence[Told]) -> list[tuple[Letter, Told]]:
    """Each letter with the worst that is said of it. Of a mail that went to one person, all that is said is of that letter."""
    found: dict[int, tuple[Letter, Told]] = {}
    for one in sorted(told, key=_badness):
        letter = about.letters[0] if about.sure else _to(about.letters, one)
        if letter is not None:
            found.setdefault(letter.id, (letter, one))
    return list(found.values())


def _badness(told: Told) -> int:
    return _WORST_FIRST.index(told.action) if told.action in _WORST_FIRST else len(_WORST_FIRST)


def _to(candidates: Sequence[Letter], told: Told) -> Letter | None:
    """The letter to this recipient, or the only one there is: what arrives is forwarded, and complaints hide who complains."""
    mine = [letter for letter in candidates if _is_to(letter, told)] or candidates
    return mine[0] if len(mine) == 1 else None


def _is_to(letter: Letter, told: Told) -> bool:
    return text.address(letter.to_address) in {text.address(told.recipient), text.address(told.original)}


def _apply(s: Session, letter: Letter, told: Told, mail: Mail, *, sure: bool, id: int, now: datetime) -> None:
    assert mail.report
    words = _in_words(told, mail)
    perhaps = mail.report.kind is ReportKind.PERHAPS
    if mail.report.kind is ReportKind.COMPLAINT:
        alone = letter.message_id is None  # nobody in copy has its Message-ID
        if told.action in COMPLAINTS and (sure or alone):
            suppression.complained(s, letter, now=now)
    elif told.action == "failed":
        reason = words if perhaps else told.words
        named = _is_to(letter, told)
        if outbox.returned(s, letter, reason, mail=id, perhaps=perhaps and not named, now=now) and named:
            suppression.failed(s, letter, reason, sure=sure and not perhaps, now=now)
    elif told.action == "delayed":
        outbox.delayed(letter, told.words)
    else:
        outbox.arrived(letter)


def _tell_of_strangers(s: Session, ticket: int, told: Sequence[Told], *, id: int, now: datetime) -> None:
    """Recipients that no letter of ours went to, as far as can be told; on the ticket alone."""
    failed = [one for one in told if one.action == "failed"]
    if failed:
        to = ", ".join(dict.fromkeys(one.recipient for one in failed[:_MOST_NAMED]))
        audit.record(s, Event.MAIL_NOT_DELIVERED, now=now, ticket=ticket, to=to, reason=failed[0].words, mail=id)


def _in_words(told: Told, mail: Mail) -> str:
    assert mail.report
    match mail.report.kind:
        case ReportKind.PERHAPS:
            return f"an automatic answer names {told.recipient}: {mail.subject}"
        case ReportKind.COMPLAINT:
            return f"a complaint ({told.action}) of {told.recipient or 'somebody'}"
        case _:
            action = "" if told.action == "failed" else f"{told.action}, "
            return f"to {told.recipient}: {action}{told.words}"
