"""winmail.dat: what Outlook packs a mail's files and its rich text into (MS-OXTNEF). Damaged ones give what can be had."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from app.core import text as texts
from app.intake.rules import charset, rtf
from app.intake.rules.mail import Found

MEDIA_TYPES = {"application/ms-tnef", "application/vnd.ms-tnef"}
SIGNATURE = b"\x78\x9f\x3e\x22"
MOST_ATTRIBUTES = 20_000  # and as many properties, in all messages of one file
MOST_FILES = 500
MOST_DEPTH = 5

_BODY, _MAIL_PROPERTIES, _CODEPAGE = 0x800C, 0x9003, 0x9007
_FILE_BEGINS, _FILE_TITLE, _FILE_DATA, _FILE_PROPERTIES = 0x9002, 0x8010, 0x800F, 0x9005
# Properties, by the names they have at Microsoft: PidTag…
_SUBJECT, _BODY_TEXT, _BODY_HTML, _BODY_RTF, _INTERNET_CODEPAGE = 0x0037, 0x1000, 0x1013, 0x1009, 0x3FDE
_DISPLAY_NAME, _DATA, _SHORT_NAME, _LONG_NAME = 0x3001, 0x3701, 0x3704, 0x3707
_MIME_TAG, _CONTENT_ID, _CONTENT_LOCATION = 0x370E, 0x3712, 0x3713
_NAMED, _SEVERAL = 0x8000, 0x1000
_FIXED = {2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 0xA: 4, 0xB: 4, 0x14: 8, 0x40: 8, 0x48: 16}  # bytes
_VARIABLE = {0, 0xD, 0x1E, 0x1F, 0x102}
_OBJECT, _NARROW, _WIDE = 0xD, 0x1E, 0x1F
_MESSAGE = bytes.fromhex("0703020000000000c000000000000046")  # a message within the message: IID_IMessage
_GUID = 16

Value = tuple[int, memoryview]  # type and bytes


@dataclass
class Unpacked:
    """What was inside: the mail's text as plain text and HTML, either may be missing, and its files."""

    subject: str = ""
    text: str = ""
    html: str = ""
    files: list[Found] = field(default_factory=list)


@dataclass
class _Room:
    attributes: int = MOST_ATTRIBUTES
    properties: int = MOST_ATTRIBUTES
    files: int = MOST_FILES


@dataclass
class _File:
    title: bytes = b""
    data: memoryview = field(default_factory=lambda: memoryview(b""))
    properties: dict[int, Value] = field(default_factory=dict)


def unpacked(raw: bytes) -> Unpacked | None:
    """What is inside; None for what isn't TNEF at all."""
    return _message(memoryview(raw), MOST_DEPTH, _Room()) if raw.startswith(SIGNATURE) else None


def _message(raw: memoryview, depth: int, room: _Room) -> Unpacked:
    label, body = "", b""
    properties: dict[int, Value] = {}
    files: list[_File] = []
    for name, data in _attributes(raw, room):
        if name == _CODEPAGE and len(data) >= 4:
            label = f"cp{struct.unpack_from('<I', data)[0]}"
        elif name == _BODY:
            body = bytes(data)
        elif name == _MAIL_PROPERTIES:
            properties |= _properties(data, room)
        elif name == _FILE_BEGINS and len(files) < room.files:
            files.append(_File())
        elif files:
            _add(files[-1], name, data, room)
    room.files -= len(files)
    out = Unpacked(_text(properties.get(_SUBJECT), label), _text(properties.get(_BODY_TEXT), label))
    out.text = texts.printable(out.text or charset.decode(body.rstrip(b"\0"), label))
    _take_formatted(out, properties, label)
    for each in files:
        out.files += _found(each, label, depth, room)
    return out


def _attributes(raw: memoryview, room: _Room) -> Iterator[tuple[int, memoryview]]:
    """Name and bytes of each attribute: level, name, type, length, bytes, checksum (which is often wrong)."""
    at = 6
    while at + 9 <= len(raw) and room.attributes:
        room.attributes -= 1
        name, _, length = struct.unpack_from("<HHI", raw, at + 1)
        yield name, raw[at + 9 : at + 9 + length]
        at += 9 + length + 2


def _add(file: _File, name: int, data: memoryview, room: _Room) -> None:
    if name == _FILE_TITLE:
        file.title = bytes(data)
    elif name == _FILE_DATA:
        file.data = data
    elif name == _FILE_PROPERTIES:
        file.properties |= _properties(data, room)


def _properties(raw: memoryview, room: _Room) -> dict[int, Value]:
    """Each property's type and first value by its number; those with names of their own are passed over."""
    out: dict[int, Value] = {}
    try:
        left, at = struct.unpack_from("<I", raw)[0], 4
        while left and room.properties:
            left, room.properties = left - 1, room.properties - 1
            kind, number = struct.unpack_from("<HH", raw, at)
            at = _after_name(raw, at + 4) if number >= _NAMED else at + 4
            value, at = _value(raw, at, kind)
            if number < _NAMED:
                out.setdefault(number, (kind & ~_SEVERAL, value))
    except (struct.error, ValueError):  # it ends too early, or here is something that nobody knows
        pass
    return out


def _after_name(raw: memoryview, at: int) -> int:
    kind, length = struct.unpack_from("<II", raw, at + _GUID)
    return at + _GUID + 8 + (_padded(length) if kind else 0)


def _value(raw: memoryview, at: int, kind: int) -> tuple[memoryview, int]:
    """The first value, and where the next property begins. Raises ValueError for an unknown type."""
    several, kind = kind & _SEVERAL, kind & ~_SEVERAL
    if kind not in _VARIABLE and kind not in _FIXED:
        raise ValueError(kind)
    count = 1
    if several or kind in _VARIABLE:
        count = struct.unpack_from("<I", raw, at)[0]
        at += 4
    if kind in _FIXED:
        return raw[at : at + _FIXED[kind]], at + _FIXED[kind] * count
    first = raw[:0]
    for n in range(min(count, MOST_ATTRIBUTES)):
        length = struct.unpack_from("<I", raw, at)[0]
        first = first if n else raw[at + 4 : at + 4 + length]
        at += 4 + _padded(length)
    return first, at


def _padded(length: int) -> int:
    return length + -length % 4


def _text(value: Value | None, label: str) -> str:
    if value is None or value[0] not in {_NARROW, _WIDE}:
        return ""
    kind, raw = value
    return charset.decode(bytes(raw), "utf-16-le" if kind == _WIDE else label).rstrip("\0")


def _take_formatted(out: Unpacked, properties: dict[int, Value], label: str) -> None:
    if page := properties.get(_BODY_HTML):
        spoken = properties.get(_INTERNET_CODEPAGE)
        number = int.from_bytes(spoken[1], "little") if spoken else 0
        out.html = _text(page, label) or charset.decode(bytes(page[1]).rstrip(b"\0"), _codepage(number) or label, markup=True)
    elif packed := properties.get(_BODY_RTF):
        said, is_html = rtf.read(rtf.unpacked(bytes(packed[1])))
        if is_html:
            out.html = said
        else:
            out.text = out.text or texts.printable(said).strip("\n")


def _codepage(number: int) -> str:
    """Windows' number for a charset as a name."""
    return {65001: "utf-8", 20127: "us-ascii", 20866: "koi8-r", 50220: "iso-2022-jp", 51949: "euc-kr"}.get(
        number, f"iso-8859-{number - 28590}" if 28590 < number < 28610 else f"cp{number}"
    )


def _found(file: _File, label: str, depth: int, room: _Room) -> Iterator[Found]:
    kind, data = file.properties.get(_DATA, (0, memoryview(b"")))
    if kind == _OBJECT and data[:_GUID] == _MESSAGE and bytes(data[_GUID : _GUID + 4]) == SIGNATURE and depth:
        yield from _inner(_message(data[_GUID:], depth - 1, room))
        return
    content = file.data or (data[_GUID:] if kind == _OBJECT else data)
    given = [_text(file.properties.get(name), label) for name in (_LONG_NAME, _SHORT_NAME)]
    title, shown = charset.decode(file.title.rstrip(b"\0"), label), _text(file.properties.get(_DISPLAY_NAME), label)
    name = next(filter(None, [*given, title, shown]), "")
    if not content and not name:
        return
    yield Found(
        texts.file_name(name),
        bytes(content),
        texts.one_line(_text(file.properties.get(_MIME_TAG), label), most=127).lower() or "application/octet-stream",
        content_id=texts.one_line(_text(file.properties.get(_CONTENT_ID), label)).strip("<> "),
        location="".join(_text(file.properties.get(_CONTENT_LOCATION), label).split()),
    )


def _inner(message: Unpacked) -> Iterator[Found]:
    """A message within the message: its text as a file, and its own files."""
    named = texts.one_line(message.subject, most=150) or "message"
    if message.html:
        yield Found(texts.file_name(f"{named}.html"), message.html.encode(), "text/html; charset=utf-8")
    elif message.text:
        yield Found(texts.file_name(f"{named}.txt"), message.text.encode(), "text/plain; charset=utf-8")
    yield from message.files
