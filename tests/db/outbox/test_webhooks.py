"""Programs elsewhere are told of what happens: each thing once, signed, however they behave; and nothing else is."""

import json
import logging
import re
import time
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Thread

import pytest

from app.audit import actions as audit
from app.audit.models import Event
from app.core.errors import Invalid
from app.db.session import now as time_of
from app.outbox import rules, telling, webhook, webhooks
from app.outbox.models import DeliveryState, Topic
from tests.db.outbox.hooked import Hooked
from tests.db.outbox.receiver import HERE, SAID, Receiver, listening

pytestmark = pytest.mark.db
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def test_what_happens_is_told_once_signed_and_with_nothing_but_numbers_and_links(hooked: Hooked, receiver: Receiver) -> None:
    id, secret = hooked.add(receiver)
    hooked.happens(Event.TICKET_OPENED, message=9)
    hooked.happens(Event.TICKET_NOTED, message=10)
    hooked.happens(Event.TICKET_REPLIED, message=11, revision=4)
    hooked.happens(Event.TICKET_STATUS_CHANGED, before="accepted", after="resolved")
    hooked.happens(Event.TICKET_REOPENED, before="resolved")
    hooked.turn()
    hooked.turn()
    ticket = {"number": 7, "url": "https://desk.example/tickets/7", "api_url": "https://desk.example/api/v1/tickets/7"}
    assert [{name: value for name, value in told.items() if name not in {"id", "at"}} for told in receiver.told] == [
        {"type": "ticket.created", "ticket": ticket},
        {"type": "ticket.answered", "ticket": ticket, "message": {"id": 11}},
        {"type": "ticket.status_changed", "ticket": ticket, "status": {"before": "accepted", "after": "resolved"}},
        {"type": "ticket.status_changed", "ticket": ticket, "status": {"before": "resolved", "after": "in_progress"}},
    ]
    for heard in receiver.heard:
        assert heard.signed_by(secret)
        assert not heard.signed_by("whsec_" + "A" * 44)
        assert heard.headers["webhook-id"] == heard.told["id"]
        assert abs(int(heard.headers["webhook-timestamp"]) - time.time()) < 60
        assert heard.headers["content-type"] == "application/json"
        assert datetime.fromisoformat(heard.told["at"]).tzinfo
    assert len({told["id"] for told in receiver.told}) == 4
    assert {delivery.state for delivery in hooked.deliveries(id)} == {DeliveryState.DELIVERED}
    assert (hooked.shown(id)["state"], hooked.shown(id)["waiting"]) == ("ok", 0)


def test_a_webhook_hears_of_what_it_asked_for_and_of_nothing_that_was_before(hooked: Hooked, receiver: Receiver) -> None:
    hooked.happens()
    hooked.add(receiver, Topic.TICKET_CREATED)
    hooked.happens(Event.TICKET_REPLIED, message=1)
    hooked.happens(ticket=8)
    hooked.turn()
    assert [(told["type"], told["ticket"]["number"]) for told in receiver.told] == [("ticket.created", 8)]


def test_what_is_rolled_back_is_not_told(hooked: Hooked, receiver: Receiver) -> None:
    hooked.add(receiver)

    def change_one_s_mind() -> None:
        with hooked.database.transaction() as s:
            audit.record(s, Event.TICKET_OPENED, now=time_of(s), ticket=9)
            raise Invalid

    with pytest.raises(Invalid):
        change_one_s_mind()
    hooked.turn()
    assert receiver.heard == []


def test_however_many_follow_at_once_everything_is_told_once(hooked: Hooked, receiver: Receiver) -> None:
    hooked.add(receiver)

    def work() -> None:
        for _ in range(10):
            hooked.turn()

    threads = [Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for ticket in range(1, 41):
        hooked.happens(ticket=ticket)
    for thread in threads:
        thread.join()
    hooked.turn()
    assert sorted(told["ticket"]["number"] for told in receiver.told) == list(range(1, 41))


def test_a_long_backlog_is_followed_piece_by_piece(hooked: Hooked, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "AT_ONCE", 3)
    id, _ = hooked.add(receiver)
    for ticket in range(1, 9):
        hooked.happens(ticket=ticket)
        hooked.happens(Event.TICKET_NOTED, ticket=ticket)
    for known in (3, 6, 8, 8):
        hooked.follow()
        assert len(hooked.deliveries(id)) == known


def test_a_refusal_is_tried_again_as_the_same_and_its_body_is_kept_nowhere(hooked: Hooked, receiver: Receiver) -> None:
    id, secret = hooked.add(receiver)
    receiver.status = 500
    hooked.happens()
    hooked.turn()
    hooked.turn()  # not yet
    [delivery] = hooked.deliveries(id)
    assert (delivery.state, delivery.status, delivery.problem) == (DeliveryState.WAITING, 500, "it answers 500")
    assert hooked.shown(id)["state"] == "failing"
    receiver.status = 204
    hooked.later(timedelta(seconds=6))
    hooked.turn()
    first, second = receiver.heard
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
    assert second.signed_by(secret)
    [delivery] = hooked.deliveries(id)
    assert (delivery.state, delivery.status, delivery.problem, delivery.attempts) == (DeliveryState.DELIVERED, 204, None, 2)
    assert (hooked.shown(id)["state"], hooked.shown(id)["problem"]) == ("ok", None)


@pytest.mark.parametrize(
    ("behaves", "said"),
    [
        ({"closes": True}, "could not be asked"),
        ({"hangs": True}, "could not be asked|took too long"),
        ({"status": 404}, "answers 404"),
    ],
)
def test_whatever_is_no_2xx_is_a_refusal(
    hooked: Hooked, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, behaves: dict[str, object], said: str
) -> None:
    monkeypatch.setattr(webhook, "PATIENCE", 0.5)
    vars(receiver).update(behaves)
    id, _ = hooked.add(receiver)
    hooked.happens()
    began = time.monotonic()
    hooked.turn()
    assert time.monotonic() - began < 5
    [delivery] = hooked.deliveries(id)
    assert delivery.state is DeliveryState.WAITING
    assert re.search(said, delivery.problem or "")


def test_nobody_is_followed_to_where_a_receiver_sends_us(hooked: Hooked, receiver: Receiver) -> None:
    id, _ = hooked.add(receiver)
    receiver.status, receiver.location = 307, "http://169.254.169.254/latest/meta-data/"
    hooked.happens()
    hooked.turn()
    [delivery] = hooked.deliveries(id)
    assert (delivery.status, delivery.problem) == (307, "it answers 307, and redirects are not followed")
    assert len(receiver.heard) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "169.254.169.254", "localhost", "10.1.2.3", "192.168.1.1", "[fd00::1]"])
def test_from_afar_nothing_but_the_open_net_can_be_named(hooked: Hooked, host: str) -> None:
    id, _ = hooked.add(f"https://{host}:8443/", own_network=False)
    hooked.happens()
    hooked.turn()
    assert "is not on the open net" in (hooked.deliveries(id)[0].problem or "")


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "169.254.169.254", "localhost", "[fd00:ec2::254]"])
def test_not_even_from_the_shell_is_it_this_machine_or_its_cloud(hooked: Hooked, host: str) -> None:
    id, _ = hooked.add(f"http://{host}:8443/")
    hooked.happens()
    hooked.turn()
    assert "is not on the open net" in (hooked.deliveries(id)[0].problem or "")


def test_an_address_is_judged_each_time_and_moved_from_afar_it_is_on_the_open_net(hooked: Hooked, receiver: Receiver) -> None:
    id, _ = hooked.add(receiver)
    hooked.change(id, url=f"https://{HERE}:{receiver.port}/")
    hooked.happens()
    hooked.turn()
    assert receiver.heard == []
    assert hooked.shown(id)["own_network"] is False
    with pytest.raises(Invalid, match="Only https"):
        hooked.change(id, url=receiver.url)


def test_the_desk_does_not_tell_itself(hooked: Hooked, receiver: Receiver) -> None:
    itself = Hooked(hooked.database, replace(hooked.settings, atum_url=f"https://{HERE}"))
    id, _ = itself.add(receiver)
    itself.happens()
    itself.turn()
    assert receiver.heard == []
    assert "is not on the open net" in (itself.deliveries(id)[0].problem or "")


def test_a_receiver_that_is_gone_for_a_day_is_asked_ever_more_rarely_and_then_gets_everything(
    hooked: Hooked, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    id, _ = hooked.add(receiver)
    receiver.status = 503
    hooked.happens(ticket=1)
    for hour in range(24):
        hooked.happens(ticket=hour + 2)
        for _ in range(4):
            hooked.turn()
            hooked.later(15 * MINUTE)
    tried = len(receiver.heard)
    assert 24 <= tried <= 45
    assert (hooked.shown(id)["state"], hooked.shown(id)["waiting"]) == ("failing", 25)
    receiver.status = 200
    hooked.later(HOUR)
    hooked.turn()
    hooked.turn()
    assert sorted(told["ticket"]["number"] for told in receiver.told[tried:]) == list(range(1, 26))
    assert hooked.shown(id)["state"] == "ok"
    said = [record.message for record in caplog.records]
    assert said.count("a webhook does not take what it is told; trying ever more rarely") == 1
    assert said.count("a webhook takes what it is told again") == 1


def test_after_five_days_it_is_switched_off_and_that_is_told_once(hooked: Hooked, receiver: Receiver) -> None:
    id, _ = hooked.add(receiver)
    receiver.status = 500
    hooked.root_is_in("Asia/Kathmandu")
    hooked.happens()
    for _ in range(5 * 4 + 6):
        hooked.turn()
        hooked.later(5 * HOUR)
    told = hooked.shown(id)
    assert (told["state"], told["active"], told["problem"], told["waiting"]) == ("disabled", False, "it answers 500", 0)
    assert [delivery.state for delivery in hooked.deliveries(id)] == [DeliveryState.GIVEN_UP]
    [letter] = hooked.letters()
    assert (letter.to_address, letter.subject) == ("root@desk.example", f"The webhook to {HERE} is switched off")
    assert re.search(r"has taken nothing since \d+ \w+ \d{4}, \d\d:\d\d \(Asia/Kathmandu\):", letter.text)
    assert hooked.audited()[-1].data["what"] == "switched off"
    tried = len(receiver.heard)
    hooked.happens(ticket=8)
    hooked.turn()
    assert len(receiver.heard) == tried
    receiver.status = 200
    hooked.change(id, active=True)
    hooked.happens(ticket=9)
    hooked.turn()
    assert [told["ticket"]["number"] for told in receiver.told[tried:]] == [9]
    assert hooked.shown(id)["state"] == "ok"


def test_one_thing_that_is_never_taken_keeps_nothing_else_and_is_given_up_after_five_days(
    hooked: Hooked, receiver: Receiver
) -> None:
    id, _ = hooked.add(receiver)
    hooked.happens(ticket=13)

    def superstitious() -> None:
        receiver.status = 400 if b'"number": 13' in receiver.heard[-1].body else 200

    receiver.before = superstitious
    for turn in range(5 * 4 + 1):
        hooked.happens(ticket=1000 + turn)
        hooked.turn()
        hooked.turn()
        hooked.later(6 * HOUR)
    poison, *others = hooked.deliveries(id)
    assert (poison.state, poison.problem) == (DeliveryState.GIVEN_UP, "it answers 400")
    assert {delivery.state for delivery in others} == {DeliveryState.DELIVERED}
    assert hooked.shown(id)["active"] is True
    assert hooked.letters() == []


def test_one_that_does_not_answer_keeps_no_other_waiting(hooked: Hooked, receiver: Receiver) -> None:
    with listening(Receiver(hangs=True)) as slow:
        hooked.add(slow)
        quick, _ = hooked.add(receiver)
        hooked.happens()
        hooked.follow()
        stuck = Thread(target=hooked.teller.tell, args=(1,))
        stuck.start()
        while not slow.heard:
            time.sleep(0.01)
        assert hooked.teller.tell(quick)
        assert stuck.is_alive()
        slow.free.set()
        stuck.join()
    assert receiver.types() == ["ticket.created"]


def test_what_a_killed_sender_had_taken_is_told_by_the_next(hooked: Hooked, receiver: Receiver) -> None:
    id, _ = hooked.add(receiver)
    hooked.happens()
    hooked.follow()
    with hooked.database.transaction() as s:
        assert webhook._claimed(s, id, time_of(s))
    hooked.turn()
    assert receiver.heard == []
    hooked.later(MINUTE)
    hooked.turn()
    assert len(receiver.heard) == 1


def test_a_new_secret_signs_at_once_and_the_old_one_for_a_day_more(hooked: Hooked, receiver: Receiver) -> None:
    id, old = hooked.add(receiver)
    with hooked.database.transaction() as s:
        new = webhooks.rotate(s, hooked.settings, webhooks.held(s, id), now=time_of(s))
    for _ in range(2):
        hooked.happens()
        hooked.turn()
        hooked.later(DAY)
    assert [(heard.signed_by(new), heard.signed_by(old)) for heard in receiver.heard] == [(True, True), (True, False)]


def test_switched_off_it_is_told_nothing_and_on_again_only_what_comes_then(hooked: Hooked, receiver: Receiver) -> None:
    id, _ = hooked.add(receiver)
    hooked.happens(ticket=1)
    hooked.follow()
    hooked.change(id, active=False)
    hooked.happens(ticket=2)
    hooked.turn()
    assert (hooked.shown(id)["state"], receiver.heard) == ("off", [])
    assert [delivery.state for delivery in hooked.deliveries(id)] == [DeliveryState.GIVEN_UP]
    hooked.change(id, active=True)
    hooked.happens(ticket=3)
    hooked.turn()
    assert [told["ticket"]["number"] for told in receiver.told] == [3]


def test_one_that_is_removed_takes_what_it_was_told_along(hooked: Hooked, receiver: Receiver) -> None:
    id, _ = hooked.add(receiver)
    hooked.happens()
    hooked.follow()
    with hooked.database.transaction() as s:
        webhooks.remove(s, webhooks.held(s, id), now=time_of(s))
    hooked.turn()
    assert (hooked.deliveries(id), receiver.heard) == ([], [])


def test_what_ended_two_weeks_ago_is_forgotten(hooked: Hooked, receiver: Receiver) -> None:
    id, _ = hooked.add(receiver)
    hooked.happens()
    hooked.turn()
    for days, left in ((13, 1), (2, 0)):
        hooked.later(days * DAY)
        with hooked.database.transaction() as s:
            telling.tidy(s, now=time_of(s))
        assert len(hooked.deliveries(id)) == left


def test_neither_its_secret_nor_its_address_nor_what_it_answered_is_written_anywhere_else(
    hooked: Hooked, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.status = 500
    id, secret = hooked.add(receiver)
    hooked.happens()
    for _ in range(5 * 4 + 6):
        hooked.turn()
        hooked.later(5 * HOUR)
    with hooked.database.transaction() as s:
        other = webhooks.rotate(s, hooked.settings, webhooks.held(s, id), now=time_of(s))
        remains = json.dumps([dict(row) for row in s.connection().exec_driver_sql(
            "SELECT to_jsonb(w) - 'url' AS w, to_jsonb(d) AS d FROM webhook w JOIN webhook_delivery d ON d.webhook_id = w.id"
        ).mappings()])  # fmt: skip
    written = remains + str([entry.data for entry in hooked.audited()]) + str([vars(record) for record in caplog.records])
    written += str([(letter.subject, letter.text) for letter in hooked.letters()])
    assert hooked.letters()
    for hidden in (secret, other, secret.removeprefix("whsec_"), "in-the-address", SAID.decode()):
        assert hidden not in written
    with hooked.database.reading() as c:
        assert secret not in str(webhooks.listed(c, limit=10, cursor=None)) + str(
            webhooks.deliveries(c, id, limit=10, cursor=None)
        )


@pytest.mark.parametrize(
    ("url", "own_network", "said"),
    [("http://hooks.example/", False, "only https"), ("https://u:p@hooks.example/", False, "no plain address"),
     ("https://", False, "no plain address"), ("https://[::1", False, "no plain address"),
     ("ftp://x.example/", True, "only https"), ("https://hooks.example:25/", False, "port 25"),
     ("https://x.example:99999/", False, "no plain address"),
     ("https://x.example/\n", False, "no plain address"), ("javascript:1", True, "no plain address")],
)  # fmt: skip
def test_what_is_no_address_for_this_is_refused_in_words(url: str, own_network: bool, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        rules.webhook_port(url, own_network=own_network)
