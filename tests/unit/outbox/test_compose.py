"""What a letter looks like on the wire, whatever was put into its row."""

import re
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.outbox.compose import Enclosure, compose
from app.outbox.house import one_time_token
from app.outbox.models import Kind
from tests.unit.outbox.letters import a_house, a_letter

HOUSE = a_house()
REPLY = {"from", "to", "reply-to", "subject", "date", "message-id", "in-reply-to", "references", "mime-version", "content-type"}
PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NASTY = PLAIN | st.lists(
    st.sampled_from(
        ["\r\n", "\n", "\r", "\x85", "\u2028", "\x0b", "\x1c", "Bcc: m@evil.example", "é", '"', ",", "<", ">", "@", " "]
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
    assert "<p>1 &lt; 2 &amp; &lt;script&gt;alert(1)&lt;/script&gt;<br>\nPull the plug.</p>" in html
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


@given(subject=NASTY, to_name=NASTY, from_name=NASTY, text=NASTY)
@example(subject=SNEAK, to_name=SNEAK, from_name=SNEAK, text=SNEAK)
@example(subject="", to_name="a" * 100 + ", é <m@evil.example>", from_name='"', text=".\r\n.\r\nQUIT")
def test_nothing_in_a_row_can_add_a_header_or_an_address(subject: str, to_name: str, from_name: str, text: str) -> None:
    raw = compose(a_letter(subject=subject, to_name=to_name, from_name=from_name, text=text), HOUSE).as_bytes()
    message = read(raw)
    assert {name.lower() for name in message} == REPLY
    assert [a.addr_spec for a in message["To"].addresses] == ["carol@acme.example"]
    assert [a.addr_spec for a in message["From"].addresses] == ["support@desk.example"]
    assert [address for _, address in getaddresses([message_from_bytes(raw)["To"]])] == ["carol@acme.example"]
    assert raw.isascii()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw)
    assert max(map(len, raw.split(b"\r\n"))) <= 998


@given(st.text(st.characters(categories=["L", "N", "P", "S"]) | st.just(" ")))
def test_a_subject_arrives_as_it_was_written(subject: str) -> None:
    assert wire(subject=subject)["Subject"] == " ".join(subject.split())[:500]


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
