"""How a mail is read on the page of its ticket: what it says in sight, what it repeats folded."""

from tests.unit.intake.letters import mail, multipart, part
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
