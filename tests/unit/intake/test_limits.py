"""How much one address may ask of the SMTP door."""

from app.intake.rules import limits
from app.intake.rules.limits import ALL, EACH, ERRORS, MAILS, Crowd, Seldom


def test_one_place_has_so_many_connections_and_others_come_in_all_the_same() -> None:
    crowd = Crowd()
    assert [crowd.enter("a", 0) for _ in range(EACH)] == [""] * EACH
    assert crowd.enter("a", 0) == limits.TOO_MANY_CONNECTIONS
    assert crowd.enter("b", 0) == ""
    crowd.leave("a", 1)
    assert crowd.enter("a", 1) == ""


def test_all_together_are_not_more_than_there_is_room_for() -> None:
    crowd = Crowd()
    assert {crowd.enter(str(n), 0) for n in range(ALL)} == {""}
    assert crowd.enter("one more", 0) == limits.FULL
    crowd.leave("7", 0)
    assert crowd.enter("one more", 0) == ""


def test_mails_and_errors_count_for_a_minute() -> None:
    crowd = Crowd()
    assert {crowd.mail("a", 0) for _ in range(MAILS)} == {""}
    assert crowd.mail("a", 59) == limits.TOO_MANY_MAILS
    assert crowd.mail("b", 59) == ""
    assert crowd.mail("a", 61) == ""
    assert [crowd.error("a", 61) for _ in range(ERRORS)] == [False] * (ERRORS - 1) + [True]
    assert crowd.enter("a", 62) == limits.TOO_MANY_ERRORS
    assert crowd.enter("a", 122) == ""


def test_who_is_gone_is_forgotten_after_a_minute() -> None:
    crowd = Crowd()
    crowd.enter("here", 0)
    crowd.mail("gone", 0)
    crowd.forget(30)
    assert set(crowd._places) == {"here", "gone"}
    crowd.forget(61)
    assert set(crowd._places) == {"here"}


def test_an_ipv6_network_is_one_place() -> None:
    assert limits.place("2001:db8::1") == limits.place("2001:db8::ffff:1") != limits.place("2001:db8:0:1::1")
    assert limits.place("192.0.2.1") != limits.place("192.0.2.2")


def test_the_log_hears_of_the_first_and_then_how_many_there_were() -> None:
    seldom = Seldom()
    assert seldom.due("x", 0) == 0
    assert {seldom.due("x", n) for n in range(1, 500)} == {None}
    assert seldom.due("y", 1) == 0
    assert seldom.due("x", 600) == 499
    assert seldom.due("x", 601) is None
