"""Message-IDs and reply addresses: ours are known again, nobody else's pass for ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.signing import Signer
from app.outbox.house import House
from tests.unit.outbox.letters import a_house

HOUSE = a_house()
OTHER = House(HOUSE.url, HOUSE.name, HOUSE.address, HOUSE.mail_host, Signer(b"x" * 32))
NUMBERS = st.integers(1, 10**18 - 1)
ADDRESSES = st.from_regex(r"[a-z0-9.]{1,20}@[a-z]{1,10}\.[a-z]{2,5}", fullmatch=True)


@given(NUMBERS, st.integers(0, 10**18), st.from_regex(r"[0-9a-f]{16}", fullmatch=True))
def test_a_message_id_of_ours_leads_back_to_its_ticket(ticket: int, message: int, chance: str) -> None:
    whole = HOUSE.mail_id(f"t.{ticket}.{message}.{chance}")
    assert HOUSE.ticket_of_mail_id(whole) == ticket
    assert HOUSE.ticket_of_mail_id(f"  {whole.upper()} ") == ticket
    assert HOUSE.ticket_of_mail_id(whole.replace("@desk.example>", "@relay.example>")) == ticket


@given(NUMBERS, NUMBERS)
def test_a_message_id_with_another_ticket_or_key_is_not_ours(ticket: int, other: int) -> None:
    whole = HOUSE.mail_id(f"t.{ticket}.1.00ff")
    assert OTHER.ticket_of_mail_id(whole) is None
    if other != ticket:
        assert HOUSE.ticket_of_mail_id(whole.replace(f"t.{ticket}.", f"t.{other}.", 1)) is None


@given(st.text())
def test_any_text_may_stand_where_an_id_or_an_address_was_expected(text: str) -> None:
    assert HOUSE.ticket_of_mail_id(text) is None
    assert HOUSE.ticket_of_address(text, text) is None


@given(NUMBERS, ADDRESSES, ADDRESSES)
def test_a_reply_address_works_for_the_one_it_was_issued_to(ticket: int, carol: str, mallory: str) -> None:
    address = HOUSE.reply_address(ticket, carol)
    assert HOUSE.ticket_of_address(address, carol.upper()) == ticket
    assert HOUSE.ticket_of_address(address.upper(), carol) == ticket
    assert OTHER.ticket_of_address(address, carol) is None
    if mallory != carol:
        assert HOUSE.ticket_of_address(address, mallory) is None


@given(st.integers(1, 10**17))
def test_a_return_address_names_its_letter_and_is_nobody_elses_to_make(letter: int) -> None:
    address = HOUSE.return_address(letter)
    assert HOUSE.letter_of_address(address.upper()) == letter
    assert HOUSE.ticket_of_address(address, "carol@acme.example") is None
    assert OTHER.letter_of_address(address) is None
    assert HOUSE.letter_of_address(address.replace(f"+b{letter}.", f"+b{letter + 1}.")) is None
    assert HOUSE.letter_of_address(HOUSE.reply_address(letter, "carol@acme.example")) is None


def test_a_reply_address_survives_an_alias_domain_and_a_plus_of_our_own() -> None:
    plus = a_house("desk+in@desk.example")
    address = plus.reply_address(12, "carol@acme.example")
    assert address.startswith("desk+in+t12.")
    assert plus.ticket_of_address(address.replace("desk.example", "alias.example"), "carol@acme.example") == 12


@pytest.mark.parametrize(
    "forged", ["support+t7@desk.example", "support+t7.@desk.example", "support+t7.aaaaaaaaaaaaaaaa@desk.example"]
)
def test_a_reply_address_without_our_signature_is_nobodys(forged: str) -> None:
    assert HOUSE.ticket_of_address(forged, "carol@acme.example") is None


def test_a_signature_for_a_message_id_does_not_pass_in_an_address() -> None:
    signature = HOUSE.signer.sign("mail-id", "7:carol@acme.example")
    assert HOUSE.ticket_of_address(f"support+t7.{signature}@desk.example", "carol@acme.example") is None


@given(NUMBERS, NUMBERS)
def test_a_link_to_follow_no_more_is_one_persons_and_one_tickets(ticket: int, person: int) -> None:
    token = HOUSE.unfollow_url(ticket, person).removeprefix("https://desk.example/unfollow/")
    assert HOUSE.following_of(token) == (ticket, person)
    assert OTHER.following_of(token) is None
    assert HOUSE.following_of(token.replace(f"{ticket}.", f"{ticket + 1}.", 1)) is None
    assert HOUSE.following_of(f"{ticket}.{person}.{HOUSE.signer.sign('mail-id', f'{ticket}.{person}', bits=160)}") is None


@given(st.text())
def test_any_text_may_stand_where_such_a_link_was_expected(text: str) -> None:
    assert HOUSE.following_of(text) is None


@given(st.integers(1, 10**17), st.integers(1, 10**17))
def test_a_mark_of_a_mail_to_ourselves_survives_what_relays_add_and_is_nobody_elses_to_make(mailbox: int, number: int) -> None:
    mark = HOUSE.probe(mailbox, number)
    assert HOUSE.probe_in(f"[EXTERNAL] Does mail come in? [{mark.upper()}]") == (mailbox, number)
    assert OTHER.probe_in(mark) is None
    assert HOUSE.probe_in(mark.replace(f".{number}.", f".{number + 1}.")) is None
    assert HOUSE.probe_in("Does mail come in?") is None
