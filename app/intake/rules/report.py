"""Reports about mail: which could not be delivered, to whom and why (RFC 3464), and whose readers complained (RFC 5965)."""

import re
from collections.abc import Iterator

from app.core import text
from app.intake.rules import addresses, headers, perhaps
from app.intake.rules.headers import Headers
from app.intake.rules.mail import Report, ReportKind, Told
from app.intake.rules.parts import Part

MOST = 100  # recipients of one report

_STATUS = {"message/delivery-status", "message/global-delivery-status"}
_RETURNED = {"message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global", "message/global-headers"}
_CODE = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_ACTIONS = {
    "fail": "failed",
    "error": "failed",
    "delay": "delayed",
    "deliver": "delivered",
    "relay": "relayed",
    "expand": "expanded",
}
_BY_CLASS = {"2": "delivered", "4": "delayed"}


def report(whole: Part, *, automatic: str) -> Report | None:
    """What the report says; None for a mail that isn't one. What only looks like one has to be `automatic` as well."""
    found = _complaint(whole) or _delivery(whole)
    if automatic and (found is None or not (found.recipients or found.kind is ReportKind.COMPLAINT)):
        guessed = perhaps.recipients(whole)
        if guessed:
            return Report(ReportKind.PERHAPS, (*_ids(whole), *perhaps.mail_ids(whole)), _paths(whole), guessed[:MOST])
    return found


def _delivery(whole: Part) -> Report | None:
    parts = [p for p in whole.walk() if p.media_type in _STATUS]
    if not parts:
        return None
    told = [_told(fields) for p in parts for fields in _blocks(p.content) if _is_of_a_recipient(fields)]
    return Report(ReportKind.DELIVERY, _ids(whole), _paths(whole), tuple(told[:MOST]))


def _blocks(content: bytes) -> Iterator[Headers]:
    """The blocks of fields: one about the mail as a whole, then one for each recipient."""
    for block in re.split(rb"(?:\r?\n[ \t]*){2,}", content[: headers.MOST_ALL].strip()):
        yield headers.split(block)[0]


def _is_of_a_recipient(fields: Headers) -> bool:
    return any(fields.has(name) for name in ("action", "final-recipient", "original-recipient"))


def _told(fields: Headers) -> Told:
    final, original = (_address(fields.first(name)) for name in ("final-recipient", "original-recipient"))
    code = _CODE.search(fields.first("status"))
    status = code[0] if code else ""
    return Told(
        recipient=final or original,
        original=original,
        action=_action(fields.first("action").strip().lower(), status),
        status=status,
        diagnostic=text.one_line(fields.first("diagnostic-code").partition(";")[2], most=500),
    )


def _action(said: str, status: str) -> str:
    """One of RFC 3464's five, in whatever form; where there is none, what the status' class stands for."""
    known = next((action for begin, action in _ACTIONS.items() if said.startswith(begin)), "")
    return known or _BY_CLASS.get(status[:1], "failed")


def _address(said: str) -> str:
    """ "rfc822; carol@acme.example", with or without its type, as it is compared; what is no address as it stands."""
    bare = said.partition(";")[2] or said
    found = addresses.addresses(bare)
    return found[0].address if found else text.one_line(bare, most=320)


def _complaint(whole: Part) -> Report | None:
    part = next((p for p in whole.walk() if p.media_type == "message/feedback-report"), None)
    if part is None:
        return None
    fields = headers.split(part.content[: headers.MOST_ALL].strip())[0]
    kind = text.one_line(fields.first("feedback-type"), most=40).lower()
    to = [_address(one) for one in fields.all("original-rcpt-to")]
    to += [a.address for back in _returned(whole) for a in addresses.addresses(back.first("to"))] if not to else []
    sent_from = tuple(a.address for a in addresses.addresses(fields.first("original-mail-from")))
    told = tuple(Told(recipient, kind, recipient) for recipient in dict.fromkeys(to[:MOST]))
    return Report(ReportKind.COMPLAINT, _ids(whole), (*sent_from, *_paths(whole)), told or (Told("", kind),))


def _ids(whole: Part) -> tuple[str, ...]:
    """The Message-IDs of the mails that came back, whole or only their headers."""
    return tuple(found for back in _returned(whole) if (found := addresses.first_mail_id(back.first("message-id"))))


def _paths(whole: Part) -> tuple[str, ...]:
    return tuple(a.address for back in _returned(whole) for a in addresses.addresses(back.first("return-path")))


def _returned(whole: Part) -> list[Headers]:
    return [headers.split(p.content[: headers.MOST_ALL])[0] for p in whole.walk() if p.media_type in _RETURNED]
