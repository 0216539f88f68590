"""Codes of authenticator apps and recovery codes: each good once, however many come at once."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pyotp
import pytest
from sqlalchemy import select

from app.accounts import actions, factors
from app.accounts.models import Person, RecoveryCode, Totp
from app.accounts.rules import Role
from app.audit.models import Entry, Event
from app.core import ids
from app.core.errors import Conflict, DeskError
from app.core.sealing import Sealer
from app.core.signing import Signer
from app.db.session import Database, Session
from app.db.session import now as database_now

SEALER = Sealer(Signer(b"a key that only this test has, 32"))


@pytest.fixture
def erin(s: Session, now: datetime) -> Person:
    return actions.add(s, email="erin@desk.example", name="Erin", role=Role.AGENT, now=now)


def code(secret: str, now: datetime, *, ahead: int = 0) -> str:
    return pyotp.TOTP(secret).generate_otp(int(now.timestamp()) // 30 + ahead)


def another_code(secret: str, now: datetime) -> str:
    """Six digits that are right at no time near."""
    right = {code(secret, now, ahead=ahead) for ahead in range(-3, 4)}
    return next(f"{n:06}" for n in range(20) if f"{n:06}" not in right)


def with_app(s: Session, person: Person, now: datetime) -> tuple[str, list[str]]:
    secret = factors.begin(s, SEALER, person, now=now)
    return secret, factors.confirm(s, SEALER, person, code(secret, now, ahead=-1), now=now)


def fits(s: Session, person: Person, given: str, now: datetime) -> bool:
    return factors.fits(s, SEALER, person, given, now=now)


def test_an_app_counts_once_a_code_of_it_was_shown(s: Session, now: datetime, erin: Person) -> None:
    secret = factors.begin(s, SEALER, erin, now=now)
    factors.check(s, SEALER, erin, "", now=now, source="")
    with pytest.raises(factors.WrongCode):
        factors.confirm(s, SEALER, erin, another_code(secret, now), now=now)
    codes = factors.confirm(s, SEALER, erin, code(secret, now), now=now)
    assert len(set(codes)) == 10
    with pytest.raises(factors.OtpRequired):
        factors.check(s, SEALER, erin, "", now=now, source="")
    with pytest.raises(Conflict):
        factors.begin(s, SEALER, erin, now=now)
    with pytest.raises(factors.NoApp):
        factors.confirm(s, SEALER, erin, code(secret, now, ahead=1), now=now)


def test_beginning_again_makes_the_secret_before_worthless(s: Session, now: datetime, erin: Person) -> None:
    first = factors.begin(s, SEALER, erin, now=now)
    second = factors.begin(s, SEALER, erin, now=now)
    assert first != second
    assert factors.unconfirmed(s, SEALER, erin) == second


def test_neither_secret_nor_codes_are_in_the_database(s: Session, now: datetime, erin: Person) -> None:
    secret, codes = with_app(s, erin, now)
    row = s.get_one(Totp, erin.id)
    assert secret.encode() not in row.secret
    stored = {bytes(each) for each in s.scalars(select(RecoveryCode.code_hash))}
    assert stored == {ids.fingerprint(each.replace("-", "")) for each in codes}
    assert all(len(each.replace("-", "")) * 5 >= 80 for each in codes)


def test_a_code_may_be_half_a_minute_early_or_late_and_works_once(s: Session, now: datetime, erin: Person) -> None:
    secret, _ = with_app(s, erin, now - timedelta(minutes=10))
    assert not fits(s, erin, code(secret, now, ahead=-2), now)
    assert not fits(s, erin, code(secret, now, ahead=2), now)
    assert fits(s, erin, code(secret, now, ahead=-1), now)
    assert not fits(s, erin, code(secret, now, ahead=-1), now)
    assert fits(s, erin, code(secret, now, ahead=1)[:3] + " " + code(secret, now, ahead=1)[3:], now)
    assert not fits(s, erin, code(secret, now), now)  # older than the one that was used


def test_the_code_that_set_the_app_up_signs_nobody_in(s: Session, now: datetime, erin: Person) -> None:
    secret, _ = with_app(s, erin, now)
    assert not fits(s, erin, code(secret, now, ahead=-1), now)


@pytest.mark.parametrize("given", ["", " ", "١٢٣٤٥٦", "12345", "0" * 64, "\ud800", "-", "1e5"])
def test_odd_codes_are_wrong_codes(s: Session, now: datetime, erin: Person, given: str) -> None:
    with_app(s, erin, now)
    assert not fits(s, erin, given, now)


def test_a_recovery_code_works_once_whatever_its_case_and_dashes(s: Session, now: datetime, erin: Person) -> None:
    _, codes = with_app(s, erin, now)
    assert fits(s, erin, codes[0].upper().replace("-", " "), now)
    assert not fits(s, erin, codes[0], now)
    assert factors.standing(s, erin).codes_left == 9
    s.commit()
    assert s.scalars(select(Entry.data).where(Entry.kind == Event.RECOVERY_CODE_USED)).one() == {"left": 9}


def test_recovery_codes_of_carol_are_not_erins(s: Session, now: datetime, erin: Person) -> None:
    mallory = actions.add(s, email="mallory@evil.example", name="Mallory", role=Role.AGENT, now=now)
    with_app(s, erin, now)
    _, hers = with_app(s, mallory, now)
    assert not fits(s, erin, hers[0], now)
    assert fits(s, mallory, hers[0], now)


def test_after_five_wrong_codes_even_the_right_one_waits(s: Session, now: datetime, erin: Person) -> None:
    secret, codes = with_app(s, erin, now)
    for _ in range(factors.TRIES):
        assert not fits(s, erin, another_code(secret, now), now)
    for right in (code(secret, now), codes[0]):
        with pytest.raises(factors.TooManyCodes) as refusal:
            fits(s, erin, right, now)
        assert refusal.value.retry_after == 900
    later = now + factors.WINDOW
    assert fits(s, erin, code(secret, later), later)


def test_a_right_code_forgets_the_wrong_ones(s: Session, now: datetime, erin: Person) -> None:
    secret, codes = with_app(s, erin, now)
    for right in codes[:3]:
        for _ in range(factors.TRIES - 1):
            assert not fits(s, erin, another_code(secret, now), now)
        assert fits(s, erin, right, now)


def test_new_codes_and_removal_take_a_code(s: Session, now: datetime, erin: Person) -> None:
    secret, codes = with_app(s, erin, now)
    with pytest.raises(factors.WrongCode):
        factors.new_codes(s, SEALER, erin, another_code(secret, now), now=now)
    fresh = factors.new_codes(s, SEALER, erin, codes[0], now=now)
    assert not fits(s, erin, codes[1], now)
    factors.remove(s, SEALER, erin, fresh[0], now=now)
    factors.check(s, SEALER, erin, "", now=now, source="")
    assert factors.standing(s, erin) == factors.Standing(None, 0, required=False)


def test_a_secret_sealed_by_another_key_can_be_got_round_with_a_recovery_code(s: Session, now: datetime, erin: Person) -> None:
    secret, codes = with_app(s, erin, now)
    other = Sealer(Signer(b"the key of some other desk, 32 bytes"))
    with pytest.raises(factors.Unreadable):
        factors.fits(s, other, erin, code(secret, now), now=now)
    assert factors.fits(s, other, erin, codes[0], now=now)


def test_who_lost_everything_is_helped_by_an_administrator(s: Session, now: datetime, erin: Person) -> None:
    with_app(s, erin, now)
    factors.forget_all(s, erin, by=None, now=now)
    factors.check(s, SEALER, erin, "", now=now, source="")


# What follows really commits: many at once, each in a transaction of its own.


def at_once(database: Database, person: int, given: list[str]) -> Counter[str]:
    def one(each: str) -> str:
        try:
            with database.transaction() as s:
                now = database_now(s)
                factors.check(s, SEALER, s.get_one(Person, person), each, now=now, source="192.0.2.1")
                return "in"
        except DeskError as refusal:
            return refusal.slug

    with ThreadPoolExecutor(5) as pool:
        return Counter(pool.map(one, given))


def prepared(database: Database) -> tuple[int, str, list[str], Callable[[], datetime]]:
    with database.transaction() as s:
        now = database_now(s)
        person = actions.add(s, email="erin@desk.example", name="Erin", role=Role.AGENT, now=now)
        secret, codes = with_app(s, person, now - timedelta(minutes=10))

    def clock() -> datetime:
        with database.transaction() as s:
            return database_now(s)

    return person.id, secret, codes, clock


def test_of_a_hundred_guesses_at_once_five_are_looked_at(database: Database) -> None:
    person, secret, _, clock = prepared(database)
    wrong = another_code(secret, clock())
    assert at_once(database, person, [wrong] * 100) == {"wrong-otp": 5, "too-many": 95}
    with database.transaction() as s:
        assert s.get_one(Totp, person).tries == 5
        refusals = s.scalars(select(Entry.data).where(Entry.kind == Event.SIGN_IN_REFUSED)).all()
    assert len(refusals) == 5


def test_one_code_sent_many_times_at_once_lets_one_in(database: Database) -> None:
    person, secret, codes, clock = prepared(database)
    assert at_once(database, person, [code(secret, clock())] * 5)["in"] == 1
    assert at_once(database, person, [codes[0]] * 5)["in"] <= 1
    with database.transaction() as s:
        assert factors.standing(s, s.get_one(Person, person)).codes_left >= 9
