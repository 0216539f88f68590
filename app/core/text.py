"""Small truths about text."""

import re
import unicodedata

import idna

_ADDRESS = re.compile(r"[^@\s<>,;\"\x00-\x1f\x7f]{1,64}@[^@\s<>,;\"\x00-\x1f\x7f]{1,255}")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})  # two addresses that differ by one of these look the same
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def one_line(text: str, *, most: int = 998) -> str:
    """Printable, on one line, without direction overrides; what a header or a subject may hold."""
    return " ".join(_CONTROL.sub("", text.replace("\r", " ").replace("\n", " ")).split())[:most]


def printable(text: str) -> str:
    """Without NUL (which PostgreSQL refuses) and other control characters, line breaks kept as LF."""
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def file_name(name: str | None, *, otherwise: str = "attachment") -> str:
    """A name that is only a name: no folder, no control or direction characters, at most 200 characters and 255 bytes."""
    bare = one_line(unicodedata.normalize("NFC", name or "")).replace("\\", "/").rsplit("/", 1)[-1]
    bare = "".join(c for c in bare if unicodedata.category(c) not in {"Cf", "Cc", "Cs"})
    bare = " ".join(bare.split()).strip(" .")
    if len(bare) > 200 or len(bare.encode()) > 255:
        stem, dot, ending = bare.rpartition(".")
        if not stem or len(ending) >= 16:
            stem, dot, ending = bare, "", ""
        bare = stem[: 200 - len(dot + ending)].encode()[: 255 - len((dot + ending).encode())].decode(errors="ignore")
        bare = (bare + dot + ending).strip(" .")
    return bare or otherwise


def address(raw: str) -> str:
    """An e-mail address as it is compared and stored: stripped, in lower case, its domain in one form.

    Not casefolded: ß.example and ss.example belong to different people. Nor are letters that look alike made one.
    """
    local, at, domain = _lower(raw).rpartition("@")
    return local + at + mail_domain(domain) if at else domain


def mail_domain(raw: str) -> str:
    """A mail domain as it is compared and stored: as people read it (xn--… in letters), without a dot at its end."""
    plain = _lower(raw).rstrip(".")
    if plain.isascii() and "xn--" not in plain:
        return plain
    try:
        return idna.decode(idna.encode(plain, uts46=True))
    except UnicodeError:  # what is no domain stays what it is
        return plain


def is_address(raw: str) -> bool:
    """Whether this could be the address of somebody new. What a mail's sender is called is not asked that way."""
    seen = all(unicodedata.category(c) not in _UNSEEN for c in raw.strip())
    return seen and _ADDRESS.fullmatch(raw.strip()) is not None


def _lower(raw: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", raw).strip().lower())
