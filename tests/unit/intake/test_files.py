"""The files of a mail as a whole: names told apart, and which of them the HTML shows."""

import email.message
import email.policy
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import text
from app.intake.rules import files, read
from app.intake.rules.mail import Found
from tests.unit.intake.letters import multipart, part

PNG = b"\x89PNG\r\n\x1a\n"


def picture(name: str = "a.png", **fields: str) -> bytes:
    return part(PNG, "image/png", Content_Disposition=f'inline; filename="{name}"', **fields)


def found(page: str, *pictures: bytes) -> Sequence[Found]:
    return read.mail(multipart(part(page, "text/html; charset=utf-8"), *pictures, kind="related"))[1]


@pytest.mark.parametrize(
    "page",
    [
        '<img src="cid:one@acme.example">',
        "<img src='cid:one@acme.example'>",
        "<IMG SRC = cid:one@acme.example>",
        '<img src="CID:one%40acme.example">',
        '<img src="cid:one&#64;acme.example">',
        '<table background="cid:one@acme.example">',
        "<p style=\"background: url('cid:one@acme.example')\">",
    ],
)
def test_a_picture_is_inline_where_the_page_refers_to_its_content_id(page: str) -> None:
    [one, other] = found(page, picture(Content_ID="<one@acme.example>"), picture("b.png", Content_ID="<two@acme.example>"))
    assert (one.content_id, one.media_type, one.inline) == ("one@acme.example", "image/png", True)
    assert (other.content_id, other.inline) == ("two@acme.example", False)


def test_a_picture_is_inline_where_the_page_refers_to_its_content_location() -> None:
    [one] = found('<img src="http://acme.example/a.png">', picture(Content_Location="http://acme.example/\r\n a.png"))
    assert (one.location, one.inline) == ("http://acme.example/a.png", True)


def test_an_inline_picture_that_the_page_does_not_show_is_an_attachment_as_any() -> None:
    assert [f.inline for f in found("<p>cid:one</p>", picture(Content_ID="<one>"), picture())] == [False, False]
    assert not found('<img src=""><img src="cid:">', picture())[0].inline


def test_of_two_with_one_content_id_only_the_first_is_inline() -> None:
    assert [f.inline for f in found('<img src="cid:one">', *[picture(Content_ID="<one>")] * 2)] == [True, False]


def test_what_is_no_picture_stays_an_attachment_whatever_refers_to_it() -> None:
    program = part("MZ", "image/png", Content_ID="<one>")
    assert not found('<img src="cid:one">', program)[0].inline


def test_files_of_one_name_get_numbers_before_their_endings() -> None:
    assert [f.name for f in found("", picture(), picture(), picture("A.PNG"))] == ["a.png", "a-2.png", "A-3.PNG"]


@settings(deadline=None)
@given(st.lists(st.text(max_size=300) | st.sampled_from(["x" * 300 + ".pdf", "報" * 90, "." + "y" * 90]), max_size=12))
def test_every_file_of_a_mail_has_a_name_of_its_own(names: list[str]) -> None:
    own = [f.name for f in files.sorted_out([Found(text.file_name(name), b"") for name in names], "")]
    assert len({name.casefold() for name in own}) == len(names)
    assert all(text.file_name(name) == name for name in own)


@settings(deadline=None)
@given(st.lists(st.tuples(st.binary(min_size=1, max_size=50), st.uuids(), st.booleans()), min_size=1, max_size=4))
def test_the_standard_library_s_related_parts_are_read_back_with_their_ids(pictures: list[tuple[bytes, object, bool]]) -> None:
    whole = email.message.EmailMessage(policy=email.policy.SMTP)
    shown = "".join(f'<img src="cid:{id}">' for _, id, is_shown in pictures if is_shown)
    whole.set_content(f"<p>See:</p>{shown}", subtype="html")
    for content, id, _ in pictures:
        whole.add_related(PNG + content, "image", "png", cid=f"<{id}>")
    _, back = read.mail(whole.as_bytes())
    assert [(f.content, f.content_id) for f in back] == [(PNG + content, str(id)) for content, id, _ in pictures]
    assert {f.content_id for f in back if f.inline} == {str(id) for _, id, is_shown in pictures if is_shown}
