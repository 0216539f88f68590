"""What a mail's HTML quotes is folded, as each mail program marks it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from app.intake.rules import html, quoted_pages, read
from tests.unit.intake.letters import mail

WROTE = "On Mon, Apr 2, 2012 at 6:26 PM, Alice &lt;<a href='mailto:alice@desk.example'>alice@desk.example</a>&gt; wrote:<br>"
OUTLOOK = "<b>From:</b> Alice<br><b>Sent:</b> Monday, 2 April 2012 18:26<br><b>To:</b> Carol<br><b>Subject:</b> RE: Printer"

QUOTED = {
    "Gmail": f'<div class="gmail_quote"><div class="gmail_attr">{WROTE}</div><blockquote class="g">Old</blockquote></div>',
    "Gmail, deeper": f'<div class="gmail_extra"><br><div class="gmail_quote">{WROTE}<blockquote>Old</blockquote></div><br></div>',
    "Apple Mail": f'<div><br><blockquote type="cite"><div>{WROTE}</div><br><div>Old</div></blockquote></div>',
    "Apple Mail, older": f'<br><div><div>{WROTE}</div><br><blockquote type="cite">Old</blockquote></div><br>',
    "Thunderbird": f'<div class="moz-cite-prefix">{WROTE}</div><blockquote type="cite" cite="mid:x"><p>Old</p></blockquote>',
    "Outlook on the web": f'<div id="appendonsend"></div><hr><div id="divRplyFwdMsg"><font>{OUTLOOK}</font></div><div>Old</div>',
    "Outlook on the web, alone": f'<hr><div id="divRplyFwdMsg">{OUTLOOK}</div><div><p>Old</p></div>',
    "Word": f'<div><div style="border:none;border-top:solid #E1E1E1 1.0pt"><p>{OUTLOOK}</p></div></div><p>Old</p><p>Older</p>',
    "Outlook for Mac": f'<span id="OLK_SRC_BODY_SECTION"><div>{OUTLOOK}</div>Old</span>',
    "Yahoo": f'<div class="ydp1yahoo_quoted yahoo_quoted" id="y"><div>{WROTE}</div><div>Old</div></div>',
    "Proton": '<div class="protonmail_quote">On Monday, Alice wrote:<br><blockquote type="cite">Old</blockquote></div>',
    "Zimbra": f'<hr id="zwchr" data-marker="__DIVIDER__"><div>{OUTLOOK}</div><div data-marker="__QUOTED_TEXT__">Old</div>',
    "mail.ru": "<br>Thu, 26 Jun 2014 14:00:51 +0400 от Alice &lt;alice@desk.example&gt;:<br><blockquote>Old</blockquote><br>",
    "GMX": '<div name="quote" style="margin:10px"><div><b>Gesendet:</b> Montag</div><div name="quoted-content">Old</div></div>',
}  # fmt: skip


def shown(page: str) -> str:
    """What is left in sight of a page."""
    tree = LexborHTMLParser(page)
    for folded in tree.css("details"):
        folded.decompose()
    assert tree.body is not None
    return " ".join(tree.body.text(separator=" ").split())


def all_words(page: str) -> list[str]:
    body = LexborHTMLParser(page).body
    assert body is not None
    return body.text(separator=" ").split()


@pytest.mark.parametrize("quoted", QUOTED.values(), ids=QUOTED)
@pytest.mark.parametrize("around", ["{}", "<html><body><div class=x><div>{}</div></div></body></html>"])
def test_what_each_program_quotes_is_folded(quoted: str, around: str) -> None:
    page = around.format(f"<p>It smokes.</p>{quoted}")
    assert shown(quoted_pages.folded(page)) == "It smokes."


@pytest.mark.parametrize("quoted", QUOTED.values(), ids=QUOTED)
def test_no_word_is_lost(quoted: str) -> None:
    page = f"<p>It smokes.</p>{quoted}"
    assert sorted(all_words(quoted_pages.folded(page))) == sorted([*all_words(page), *quoted_pages.SUMMARY.split()])


@pytest.mark.parametrize("quoted", QUOTED.values(), ids=QUOTED)
def test_a_page_that_only_quotes_is_shown_whole(quoted: str) -> None:
    assert quoted_pages.folded(quoted) == quoted


@pytest.mark.parametrize(
    "page",
    [
        "<p>Hi</p><blockquote type=cite>One?</blockquote><p>Yes.</p><blockquote type=cite>Two?</blockquote><p>No.</p>",
        f"<p>Hi</p><div class=gmail_quote>{WROTE}<blockquote>One?</blockquote>Yes.<blockquote>Two?</blockquote></div>",
        f"<p>Hi</p><div class=gmail_quote>{WROTE}<blockquote>One?</blockquote><div>Yes.</div></div>",
        f"<p>Hi</p><div class=moz-cite-prefix>{WROTE}</div><blockquote type=cite>One?</blockquote><p>Yes.</p>",
    ],
)
def test_answers_between_what_is_quoted_keep_everything(page: str) -> None:
    assert quoted_pages.folded(page) == page
    found = read.mail(mail(page, Content_Type="text/html"))[0]
    assert found.folds == ()


@pytest.mark.parametrize(
    "page",
    [
        "<p>As the poet says:</p><blockquote>Rage, rage</blockquote>",
        '<p>Offer</p><div style="border-top:solid 1px"><p>Price: 5</p></div>',
        f'<p>See</p><div class="gmail_quote"><div>---------- Forwarded message ---------<br>{OUTLOOK}</div>It smokes</div>',
        "<p>plain</p>",
        "",
    ],
)
def test_what_might_be_somebodys_own_words_is_kept(page: str) -> None:
    assert quoted_pages.folded(page) == page


def test_an_answer_under_the_quote_stays_in_sight() -> None:
    page = f'<div class="moz-cite-prefix">{WROTE}</div><blockquote type="cite">Old</blockquote><p>It smokes.</p>'
    assert shown(quoted_pages.folded(page)) == "It smokes."


@pytest.mark.parametrize("quoted", QUOTED.values(), ids=QUOTED)
def test_the_text_made_of_a_page_is_folded_where_the_page_is(quoted: str) -> None:
    found = read.mail(mail(f"<p>It smokes.</p>{quoted}", Content_Type="text/html"))[0]
    [(begin, end, why)] = found.folds
    assert (found.text[:begin].strip(), end, why) == ("It smokes.", len(found.text), "quote")
    assert "Old" in found.text[begin:]
    assert found.html is not None
    assert quoted_pages.OPENING in found.html


def test_a_forwarded_page_is_shown_whole() -> None:
    page = f"<p>See</p>{QUOTED['Outlook on the web']}"
    found = read.mail(mail(page, Content_Type="text/html", subject="FW: Printer"))[0]
    assert found.folds == ()
    assert "<details>" not in str(found.html)


@given(
    st.lists(st.sampled_from([*QUOTED.values(), "<p>x</p>", "<div>", "</div>", "<blockquote>", "</blockquote>", "&amp;", "<b>"]))
)
def test_whatever_comes_no_word_is_lost_and_something_is_left(pieces: list[str]) -> None:
    page = "".join(pieces)
    folded = quoted_pages.folded(page)
    assert sorted(word for word in all_words(page)) == sorted(all_words(folded.replace(quoted_pages.SUMMARY, "", 1)))
    assert shown(folded) or not all_words(page)


@pytest.mark.parametrize(
    "evil",
    [
        "<blockquote type=cite>a</blockquote>b",
        "<div class=gmail_quote>x</div>",
        '<div style="border-top:x">From</div>',
        "<blockquote>a</blockquote>",
        "<b>a</b>" * 1000 + "<div class=gmail_quote>x</div>",
        "<div class=gmail_quote>x" * 240 + "</div>" * 240,
        '<div style="border-top:x">' * 240 + "</div>" * 240,
    ],
)
def test_a_megabyte_of_evil_markup_takes_less_than_two_seconds(evil: str) -> None:
    page = (evil * (1_000_000 // len(evil)))[: html.MOST]
    began = time.process_time()
    quoted_pages.folded(page)
    assert time.process_time() - began < 2
