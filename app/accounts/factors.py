"""The second factor: an authenticator app (RFC 6238) and recovery codes for the day the phone is lost.

A person's row is locked while a code is looked at, so that guesses made at once are counted one by one and a code works once.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyotp
from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert

from app.accounts import role_policies, rules, sessions
from app.accounts.models import Passkey, Person, RecoveryCode, SignIn, Totp
from app.audit import actions as audit
from app.audit.models import Event
from app.core import ids
from app.core.errors import Conflict, Forbidden, Invalid, NotSignedIn, TooMany
from app.core.sealing import Broken, Sealer
from app.db.session import Session

TRIES = 5
WINDOW = timedelta(minutes=15)
CODES = 10
CODE_BITS = 80
STEP = 30  # seconds


class OtpRequired(NotSignedIn):
    """This account has a second factor. Send the code of the authenticator app, or a recovery code, as `otp`."""

    slug = "otp-required"


class WrongOtp(NotSignedIn):
    """That code is not right, or it was used before. Wait for the app's next one."""

    slug = "wrong-otp"
    kept = True


class PasskeyRequired(NotSignedIn):
    """Your role needs a second factor, and yours is a passkey. Sign in with that instead of the password."""

    slug = "passkey-required"


class TooManyCodes(TooMany):
    """Too many wrong codes. Wait a quarter of an hour; a passkey works all the same."""

    kept = True


class WrongCode(Invalid):
    """That code is not right, or it was used before. Wait for the app's next one."""

    slug = "wrong-code"
    kept = True


class NoApp(Conflict):
    """There is no authenticator app set up. Set one up first."""

    slug = "no-otp"


class Unreadable(Conflict):
    """The secret of the authenticator app can't be read: the desk's own key is another one now. Use a recovery code."""

    slug = "otp-unreadable"


@dataclass(frozen=True)
class Standing:
    """What somebody has of second factors."""

    since: datetime | None
    codes_left: int
    required: bool


def standing(s: Session, person: Person) -> Standing:
    """Whether there is an authenticator app and since when, how many recovery codes are left, and whether one is needed."""
    since = s.scalar(select(Totp.confirmed_at).where(Totp.person_id == person.id))
    left = select(func.count()).where(RecoveryCode.person_id == person.id, RecoveryCode.used_at.is_(None))
    return Standing(since, s.scalar(left) or 0, role_policies.requires_factor(s, person.role))


def begin(s: Session, sealer: Sealer, person: Person, *, now: datetime) -> str:
    """A new secret for an authenticator app, which counts once a code of it was shown. Raises Conflict where there is one."""
    secret = pyotp.random_base32()
    values = {"secret": sealer.seal(_purpose(person), secret), "created_at": now, "last_step": 0}
    new = insert(Totp).values(person_id=person.id, **values)
    made = new.on_conflict_do_update(index_elements=[Totp.person_id], set_=values, where=Totp.confirmed_at.is_(None))
    if not s.execute(made.returning(Totp.person_id)).all():
        raise Conflict("There is an authenticator app already. Remove it first.")
    return secret


def address_of(secret: str, person: Person, *, host: str) -> str:
    """The otpauth: address that authenticator apps read, as a link or as a picture."""
    return pyotp.TOTP(secret).provisioning_uri(name=person.email, issuer_name=f"ATUM Desk {host}")


def unconfirmed(s: Session, sealer: Sealer, person: Person) -> str:
    """The secret that waits for its first code. Raises NoApp."""
    row = _locked(s, person)
    if row is None or row.confirmed_at:
        raise NoApp
    return _secret(sealer, person, row)


def confirm(s: Session, sealer: Sealer, person: Person, code: str, *, now: datetime) -> list[str]:
    """The app is there: a code of it was shown. Answers recovery codes, which are nowhere else. Raises WrongCode, NoApp."""
    row = _locked(s, person)
    if row is None or row.confirmed_at:
        raise NoApp
    if (step := _step(_secret(sealer, person, row), code, now, after=0)) is None:
        raise WrongCode
    row.confirmed_at, row.last_step, row.tries = now, step, 0
    audit.record(s, Event.SECOND_FACTOR_ADDED, now=now, by=person.signature, factor="app")
    return _new_codes(s, person)


def check(s: Session, sealer: Sealer, person: Person, code: str, *, now: datetime, source: str) -> None:
    """The second step of signing in with a password, where this person has one.

    Raises OtpRequired, WrongOtp, TooManyCodes, PasskeyRequired.
    """
    if not s.scalar(select(exists().where(Totp.person_id == person.id, Totp.confirmed_at.is_not(None)))):
        has_passkey = s.scalar(select(exists().where(Passkey.person_id == person.id)))
        if has_passkey and role_policies.requires_factor(s, person.role):
            raise PasskeyRequired
        return
    if not code.strip():
        raise OtpRequired
    if not fits(s, sealer, person, code, now=now):
        audit.record(s, Event.SIGN_IN_REFUSED, now=now, why="wrong code", person=person.email, source=source)
        raise WrongOtp


def fits(s: Session, sealer: Sealer, person: Person, code: str, *, now: datetime) -> bool:
    """Whether this is a code of the person's app or a recovery code; it is spent then. A wrong one counts.

    Raises TooManyCodes, whatever the code, after five wrong ones in a quarter of an hour.
    """
    row = _locked(s, person)
    if row is None or row.confirmed_at is None:
        return False
    if row.tried_from is None or now - row.tried_from >= WINDOW:
        row.tries, row.tried_from = 0, now
    if row.tries >= TRIES:
        raise TooManyCodes(retry_after=max(1, int((row.tried_from + WINDOW - now).total_seconds())))
    if _use(s, sealer, person, row, code, now):
        row.tries = 0
        return True
    row.tries += 1
    return False


def new_codes(s: Session, sealer: Sealer, person: Person, code: str, *, now: datetime) -> list[str]:
    """Recovery codes in place of the old ones, for whoever shows a code. Raises WrongCode, NoApp, TooManyCodes."""
    _require(s, sealer, person, code, now)
    audit.record(s, Event.SECOND_FACTOR_ADDED, now=now, by=person.signature, factor="recovery codes")
    return _new_codes(s, person)


def remove(s: Session, sealer: Sealer, person: Person, code: str, *, now: datetime) -> None:
    """Do without the app, for whoever shows a code. Raises WrongCode, NoApp, TooManyCodes, and Conflict where it is needed."""
    role_policies.hold(s, person)
    _require(s, sealer, person, code, now)
    has_passkey = s.scalar(select(exists().where(Passkey.person_id == person.id)))
    if not has_passkey and role_policies.requires_factor(s, person.role):
        raise Conflict("Your role needs a second factor. Add a passkey before you remove the app.")
    _forget_app(s, person)
    audit.record(s, Event.SECOND_FACTOR_REMOVED, now=now, by=person.signature, factor="app")


def forget_all(s: Session, person: Person, *, by: Person | None, now: datetime) -> None:
    """For whoever lost everything: no app, no codes, no passkeys, and no session that was opened with them.

    Raises Forbidden for people that `by` may not manage, and Conflict for oneself: that would be a way round a code.
    """
    if by is not None and by.id == person.id:
        raise Conflict("You can't do this for yourself. Remove your factors with a code, or ask another administrator.")
    if by is not None and not rules.may_manage(by, person.role):
        raise Forbidden(f"Your role ({by.role}) may not do this for somebody who is {person.role}.")
    role_policies.hold(s, person)
    _forget_app(s, person)
    s.execute(delete(Passkey).where(Passkey.person_id == person.id))
    sessions.end_all(s, person.id, now=now)
    actor = by.signature if by else None
    audit.record(s, Event.SECOND_FACTOR_REMOVED, now=now, by=actor, person=person.email, factor="all")


def lift(s: Session, session: SignIn, *, now: datetime) -> str | None:
    """An app was just set up in this session: it may do everything, and those opened without the app end."""
    token = sessions.lift(s, session, now=now)
    sessions.end_all(s, session.person_id, now=now, but=session.id)
    return token


def _require(s: Session, sealer: Sealer, person: Person, code: str, now: datetime) -> None:
    if (row := _locked(s, person)) is None or row.confirmed_at is None:
        raise NoApp
    if not fits(s, sealer, person, code, now=now):
        raise WrongCode


def _locked(s: Session, person: Person) -> Totp | None:
    query = select(Totp).where(Totp.person_id == person.id).with_for_update().execution_options(populate_existing=True)
    return s.scalar(query)


def _use(s: Session, sealer: Sealer, person: Person, row: Totp, code: str, now: datetime) -> bool:
    plain = code.replace(" ", "").replace("-", "").lower()
    if not (plain.isascii() and plain.isdigit()):
        return _use_recovery_code(s, person, plain, now)
    step = _step(_secret(sealer, person, row), plain, now, after=row.last_step)
    if step is not None:
        row.last_step = step
    return step is not None


def _use_recovery_code(s: Session, person: Person, code: str, now: datetime) -> bool:
    wanted = (
        RecoveryCode.person_id == person.id,
        RecoveryCode.code_hash == ids.fingerprint(code),
        RecoveryCode.used_at.is_(None),
    )
    if not s.execute(update(RecoveryCode).where(*wanted).values(used_at=now).returning(RecoveryCode.id)).all():
        return False
    audit.record(s, Event.RECOVERY_CODE_USED, now=now, by=person.signature, left=standing(s, person).codes_left)
    return True


def _step(secret: str, code: str, now: datetime, *, after: int) -> int | None:
    """The time step that this is the code of: this one, the last or the next, but none that was used or is older."""
    app, present = pyotp.TOTP(secret), int(now.timestamp()) // STEP
    plain = code.replace(" ", "").encode("utf-8", "surrogatepass")
    found = [step for step in (present - 1, present, present + 1) if hmac.compare_digest(app.generate_otp(step).encode(), plain)]
    return next((step for step in found if step > after), None)


def _secret(sealer: Sealer, person: Person, row: Totp) -> str:
    try:
        return sealer.open(_purpose(person), row.secret)
    except Broken as wrong:
        raise Unreadable from wrong


def _new_codes(s: Session, person: Person) -> list[str]:
    s.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person.id))
    plain = [ids.readable(CODE_BITS) for _ in range(CODES)]
    s.add_all(RecoveryCode(person_id=person.id, code_hash=ids.fingerprint(code)) for code in plain)
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in plain]


def _forget_app(s: Session, person: Person) -> None:
    s.execute(delete(Totp).where(Totp.person_id == person.id))
    s.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person.id))


def _purpose(person: Person) -> str:
    return f"totp:{person.id}"
