"""What somebody owns: tickets in every state, and one of everything that hangs on them or is a team's, marked with words.

What theirs are asked for by, and what must not come back, are different words: an answer may repeat what was asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, text

from app.accounts.models import Passkey, Person, Team
from app.core import clock, ids
from app.db.session import now as database_now
from tests.web.conftest import Web
from tests.web.furniture import API, Furniture

STATES = ("new", "accepted", "other", "trashed", "snoozed", "merged", "target")
ASKED = "quokka"  # what theirs can be found by
HIDDEN = "walrus"  # what only those may read who may see the tickets, or are of the team
PRIVATE = "narwhal"  # what all who work here may read, and nobody of another organization
SECRET, KNOWN = f"{ASKED} {HIDDEN}", f"{ASKED} {PRIVATE}"
TAG = f"{ASKED}-{PRIVATE}"
Values = dict[str, Any]


@dataclass(frozen=True)
class Owner:
    """Whose it is: a customer's tickets, in a team or none, kept by an agent or by the customer. `words` are in every text.

    What is had `again` is without a custom field, of which all who work here may know.
    """

    customer: Person
    keeper: Person
    team: Team | None = None
    words: str = "plain"
    again: bool = False


def number_apart(owner: Engine) -> None:
    """From here on everything has a number of six digits that nothing else has: a number tells whose it is."""
    with owner.begin() as c:
        names = c.scalars(text("SELECT quote_ident(sequencename) FROM pg_sequences ORDER BY 1")).all()
        for place, name in enumerate(names, 11):
            c.execute(text("SELECT setval(CAST(:name AS regclass), :start)"), {"name": name, "start": place * 10_000})


def marked(web: Web, person: Person) -> None:
    """Give a customer, and their organization, a name that only those may read who may know it."""
    assert person.organization
    person.name, person.organization.name = f"{person.name} {KNOWN}", f"{KNOWN} Ltd"
    with web.desk.db.transaction() as s:
        s.merge(person)


def estate(web: Web, whose: Owner) -> Furniture:
    """One of everything of theirs."""
    found = Furniture(web)
    found.people |= dict.fromkeys(("agent", "manager"), whose.keeper)
    found.things |= {"users": whose.customer.id, "organizations": whose.customer.organization_id, "policies": 1}
    found.things |= dict.fromkeys(("refresh", "reset token", "invite token", "confirm-email token"), "none")
    for state in STATES:
        found.tickets[state] = web.ticket(
            whose.customer, f"{whose.words} {state}", f"{whose.words} text", accepted=state != "new"
        )
        web.note(found.tickets[state], f"{whose.words} note")
        if whose.team:
            web.to_team(found.tickets[state], whose.team)
    if whose.team:
        _teams_things(web, found, whose, whose.team)
    _everybodys_things(web, found, whose)
    return found


def _teams_things(web: Web, found: Furniture, whose: Owner, team: Team) -> None:
    keeper, root, t, things = web.program(whose.keeper), web.program(web.cast.root), found.tickets, found.things
    words, shared = whose.words, {"shared_with": "team", "team_id": team.id}
    things |= {"teams": team.id, "team": team}
    made(keeper, f"/tickets/{t['trashed']}/trash", reason=f"{words} reason")
    made(keeper, f"/tickets/{t['snoozed']}/snooze", until=next_month())
    made(keeper, f"/tickets/{t['merged']}/merge", into=t["target"])
    made(keeper, f"/tickets/{t['accepted']}/links", ticket=t["other"], relation="related_to")
    made(keeper, f"/tickets/{t['accepted']}/messages", body=f"{words} @{whose.keeper.email}", internal=True)
    if not whose.again:
        field = {"key": f"field_{team.id}", "label": f"{KNOWN} field", "kind": "text", "team_id": team.id}
        things["custom-fields"] = made(root, "/custom-fields", **field)["id"]
    things["canned-replies"] = made(root, "/canned-replies", title=f"{words} reply", text=words, **shared)["id"]
    things["macros"] = made(root, "/macros", title=f"{words} macro", steps={"note": words}, **shared)["id"]
    view = {"name": f"{words} view", "query": "is:open", "shared": "team", "team_id": team.id}
    things["views"] = made(root, "/views", **view)["id"]
    things["bulk"] = made(keeper, "/tickets/bulk", tickets=[t["other"]], change={"priority": "low"})["id"]


def _everybodys_things(web: Web, found: Furniture, whose: Owner) -> None:
    keeper, t, things = web.program(whose.keeper), found.tickets, found.things
    made(keeper, f"/tickets/{t['accepted']}/watchers", kind="cc", email=f"copy.{whose.keeper.id}@mail.example")
    files = {"files": (f"{whose.words}.txt", whose.words.encode(), "text/plain")}
    assert keeper.post(f"{API}/tickets/{t['accepted']}/attachments", files=files).is_success
    for kind in ("attachments", "messages"):
        things[kind] = keeper.get(f"{API}/tickets/{t['accepted']}/{kind}").json()["items"][0]["id"]
    things["tokens"] = made(keeper, "/tokens", name=whose.words, scopes=["tickets:read"], days=1)["id"]
    things["sessions"] = keeper.get(f"{API}/auth/sessions").json()["items"][0]["id"]
    with web.desk.db.transaction() as s:
        key = Passkey(person_id=whose.keeper.id, credential_id=ids.token().encode(), public_key=b"x", sign_count=0)
        key.name, key.created_at = whose.words, database_now(s)
        s.add(key)
        s.flush()
        things["passkeys"] = key.id


def made(by: Any, path: str, **body: Any) -> Mapping[str, Any]:
    """What a POST answers that has to succeed."""
    answer = by.post(API + path, json=body)
    assert answer.is_success, (path, answer.text)
    told: Mapping[str, Any] = answer.json()
    return told


def next_month() -> str:
    """A time that is ahead."""
    return (clock.now() + timedelta(days=30)).isoformat()
