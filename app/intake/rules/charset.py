"""Which characters some bytes stand for: a ladder of guesses, the sender's label first."""

import codecs
import re

import chardet

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+-]{0,60}")
_META = re.compile(
    rb"<(?:meta\s[^>]{0,200}?charset|\?xml\s[^>]{0,200}?encoding)\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE
)
_SAMPLE = 65_536

# What senders write, and what they mean by it: a superset wherever the named set is narrower than what is sent.
_MEANT = {
    "ansi_x3.110-1983": "cp1252",
    "ansi_x3.4-1968": "cp1252",
    "ascii": "cp1252",
    "us-ascii": "cp1252",
    "default_charset": "utf-8",
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "gbk": "gb18030",
    "iso-gb2312": "gb18030",
    "x-gbk": "gb18030",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "iso_8859-1": "cp1252",
    "latin1": "cp1252",
    "iso-8859-8-e": "iso-8859-8",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-9": "cp1254",
    "iso-8859-11": "cp874",
    "tis-620": "cp874",
    "windows-874": "cp874",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "x-sjis": "cp932",
    "iso-2022-jp": "iso-2022-jp-ext",
    "_iso-2022-jp$esc": "iso-2022-jp-ext",
    "unicode-1-1-utf-7": "utf-7",
    "unicode-1-1-utf-8": "utf-8",
    "utf8mb4": "utf-8",
    "x-unknown": "",
    "x-user-defined": "",
    "unknown-8bit": "",
}
# Python has codecs that are no charsets, and one (punycode) whose work grows with the square of its input.
_NO_CHARSET = {"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "mbcs", "oem"}
_SEVEN_BIT = ("iso2022", "hz", "utf-7")  # damaged text in these passes for ASCII, so nothing else is tried
_SINGLE_BYTE_GUESS = {"cp1252", "cp1254"}


def decode(raw: bytes, declared: str = "", *, markup: bool = False) -> str:
    """The text, whatever is wrong with `raw` or its label, without the half characters that some charsets can spell."""
    return read(raw, declared, markup=markup)[0]


def read(raw: bytes, declared: str = "", *, markup: bool = False) -> tuple[str, str]:
    """The text, and which charset it was read in and why, in words; `markup` lets an HTML page speak for itself."""
    text, name, why = _read(raw, declared, markup)
    return text.encode("utf-8", "replace").decode(), f"{name}: {why}"


def _read(raw: bytes, declared: str, markup: bool) -> tuple[str, str, str]:
    """The text, the charset and what spoke for it.

    A Latin label on what is well-formed UTF-8 beyond ASCII is wrong: no sentence in Latin-1 looks like that.
    """
    if raw.startswith(codecs.BOM_UTF8):
        return raw[3:].decode("utf-8", "replace"), "utf-8", "its byte order mark"
    name = codec(declared)
    if name in _SINGLE_BYTE_GUESS and (text := _strictly(raw, "utf-8")) is not None:
        return (text, name, "as labelled") if raw.isascii() else (text, "utf-8", "well-formed")
    if name.startswith(_SEVEN_BIT) and raw.isascii():
        return raw.decode(name, "replace"), name, "as labelled"
    rungs = (
        (name, "as labelled"),
        ("utf-8", "well-formed"),
        (_written_inside(raw) if markup else "", "what the page says"),
        (_bom(raw), "its byte order mark"),
    )
    for guess, why in rungs:
        if guess and (text := _strictly(raw, guess)) is not None:
            return text, guess, why
    if found := _detected(raw):
        return raw.decode(found, "replace"), found, "guessed from its bytes"
    return raw.decode(name or "cp1252", "replace"), name or "cp1252", "as labelled, damaged" if name else "for want of any sign"


def codec(label: str) -> str:
    """Python's name for the charset that a sender calls `label`; empty where there is none we know."""
    label = label.strip(" \t\"'").lower()
    label = _MEANT.get(label, label)
    if not _NAME.fullmatch(label):
        return ""
    try:
        found = codecs.lookup(label)
    except (LookupError, ValueError):
        return ""
    return found.name if found._is_text_encoding and found.name not in _NO_CHARSET else ""


def _strictly(raw: bytes, name: str) -> str | None:
    try:
        return raw.decode(name)
    except (UnicodeError, ValueError):
        return None


def _written_inside(raw: bytes) -> str:
    found = _META.search(raw, 0, 4096)
    return codec(found[1].decode("ascii")) if found else ""


def _bom(raw: bytes) -> str:
    return "utf-16" if raw[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE} else ""


def _detected(raw: bytes) -> str:
    return codec(chardet.detect(raw[:_SAMPLE]).get("encoding") or "")
