"""The whole job, by protocol: a customer's mail, an agent's answer, the customer's answer, a missed deadline."""

import re
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

from tests.appliance.client import Client
from tests.appliance.conftest import BOB
from tests.appliance.driver import Appliance, eventually
from tests.appliance.peers import CAROL, DAVE, text_of

# An address gets one receipt an hour, so each test that needs one has a customer of its own.
ERIN, FRANK, MALLORY = "erin@acme.example", "frank@acme.example", "mallory@evil.example"


def ticket_about(staff: Client, subject: str) -> dict[str, Any]:
    """The one ticket with this subject, once it is there."""
    found: list[dict[str, Any]] = []

    def there() -> bool:
        found[:] = [ticket for ticket in staff.tickets() if ticket["subject"] == subject]
        return bool(found)

    eventually(there, within=30, every=0.3)
    assert len(found) == 1
    return found[0]


def arrived(desk: Appliance, address: str, words: str, within: float = 15) -> EmailMessage:
    """The mail to an address whose subject has these words, once it is there."""
    found: list[EmailMessage] = []

    def there() -> bool:
        found[:] = [mail for mail in desk.mail.inbox(address) if words in mail["Subject"]]
        return bool(found)

    eventually(there, within=within, every=0.3)
    return found[-1]


def does_its_job(desk: Appliance) -> int:
    """A customer asks by mail, an administrator answers, the customer answers: one ticket, one thread. Its number."""
    staff = desk.signed_in()
    question = desk.mail.write("My printer burns", "It is on fire. Please help!")
    number = ticket_about(staff, "My printer burns")["number"]
    staff.post(f"/tickets/{number}/acceptance")
    staff.post(f"/tickets/{number}/messages", {"body": "Pull the plug, then call us."})
    answer = arrived(desk, CAROL, "Re: My printer burns")
    assert str(answer["In-Reply-To"]) == question["Message-ID"]
    assert "Pull the plug, then call us." in text_of(answer)
    desk.mail.answer(answer, "Thank you, it is out.")
    eventually(lambda: len(staff.get(f"/tickets/{number}/messages")["items"]) == 3, within=30)
    assert [one["subject"] for one in staff.tickets() if "My printer burns" in one["subject"]] == ["My printer burns"]
    return int(number)


def test_a_mail_becomes_a_ticket_and_its_answer_arrives_in_the_same_thread(desk: Appliance, alice: Client) -> None:
    question = desk.mail.write("My printer burns", "It is on fire. Please help!")
    number = ticket_about(alice, "My printer burns")["number"]

    [first] = alice.get(f"/tickets/{number}/messages")["items"]
    assert first["text"].strip() == "It is on fire. Please help!"
    assert (first["author"]["email"], first["channel"]) == (CAROL, "mail")

    receipt = arrived(desk, CAROL, f"We received your message [#{number}]")
    assert receipt["Auto-Submitted"] == "auto-replied"
    assert receipt["In-Reply-To"] == question["Message-ID"]
    assert "on fire" not in text_of(receipt)

    assert [clock for clock in alice.get(f"/tickets/{number}/sla")["items"] if clock["due_at"]] == []
    assert alice.post(f"/tickets/{number}/acceptance")["status"] == "accepted"
    clocks = alice.get(f"/tickets/{number}/sla")["items"]
    assert any(clock["metric"] == "first_response" and clock["due_at"] and clock["explanation"] for clock in clocks)

    alice.post(f"/tickets/{number}/messages", {"body": "Pull the plug, then call us.", "status": "waiting_customer"})
    answer = arrived(desk, CAROL, "Re: My printer burns")
    assert str(answer["From"]) == "Alice <support@desk.example>"
    assert str(answer["In-Reply-To"]) == question["Message-ID"]
    assert question["Message-ID"] in answer["References"].split()
    assert re.fullmatch(rf"ATUM Desk <support\+t{number}\.[a-z2-7]{{16}}@desk\.example>", str(answer["Reply-To"]))
    assert "Pull the plug, then call us." in text_of(answer)
    assert f"https://localhost/tickets/{number}" in text_of(answer)
    eventually(lambda: alice.get(f"/tickets/{number}/messages")["items"][1]["deliveries"][0]["state"] == "sent", within=20)

    desk.mail.answer(answer, "Thank you, it is out.")
    eventually(lambda: len(alice.get(f"/tickets/{number}/messages")["items"]) == 3, within=30)
    third = alice.get(f"/tickets/{number}/messages")["items"][2]
    assert third["text"].startswith("Thank you, it is out.")
    assert alice.get(f"/tickets/{number}")["status"] == "in_progress"
    assert [one["subject"] for one in alice.tickets() if "My printer burns" in one["subject"]] == ["My printer burns"]


def test_an_answer_finds_its_ticket_by_its_references_alone(desk: Appliance, alice: Client) -> None:
    desk.mail.write("The door squeaks", sender=ERIN)
    number = ticket_about(alice, "The door squeaks")["number"]
    receipt = arrived(desk, ERIN, f"[#{number}]")
    desk.mail.write("Something else", "It still squeaks.", sender=ERIN, In_Reply_To=receipt["Message-ID"])
    eventually(lambda: len(alice.get(f"/tickets/{number}/messages")["items"]) == 2, within=30)


def test_a_strangers_answer_to_a_leaked_address_waits_for_a_say(desk: Appliance, alice: Client) -> None:
    desk.mail.write("A secret matter", sender=FRANK)
    number = ticket_about(alice, "A secret matter")["number"]
    receipt = arrived(desk, FRANK, f"[#{number}]")
    desk.mail.answer(receipt, "Tell me everything.", sender=MALLORY)
    eventually(lambda: alice.get(f"/tickets/{number}/suggestions")["items"], within=30)
    [one] = alice.get(f"/tickets/{number}/suggestions")["items"]
    assert (one["sender"]["email"], one["text"].strip()) == (MALLORY, "Tell me everything.")
    assert len(alice.get(f"/tickets/{number}/messages")["items"]) == 1
    assert not any(each["requester"]["email"] == MALLORY for each in alice.tickets())
    assert desk.mail.inbox(MALLORY) == []


def test_a_customer_sees_their_own_ticket_and_never_a_note(desk: Appliance, alice: Client) -> None:
    desk.mail.write("The lamp flickers", sender=DAVE)
    number = ticket_about(alice, "The lamp flickers")["number"]
    alice.post(f"/tickets/{number}/messages", {"body": "He always says that.", "internal": True})
    desk.mail.write("The chair wobbles")
    other = ticket_about(alice, "The chair wobbles")["number"]
    desk.atum("user", "password", DAVE, "--password-stdin", stdin="correct horse battery")
    dave = desk.signed_in(DAVE)
    assert [one["subject"] for one in dave.tickets()] == ["The lamp flickers"]
    assert "He always says that." not in str(dave.get(f"/tickets/{number}/messages"))
    dave.ask("GET", f"/api/v1/tickets/{other}", expect=404)


def test_a_missed_deadline_is_noticed_within_two_seconds_and_mailed_to_a_manager(
    desk: Appliance, alice: Client, bob: Client
) -> None:
    [policy, *_] = bob.get("/sla/policies")["items"]
    bob.patch(f"/sla/policies/{policy['id']}", {"targets": {"first_response": {"urgent": 3}}})
    desk.mail.write("The roof is gone", "Hurry")
    number = ticket_about(alice, "The roof is gone")["number"]
    alice.patch(f"/tickets/{number}", {"priority": "urgent"})
    alice.post(f"/tickets/{number}/acceptance")

    notice = arrived(desk, BOB, f"Deadline missed: first response of ticket {number}")
    assert notice["Auto-Submitted"] == "auto-generated"
    assert "How the deadline came about" in text_of(notice)

    [clock] = [one for one in alice.get(f"/tickets/{number}/sla")["items"] if one["metric"] == "first_response"]
    assert clock["breached_at"] == clock["due_at"]
    [noticed] = [one for one in alice.get(f"/tickets/{number}/events")["items"] if one["kind"] == "sla.breached"]
    late = datetime.fromisoformat(noticed["at"]) - datetime.fromisoformat(clock["due_at"])
    assert timedelta(0) <= late < timedelta(seconds=2)


def test_after_all_that_nothing_is_found_amiss(desk: Appliance) -> None:
    assert desk.atum("fsck") == "0 findings"
