"""Where a reply ends: what is quoted and the signature are told apart, and not one word is lost."""

# ruff: noqa: RUF001 (letters that look like others are what some languages are written in)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.intake.rules import quotes
from app.tickets.folding import pieces
from tests import cpu


def shown(text: str, subject: str = "Re: Printer") -> str:
    """What is left in sight."""
    return "".join(words for words, folded in pieces(text, quotes.folds(text, subject=subject)) if not folded).strip()


QUOTED = "\n\n> Did you switch it on?\n>\n> Alice\n"

ATTRIBUTIONS = {
    "English": "On Mon, Apr 2, 2012 at 6:26 PM, Alice One <alice@desk.example> wrote:",
    "English, in two lines": "On Mon, Apr 2, 2012 at 6:26 PM,\nAlice One <alice@desk.example> wrote:",
    "German": "Am 02.04.2012 um 18:26 schrieb Alice <alice@desk.example>:",
    "German, Gmail": "Am Mo., 2. Apr. 2012 um 18:26 Uhr schrieb Alice <alice@desk.example>:",
    "French": "Le lun. 2 avr. 2012 à 18:26, Alice <alice@desk.example> a écrit :",
    "Spanish": "El lun, 2 abr 2012 a las 18:26, Alice (<alice@desk.example>) escribió:",
    "Italian": "Il giorno lun 2 apr 2012 alle ore 18:26 Alice <alice@desk.example> ha scritto:",
    "Dutch": "Op ma 2 apr. 2012 om 18:26 schreef Alice <alice@desk.example>:",
    "Portuguese": "Em seg., 2 de abr. de 2012 às 18:26, Alice <alice@desk.example> escreveu:",
    "Polish": "pon., 2 kwi 2012 o 18:26 Alice <alice@desk.example> napisał(a):",
    "Swedish": "Den mån 2 apr. 2012 kl 18:26 skrev Alice <alice@desk.example>:",
    "Danish": "Den man. 2. apr. 2012 kl. 18.26 skrev Alice <alice@desk.example>:",
    "Norwegian": "man. 2. apr. 2012 kl. 18:26 skrev Alice <alice@desk.example>:",
    "Russian": "пн, 2 апр. 2012 г. в 18:26, Alice <alice@desk.example> написал(а):",
    "Russian, mail.ru": "Mon, 2 Apr 2012 14:00:51 +0400 от Alice <alice@desk.example>:",
    "Czech": "po 2. 4. 2012 v 18:26 odesílatel Alice <alice@desk.example> napsal:",
    "Japanese": "2012年4月2日(月) 18:26 Alice <alice@desk.example>:",
    "Chinese": "Alice <alice@desk.example> 于2012年4月2日周一 18:26写道：",
    "Chinese, traditional": "Alice <alice@desk.example> 於 2012年4月2日 週一 下午6:26寫道：",
}


@pytest.mark.parametrize("attribution", ATTRIBUTIONS.values(), ids=ATTRIBUTIONS)
def test_a_quote_under_a_line_that_names_its_author_is_folded(attribution: str) -> None:
    assert shown(f"It smokes.\n\n{attribution}{QUOTED}") == "It smokes."


@pytest.mark.parametrize("attribution", ATTRIBUTIONS.values(), ids=ATTRIBUTIONS)
def test_an_answer_under_a_quote_is_what_is_shown(attribution: str) -> None:
    assert shown(f"{attribution}{QUOTED}\nIt smokes.") == "It smokes."


@pytest.mark.parametrize("attribution", ATTRIBUTIONS.values(), ids=ATTRIBUTIONS)
def test_answers_between_the_quoted_lines_keep_everything(attribution: str) -> None:
    text = f"{attribution}\n\n> Did you switch it on?\n\nYes.\n\n> Does it smoke?\n\nIt does."
    assert shown(text) == text
    greeted = f"Hello Alice,\n\n{attribution}{QUOTED}\nYes."
    assert shown(greeted) == greeted


HEADERS = {
    "English": "From: Alice <alice@desk.example>\nSent: Monday, April 2, 2012 6:26 PM\nTo: Carol\nSubject: RE: Printer",
    "English, bold": "*From:* Alice <alice@desk.example>\n*Sent:* Monday\n*To:* Carol\n*Subject:* RE: Printer",
    "German": "Von: Alice\nGesendet: Montag, 2. April 2012 18:26\nAn: Carol\nCc: Dave\nBetreff: AW: Drucker",
    "French": "De : Alice\nEnvoyé : lundi 2 avril 2012 18:26\nÀ : Carol\nObjet : RE: Imprimante",
    "Spanish": "De: Alice\nEnviado el: lunes, 2 de abril de 2012 18:26\nPara: Carol\nAsunto: RE: Impresora",
    "Italian": "Da: Alice\nInviato: lunedì 2 aprile 2012 18:26\nA: Carol\nOggetto: R: Stampante",
    "Dutch": "Van: Alice\nVerzonden: maandag 2 april 2012 18:26\nAan: Carol\nOnderwerp: RE: Printer",
    "Portuguese": "De: Alice\nEnviada em: segunda-feira, 2 de abril de 2012 18:26\nPara: Carol\nAssunto: RE: Impressora",
    "Polish": "Od: Alice\nWysłano: poniedziałek, 2 kwietnia 2012 18:26\nDo: Carol\nTemat: Odp: Drukarka",
    "Swedish": "Från: Alice\nSkickat: den 2 april 2012 18:26\nTill: Carol\nÄmne: SV: Skrivare",
    "Danish": "Fra: Alice\nSendt: 2. april 2012 18:26\nTil: Carol\nEmne: SV: Printer",
    "Russian": "От: Alice\nОтправлено: 2 апреля 2012 г. 18:26\nКому: Carol\nТема: RE: Принтер",
    "Japanese": "差出人: Alice\n送信日時: 2012年4月2日 18:26\n宛先: Carol\n件名: RE: プリンター",
    "Chinese": "发件人: Alice\n发送时间: 2012年4月2日 18:26\n收件人: Carol\n主题: 回复: 打印机",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_what_stands_under_a_header_as_outlook_writes_it_is_folded(header: str) -> None:
    old = "\n\nDid you switch it on?\n\nAlice\n"
    assert shown(f"It smokes.\n\n{header}{old}") == "It smokes."
    assert shown(f"It smokes.\n\n________________________________\n{header}{old}") == "It smokes."
    assert shown(f"It smokes.\n\n-----Original Message-----\n{header}{old}") == "It smokes."


@pytest.mark.parametrize("attribution", ATTRIBUTIONS.values(), ids=ATTRIBUTIONS)
def test_what_is_quoted_without_marks_is_folded_where_nobody_types_such_a_line(attribution: str) -> None:
    assert shown(f"It smokes.\n\n{attribution}\n\nDid you switch it on?\n") == "It smokes."


@pytest.mark.parametrize(
    "text",
    [
        "On Monday Bob wrote:\nthe printer smokes. I think he is right.",
        "I see this in the log:\n\n> Error 5\n> Error 6",
        "We need a train.\n\nFrom: Berlin\nTo: Paris\nDate: 3 May 2026 10:00",
        "It said:\n\nDate: Mon, 2 Apr 2012\nFrom: a@b.example\nTo: c@d.example\nSubject: Hi\nMIME-Version: 1.0\n\nHi",
        "It says\nhost mx.example [192.0.2.22] at 12:30 after RCPT TO:<a@b.example>:\n550 no such user",
        "-- \nCarol",
        "> Only\n> quoted",
        "On Mon, Apr 2, 2012 at 6:26 PM, Alice <alice@desk.example> wrote:\n> all of it",
        "a -- b\n---\nc",
        "",
        "\n\n",
    ],
)
def test_what_might_be_somebodys_own_words_is_kept(text: str) -> None:
    assert quotes.folds(text) == []


@pytest.mark.parametrize("subject", ["Fwd: Printer", "FW: Printer", "WG: Drucker", "TR: x", "[Fwd: x]", "转发：x"])
def test_what_is_forwarded_is_what_the_mail_is_about(subject: str) -> None:
    text = f"Please see below.\n\n{HEADERS['English']}\n\nIt smokes."
    assert shown(text, subject) == text


@pytest.mark.parametrize(
    "line", ["---------- Forwarded message ---------", "Begin forwarded message:", "-------- Weitergeleitete Nachricht --------"]
)
def test_forwarding_is_told_by_its_line_too(line: str) -> None:
    text = f"Please see below.\n\n{line}\n{HEADERS['English']}\n\nIt smokes."
    assert shown(text) == text


def test_the_signature_is_folded_as_a_part_of_its_own() -> None:
    text = f"It smokes.\n\n-- \nCarol\nAcme\n\n{ATTRIBUTIONS['English']}{QUOTED}"
    folded = [(words.split("\n")[0], why) for words, why in pieces(text, quotes.folds(text)) if why]
    assert shown(text) == "It smokes."
    assert folded == [("-- ", "signature"), (ATTRIBUTIONS["English"], "quote")]
    assert shown(f"{ATTRIBUTIONS['English']}{QUOTED}\nIt smokes.\n--\nCarol") == "It smokes."


@pytest.mark.parametrize(
    "line",
    [
        "Sent from my iPhone",
        "Von meinem iPhone gesendet",
        "Envoyé de mon iPhone",
        "iPhoneから送信",
        "Get Outlook for iOS<https://aka.ms/x>",
    ],
)
def test_what_a_telephone_adds_is_a_signature(line: str) -> None:
    assert shown(f"It smokes.\n\n{line}\n\n{ATTRIBUTIONS['English']}{QUOTED}") == "It smokes."


_LINES = [
    "It smokes.", "> quoted", ">> twice", "-- ", "--", "", "On Mon, Apr 2, 2012 at 6:26 PM, A <a@b.example> wrote:", "From: A",
    "Sent: today", "To: B", "Subject: C", "-----Original Message-----", "Begin forwarded message:", "\u00e9\U0001f600", "wrote:",
]  # fmt: skip


@given(st.lists(st.sampled_from(_LINES) | st.text(max_size=20), max_size=25).map("\n".join))
def test_no_word_is_lost_and_something_is_always_left(text: str) -> None:
    found = pieces(text, quotes.folds(text))
    assert "".join(words for words, _ in found) == text
    assert not text.strip() or any(words.strip() for words, folded in found if not folded)


@given(st.text(max_size=50), st.lists(st.tuples(st.integers(-5, 60), st.integers(-5, 60), st.just("quote")), max_size=5))
def test_no_word_is_lost_whatever_is_said_to_be_folded(text: str, folds: list[tuple[int, int, str]]) -> None:
    assert "".join(words for words, _ in pieces(text, folds)) == text


@pytest.mark.parametrize(
    "evil",
    ["On ", "On\n", "> \n", ">", "--\n", "From: a\n", "From: a\nSubject: b\n", " ", "a:", "<a@", "2012 12:30 @a>:\n", "-", "\n",
     "On 2012 12:30 ", "x wrote:\n", "-----Original Message-----\n", "On 1.1.2012 12:30 a\n> b\n", "Sent from "],
)  # fmt: skip
def test_64_kb_of_evil_text_take_less_than_a_tenth_of_a_second(evil: str) -> None:
    text = (evil * 65536)[:65536]
    assert cpu.least(lambda: quotes.folds(text)) < 0.1
