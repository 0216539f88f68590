"""The people of the tests: Alice (agent), Bob (manager), Carol (customer), Dave (her colleague), Mallory (another company).

Erin is an agent of the team Billing and of no other; Frank is Carol's colleague and only a customer. Alice is in no team.
"""

from dataclasses import dataclass
from datetime import datetime

from app.accounts import actions as accounts
from app.accounts.models import Membership, Organization, Person, Team
from app.accounts.rules import Part, Role
from app.db.session import Session

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Cast:
    alice: Person
    bob: Person
    carol: Person
    dave: Person
    mallory: Person
    root: Person
    erin: Person
    frank: Person
    billing: Team


def assemble(s: Session, now: datetime, *, password: str | None = None) -> Cast:
    """Everybody, with `password` where signing in is wanted (hashing costs 50 ms a person)."""
    acme, evil = Organization(name="Acme", created_at=now), Organization(name="Evil Corp", created_at=now)
    s.add_all([acme, evil])
    s.flush()

    def person(name: str, email: str, role: Role, organization: Organization | None = None) -> Person:
        made = accounts.add(s, email=email, name=name, role=role, now=now, password=password)
        made.organization = organization
        return made

    cast = Cast(
        alice=person("Alice", "alice@desk.example", Role.AGENT),
        bob=person("Bob", "bob@desk.example", Role.MANAGER),
        carol=person("Carol", "carol@acme.example", Role.CUSTOMER, acme),
        dave=person("Dave", "dave@acme.example", Role.CUSTOMER_ADMIN, acme),
        mallory=person("Mallory", "mallory@evil.example", Role.CUSTOMER_ADMIN, evil),
        root=person("Root", "root@desk.example", Role.ADMIN),
        erin=person("Erin", "erin@desk.example", Role.AGENT),
        frank=person("Frank", "frank@acme.example", Role.CUSTOMER, acme),
        billing=Team(name="Billing", created_at=now),
    )
    s.add(cast.billing)
    s.flush()
    s.add(Membership(team_id=cast.billing.id, person_id=cast.erin.id, part=Part.MEMBER, joined_at=now))
    s.flush()
    return cast
