"""Files written into a text as letters (uuencode, yEnc): taken out of it, as files."""

import re
from collections.abc import Iterator

from app.core import text
from app.intake.rules import charset
from app.intake.rules.mail import Found
from app.intake.rules.parts import uudecoded

MOST = 100

_BEGIN = re.compile(
    rb"^(?:begin [0-7]{3,4} +(?P<uu>[^\r\n]{1,500})\r?\n(?=[ -`\r\n])|=ybegin [^\r\n]{0,200}?name=(?P<y>[^\r\n]{1,500})\r?\n)",
    re.MULTILINE,
)
_UU_END = re.compile(rb"^end[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
_Y_END = re.compile(rb"^=yend[^\r\n]*(?:\r?\n|\Z)", re.MULTILINE)
_Y_PART = re.compile(rb"=ypart [^\r\n]*\r?\n")
_SHIFT = bytes((n - 42) % 256 for n in range(256))
_ESCAPED = bytes((n - 42 - 64) % 256 for n in range(256))


def taken_out(content: bytes) -> tuple[bytes, list[Found]]:
    """The text without the files, and the files. What has no end, or only looks like a beginning, stays text."""
    if b"begin " not in content:
        return content, []
    kept, files, at = [], [], 0
    for start, stop, name, inside in _found(content):
        kept.append(content[at:start])
        files.append(Found(text.file_name(charset.decode(name)), inside))
        at = stop
    return b"".join((*kept, content[at:])), files


def _found(content: bytes) -> Iterator[tuple[int, int, bytes, bytes]]:
    """Where it begins and ends, its name and its bytes, for each file. An end that is missing once is missing for good."""
    at, given, ended = 0, 0, {"uu": False, "y": False}
    while given < MOST and (begin := _BEGIN.search(content, at)):
        kind = "uu" if begin["uu"] else "y"
        at = begin.end()
        end = None if ended[kind] else (_UU_END if kind == "uu" else _Y_END).search(content, at)
        ended[kind] = end is None
        if end is None or (kind == "uu" and not _is_line(content, at)):
            continue
        inside = content[begin.end() : end.start()]
        yield begin.start(), end.end(), begin[kind].strip(), uudecoded(inside) if kind == "uu" else _ydecoded(inside)
        at, given = end.end(), given + 1


def _is_line(content: bytes, at: int) -> bool:
    """Whether a line is as long as its first character says, or is the last one."""
    line = content[at : at + 100].partition(b"\n")[0].rstrip(b"\r")
    length = (line[0] - 32) & 63 if line else 0
    return length == 0 or (0 <= len(line.rstrip()) - 1 <= (length + 2) // 3 * 4 + 2 and len(line) - 1 >= length)


def _ydecoded(raw: bytes) -> bytes:
    if part := _Y_PART.match(raw):
        raw = raw[part.end() :]
    first, *rest = raw.replace(b"\r", b"").replace(b"\n", b"").split(b"=")
    return first.translate(_SHIFT) + b"".join(each[:1].translate(_ESCAPED) + each[1:].translate(_SHIFT) for each in rest)
