"""Rich text (RTF 1.9.1) as Outlook sends it: unpacked (MS-OXRTFCP), and read as text or as the HTML that it wraps (MS-OXRTFEX).

Linear in what comes, and bounded: of a longer text the beginning is read.
"""

import re
import struct
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from app.intake.rules import charset

MOST_BYTES = 1_500_000
MOST_TOKENS = 150_000

_DICTIONARY = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans Serif"
    b"SymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
_WINDOW = 4096
_TOKEN = re.compile(r"\\([A-Za-z]{1,32})(-?\d{1,9})? ?|\\'([0-9A-Fa-f]{2})|\\(.?)|([{}])|[\r\n]+|([^\\{}\r\n]+)", re.DOTALL)
_MEANS = {
    "par": "\n", "line": "\n", "row": "\n", "tab": "\t", "cell": "\t", "emdash": "\u2014", "endash": "\u2013",
    "bullet": "\u2022", "lquote": "\u2018", "rquote": "\u2019", "ldblquote": "\u201c", "rdblquote": "\u201d",
    "~": "\xa0", "_": "-", "\\": "\\", "{": "{", "}": "}", "\n": "\n", "\r": "\n",
}  # fmt: skip
_NOT_SAID = {"colortbl", "stylesheet", "info", "pict", "object", "header", "footer", "footnote", "listtable", "themedata"}
_FONT_CODEPAGES = {
    0: 1252, 77: 10000, 128: 932, 129: 949, 130: 1361, 134: 936, 136: 950, 161: 1253, 162: 1254, 163: 1258, 177: 1255,
    178: 1256, 186: 1257, 204: 1251, 222: 874, 238: 1250,
}  # fmt: skip


def unpacked(raw: bytes) -> bytes:
    """The rich text out of its compressed form; of damaged data what can be had."""
    if len(raw) < 16:
        return b""
    size, kind = struct.unpack_from("<I4s", raw, 4)
    if kind == b"MELA":
        return raw[16 : 16 + min(size, MOST_BYTES)]
    return _inflated(raw)[: min(size, MOST_BYTES)] if kind == b"LZFu" else b""


def _inflated(raw: bytes) -> bytes:
    out, at = bytearray(_DICTIONARY), 16
    while at < len(raw) and len(out) < MOST_BYTES:
        control, at = raw[at], at + 1
        if not control:
            out += raw[at : at + 8]
            at += 8
            continue
        for bit in range(8):
            if not control >> bit & 1:
                out += raw[at : at + 1]
                at += 1
            elif at + 2 > len(raw) or not _copy(out, raw[at] << 8 | raw[at + 1]):
                return bytes(out[len(_DICTIONARY) :])
            else:
                at += 2
    return bytes(out[len(_DICTIONARY) :])


def _copy(out: bytearray, reference: int) -> bool:
    """Repeat what a reference names: 12 bits of place in a ring of 4096 bytes, 4 bits of length. The end names itself."""
    back = (len(out) - (reference >> 4)) % _WINDOW
    if not 0 < back <= len(out):
        return False
    length = (reference & 15) + 2
    chunk = bytes(out[-back:][:length])
    out += (chunk * (length // len(chunk) + 1))[:length]
    return True


def read(raw: bytes) -> tuple[str, bool]:
    """The text, and whether it is HTML that a rich text was wrapped around."""
    reading = _Reading(is_html=b"\\fromhtml" in raw[:4096])
    source, at = raw.decode("latin-1"), 0
    for _ in range(MOST_TOKENS):
        token = _TOKEN.match(source, at)
        if not token:
            break
        at = token.end() + reading.take(token)
    return reading.text, reading.is_html


class _Group(NamedTuple):
    """What holds up to the end of a group."""

    silent: bool = False
    fonts: bool = False
    in_tag: bool = False  # within HTML that stands there as it is
    only_rich: bool = False  # what rich text needs and the HTML doesn't
    codepage: int = 0  # the font's; 0 stands for the document's
    unicode_skips: int = 1


@dataclass
class _Reading:
    is_html: bool
    groups: list[_Group] = field(default_factory=lambda: [_Group()])
    document_codepage: int = 1252
    codepages: dict[int, int] = field(default_factory=dict)
    font: int = 0
    skip: int = 0
    optional: bool = False  # the next word names something that may be passed over
    out: list[str] = field(default_factory=list)
    run: bytearray = field(default_factory=bytearray)

    @property
    def text(self) -> str:
        self._end_run()
        return "".join(self.out).encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def take(self, token: re.Match[str]) -> int:
        """How many characters after the token are no text."""
        word, number, byte, symbol, brace, plain = token.groups()
        if word:
            return self._word(word, number)
        if brace:
            self._brace(brace)
        elif byte:
            self._bytes(bytes.fromhex(byte))
        elif plain:
            self._bytes(plain.encode("latin-1"))
        elif symbol == "*":
            self.optional = True
        elif symbol in _MEANS:
            self._say(_MEANS[symbol])
        return 0

    def _brace(self, brace: str) -> None:
        self._end_run()
        if brace == "{":
            self.groups.append(self.groups[-1])
        elif len(self.groups) > 1:
            self.groups.pop()
        self.optional, self.skip = False, 0

    def _word(self, word: str, number: str | None) -> int:
        optional, self.optional = self.optional, False
        if optional or word in _NOT_SAID:
            in_tag = self.is_html and word == "htmltag"
            self._set(in_tag=in_tag, silent=not in_tag)
        elif word in _MEANS:
            self._say(_MEANS[word])
        elif word == "u" and number:
            self._say(chr(int(number) % 65536))
            self.skip = self.groups[-1].unicode_skips
        elif word == "bin" and number:
            return max(int(number), 0)
        else:
            self._end_run()
            self._turn(word, int(number) if number else None)
        return 0

    def _turn(self, word: str, number: int | None) -> None:
        if word == "ansicpg" and number:
            self.document_codepage = number
        elif word == "fonttbl":
            self._set(fonts=True, silent=True)
        elif word == "f":
            self.font = number or 0
            self._set(codepage=self.codepages.get(self.font, 0))
        elif word == "fcharset" and self.groups[-1].fonts:
            self.codepages[self.font] = _FONT_CODEPAGES.get(number or 0, 0) if number else 0
        elif word == "plain":
            self._set(codepage=0)
        elif word == "uc":
            self._set(unicode_skips=min(number or 0, 9))
        elif word == "htmlrtf":
            self._set(only_rich=number != 0)

    def _set(self, **what: Any) -> None:
        self.groups[-1] = self.groups[-1]._replace(**what)

    def _say(self, text: str) -> None:
        if not self._unheard:
            self._end_run()
            self.out.append(text)

    def _bytes(self, raw: bytes) -> None:
        raw, self.skip = raw[self.skip :], max(self.skip - len(raw), 0)
        if not self._unheard:
            self.run += raw

    @property
    def _unheard(self) -> bool:
        group = self.groups[-1]
        return group.silent or (self.is_html and group.only_rich and not group.in_tag)

    def _end_run(self) -> None:
        if self.run:
            self.out.append(charset.decode(bytes(self.run), f"cp{self.groups[-1].codepage or self.document_codepage}"))
            self.run.clear()
