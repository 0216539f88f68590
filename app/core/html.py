"""Foreign HTML made harmless. The policy has a version, so that old mail can be redone from its raw bytes."""

import nh3

POLICY = 1
MOST_BYTES = 1_000_000

_TAGS = nh3.ALLOWED_TAGS - {"form", "input", "button"}
_SCHEMES = {"http", "https", "mailto", "tel"}


def _attribute(tag: str, name: str, value: str) -> str | None:
    if tag == "img" and name == "src":
        return None  # remote pictures tell the sender who reads; inline ones are listed as attachments
    if name in {"id", "name", "class", "style"} or name.startswith(("hx-", "data-")):
        return None
    return value


def clean(dirty: str) -> str:
    """HTML that is safe to show in a sandboxed frame: no script, style, form, remote picture or foreign scheme.

    The caller bounds the time this may take (deep nesting is slow): foreign mail is cleaned in a limited child.
    """
    return nh3.clean(
        dirty[:MOST_BYTES],
        tags=_TAGS,
        attribute_filter=_attribute,
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer nofollow",
    )
