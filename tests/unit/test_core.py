"""The small truths that everything stands on."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import html, text
from app.core.signing import Signer
from app.web.pages import local_path

SIGNER = Signer(b"k" * 32)


@given(st.text())
def test_a_header_never_gets_a_second_line(raw: str) -> None:
    assert not set(text.one_line(raw)) & set("\r\n\0\x0b\x0c\x1b\u2028\u2029\u202e\x85")


@given(st.text(max_size=400))
def test_a_files_name_is_only_a_name(raw: str) -> None:
    name = text.file_name(raw)
    assert name
    assert "/" not in name
    assert "\\" not in name
    assert name not in {".", ".."}
    assert len(name) <= 200
    assert len(name.encode()) <= 255
    assert text.file_name(name) == name


@pytest.mark.parametrize("stem", ["x", "é", "報", "😀"])
def test_a_long_name_keeps_its_ending_within_what_file_systems_hold(stem: str) -> None:
    name = text.file_name(stem * 300 + ".pdf")
    assert name.endswith(stem + ".pdf")
    assert 240 < len(name.encode()) <= 255 or len(name) == 200


@pytest.mark.parametrize("raw", ["../../etc/passwd", "C:\\boot.ini", "a\0b.txt", "x\u202egnp.exe", "\u200b.htaccess", "..", ""])
def test_tricks_with_names_come_to_nothing(raw: str) -> None:
    assert text.file_name(raw) in {"passwd", "boot.ini", "ab.txt", "xgnp.exe", "htaccess", "attachment"}


def test_an_address_has_one_form() -> None:
    assert text.address(" Alice@EXAMPLE.com ") == "alice@example.com"


@pytest.mark.parametrize(
    "raw",
    ["Carol@Bücher.example", "carol@XN--BCHER-KVA.example.", "carol@bu\u0308cher.example", "carol@\uff42ücher\u3002example"],
)
def test_a_domain_has_one_form_whatever_its_alphabet_is_written_in(raw: str) -> None:
    assert text.address(raw) == "carol@bücher.example"


@given(st.text())
def test_the_form_of_an_address_is_its_own_form(raw: str) -> None:
    assert text.address(text.address(raw)) == text.address(raw)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("info@straße.example", "info@strasse.example"), ("admin@acme.example", "\u0430dmin@acme.example"),
        ("admin@acme.example", "admin@\u0430cme.example"), ("carol@acme.example", "carol+x@acme.example"),
        ("carol@acme.example", "carol@mail.acme.example"), ("\u0131lk@acme.example", "ilk@acme.example"),
    ],
)  # fmt: skip
def test_addresses_of_different_people_stay_different(one: str, other: str) -> None:
    assert text.address(one) != text.address(other)


@pytest.mark.parametrize(
    "raw", ["al\u200bice@acme.example", "alice\u202e@acme.example", "alice@ac\u00adme.example", "a\0b@acme.example"]
)
def test_an_address_with_letters_that_nobody_sees_is_none(raw: str) -> None:
    assert not text.is_address(raw)


@given(st.text(), st.text())
def test_a_signature_is_good_for_its_purpose_and_its_text_alone(one: str, other: str) -> None:
    signature = SIGNER.sign("mail", one)
    assert SIGNER.matches("mail", one, signature)
    assert SIGNER.matches("mail", one, signature.upper())
    assert not SIGNER.matches("reply", one, signature)
    assert SIGNER.matches("mail", other, signature) == (one == other)
    assert not any(SIGNER.matches("mail", one, signature[:length]) for length in range(16))


@pytest.mark.parametrize("made_up", ["", "a", "a" * 15, "a" * 16, "ä" * 16, "a" * 200])
def test_nobody_makes_up_a_signature(made_up: str) -> None:
    assert not SIGNER.matches("mail", "12", made_up)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Signer(b"short")


@pytest.mark.parametrize(
    "dirty",
    [
        "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<a href='java\tscript:alert(1)'>x</a>",
        "<svg><style><img src=x onerror=alert(1)></style></svg>", "<form action=//evil><input name=q></form>",
        "<base href=//evil>", "<meta http-equiv=refresh content=0>", "<div style='position:fixed'>x</div>",
        "<div hx-get=/x data-hx-on:click=1 id=main class=admin>x</div>", "<img src='https://track.example/1.png'>",
        "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    ],
)  # fmt: skip
def test_foreign_html_is_made_harmless_and_cleaning_again_changes_nothing(dirty: str) -> None:
    clean = html.clean(dirty)
    for bad in (
        "<script",
        "onerror=",
        "javascript:",
        "<form",
        "<input",
        "<base",
        "<meta",
        "style=",
        "hx-",
        "<svg",
        'src="http',
        "class=",
    ):
        assert bad not in clean.replace("&lt;", "").lower() or "&lt;img" in clean
    assert html.clean(clean) == clean


@given(st.text(alphabet=string.printable))
def test_a_link_after_signing_in_never_leaves_the_desk(path: str) -> None:
    kept = local_path(path)
    assert kept.startswith("/")
    assert not kept.startswith(("//", "/\\"))


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "https://evil.example", "\\\\evil", "/\t/evil", "javascript:x"]
)
def test_tricks_with_next_lead_to_the_front_page(path: str) -> None:
    assert local_path(path) == "/"
