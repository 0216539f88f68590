"""What a mail says, and the files it brings."""

import pytest

from app.intake.rules import body, parts
from app.intake.rules.body import Said
from tests.unit.intake.letters import mail, multipart, part

HTML = "text/html; charset=utf-8"


def said(raw: bytes) -> Said:
    return body.said(parts.tree(raw)[0])


def names(raw: bytes) -> list[str]:
    return [f.name for f in said(raw).files]


def test_of_alternatives_it_keeps_the_text_and_the_html() -> None:
    found = said(multipart(part("plain"), part("<b>rich</b>", HTML), kind="alternative"))
    assert (found.text, found.html, found.files) == ("plain", "<b>rich</b>", [])


def test_an_empty_alternative_does_not_hide_a_full_one() -> None:
    found = said(multipart(part("  \r\n"), part("full"), kind="alternative"))
    assert found.text == "full"


def test_of_a_sequence_it_keeps_everything_in_order() -> None:
    picture = part("x", "image/png", Content_Disposition="inline")
    found = said(multipart(part("before"), picture, part("after")))
    assert found.text == "before\n\nafter"
    assert [f.name for f in found.files] == ["image.png"]


def test_a_plain_footer_under_an_html_text_is_in_both() -> None:
    found = said(multipart(part("<p>Hello</p>", HTML), part("-- \r\nA list <footer>")))
    assert found.text == "Hello\n\n-- \nA list <footer>"
    assert found.html == "<p>Hello</p>\n<pre>-- \nA list &lt;footer&gt;</pre>"


def test_a_text_that_is_a_file_is_a_file() -> None:
    log = part("line", "text/plain", Content_Disposition='attachment; filename="error.log"')
    found = said(multipart(part("See the log."), log))
    assert found.text == "See the log."
    assert [(f.name, f.content) for f in found.files] == [("error.log", b"line")]


def test_a_mail_within_a_mail_is_one_file_named_after_its_subject() -> None:
    inner = mail("inner", subject="=?utf-8?q?Gr=C3=BC=C3=9Fe?=")
    found = said(multipart(part("see below"), part(inner, "message/rfc822")))
    assert found.text == "see below"
    assert [(f.name, f.content) for f in found.files] == [("Grüße.eml", inner)]


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\\\Users\\\\carol\\\\a.doc", "a.doc"),
        ("evil\u202ecod.exe", "evilcod.exe"),
        ("...", "application.pdf"),
        ("", "application.pdf"),
        ("x" * 300 + ".pdf", "x" * 196 + ".pdf"),
    ],
)
def test_a_file_name_is_only_a_name(sent: str, name: str) -> None:
    raw = mail("x", Content_Type="application/pdf", Content_Disposition=f'attachment; filename="{sent}"')
    assert names(raw) == [name]


def test_a_nameless_file_gets_a_name_by_its_type() -> None:
    assert names(mail("x", Content_Type="text/calendar")) == ["text.ics"]


def test_an_empty_nameless_part_is_no_file() -> None:
    assert names(multipart(part("text"), part("", "application/octet-stream"))) == []


def test_a_text_too_long_to_show_is_cut_and_comes_as_a_file_too() -> None:
    found = said(mail("a" * (body.MOST_TEXT + 1)))
    assert found.text == "a" * body.MOST_TEXT + body.CUT
    assert [len(f.content) for f in found.files] == [body.MOST_TEXT + 1]


def test_flowed_lines_become_paragraphs_again() -> None:
    flowed = "One long \nline.\n> quoted \n> on\n>> deeper\n-- \nCarol"
    assert body.unflowed(flowed, delsp=False) == "One long line.\n> quoted on\n>> deeper\n-- \nCarol"


def test_flowed_lines_of_a_language_without_spaces_lose_the_one_at_the_end() -> None:
    assert body.unflowed("こん \nにちは", delsp=True) == "こんにちは"
    raw = mail("long \r\nline\r\n", Content_Type='text/plain; format="flowed"; DelSp="Yes"')
    assert said(raw).text == "longline"


def test_control_characters_do_not_get_through() -> None:
    assert said(mail(b"a\x00b\x08c\xe2\x80\xaed", Content_Type="text/plain; charset=utf-8")).text == "abcd"
