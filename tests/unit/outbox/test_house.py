"""Message-IDs and reply addresses: ours are known again, nobody else's pass for ours."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.signing import Signer
from app.outbox.house import House
from app.outbox.keys import Key, Keys
from tests.unit.outbox.letters import WHEN, a_house

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


def with_keys(*, withdrawn: Sequence[int] = ()) -> House:
    """The house after two new keys, each a day after the one before."""
    later = [Key(id, f"{id:02x}" * 32, WHEN + timedelta(days=id)) for id in (1, 2)]
    known = [replace(key, withdrawn_at=WHEN) if key.id in withdrawn else key for key in (Key(0), *later)]
    return replace(HOUSE, ring=Keys(HOUSE.signer, known))


def shown(house: House, ticket: int, person: int) -> dict[str, str]:
    """Whatever of ours a mail can show, as this house makes it."""
    return {
        "id": house.mail_id(f"t.{ticket}.1.00ff", WHEN + timedelta(days=house.keys.known[-1].id)),
        "reply": house.reply_address(ticket, "carol@acme.example"),
        "return": house.return_address(ticket),
        "mark": house.probe(ticket, person),
        "link": house.unfollow_url(ticket, person).rpartition("/")[2],
    }


def known_again(house: House, one: dict[str, str]) -> set[str]:
    found = {
        "id": house.ticket_of_mail_id(one["id"]),
        "reply": house.ticket_of_address(one["reply"], "carol@acme.example"),
        "return": house.letter_of_address(one["return"]),
        "mark": house.probe_in(one["mark"]),
        "link": house.following_of(one["link"]),
    }
    return {name for name, what in found.items() if what is not None}


@given(NUMBERS, NUMBERS)
def test_what_an_older_key_signed_is_known_until_that_key_is_withdrawn(ticket: int, person: int) -> None:
    before, after, without_first = shown(HOUSE, ticket, person), with_keys(), with_keys(withdrawn=[0])
    new = shown(after, ticket, person)
    assert known_again(after, before) == known_again(after, new) == known_again(without_first, new) == set(new)
    assert all(new[name] != before[name] for name in new)
    assert known_again(without_first, before) == known_again(HOUSE, new) == set()


@given(NUMBERS, NUMBERS)
def test_a_signature_of_one_key_fits_nothing_else_that_another_signed(ticket: int, other: int) -> None:
    before, new = shown(HOUSE, ticket, 1), shown(with_keys(), ticket, 1)
    swapped = {name: new[name].replace(f"{ticket}.", f"{other}.", 1) for name in new}
    assert known_again(with_keys(), swapped) == (set(new) if other == ticket else set())
    mixed = {"reply": before["return"], "return": before["reply"], "id": before["reply"], "mark": new["id"], "link": new["mark"]}
    assert known_again(with_keys(), mixed) == set()


def test_a_letter_is_called_the_same_before_and_after_a_new_key_and_a_withdrawal() -> None:
    bare, early = "t.7.9.00ff", WHEN + timedelta(hours=1)
    assert HOUSE.mail_id(bare, early) == with_keys().mail_id(bare, early) == with_keys(withdrawn=[0, 1]).mail_id(bare, early)
    days = [with_keys().mail_id(bare, WHEN + timedelta(days=n, hours=1)) for n in (0, 1, 2, 3)]
    assert len(set(days)) == 3
    assert days[2] == days[3]
    assert days[0] == HOUSE.mail_id(bare) == with_keys().mail_id(bare)  # what no letter is called: the head of a ticket's thread
