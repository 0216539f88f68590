"""Passkeys (https://www.w3.org/TR/webauthn-3/): made by somebody who is signed in, and a way in by themselves afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import cbor2
import webauthn
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from sqlalchemy import Connection, exists, select
from sqlalchemy import text as statement
from webauthn.helpers import base64url_to_bytes, options_to_json_dict, parse_attestation_object
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from app.accounts import challenges, lists, role_policies, throttle
from app.accounts.identity import Identity
from app.accounts.models import Passkey, Person, SignIn, Totp
from app.audit import actions as audit
from app.audit.models import Event
from app.config import Settings
from app.core import text
from app.core.errors import Conflict, Invalid, NotFound, NotSignedIn
from app.core.signing import Signer
from app.db import locks
from app.db.redis import Counters
from app.db.session import Session

MOST = 20  # of one person
LONGEST_ID = 1023  # bytes (section 4)
FORMATS = ("none", "packed")  # we ask for no attestation; what vouches for itself is let through
SIGN_IN = "sign-in"

# What the library lets through of what its own parsers raise on odd bytes.
_ODD = (
    WebAuthnException,
    InvalidSignature,
    UnsupportedAlgorithm,
    cbor2.CBORError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
)

_LISTED = statement(
    """
    WITH found AS (SELECT * FROM passkey WHERE person_id = :person AND id < :before ORDER BY id DESC LIMIT :most + 1),
    shown AS (SELECT * FROM found ORDER BY id DESC LIMIT :most)
    SELECT json_build_object(
        'items', coalesce(json_agg(json_build_object(
            'id', id, 'name', name, 'created_at', created_at, 'used_at', used_at) ORDER BY id DESC), '[]'),
        'next', CASE WHEN (SELECT count(*) FROM found) > :most THEN min(id)::text END)::text
    FROM shown
    """
)


class PasskeyRefused(NotSignedIn):
    """That passkey was not accepted. Try again, or sign in with your password."""

    slug = "passkey-refused"
    kept = True


class PasskeyUnfit(Invalid):
    """That passkey could not be added. Begin again from the start."""

    slug = "passkey-unfit"


@dataclass(frozen=True)
class House:
    """Whom passkeys are made for: our host, our origin as browsers write it, and the key we sign challenges with."""

    host: str
    origin: str
    signer: Signer

    @classmethod
    def of(cls, settings: Settings, signer: Signer) -> "House":
        parts = urlsplit(settings.atum_url)
        usual = {"https": 443, "http": 80}[parts.scheme]
        port = "" if parts.port in (None, usual) else f":{parts.port}"
        return cls(settings.host, f"{parts.scheme}://{settings.host}{port}", signer)

    def handle(self, person: Person) -> bytes:
        """How authenticators know this person: it tells nobody who that is."""
        return self.signer.sign("passkey:person", str(person.id), bits=160).encode()


def options_to_add(s: Session, house: House, person: Person, session: SignIn, *, now: datetime) -> dict[str, Any]:
    """What a browser hands to navigator.credentials.create()."""
    known = s.scalars(select(Passkey.credential_id).where(Passkey.person_id == person.id)).all()
    options = webauthn.generate_registration_options(
        rp_id=house.host,
        rp_name="ATUM Desk",
        user_name=person.email,
        user_id=house.handle(person),
        user_display_name=person.name,
        challenge=challenges.make(house.signer, _to_add(person, session), now=now),
        timeout=int(challenges.LIFE.total_seconds() * 1000),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=_wish(_must_verify(s, person))
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=each) for each in known],
    )
    return options_to_json_dict(options)


def add(
    s: Session, house: House, person: Person, session: SignIn, credential: Mapping[str, Any], *, name: str, now: datetime
) -> Passkey:
    """A new passkey from what navigator.credentials.create() answered. Raises PasskeyUnfit, Conflict."""
    challenge = challenges.of(_said(credential), house.signer, _to_add(person, session), now=now)
    if challenge is None:
        raise PasskeyUnfit
    try:
        if parse_attestation_object(base64url_to_bytes(credential["response"]["attestationObject"])).fmt not in FORMATS:
            raise PasskeyUnfit
        found = webauthn.verify_registration_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=house.host,
            expected_origin=house.origin,
            require_user_verification=_must_verify(s, person),
        )
    except _ODD as wrong:
        raise PasskeyUnfit from wrong
    if len(found.credential_id) > LONGEST_ID or not challenges.spend(s, challenge, now=now):
        raise PasskeyUnfit
    _refuse_known(s, person, found.credential_id)
    passkey = Passkey(
        person_id=person.id,
        credential_id=found.credential_id,
        public_key=found.credential_public_key,
        sign_count=found.sign_count,
        name=text.one_line(name, most=100) or "Passkey",
        created_at=now,
    )
    s.add(passkey)
    s.flush()
    audit.record(s, Event.SECOND_FACTOR_ADDED, now=now, by=person.signature, factor="passkey", name=passkey.name)
    return passkey


def listed(c: Connection, who: Identity, *, limit: int, cursor: str | None) -> str:
    """One's own passkeys as JSON, newest first: some of them, and the cursor that leads to the next ones."""
    return str(c.execute(_LISTED, {"person": who.id, "before": lists.below(cursor), "most": limit}).scalar_one())


def remove(s: Session, person: Person, id: int, *, now: datetime) -> None:
    """This passkey opens nothing any more. Raises NotFound for everybody else's, Conflict where the role needs it."""
    role_policies.hold(s, person)
    found = s.scalar(select(Passkey).where(Passkey.id == id, Passkey.person_id == person.id))
    if found is None:
        raise NotFound("There is no such passkey of yours.")
    other = select(exists().where(Passkey.person_id == person.id, Passkey.id != id))
    if role_policies.requires_factor(s, person.role) and not s.scalar(other) and not _has_app(s, person):
        raise Conflict("Your role needs a second factor, and this is your only one. Add another first.")
    s.delete(found)
    audit.record(s, Event.SECOND_FACTOR_REMOVED, now=now, by=person.signature, factor="passkey", name=found.name)


def options_to_sign_in(house: House, *, now: datetime) -> dict[str, Any]:
    """What a browser hands to navigator.credentials.get(): it asks nobody's name, and nothing is stored."""
    options = webauthn.generate_authentication_options(
        rp_id=house.host,
        challenge=challenges.make(house.signer, SIGN_IN, now=now),
        timeout=int(challenges.LIFE.total_seconds() * 1000),
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    return options_to_json_dict(options)


def owner(s: Session, house: House, counters: Counters, credential: Mapping[str, Any], *, source: str, now: datetime) -> Person:
    """Whose passkey answered, from what navigator.credentials.get() gave. Raises PasskeyRefused, TooManyTries."""
    throttle.by_passkey(s, counters, source=source, now=now)
    challenge = challenges.of(_said(credential), house.signer, SIGN_IN, now=now)
    passkey = _locked(s, credential) if challenge else None
    if challenge is None or passkey is None or passkey.person.disabled_at:
        raise PasskeyRefused
    if why := _problem(s, house, passkey, credential, challenge, now):
        throttle.tell(s, counters, why, now=now, person=passkey.person.email, source=source)
        raise PasskeyRefused
    throttle.succeeded(counters, email=None, source=source)
    return passkey.person


def _problem(
    s: Session, house: House, passkey: Passkey, credential: Mapping[str, Any], challenge: bytes, now: datetime
) -> str | None:
    """Why this answer won't do; None for a good one, which is noted and spends its challenge."""
    try:
        handle = base64url_to_bytes(credential["response"]["userHandle"])
        found = webauthn.verify_authentication_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=house.host,
            expected_origin=house.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=0,  # looked at below, where it can be told from other faults
        )
    except _ODD:
        return "passkey not accepted"
    if handle != house.handle(passkey.person):
        return "passkey of somebody else"
    if _must_verify(s, passkey.person) and not found.user_verified:
        return "passkey without its owner's PIN or finger"
    if found.new_sign_count <= passkey.sign_count and (found.new_sign_count or passkey.sign_count):
        return "passkey was copied (its count went back)"
    if not challenges.spend(s, challenge, now=now):
        return "passkey answered twice"
    passkey.sign_count, passkey.used_at = found.new_sign_count, now
    return None


def _locked(s: Session, credential: Mapping[str, Any]) -> Passkey | None:
    try:
        wanted = base64url_to_bytes(credential["rawId"])
    except _ODD:
        return None
    query = select(Passkey).where(Passkey.credential_id == wanted).with_for_update(of=Passkey)
    return s.scalar(query.execution_options(populate_existing=True))


def _said(credential: Mapping[str, Any]) -> str:
    response = credential.get("response")
    said = response.get("clientDataJSON") if isinstance(response, Mapping) else None
    return said if isinstance(said, str) else ""


def _must_verify(s: Session, person: Person) -> bool:
    """Whether a passkey alone has to be two factors: its possession, and a PIN or a finger."""
    return person.role.manages or _has_app(s, person) or role_policies.requires_factor(s, person.role)


def _has_app(s: Session, person: Person) -> bool:
    return bool(s.scalar(select(exists().where(Totp.person_id == person.id, Totp.confirmed_at.is_not(None)))))


def _wish(required: bool) -> UserVerificationRequirement:
    return UserVerificationRequirement.REQUIRED if required else UserVerificationRequirement.PREFERRED


def _refuse_known(s: Session, person: Person, credential_id: bytes) -> None:
    role_policies.hold(s, person)
    locks.take_in_transaction(s, f"passkey:{credential_id.hex()}")
    if s.scalar(select(exists().where(Passkey.credential_id == credential_id))):
        raise Conflict("This passkey is known to the desk already.")
    if len(s.scalars(select(Passkey.id).where(Passkey.person_id == person.id)).all()) >= MOST:
        raise Conflict(f"You have {MOST} passkeys. Remove one that you no longer use.")


def _to_add(person: Person, session: SignIn) -> str:
    return f"add:{person.id}:{session.id}"
