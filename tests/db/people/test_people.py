"""Who may change whom, and what ends with it."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import insert, select

from app.accounts import actions, identity, organizations, sessions, teams
from app.accounts.actions import AddressTaken, LastAdministrator
from app.accounts.models import ApiToken, Membership, Organization, OrganizationDomain, Person
from app.accounts.rules import Door, Part, Role, Scope
from app.core import ids
from app.core.errors import Conflict, Forbidden, Invalid, NotFound, NotSignedIn
from app.db.session import Session
from tests.cast import PASSWORD, Cast


def signed_in(s: Session, person: Person, now: datetime) -> str:
    token = sessions.sign_in(s, person, door=Door.PAGE, source="", now=now).access
    s.flush()
    return token


def api_token(s: Session, person: Person, now: datetime) -> ApiToken:
    made = ApiToken(person_id=person.id, name="x", prefix="atum_x", token_hash=ids.fingerprint(ids.token()), created_at=now)
    made.scopes = [Scope.TICKETS_READ.value]
    s.add(made)
    s.flush()
    return made


def is_in(s: Session, token: str) -> bool:
    try:
        identity.of_cookie(s.connection(), token)
    except NotSignedIn:
        return False
    return True


@pytest.mark.parametrize("role", list(Role))
def test_a_manager_gives_roles_below_their_own_and_takes_no_others(s: Session, cast: Cast, now: datetime, role: Role) -> None:
    allowed = role.rank < Role.MANAGER.rank
    for change in (
        lambda: actions.set_role(s, cast.frank, role, by=cast.bob, now=now),
        lambda: actions.add(s, email=f"new.{role}@x.example", name="", role=role, by=cast.bob, now=now),
    ):
        if allowed:
            change()
        else:
            with pytest.raises(Forbidden):
                change()


@pytest.mark.parametrize("by", ["alice", "carol", "dave", "mallory", "erin"])
@pytest.mark.parametrize("victim", ["frank", "alice", "bob", "root", "mallory"])
def test_nobody_below_a_manager_changes_anybody(s: Session, cast: Cast, now: datetime, by: str, victim: str) -> None:
    me, them = getattr(cast, by), getattr(cast, victim)
    for refused in (
        lambda: actions.set_role(s, them, Role.ADMIN, by=me, now=now),
        lambda: actions.rename(s, them, "Pwned", by=me, now=now),
        lambda: actions.move(s, them, None, by=me, now=now),
        lambda: actions.disable(s, them, by=me, now=now),
        lambda: actions.enable(s, them, by=me, now=now),
        lambda: actions.add(s, email="x@x.example", name="", role=Role.CUSTOMER, by=me, now=now),
    ):
        with pytest.raises(Forbidden):
            refused()
    if me is not them:
        with pytest.raises(Forbidden):
            actions.set_email(s, them, "pwned@evil.example", by=me, now=now)


def test_a_manager_lifts_neither_themselves_nor_another_manager(s: Session, cast: Cast, now: datetime) -> None:
    for role in (Role.ADMIN, Role.MANAGER, Role.AGENT):
        with pytest.raises(Forbidden):
            actions.set_role(s, cast.bob, role, by=cast.bob, now=now)


def test_a_role_drop_ends_sessions_and_api_tokens_at_once(s: Session, cast: Cast, now: datetime) -> None:
    session, token = signed_in(s, cast.erin, now), api_token(s, cast.erin, now)
    others = signed_in(s, cast.alice, now)
    actions.set_role(s, cast.erin, Role.CUSTOMER, by=cast.root, now=now)
    s.flush()
    s.refresh(token)
    assert not is_in(s, session)
    assert token.revoked_at == now
    assert is_in(s, others)


def test_a_lift_ends_sessions_but_leaves_the_programs_alone(s: Session, cast: Cast, now: datetime) -> None:
    session, token = signed_in(s, cast.alice, now), api_token(s, cast.alice, now)
    actions.set_role(s, cast.alice, Role.MANAGER, by=cast.root, now=now)
    s.flush()
    s.refresh(token)
    assert not is_in(s, session)
    assert token.revoked_at is None


def test_the_same_role_again_changes_nothing(s: Session, cast: Cast, now: datetime) -> None:
    session, before = signed_in(s, cast.alice, now), cast.alice.revision
    actions.set_role(s, cast.alice, Role.AGENT, by=cast.root, now=now)
    assert is_in(s, session)
    assert cast.alice.revision == before


def test_whoever_is_staff_no_more_is_in_no_team(s: Session, cast: Cast, now: datetime) -> None:
    actions.set_role(s, cast.erin, Role.CUSTOMER_ADMIN, by=cast.root, now=now)
    assert not s.scalars(select(Membership).where(Membership.person_id == cast.erin.id)).all()


def test_disabling_ends_sessions_and_api_tokens_and_enabling_brings_none_back(s: Session, cast: Cast, now: datetime) -> None:
    session, token = signed_in(s, cast.erin, now), api_token(s, cast.erin, now)
    actions.disable(s, cast.erin, by=cast.bob, now=now)
    s.flush()
    s.refresh(token)
    assert not is_in(s, session)
    assert token.revoked_at == now
    actions.enable(s, cast.erin, by=cast.bob, now=now)
    s.flush()
    s.refresh(token)
    assert not is_in(s, session)
    assert token.revoked_at == now
    assert is_in(s, signed_in(s, cast.erin, now))


def test_the_last_administrator_stays(s: Session, cast: Cast, now: datetime) -> None:
    actions.set_password(s, cast.root, PASSWORD, by=None, now=now)
    for by in (cast.root, None):
        with pytest.raises(LastAdministrator):
            actions.set_role(s, cast.root, Role.MANAGER, by=by, now=now)
    with pytest.raises(LastAdministrator):
        actions.disable(s, cast.root, by=None, now=now)


def test_an_administrator_who_can_not_sign_in_does_not_count(s: Session, cast: Cast, now: datetime) -> None:
    second = actions.add(s, email="second@desk.example", name="", role=Role.ADMIN, now=now)
    with pytest.raises(LastAdministrator):
        actions.disable(s, cast.root, by=second, now=now)
    actions.set_password(s, second, PASSWORD, by=None, now=now)
    s.flush()
    actions.disable(s, cast.root, by=second, now=now)
    s.flush()
    with pytest.raises(LastAdministrator):
        actions.set_role(s, second, Role.AGENT, by=second, now=now)


def test_nobody_disables_themselves(s: Session, cast: Cast, now: datetime) -> None:
    with pytest.raises(Conflict):
        actions.disable(s, cast.root, by=cast.root, now=now)


def test_an_address_belongs_to_one_person(s: Session, cast: Cast, now: datetime) -> None:
    with pytest.raises(AddressTaken):
        actions.add(s, email="CAROL@acme.example.", name="", role=Role.CUSTOMER, now=now)
    with pytest.raises(AddressTaken), s.begin_nested():
        actions.set_email(s, cast.mallory, "Carol@Acme.example", by=cast.root, now=now)


@pytest.mark.parametrize(
    "odd", ["carol", "a\u200bb@acme.example", "a b@acme.example", "x@y\nBcc: z@z.example", '"a"@acme.example']
)
def test_an_odd_address_is_refused(s: Session, cast: Cast, now: datetime, odd: str) -> None:
    with pytest.raises(Invalid):
        actions.add(s, email=odd, name="", role=Role.CUSTOMER, now=now)
    with pytest.raises(Invalid):
        actions.set_email(s, cast.carol, odd, by=cast.root, now=now)


def test_a_name_is_one_line_without_tricks(s: Session, cast: Cast, now: datetime) -> None:
    actions.rename(s, cast.carol, 'Bob" <victim@x.example>,\r\nBcc: x\u202e', by=cast.bob, now=now)
    assert cast.carol.name == 'Bob" <victim@x.example>, Bcc: x'
    with pytest.raises(Invalid):
        actions.rename(s, cast.carol, "\u202e \n", by=cast.bob, now=now)


# organizations


def acme(s: Session, cast: Cast) -> Organization:
    assert cast.carol.organization_id
    return organizations.held(s, cast.carol.organization_id)


def writes(s: Session, email: str, now: datetime) -> Person:
    return actions.known_sender(s, email=email, name="", now=now)


@pytest.mark.parametrize(
    "email", ["new@acme.example", "New@ACME.example", "new+tag@acme.example", "new@acme.example.", "a.b-c@Acme.Example"]
)
def test_a_new_sender_of_a_known_domain_joins_its_organization(s: Session, cast: Cast, now: datetime, email: str) -> None:
    organizations.put_domain(s, acme(s, cast), "ACME.example.", by=cast.bob, now=now)
    person = writes(s, email, now)
    assert person.organization_id == cast.carol.organization_id
    assert person.role is Role.CUSTOMER


@pytest.mark.parametrize("email", ["new@xn--bcher-kva.example", "new@BÜCHER.example", "new@bu\u0308cher.example"])
def test_a_domain_in_another_alphabet_is_known_in_all_its_forms(s: Session, cast: Cast, now: datetime, email: str) -> None:
    organizations.put_domain(s, acme(s, cast), "Bücher.example", by=cast.bob, now=now)
    assert writes(s, email, now).organization_id == cast.carol.organization_id


@pytest.mark.parametrize(
    "email",
    [
        "m@mail.acme.example", "m@acme.example.evil.example", "m@evilacme.example", "m@\u0430cme.example",
        "acme.example@evil.example", "m@acme.example@evil.example",
    ],
)  # fmt: skip
def test_mallory_joins_no_organization_by_a_domain_that_looks_like_it(s: Session, cast: Cast, now: datetime, email: str) -> None:
    organizations.put_domain(s, acme(s, cast), "acme.example", by=cast.bob, now=now)
    assert writes(s, email, now).organization_id is None


def test_who_is_there_already_does_not_move(s: Session, cast: Cast, now: datetime) -> None:
    organizations.put_domain(s, acme(s, cast), "evil.example", by=cast.bob, now=now)
    assert writes(s, cast.mallory.email, now).organization_id == cast.mallory.organization_id


@pytest.mark.parametrize("domain", ["gmail.com", "GMAIL.COM.", "Outlook.de", "\uff47mail.com", "yahoo.co.uk"])
def test_a_public_provider_is_nobodys_domain(s: Session, cast: Cast, now: datetime, domain: str) -> None:
    with pytest.raises(Invalid, match="public mail provider"):
        organizations.put_domain(s, acme(s, cast), domain, by=cast.bob, now=now)


def test_a_public_provider_never_counts_even_where_a_row_says_so(s: Session, cast: Cast, now: datetime) -> None:
    s.execute(insert(OrganizationDomain).values(domain="gmail.com", organization_id=cast.carol.organization_id, added_at=now))
    assert writes(s, "m+x@gmail.com", now).organization_id is None


def test_a_domain_belongs_to_one_organization(s: Session, cast: Cast, now: datetime) -> None:
    organizations.put_domain(s, acme(s, cast), "acme.example", by=cast.bob, now=now)
    organizations.put_domain(s, acme(s, cast), "acme.example", by=cast.bob, now=now)
    evil = organizations.held(s, cast.mallory.organization_id or 0)
    with pytest.raises(organizations.DomainTaken):
        organizations.put_domain(s, evil, "ACME.example", by=cast.bob, now=now)
    with pytest.raises(NotFound):
        organizations.drop_domain(s, evil, "acme.example", by=cast.bob, now=now)
    organizations.drop_domain(s, acme(s, cast), "acme.example", by=cast.bob, now=now)
    organizations.put_domain(s, evil, "acme.example", by=cast.bob, now=now)


def test_an_organization_with_people_is_not_deleted(s: Session, cast: Cast, now: datetime) -> None:
    with pytest.raises(organizations.InUse), s.begin_nested():
        organizations.remove(s, acme(s, cast), by=cast.bob, now=now)
    empty = organizations.add(s, name="Empty", by=cast.bob, now=now)
    organizations.put_domain(s, empty, "empty.example", by=cast.bob, now=now)
    organizations.remove(s, empty, by=cast.bob, now=now)
    assert writes(s, "x@empty.example", now).organization_id is None


def test_nobody_is_moved_into_an_organization_that_is_not_there(s: Session, cast: Cast, now: datetime) -> None:
    with pytest.raises(Invalid):
        actions.move(s, cast.carol, 10**12, by=cast.bob, now=now)


# teams


def test_only_staff_are_in_teams(s: Session, cast: Cast, now: datetime) -> None:
    for outsider in (cast.carol, cast.dave, cast.mallory):
        with pytest.raises(teams.NotStaff):
            teams.put_member(s, cast.billing, outsider, Part.MEMBER, by=cast.bob, now=now)


def test_somebodys_part_in_a_team_changes_and_ends(s: Session, cast: Cast, now: datetime) -> None:
    def part() -> Any:
        return s.scalar(select(Membership.part).where(Membership.person_id == cast.alice.id))

    teams.put_member(s, cast.billing, cast.alice, Part.READER, by=cast.bob, now=now)
    assert part() is Part.READER
    teams.put_member(s, cast.billing, cast.alice, Part.LEAD, by=cast.bob, now=now)
    assert part() is Part.LEAD
    teams.drop_member(s, cast.billing, cast.alice.id, by=cast.bob, now=now)
    assert part() is None
    with pytest.raises(NotFound):
        teams.drop_member(s, cast.billing, cast.alice.id, by=cast.bob, now=now)


def test_a_team_is_archived_and_taken_back(s: Session, cast: Cast, now: datetime) -> None:
    teams.archive(s, cast.billing, by=cast.bob, now=now)
    assert cast.billing.archived_at == now
    teams.take_back(s, cast.billing, by=cast.bob, now=now)
    assert cast.billing.archived_at is None


def test_a_name_is_taken_once(s: Session, cast: Cast, now: datetime) -> None:
    with pytest.raises(organizations.NameTaken), s.begin_nested():
        teams.add(s, name=" Billing ", by=cast.bob, now=now)
    with pytest.raises(organizations.NameTaken), s.begin_nested():
        organizations.add(s, name="Acme", by=cast.bob, now=now)
