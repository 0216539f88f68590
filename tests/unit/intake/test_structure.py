"""What a server says a mail is made of: its texts are found, and nonsense makes none."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imapclient.response_parser import parse_fetch_response

from app.intake.rules import read, structure
from tests.mail import imap_structure
from tests.unit.intake.letters import mail, multipart, part

PDF = part("x", "application/pdf; name=a.pdf", Content_Disposition="attachment; filename=a.pdf")
PLAIN, PAGE = part("In words."), part("<p>As a page.", "text/html; charset=utf-8")
LOG = part("a log", "text/plain; name=trace.log", Content_Disposition='attachment; filename="trace.log"')


def nested(*parts: bytes, kind: str, boundary: str) -> bytes:
    mark = boundary.encode()
    inside = b"".join(b"--" + mark + b"\r\n" + one + b"\r\n" for one in parts) + b"--" + mark + b"--"
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'.encode() + inside


def told(raw: bytes) -> Any:
    """The structure as a real client reads it."""
    answer = b"1 (UID 7 BODYSTRUCTURE " + imap_structure.structure(raw) + b")"
    return parse_fetch_response([answer])[7][b"BODYSTRUCTURE"]


@pytest.mark.parametrize(
    ("raw", "sections"),
    [
        (mail("Hello"), ["TEXT"]),
        (multipart(PLAIN, PDF), ["1"]),
        (multipart(PDF, PLAIN, PLAIN), ["2", "3"]),
        (multipart(nested(PLAIN, PAGE, kind="alternative", boundary="in"), PDF), ["1.1"]),
        (multipart(PDF, nested(nested(PAGE, kind="related", boundary="b"), kind="alternative", boundary="a")), ["2.1.1"]),
        (multipart(LOG, PDF), []),
        (multipart(part(mail("An attached mail's own text"), "message/rfc822"), PLAIN), ["2"]),
        (mail("%PDF", Content_Type="application/pdf"), []),
        (multipart(*[PLAIN] * 30), [str(n) for n in range(1, structure.MOST_TEXTS + 1)]),
    ],
)
def test_what_a_person_wrote_is_found(raw: bytes, sections: list[str]) -> None:
    assert structure.texts(told(raw)) == sections


@given(
    st.recursive(
        st.none() | st.integers() | st.binary(max_size=9) | st.sampled_from([b"TEXT", b"PLAIN", b"text", b"html"]),
        lambda inner: st.lists(inner, max_size=12).map(tuple) | st.lists(inner, max_size=4),
        max_leaves=40,
    )
)
def test_nonsense_is_passed_over(said: Any) -> None:
    assert len(structure.texts(said)) <= structure.MOST_TEXTS


def test_nothing_is_too_deep_or_too_wide_to_be_looked_at() -> None:
    deep: Any = (b"TEXT", b"PLAIN")
    for _ in range(100_000):
        deep = ([deep], b"MIXED")
    assert structure.texts(deep) == []
    assert structure.texts(([([], b"MIXED")] * 1_000_000, b"MIXED")) == []


HEAD = multipart(PLAIN, Subject="Report").partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
OWN = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"


def test_the_texts_are_a_mail_again() -> None:
    found, files = read.mail(structure.together(HEAD, [(OWN, b"Gr=C3=BC=C3=9Fe"), (OWN, b"Zwei")]))
    assert (found.subject, found.text, files) == ("Report", "Grüße\n\nZwei", [])


def test_of_a_mail_without_parts_it_is_the_beginning() -> None:
    found, _ = read.mail(structure.together(mail("").rstrip(b"\r\n"), [(b"", b"It is br")]))
    assert found.text == "It is br"


@pytest.mark.parametrize(
    "head", [mail(""), mail("", Content_Type="multipart/mixed"), mail("", Content_Type='multipart/x; boundary=""')]
)
def test_a_header_and_a_structure_that_contradict_each_other_leave_the_header(head: bytes) -> None:
    assert structure.together(head, [(OWN, b"words"), (OWN, b"more")]) == head.rstrip() + b"\r\n\r\n"
    assert structure.together(HEAD, []) == HEAD
