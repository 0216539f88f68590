"""Foreign HTML made harmless. The policy has a version, so that old mail can be redone from its raw bytes."""

import re
from collections.abc import Callable, Mapping
from urllib.parse import quote, unquote

import nh3

from app.core.html_policy import POLICY as POLICY

MOST_BYTES = 1_000_000
MOST_LINKS = 5_000
NONE: Mapping[str, str] = {}

# What stands before the address of a picture that lies elsewhere: no browser knows this scheme, so nothing is fetched.
ELSEWHERE = "remote:"
_MARK = f'src="{ELSEWHERE}'

_TAGS = (nh3.ALLOWED_TAGS | {"font"}) - {"form", "input", "button", "map", "area"}
_SCHEMES = {"http", "https", "mailto", "tel", "cid", "data", ELSEWHERE.rstrip(":")}
_CELL = {"width", "height", "align", "valign", "bgcolor", "border", "cellpadding", "cellspacing"}
_ATTRIBUTES: dict[str, set[str]] = {
    **{tag: names - {"cite"} for tag, names in nh3.ALLOWED_ATTRIBUTES.items()},
    "*": {"style", "dir", "title"},
    "font": {"color", "size", "face"},
    **{tag: nh3.ALLOWED_ATTRIBUTES.get(tag, set()) | _CELL for tag in ("table", "tr", "td", "th", "col")},
    **{tag: {"align"} for tag in ("p", "div", "h1", "h2", "h3", "h4", "h5", "h6")},
}
_LOOKS = (
    "color background-color font font-family font-size font-style font-weight line-height text-align text-decoration "
    "vertical-align white-space direction width max-width height padding padding-top padding-right padding-bottom padding-left "
    "border border-top border-right border-bottom border-left border-color border-style border-width border-collapse "
    "border-spacing list-style-type"
)
_PROPERTIES = set(_LOOKS.split())
# No word of CSS with an address, a position, an escape or a comment is spelt like this.
_VALUE = re.compile(r"(?:[\w .,%#'\"+/!-]|(?<=\brgb)\([\d .,%]{1,40}\)|(?<=\brgba)\([\d .,%]{1,40}\)){1,200}")
_LINK = re.compile(r"(?:https?://|mailto:|tel:)[^\s<>\"]+", re.IGNORECASE)
_PICTURE = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
_INSIDE = re.compile(r"data:image/(?:png|jpeg|jpg|gif|webp);base64,[\w+/=\s%]+", re.IGNORECASE)

Change = Callable[[str, str, str], str | None]


def clean(dirty: str, *, within: Mapping[str, str] = NONE) -> str:
    """HTML that is safe to show in a sandboxed frame: no script, no form, no foreign scheme, and of styles only looks.

    Pictures stay as cid:…, which is a file of the same mail, and so do those whose address `within` knows by its id; as
    data:…; or as ELSEWHERE with an address, which fetches nothing. What is clean stays as it is.

    The caller bounds the time this may take (deep nesting is slow): foreign mail is cleaned in a limited child.
    """
    links = 0

    def change(tag: str, name: str, value: str) -> str | None:
        nonlocal links
        if tag == "a" and name == "href":
            links += 1
            return _link(value.strip()) if links <= MOST_LINKS else None
        if tag == "img" and name == "src":
            return _picture(value.strip(), within)
        return _style(value) if name == "style" else value

    return _cleaned(dirty[:MOST_BYTES], change)


def shown(cleaned: str, picture: Callable[[str], str | None]) -> str:
    """Clean HTML as it is shown: `picture` is given the address of each picture and answers a data: address, or None for none."""

    def change(tag: str, name: str, value: str) -> str | None:
        return picture(value) if tag == "img" and name == "src" else value

    return _cleaned(cleaned, change)


def pictures(cleaned: str) -> list[str]:
    """The addresses of the pictures in clean HTML, in order, each once."""
    found: dict[str, str | None] = {}
    shown(cleaned, found.setdefault)
    return list(found)


def has_pictures_elsewhere(cleaned: str | None) -> bool:
    """Whether there is something to fetch. A text that says so itself makes it say yes, and no more."""
    return cleaned is not None and _MARK in cleaned


def _cleaned(markup: str, change: Change) -> str:
    return nh3.clean(
        markup,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=change,
        url_schemes=_SCHEMES,
        filter_style_properties=_PROPERTIES,
        set_tag_attribute_values={"a": {"target": "_blank"}},
        url_relative=lambda _: None,  # told last: `change` has made whole what can be
        link_rel="noopener noreferrer nofollow",
    )


def _link(address: str) -> str | None:
    if address.startswith("//"):
        address = f"https:{address}"
    if not _LINK.fullmatch(address):
        return None
    return address.partition("?")[0] if address[:7].lower() == "mailto:" else address  # its form would be filled in by the sender


def _picture(address: str, within: Mapping[str, str]) -> str | None:
    scheme, _, rest = address.partition(":")
    if address in within:
        return f"cid:{quote(within[address])}"
    if scheme.lower() == "cid":
        return f"cid:{quote(unquote(rest))}"
    bare = address.removeprefix(ELSEWHERE)
    bare = f"https:{bare}" if bare.startswith("//") else bare
    if _PICTURE.fullmatch(bare):
        return ELSEWHERE + bare
    return address if _INSIDE.fullmatch(address) else None


def _style(declarations: str) -> str | None:
    kept = []
    for each in declarations[:5000].split(";"):
        name, _, value = each.partition(":")
        if name.strip().lower() in _PROPERTIES and _VALUE.fullmatch(value.strip()):
            kept.append(f"{name.strip().lower()}:{value.strip()}")
    return ";".join(kept) or None
