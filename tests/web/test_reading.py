"""How a mail is read on the page of its ticket: what it says in sight, what it repeats folded."""

import base64
import socket
from collections.abc import Iterator

import pytest

from app.core.http import Guard
from app.web import messages, pictures
from tests.unit.core.test_http import HERE, local, says, serving
from tests.unit.intake.letters import mail, multipart, part
from tests.web.browser import SAME_ORIGIN
from tests.web.conftest import Web
from tests.web.mailed import delivered

WROTE = "On Mon, Apr 2, 2012 at 6:26 PM, Alice <alice@desk.example> wrote:"
REPLY = f"It <b>smokes</b>.\n\n-- \nCarol\n\n{WROTE}\n> Did you switch it on?\n"


def test_quote_and_signature_are_folded_and_all_words_are_there(web: Web) -> None:
    message = delivered(web, mail(REPLY))
    assert message.text == REPLY.strip("\n")
    for person, path in ((web.cast.alice, "/tickets"), (web.cast.carol, "/my/tickets")):
        page = web.browser(person).get(f"{path}/{message.ticket}").text
        said, signature, quote = (
            page.partition("Show signature")[0],
            *page.partition("Show signature")[2].split("Show quoted text"),
        )
        assert "It &lt;b&gt;smokes&lt;/b&gt;." in said
        assert "-- \nCarol" in signature
        assert "&gt; Did you switch it on?" in quote
        assert page.count('<details class="folded">') == 2


def test_a_message_without_quotes_has_nothing_to_unfold(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    assert "folded" not in web.browser(web.cast.alice).get(f"/tickets/{number}").text


def test_a_folded_page_is_shown_folded(web: Web) -> None:
    quoted = "<p>It smokes.</p><div class=gmail_quote>On 2 Apr 2012 at 18:26 Alice wrote:<blockquote>Old</blockquote></div>"
    message = delivered(web, multipart(part("It smokes."), part(quoted, "text/html"), kind="alternative"))
    shown = web.browser(web.cast.alice).get(f"/messages/{message.id}/html").text
    assert "<p>It smokes.</p><details><summary>Show quoted text</summary><div>On 2 Apr" in shown


PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
AS_DATA = "data:image/png;base64," + base64.b64encode(PNG).decode()


def with_pictures(page: str, *pictures: bytes) -> bytes:
    """A mail with a page and pictures that it names cid:0, cid:1 and so on."""
    files = [part(content, "image/png", Content_ID=f"<{n}@x>") for n, content in enumerate(pictures)]
    return multipart(part(page, "text/html"), *files, kind="related")


def test_pictures_of_the_mail_stand_in_its_page(web: Web) -> None:
    message = delivered(web, with_pictures('<p>See<img src="cid:0@x" alt="a">and<img src="cid:9@x"></p>', PNG))
    for person in (web.cast.alice, web.cast.carol):
        answer = web.browser(person).get(f"/messages/{message.id}/html")
        assert f'See<img src="{AS_DATA}" alt="a">and<img></p>' in answer.text
        assert "img-src data:;" in answer.headers["content-security-policy"]
    assert web.browser(web.cast.mallory).get(f"/messages/{message.id}/html").status_code == 404


def test_what_is_no_picture_is_not_shown_whatever_it_is_called(web: Web) -> None:
    """What decides is how a file begins: markup, SVG and programs are no pictures."""
    evil = (b"<html><script>alert(1)</script>", b"<svg onload=alert(1)>", b"MZ" + bytes(50), b"")
    page = "".join(f'<img src="cid:{n}@x">' for n in range(4)) + '<img src="data:image/png;base64,PHN2Zz4=">'
    message = delivered(web, with_pictures(page, *evil))
    assert web.browser(web.cast.alice).get(f"/messages/{message.id}/html").text.endswith("<body>" + "<img>" * 5)


def test_of_too_many_pictures_the_first_megabytes_are_shown(web: Web) -> None:
    big = [PNG + bytes([n]) * 900_000 for n in range(7)]
    message = delivered(web, with_pictures("".join(f'<img src="cid:{n}@x">' for n in range(7)), *big, PNG + bytes(1_000_000)))
    assert web.browser(web.cast.alice).get(f"/messages/{message.id}/html").text.count("<img src=") == 5


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[bytes]]]:
    """A server of pictures that may be asked; its address, and what it was asked."""

    def answer(line: socket.socket) -> None:
        body = PNG if b"/seen" in asked[-1] else b"<svg onload=alert(1)>"
        says(body)(line)

    with serving(answer) as (port, asked):
        monkeypatch.setattr(pictures, "guard", lambda _: Guard(may_reach=local, ports=(port,)))
        yield f"http://{HERE}:{port}", asked


def test_pictures_elsewhere_are_fetched_when_somebody_asks_and_not_before(web: Web, elsewhere: tuple[str, list[bytes]]) -> None:
    server, asked = elsewhere
    message = delivered(
        web, with_pictures(f'<img src="{server}/seen.png?who=1"><img src="{server}/evil"><img src="cid:0@x">', PNG)
    )
    assert message.html is not None
    browser = web.browser(web.cast.alice)
    page = browser.get(f"/tickets/{message.ticket}").text
    assert "Show pictures from elsewhere" in page
    assert f'target="mail-{message.id}"' in page
    assert f'<iframe name="mail-{message.id}" ' in page
    plain = browser.get(f"/messages/{message.id}/html").text
    assert plain.endswith(f'<body><img><img><img src="{AS_DATA}">')
    assert asked == []

    answer = browser.submit(f"/tickets/{message.ticket}", f"/messages/{message.id}/html")

    assert answer.text.endswith(f'<img src="{AS_DATA}"><img><img src="{AS_DATA}">')
    assert "1 of 2 pictures could not be fetched." in answer.text
    assert server not in answer.text
    assert (
        answer.headers["content-security-policy"]
        == browser.get(f"/messages/{message.id}/html").headers["content-security-policy"]
    )
    assert len(asked) == 2
    for request in asked:
        assert not {b"cookie", b"referer", b"authorization"} & {line.split(b":")[0].lower() for line in request.split(b"\r\n")}
    assert browser.get(f"/messages/{message.id}/html").text == plain


def test_pictures_elsewhere_are_asked_for_by_a_form_of_ours_and_by_nobody_else(
    web: Web, elsewhere: tuple[str, list[bytes]]
) -> None:
    message = delivered(web, mail(f'<img src="{elsewhere[0]}/seen">', Content_Type="text/html"))
    path = f"/messages/{message.id}/html"
    assert web.browser(web.cast.alice).post(path, headers=SAME_ORIGIN).status_code == 403
    stranger = web.browser(web.cast.mallory)
    token = stranger.page("/my/tickets/new").forms[0].fields
    assert stranger.post(path, data=token, headers=SAME_ORIGIN).status_code == 404
    assert elsewhere[1] == []


def test_pictures_elsewhere_are_not_asked_for_without_end(
    web: Web, elsewhere: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "MOST_LOADS", 1)
    message = delivered(web, mail(f'<img src="{elsewhere[0]}/seen">' * 100, Content_Type="text/html"))
    browser = web.browser(web.cast.alice)
    first, second = (browser.submit(f"/tickets/{message.ticket}", f"/messages/{message.id}/html") for _ in range(2))
    assert (first.status_code, first.text.count(AS_DATA), len(elsewhere[1])) == (200, 100, 1)
    assert (second.status_code, second.text.count(AS_DATA), len(elsewhere[1])) == (429, 0, 1)
    assert "Wait a quarter of an hour" in second.text


def test_the_desk_does_not_ask_its_own_house_for_pictures(web: Web) -> None:
    """By the guard that is in force: services beside the desk, and the desk itself."""
    with serving(says(PNG)) as (port, asked):
        named = [
            f"http://{HERE}:{port}/",
            "http://127.0.0.1:8000/",
            "http://169.254.169.254/",
            "https://localhost/favicon.svg",
            "http://[::1]/",
        ]
        message = delivered(web, mail("".join(f'<img src="{one}">' for one in named), Content_Type="text/html"))
        answer = web.browser(web.cast.alice).submit(f"/tickets/{message.ticket}", f"/messages/{message.id}/html")
    assert "5 of 5 pictures could not be fetched." in answer.text
    assert asked == []
