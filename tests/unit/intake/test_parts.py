"""The tree of a mail's parts."""

import email.message
import email.policy
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.intake.rules import parts
from tests.unit.intake.letters import mail, multipart, part


def leaves(raw: bytes) -> list[bytes]:
    return [p.content for p in parts.tree(raw)[0].walk() if not p.children]


def test_the_parts_come_in_order_with_their_own_bytes() -> None:
    assert leaves(multipart(part("one"), part("two\r\n"), part("three"))) == [b"one", b"two\r\n", b"three"]


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_a_missing_last_line_ends_with_the_mail(end: bytes) -> None:
    raw = multipart(part("one"), part("two")).replace(b"--limit--\r\n", b"").replace(b"\r\n", end)
    assert [leaf.strip() for leaf in leaves(raw)] == [b"one", b"two"]


def test_what_stands_before_the_first_and_after_the_last_boundary_is_no_part() -> None:
    raw = multipart(part("one")).replace(b"--limit\r\n", b"This is MIME.\r\n--limit\r\n", 1) + b"the end"
    assert leaves(raw) == [b"one"]


def test_an_outer_boundary_ends_what_is_inside() -> None:
    inner = b'Content-Type: multipart/mixed; boundary="inner"\r\n\r\n--inner\r\n\r\nunfinished'
    assert leaves(multipart(inner, part("next"))) == [b"unfinished", b"next"]


def test_a_boundary_that_begins_like_another_is_another() -> None:
    raw = multipart(part("one\r\n--limited\r\nstill one"))
    assert leaves(raw) == [b"one\r\n--limited\r\nstill one"]


def test_a_forgotten_boundary_is_found_in_the_text() -> None:
    raw = mail(b"--x\r\n\r\none\r\n--x\r\n\r\ntwo\r\n--x--\r\n", Content_Type="multipart/mixed")
    assert leaves(raw) == [b"one", b"two"]


def test_a_multipart_without_parts_is_its_text() -> None:
    whole, _ = parts.tree(mail("just text", Content_Type="multipart/mixed; boundary=x"))
    assert (whole.media_type, whole.content) == ("text/plain", b"just text")


@pytest.mark.parametrize(
    ("encoding", "sent", "content"),
    [
        ("base64", "SGVsbG8=", b"Hello"),
        ("base64", "SGVsbG8= is the end\r\n", b"Hello"),
        ("base64", "SGVs*bG8=SGVsbG8=", b"HelloHello"),
        ("BASE64 ", "SGVsbG8", b"Hello"),
        ("quoted-printable", "a=3db=3D=\r\nc", b"a=b=c"),
        ("quoted-printable", "100% =ZZ", b"100% =ZZ"),
        ("8bit", "é", "é".encode()),
        ("nonsense", "as it is", b"as it is"),
        ("x-uuencode", "begin 644 a.txt\r\n%2&5L;&\\\r\n`\r\nend\r\n", b"Hello"),
    ],
)
def test_transfer_encodings(encoding: str, sent: str, content: bytes) -> None:
    whole, _ = parts.tree(mail(sent, Content_Transfer_Encoding=encoding))
    assert whole.content == content


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"Content_Disposition": 'attachment; filename="a.pdf"'}, "a.pdf"),
        ({"Content_Disposition": "attachment; filename*=utf-8''%E2%9C%94.pdf"}, "✔.pdf"),
        ({"Content_Type": 'application/pdf; name="=?utf-8?q?=E2=9C=94?=.pdf"'}, "✔.pdf"),
        ({"Content_Disposition": "attachment"}, ""),
    ],
)
def test_the_name_of_a_file(fields: dict[str, str], name: str) -> None:
    assert parts.tree(mail("x", **fields))[0].name == name


def test_fifty_thousand_parts_are_cut_at_500_and_said_so() -> None:
    whole, exceeded = parts.tree(multipart(*[part(str(n)) for n in range(50_000)]))
    assert exceeded
    assert len(list(whole.walk())) <= parts.MOST_PARTS + 1


def test_fifteen_hundred_levels_are_cut_at_50_and_said_so() -> None:
    level = b"".join(b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (n, n + 1) for n in range(1500))
    whole, exceeded = parts.tree(mail(level, Content_Type="multipart/mixed; boundary=b0"))
    assert exceeded
    assert len(list(whole.walk())) <= parts.MOST_DEPTH + 1


@given(
    st.lists(
        st.tuples(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=80), st.booleans()),
        min_size=1,
        max_size=5,
    )
)
def test_what_the_standard_library_writes_is_read_back(content: list[tuple[str, bool]]) -> None:
    whole = email.message.EmailMessage(policy=email.policy.SMTP)
    whole.make_mixed()
    for text, encoded in content:
        inner = email.message.EmailMessage(policy=email.policy.SMTP)
        inner.set_content(text + "\n", cte="base64" if encoded else "quoted-printable")
        whole.attach(inner)
    assert [leaf.decode().strip("\r\n") for leaf in leaves(whole.as_bytes())] == [text for text, _ in content]


@given(st.binary(max_size=500), st.sampled_from([b"", b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"]))
def test_nothing_makes_it_raise(raw: bytes, before: bytes) -> None:
    whole, _ = parts.tree(before + raw)
    for each in whole.walk():
        assert isinstance(each.content, bytes)
        assert isinstance(each.name, str)


@given(st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b" ", b"bc" * 300_000]), max_size=12))
def test_a_body_read_piece_by_piece_is_the_whole_body_whatever_is_cut_where(bits: list[bytes]) -> None:
    whole, _ = parts.tree(b"Subject: s\r\n\r\n" + b"".join(bits))
    pieced = b"".join(piece.replace(b"\r\n", b"\n") for piece in whole.pieces())
    assert pieced == whole.body.replace(b"\r\n", b"\n").rstrip()
    assert whole.empty == (not whole.body.strip())


@pytest.mark.parametrize("flood", ["-" * 3_000_000, "--limit" * 400_000, "--limit\r" * 400_000, "x\r\n--limi\r\n" * 200_000])
def test_what_only_looks_like_a_boundary_costs_no_more_than_other_text(flood: str) -> None:
    whole, _ = parts.tree(mail(flood, Content_Type='multipart/mixed; boundary="limit"'))
    assert len(whole.children) <= parts.MOST_PARTS + 1


def test_a_boundary_within_a_line_is_text() -> None:
    assert leaves(multipart(part("see --limit for this\r\n --limit"), part("two"))) == [
        b"see --limit for this\r\n --limit",
        b"two",
    ]


@given(
    st.lists(
        st.sampled_from([b"--b", b"--b--", b"--c", b"\r\n", b"\n", b"a", b"Content-Type: multipart/mixed; boundary=c\r\n\r\n"]),
        max_size=25,
    )
)
def test_every_leaf_is_a_slice_of_the_mail_and_none_lies_in_another(bits: list[bytes]) -> None:
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"".join(bits)
    leaves = [p for p in parts.tree(raw)[0].walk() if not p.children]
    assert all(p.body == raw[p.start : p.end] and p.mail is raw for p in leaves)
    assert all(before.end <= after.start for before, after in itertools.pairwise(leaves))


def test_words_after_a_boundary_and_a_space_do_not_count() -> None:
    raw = (
        multipart(part("one"), part("two"))
        .replace(b"--limit\r\n", b"--limit as ever\r\n")
        .replace(b"--limit--", b"--limit-- the end")
    )
    assert leaves(raw) == [b"one", b"two"]


def test_a_type_without_its_semicolon_is_still_that_type() -> None:
    raw = mail(b"--x\r\n\r\none\r\n--x--\r\n", Content_Type='multipart/mixed boundary="x"')
    assert leaves(raw) == [b"one"]


def test_a_multipart_that_only_ends_is_its_text() -> None:
    whole, _ = parts.tree(mail("No parts here.\r\n--x--\r\nBye", Content_Type="multipart/mixed; boundary=x"))
    assert whole.content == b"No parts here.\r\n--x--\r\nBye"


def test_a_wrong_boundary_is_put_right_by_the_lines_themselves() -> None:
    assert leaves(multipart(part("one"), part("two")).replace(b'boundary="limit"', b'boundary="other"')) == [b"one", b"two"]


def test_parts_within_parts_that_share_a_boundary_are_all_there() -> None:
    inner = b'Content-Type: multipart/alternative; boundary="limit"\r\n\r\n--limit\r\n\r\ninner'
    assert [leaf for leaf in leaves(multipart(part("one"), inner, part("two"))) if leaf.strip()] == [b"one", b"inner", b"two"]
