"""What a mail says, and the files it brings."""

import html
import io
import zipfile

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
    assert found.text == "see below\n\n[Attached mail: Grüße, from Carol <carol@acme.example>]"
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


@pytest.mark.parametrize(
    "field",
    [
        "filename*=utf-8''..%2F..%2Fapp%2Fx.py",
        "filename*0*=utf-8''..%2F; filename*1*=..%2Fapp; filename*2*=%2Fx.py",
        'filename="=?utf-8?q?..=2F..=2Fapp=2Fx.py?="',
        'filename="/data/files/x.py"',
        'filename="C:\\\\Windows\\\\x.py"',
        "filename*=utf-8''%E2%80%AEx.py%00",
    ],
)
def test_a_way_to_another_folder_in_any_writing_is_only_a_name(field: str) -> None:
    assert names(mail("x", Content_Type="application/pdf", Content_Disposition=f"attachment; {field}")) == ["x.py"]


def test_documents_with_entities_are_kept_and_never_looked_into() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>'
    raw = multipart(part("See."), part(bomb, "application/xml"), part(bomb, "text/xml"))
    assert (said(raw).text, [f.content for f in said(raw).files]) == ("See.", [bomb, bomb])


def test_a_nameless_file_gets_a_name_by_its_type() -> None:
    assert names(mail("x", Content_Type="text/calendar")) == ["text.ics"]


def test_a_mail_within_a_mail_is_shown_by_sender_subject_and_date_and_in_the_html_too() -> None:
    inner = mail("inner", Date="Mon, 23 Nov 2026 10:00:00 +0100")
    found = said(multipart(part("<p>See:</p>", HTML), part(inner, "message/rfc822")))
    line = "[Attached mail: Help, from Carol <carol@acme.example>, Mon, 23 Nov 2026 10:00:00 +0100]"
    assert line in found.text
    assert f"<pre>{html.escape(line)}</pre>" in found.html
    assert said(mail("x", Content_Type="message/rfc822")).text == "[Attached mail: no subject, from nobody]"


def test_a_mail_within_a_mail_is_not_taken_apart() -> None:
    inner = multipart(part("inner"), part("x", "application/pdf", Content_Disposition="attachment; filename=a.pdf"))
    inner = inner.replace(b"limit", b"inner-limit")
    found = said(multipart(part("outer"), part(inner, "message/rfc822")))
    assert [(f.name, f.content) for f in found.files] == [("Help.eml", inner)]
    assert "inner" not in found.text


def test_a_digest_is_one_file_a_mail() -> None:
    found = said(multipart(b"\r\n" + mail("one"), b"\r\n" + mail("two"), kind="digest"))
    assert [f.content for f in found.files] == [mail("one"), mail("two")]


def test_a_piece_of_a_mail_says_so_and_is_kept() -> None:
    found = said(mail("half of it", Content_Type='message/partial; number=2; total=3; id="a@b"'))
    assert found.text.startswith("[This is piece 2 of 3 of a larger mail.")
    assert [f.content for f in found.files] == [b"half of it"]


def test_a_file_elsewhere_is_told_of_and_never_fetched() -> None:
    ftp = 'message/external-body; access-type=ANON-FTP; site="ftp.acme.example"; name="a.ps"; directory=pub'
    inner = "Content-Type: application/postscript\r\n\r\n"
    found = said(mail(inner, Content_Type=ftp)).text
    assert found == "[A file that is not in this mail: a.ps, ftp.acme.example, pub (access: ANON-FTP). It is not fetched.]"
    web = said(mail(inner, Content_Type='message/external-body; access-type=URL; URL="http://127.0.0.1/x"'))
    assert "http://127.0.0.1/x (access: URL)" in web.text


@pytest.mark.parametrize(
    ("kind", "sent", "text"),
    [
        ("text/enriched", "<bold>Now</bold> is\nthe <<time>\n\nfor <param>red</param>all", "Now is the <time>\nfor all"),
        ("text/enriched", "<nofill>a\nb</nofill>\n\n\nc < d", "a\nb\n\nc < d"),
        ("text/richtext", "<bold>Now</bold>\nis<nl>the <lt>time><comment>not this</comment>", "Now is\nthe <time>"),
    ],
)
def test_enriched_text_is_text(kind: str, sent: str, text: str) -> None:
    assert said(mail(sent, Content_Type=kind)).text == text


def test_an_encrypted_zip_is_kept_as_it_came() -> None:
    sealed = b"PK\x03\x04\x14\x00\x01\x00" + bytes(range(256))
    raw = multipart(part("See."), part(sealed, "application/zip", Content_Disposition="attachment; filename=a.zip"))
    assert [(f.name, f.content) for f in said(raw).files] == [("a.zip", sealed)]


def test_an_archive_is_never_opened() -> None:
    """A bomb of 200 MB in 200 KB is a file of 200 KB."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("zeros", bytes(200_000_000))
    raw = multipart(*[part(packed.getvalue(), "application/zip")] * 50)
    assert [len(f.content) for f in said(raw).files] == [len(packed.getvalue())] * 50


def test_several_texts_stay_in_their_order_with_pictures_between_them() -> None:
    picture = part("x", "image/png", Content_Disposition="inline; filename=a.png")
    found = said(multipart(part("one"), picture, part("<p>two</p>", HTML), picture, part("three")))
    assert found.text == "one\n\ntwo\n\nthree"
    assert found.html == "<pre>one</pre>\n<p>two</p>\n<pre>three</pre>"
    assert [f.name for f in found.files] == ["a.png", "a.png"]


def test_how_the_text_was_read_is_known() -> None:
    russian = part("Привет".encode("koi8-r"), "text/plain; charset=koi8-r")
    assert said(multipart(part("", "image/png"), russian, part("later"))).charset == "koi8-r: as labelled"


def test_an_empty_file_with_a_name_is_a_file() -> None:
    raw = multipart(part("text"), part("", "text/plain", Content_Disposition="attachment; filename=empty.log"))
    assert [(f.name, f.content) for f in said(raw).files] == [("empty.log", b"")]


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
