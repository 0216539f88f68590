"""What a letter looks like on the wire, whatever was put into its row."""

import re
from base64 import b64decode
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from app.outbox.actions import new_mail_id
from app.outbox.compose import Enclosure, compose
from app.outbox.house import one_time_token
from app.outbox.models import Kind
from tests.unit.outbox.letters import a_house, a_letter

HOUSE = a_house()
REPLY = {
    "from", "to", "reply-to", "subject", "date", "message-id", "in-reply-to", "references", "mime-version", "content-type",
    "thread-topic", "thread-index",
}  # fmt: skip
PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NASTY = PLAIN | st.lists(
    st.sampled_from(
        [
            "\r\n",
            "\n",
            "\r",
            "\x85",
            "\u2028",
            "\x0b",
            "\x1c",
            "Bcc: m@evil.example",
            "é",
            '"',
            ",",
            "<",
            ">",
            "@",
            " ",
            "=?utf-8?q?=0D=0ABcc:_m@evil.example?=",
            "=?utf-8?q?",
            "?=",
            "=0D=0A",
        ]
    )
).map("".join)
SNEAK = "Hello\r\nBcc: mallory@evil.example\r\n\r\nbody"


def read(raw: bytes) -> EmailMessage:
    """As a mail program reads it."""
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def wire(**different: object) -> EmailMessage:
    """A composed letter as it arrives."""
    return read(compose(a_letter(**different), HOUSE).as_bytes())


def text_of(message: EmailMessage, kind: str) -> str:
    """The text of its plain or html part."""
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_a_reply_says_who_wrote_and_where_an_answer_goes() -> None:
    message = wire()
    assert message["From"] == "Alice <support@desk.example>"
    assert message["To"] == "Carol <carol@acme.example>"
    assert message["Reply-To"] == f"ATUM Desk <{HOUSE.reply_address(7, 'carol@acme.example')}>"
    assert message["Subject"] == "Re: My printer burns [#7]"
    assert message["Message-ID"] == HOUSE.mail_id("t.7.9.0123456789abcdef")
    assert message["In-Reply-To"] == message["References"] == "<first@acme.example>"
    assert message["Date"] == "Sun, 29 Mar 2026 01:30:00 +0000"
    assert {name.lower() for name in message} == REPLY


def test_it_has_a_plain_and_an_html_part_with_the_link_to_the_ticket() -> None:
    message = wire(text="1 < 2 & <script>alert(1)</script>\nPull the plug.")
    assert (
        text_of(message, "plain") == "1 < 2 & <script>alert(1)</script>\nPull the plug.\n\n-- \nhttps://desk.example/tickets/7\n"
    )
    html = text_of(message, "html")
    assert ">1 &lt; 2 &amp; &lt;script&gt;alert(1)&lt;/script&gt;<br>\nPull the plug.</p>" in html
    assert '<a href="https://desk.example/tickets/7">' in html


def test_a_one_time_link_is_made_from_the_letters_id_and_stands_in_no_row() -> None:
    said = "Open {link} within the hour."
    message = wire(kind=Kind.NOTICE, ticket=None, text=said, link="reset", mail_id="t.0.0.00ff")
    link = f"https://desk.example/reset/{one_time_token(HOUSE.signer, 't.0.0.00ff')}"
    assert len(link.rpartition("/")[2]) == 51  # 255 bits
    assert text_of(message, "plain") == f"Open {link} within the hour.\n"
    assert f'<a href="{link}">{link}</a>' in text_of(message, "html")


def test_a_person_can_not_write_a_link_into_an_answer() -> None:
    message = wire(text="Open {link} now.")
    assert "Open {link} now." in text_of(message, "plain")
    assert "Open {link} now." in text_of(message, "html")


@pytest.mark.parametrize(("kind", "word"), [(Kind.ACKNOWLEDGEMENT, "auto-replied"), (Kind.NOTICE, "auto-generated")])
def test_what_a_machine_writes_says_so(kind: Kind, word: str) -> None:
    message = wire(kind=kind, from_name="")
    assert message["Auto-Submitted"] == word
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["Precedence"] == "bulk"
    assert message["From"] == "ATUM Desk <support@desk.example>"


ANYTHING = {"link": "reset", "text": "Hi.\n\n  indented\n<style>p{color:red}</style> {link}", "kind": Kind.NOTICE}


@pytest.mark.parametrize("different", [{}, ANYTHING, ANYTHING | {"ticket": None}])
def test_the_html_part_carries_its_styles_inline_and_nothing_from_elsewhere(different: dict[str, object]) -> None:
    html = text_of(wire(**different), "html")
    page = LexborHTMLParser(html)
    assert page.css("style, link, script, img, iframe, object, [class], [id], [src], [background]") == []
    assert "url(" not in html
    assert "@import" not in html
    assert all("margin" in (p.attributes["style"] or "") for p in page.css("p"))
    assert all("font-size" in (body.attributes["style"] or "") for body in page.css("body"))
    assert {(a.attributes["href"] or "").rpartition("/")[0] for a in page.css("a")} <= {
        "https://desk.example/tickets",
        "https://desk.example/reset",
    }


def test_the_html_part_leaves_colours_to_the_mail_program() -> None:
    html = text_of(wire(), "html")
    assert '<meta name="color-scheme" content="light dark">' in html
    assert re.findall(r"[;\" ](?:color|background[a-z-]*):", html) == []
    assert set(re.findall(r"#[0-9a-f]{3,6}\b", html)) == {"#8a8a8a"}


@settings(deadline=None)
@given(st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1), min_size=1).map(" ".join))
def test_both_parts_say_all_of_the_words(words: str) -> None:
    message = wire(text=words)
    assert text_of(message, "plain").startswith(f"{words}\n")
    shown = LexborHTMLParser(text_of(message, "html")).css_first("p")
    assert shown is not None
    assert shown.text().replace("\xa0", " ") == words
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_spaces_and_lines_stay_as_they_were_written() -> None:
    html = text_of(wire(text="first\n  second\n\nthird    fourth"), "html")
    assert ">first<br>\n&nbsp; second</p>" in html
    assert ">third&nbsp; &nbsp; fourth</p>" in html


def index_of(message: EmailMessage) -> bytes:
    return b64decode(message["Thread-Index"], validate=True)


def test_all_letters_of_a_ticket_are_one_conversation_for_outlook() -> None:
    kinds = [
        wire(),
        wire(mail_id="t.7.10.00ff"),
        wire(kind=Kind.ACKNOWLEDGEMENT, subject="We received your message [#7]"),
        wire(kind=Kind.NOTICE),
    ]
    assert {index_of(message)[:22] for message in kinds} == {index_of(kinds[0])[:22]}
    assert len(index_of(kinds[0])) == 27
    assert index_of(kinds[0]) != index_of(kinds[1])
    assert index_of(wire(ticket=8))[:22] != index_of(kinds[0])[:22]
    assert [message["Thread-Topic"] for message in kinds] == [
        "My printer burns",
        "My printer burns",
        "We received your message",
        "Ticket 7",
    ]


def test_a_letter_of_no_ticket_is_of_no_conversation() -> None:
    message = wire(ticket=None, kind=Kind.NOTICE, references=[], in_reply_to=None)
    assert {name for name in message if name.lower() in {"thread-index", "thread-topic", "references"}} == set()


def test_letters_that_answer_no_mail_have_one_ancestor() -> None:
    notice, answer = (wire(kind=kind, references=[], in_reply_to=None) for kind in (Kind.NOTICE, Kind.REPLY))
    assert notice["References"] == answer["References"] == HOUSE.mail_id("t.7.0.0")
    assert notice["In-Reply-To"] is None
    assert HOUSE.ticket_of_mail_id(notice["References"]) == 7
    assert wire(ticket=8, references=[], in_reply_to=None)["References"] != notice["References"]


# What SpamAssassin holds against a Message-ID (rules/20_head_tests.cf).
SUSPICIOUS = {
    "MSGID_SPAM_CAPS": r"^\s*<?[A-Z]+\@",
    "MSGID_SPAM_LETTERS": r"<[a-z]{5,}\@(\S+\.)+\S+>",
    "MSGID_SPAM_ALPHA_NUM": r"<[A-Z]{7}-000[0-9]{10}\@[a-z]*>",
    "MSGID_NO_HOST": r"\@>(?:$|\s)",
    "MSGID_SHORT": r"^.{1,15}$|<.{0,4}\@",
    "MSGID_RANDY": r"<[a-z\d][a-z\d\$-]{10,29}[a-z\d]\@[a-z\d][a-z\d.]{3,12}[a-z\d]>",
    "MSGID_MULTIPLE_AT": r"<[^>]*\@[^>]*\@",
    "MSGID_DOLLARS": r"<\w{4,}\$\w{4,}\$\w{4,}\@\S+>",
    "MSGID_NOFQDN1": r"<[^\@]*>",
}


@settings(deadline=None)
@given(st.integers(1, 10**12), st.integers(0, 10**12))
@example(7, 0)
def test_no_message_id_looks_like_those_that_spammers_make(ticket: int, message: int) -> None:
    for bare in (new_mail_id(ticket, message), f"t.{ticket}.0.0"):
        assert [name for name, pattern in SUSPICIOUS.items() if re.search(pattern, HOUSE.mail_id(bare))] == []


def test_a_notice_to_staff_has_no_reply_address() -> None:
    assert wire(kind=Kind.NOTICE)["Reply-To"] is None


def test_our_own_ids_are_completed_and_others_left_as_they_are() -> None:
    message = wire(in_reply_to="t.7.8.00ff", references=["<first@acme.example>", "t.7.8.00ff"])
    ours = HOUSE.mail_id("t.7.8.00ff")
    assert message["In-Reply-To"] == ours
    assert str(message["References"]).split() == ["<first@acme.example>", ours]
    assert HOUSE.ticket_of_mail_id(ours) == 7


def test_long_references_keep_the_first_and_the_last() -> None:
    ids = [f"<{n:03}.{'x' * 60}@acme.example>" for n in range(40)]
    kept = str(wire(references=ids)["References"]).split()
    assert len(" ".join(kept)) <= 998
    assert kept[0] == ids[0]
    assert kept[1:] == ids[40 - len(kept) + 1 :]
    assert len(kept) > 10


def test_a_long_foreign_id_arrives_as_it_is() -> None:
    long = f"<{'a1b2' * 50}@mail.acme.example>"
    raw = compose(a_letter(in_reply_to=long, references=[long, "<b@c>"]), HOUSE).as_bytes()
    assert f"\r\nIn-Reply-To: {long}\r\n".encode() in raw
    assert f"\r\nReferences: {long}\r\n <b@c>\r\n".encode() in raw


@pytest.mark.parametrize("bad", ["<a b@c>", "<a@b>\r\nBcc: m@evil.example", "<ä@b>", "<>", "<" + "x" * 300 + ">", "<a@b"])
def test_what_is_no_id_is_left_out(bad: str) -> None:
    message = wire(in_reply_to=bad, references=[bad, "<good@acme.example>"])
    assert message["In-Reply-To"] is None
    assert message["References"] == "<good@acme.example>"
    assert message["Bcc"] is None


def test_the_same_letter_is_the_same_mail_each_time() -> None:
    files = [Enclosure("a.bin", "application/octet-stream", bytes(range(256)))]
    assert compose(a_letter(), HOUSE, files).as_bytes() == compose(a_letter(), HOUSE, files).as_bytes()


@settings(deadline=None)
@given(name=NASTY, content=st.binary(max_size=300))
@example(name='x"\r\nBcc: m@evil.example', content=b"\r\n--=_t.7.9.0123456789abcdef.0--\r\n")
def test_files_arrive_as_they_were(name: str, content: bytes) -> None:
    message = read(compose(a_letter(), HOUSE, [Enclosure(name, "image/png", content)]).as_bytes())
    [file] = message.iter_attachments()
    assert isinstance(file, EmailMessage)
    assert file.get_content() == content
    assert file.get_content_type() == "image/png"
    assert file.get_content_disposition() == "attachment"
    assert message["Bcc"] is None


@settings(deadline=None)
@given(subject=NASTY, to_name=NASTY, from_name=NASTY, text=NASTY)
@example(subject=SNEAK, to_name=SNEAK, from_name=SNEAK, text=SNEAK)
@example(subject="", to_name="a" * 100 + ", é <m@evil.example>", from_name='"', text=".\r\n.\r\nQUIT")
def test_nothing_in_a_row_can_add_a_header_or_an_address(subject: str, to_name: str, from_name: str, text: str) -> None:
    raw = compose(a_letter(subject=subject, to_name=to_name, from_name=from_name, text=text), HOUSE).as_bytes()
    message = read(raw)
    assert {name.lower() for name in message} | {"thread-topic"} == REPLY  # a subject of nothing has no topic
    assert [a.addr_spec for a in message["To"].addresses] == ["carol@acme.example"]
    assert [a.addr_spec for a in message["From"].addresses] == ["support@desk.example"]
    assert [address for _, address in getaddresses([message_from_bytes(raw)["To"]])] == ["carol@acme.example"]
    assert raw.isascii()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw)
    assert max(map(len, raw.split(b"\r\n"))) <= 998


ENCODED = "=?utf-8?q?=0D=0ABcc:_m@evil.example?="


def test_what_looks_like_an_encoded_word_stays_what_was_written() -> None:
    raw = compose(
        a_letter(subject=ENCODED, to_name=ENCODED, from_name=ENCODED), HOUSE, [Enclosure(ENCODED, "a/b", b"")]
    ).as_bytes()
    assert b"\nBcc:" not in raw
    message = read(raw)
    assert message["Subject"] == message["Thread-Topic"] == ENCODED
    assert [a.display_name for name in ("From", "To") for a in message[name].addresses] == [ENCODED] * 2
    assert [file.get_filename() for file in message.iter_attachments()] == [ENCODED]


@pytest.mark.parametrize("name", ["plan.txt", "a plan (1).pdf", "é" * 100, "日本" * 40 + ".txt", "a;b=c.txt", "100% 'sure'.txt"])
def test_a_files_name_arrives_as_it_was_and_no_line_is_long(name: str) -> None:
    raw = compose(a_letter(), HOUSE, [Enclosure(name, "text/x", b"")]).as_bytes()
    [file] = read(raw).iter_attachments()
    assert file.get_filename() == name
    assert max(map(len, raw.split(b"\r\n"))) <= 100


@settings(deadline=None)
@given(st.text(st.characters(categories=["L", "N", "P", "S"]) | st.just(" ")))
@example(ENCODED)
def test_a_subject_arrives_as_it_was_written(subject: str) -> None:
    assert wire(subject=subject)["Subject"] == " ".join(subject.split())[:500]


@settings(deadline=None)
@given(st.text(st.characters(categories=["L", "N"], codec="utf-8") | st.sampled_from(", .<>@\"'()[]:;\\"), min_size=1))
def test_a_name_arrives_as_it_was_written(name: str) -> None:
    [(shown, address)] = getaddresses([message_from_bytes(compose(a_letter(to_name=name), HOUSE).as_bytes())["To"]])
    assert str(make_header(decode_header(shown))) == " ".join(name.split())[:100]
    assert address == "carol@acme.example"


def test_a_long_domain_does_not_break_the_address() -> None:
    domain = ".".join(["a" * 60] * 4)
    [to] = wire(to_address=f"carol@{domain}", to_name="Carol Ünique")["To"].addresses
    assert to.addr_spec == f"carol@{domain}"


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="before the @"):
        compose(a_letter(to_address="carol\r\nBcc: m@evil.example"), HOUSE)
