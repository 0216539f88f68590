"""What a mail is made of, as an IMAP server says it (BODYSTRUCTURE), and single sections of it: for `imap_server`."""

import re
from email import message_from_bytes
from email.message import Message
from email.policy import compat32

_ASKED = re.compile(r"BODY\.PEEK\[([^\]]*)\](?:<(\d+)\.(\d+)>)?")


def structure(raw: bytes) -> bytes:
    """The parenthesized list (RFC 3501 section 7.4.2), with extension data."""
    return _told(message_from_bytes(raw, policy=compat32)).encode()


def sections(raw: bytes, items: str) -> list[bytes]:
    """Each section that a FETCH asks for, with its name as an answer has it; NIL for one that there isn't."""
    said = []
    for section, begin, count in _ASKED.findall(items):
        content = _content(raw, section)
        name = f"BODY[{section}]"
        if count and content is not None:
            name, content = f"{name}<{begin}>", content[int(begin) :][: int(count)]
        said.append(name.encode() + (b" NIL" if content is None else b" {%d}\r\n%b" % (len(content), content)))
    return said


def _content(raw: bytes, section: str) -> bytes | None:
    head, _, body = raw.partition(b"\r\n\r\n")
    if section.startswith("HEADER"):
        return head + b"\r\n\r\n"
    if section in {"", "TEXT"}:
        return body if section else raw
    part: Message = message_from_bytes(raw, policy=compat32)
    numbers = section.removesuffix(".MIME").split(".")
    for depth, number in enumerate(numbers):
        inside = part.get_payload() if part.is_multipart() else [] if depth else [part]
        if not number.isdigit() or not 1 <= int(number) <= len(inside):
            return None
        part = inside[int(number) - 1]  # type: ignore[assignment, index]
    head, _, body = part.as_bytes(policy=compat32.clone(linesep="\r\n")).partition(b"\r\n\r\n")
    return head + b"\r\n\r\n" if section.endswith(".MIME") else body


def _told(part: Message) -> str:
    kind, subkind = part.get_content_type().upper().split("/")
    disposition = part.get_content_disposition()
    name = part.get_filename()
    where = f"({_quoted(disposition.upper())} {_listed({'FILENAME': name} if name else {})})" if disposition else "NIL"
    parameters = {key.upper(): value for key, value in part.get_params([], unquote=True)[1:]}
    if part.is_multipart() and kind == "MULTIPART":
        inside = "".join(_told(child) for child in part.get_payload())  # type: ignore[arg-type]
        return f'({inside} "{subkind}" {_listed(parameters)} {where} NIL NIL)'
    content = part.as_bytes(policy=compat32).partition(b"\n\n")[2]
    encoding = (part.get("content-transfer-encoding") or "7BIT").upper()
    more = f" {content.count(10)}" if kind == "TEXT" else ""
    if kind == "MESSAGE":
        inner = part.get_payload()[0]  # type: ignore[index]
        more = f" ({' '.join(['NIL'] * 10)}) {_told(inner)} {content.count(10)}"  # type: ignore[arg-type]
    return f'("{kind}" "{subkind}" {_listed(parameters)} NIL NIL {_quoted(encoding)} {len(content)}{more} NIL {where} NIL NIL)'


def _listed(parameters: dict[str, str]) -> str:
    return f"({' '.join(f'{_quoted(name)} {_quoted(value)}' for name, value in parameters.items())})" if parameters else "NIL"


def _quoted(said: str) -> str:
    return '"' + said.replace("\\", "\\\\").replace('"', '\\"') + '"'
