"""A desk with one of everything on it, and what each route's path and body have to name to meet it.

Carol's tickets are the team Support's, and so are the reply, the macro, the view and the field: Alice is a member of it, Lena
leads it, Rita may only read, Erin is of another team. What only its owner may end (a session, a token, a passkey) is Frank's, the
bulk change is Alice's. Everybody has the same password.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update
from starlette.testclient import TestClient

from app.accounts import actions as accounts
from app.accounts import passwords, sessions
from app.accounts.models import Link, Membership, Passkey, Person, SetupLink, Team
from app.accounts.rules import Door, LinkPurpose, Part, Role
from app.core import clock, ids
from app.db.session import Session
from app.db.session import now as database_now
from app.intake.models import InboundMail, Mailbox, SenderKey, Suggestion
from app.intake.rules.signs import Sign
from app.intake.rules.states import MailboxState, MailState
from app.ops.models import Backup, BackupState
from app.outbox.house import house as letters
from app.outbox.house import one_time_token
from app.outbox.models import Cause, Letter, Suppression
from app.sla import feeds
from app.sla.models import Clock
from app.tickets import deadlines, escalating
from app.tickets.models import Message
from app.web.door import COOKIE
from tests.cast import PASSWORD
from tests.unit.intake import letters as mails
from tests.unit.intake import pgp
from tests.web.conftest import Web

API = "/api/v1"
DAY = timedelta(days=1)
OWN = ("sessions", "tokens", "passkeys")
ONE_TIME = {"reset": LinkPurpose.RESET, "invite": LinkPurpose.INVITE, "confirm-email": LinkPurpose.EMAIL}
HOSTILE = (
    b"From: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>x\n"
    b"--b\nContent-Disposition: attachment\n\nx\n--b--"
)
Values = dict[str, Any]


@dataclass
class Furniture:
    """What there is: tickets by the state they are in, everything else by its kind."""

    web: Web
    tickets: dict[str, int] = field(default_factory=dict)
    things: Values = field(default_factory=dict)
    people: dict[str, Person | None] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)

    def path(self, method: str, path: str) -> str:
        """The path with its places filled in."""
        for name in ("number:key", "id:key", "part:key"):
            path = path.replace(name, name.removesuffix(":key"))
        values = {
            "number": self.tickets[STATES.get((method, path), "accepted")],
            "id": self.things.get(KINDS.get((method, path)) or path.split("/{id}")[0].rpartition("/")[2], 1),
            "person_id": self.people_id("agent" if method == "DELETE" else "manager"),
            "domain": "acme.example" if method == "DELETE" else "acme.test",
            "name": "telephone",
            "address": "nowhere@acme.example",
            "relation": "related_to",
            "other": self.tickets["other"],
            "role": "customer",
            "area": "tickets",
            "report": "volume",
            "day": "2026-11-23",
            "part": 1,
            "token": self.things.get(f"{path.split('/')[1]} token", ""),
        }
        for name, value in values.items():
            path = path.replace(f"{{{name}}}", str(value))
        assert "{" not in path, f"say in tests/web/furniture.py what stands in {path}"
        return path

    def places(self, method: str, path: str) -> Values:
        """What stands in each place of the path."""
        parts = zip(path.split("/"), self.path(method, path).split("/"), strict=True)
        return {place.strip("{}"): value for place, value in parts if place.startswith("{")}

    def people_id(self, name: str) -> int:
        return self.person(name).id

    def person(self, name: str) -> Person:
        found = self.people[name]
        assert found is not None
        return found

    def who_may(self, path: str) -> str:
        """Somebody who may do everything on this path."""
        words = path.split("/")
        mine = words[-1] == "{id}" and words[-2] in OWN
        return "colleague" if mine or "email/confirmation" in path or "confirm-email" in path else "admin"

    def body(self, method: str, path: str, example: Any) -> Any:
        """What is sent: the documented example, with the numbers of what is here."""
        t, things = self.tickets, self.things
        known: Values = {
            f"POST {API}/auth/login": {"username": "frank@acme.example", "password": PASSWORD},
            f"POST {API}/auth/refresh": {"refresh_token": things["refresh"]},
            f"POST {API}/auth/password/reset": {"token": things["reset token"], "password": "four words in a row"},
            f"POST {API}/auth/invitation": {"token": things["invite token"], "password": "four words in a row", "name": "Ira"},
            f"POST {API}/auth/email/confirmation": {"token": things["confirm-email token"]},
            f"POST {API}/organizations": {"name": "Globex"},
            f"POST {API}/tickets/bulk": {"tickets": [t["accepted"], t["other"]], "change": {"priority": "high"}},
            f"POST {API}/tickets/{{number}}/assignment": {"assignee_id": self.people_id("manager")},
            f"POST {API}/sla/policies/order": {"order": things.get("order", [])},
            f"POST {API}/auth/password": {"old": PASSWORD, "new": "four words in a row"},
            f"POST {API}/auth/email": {"email": "other@desk.example", "password": PASSWORD},
            f"POST {API}/tickets/{{number}}/snooze": {"until": _next_month()},
            f"POST {API}/tickets/{{number}}/merge": {"into": t["other"]},
            f"POST {API}/tickets/{{number}}/messages/{{id}}/move": {"to": t["other"]},
            f"POST {API}/tickets/{{number}}/watchers": {"email": "new@acme.example", "kind": "cc"},
            f"POST {API}/tickets/{{number}}/links": {"ticket": t["new"], "relation": "related_to"},
        }
        return known.get(f"{method} {path}", example)

    def query(self, method: str, path: str, example: str) -> str:
        """What stands after the path: as documented, with the numbers of what is here."""
        known = {
            f"{API}/canned-replies/{{id}}/text": f"?ticket={self.tickets['accepted']}",
            f"{API}/sla/calendars/proposals": "?country=DE&subdivision=BY&years=2026",
            f"{API}/tickets": "?q=status:open created:>2026-01-01",  # words that customers may use too
            f"{API}/search": '?q=status:open "printer" -word',
        }
        return known.get(path, example)

    def form(self, path: str) -> Values:
        """What a page's form would send."""
        known: Values = {"/tickets/{number}/assignment": {"assignee": str(self.people_id("manager"))}}
        path = path.replace(":key", "")
        return known.get(path) or FORMS.get(path, {})


# Which ticket a route is tried on, where it isn't an accepted one without anything special.
STATES = {
    ("POST", f"{API}/tickets/{{number}}/acceptance"): "new",
    ("POST", "/tickets/{number}/acceptance"): "new",
    ("DELETE", f"{API}/tickets/{{number}}/trash"): "trashed",
    ("DELETE", f"{API}/tickets/{{number}}/snooze"): "snoozed",
    ("DELETE", f"{API}/tickets/{{number}}/merge"): "merged",
}
# Which thing an {id} names, where the path's own word does not say it.
KINDS = {
    ("POST", "/mail/{id}/keys"): "mail with a key",
    ("DELETE", f"{API}/organizations/{{id}}"): "empty organization",
    ("DELETE", f"{API}/teams/{{id}}"): "empty team",
    ("DELETE", f"{API}/teams/{{id}}/archival"): "archived team",
    ("DELETE", f"{API}/users/{{id}}/disablement"): "disabled",
    ("POST", f"{API}/users/{{id}}/invitation"): "invited",
    ("DELETE", f"{API}/mailboxes/{{id}}/pause"): "paused mailbox",
    ("DELETE", f"{API}/organizations/{{id}}/domains/{{domain}}"): "organizations",
    ("PUT", f"{API}/organizations/{{id}}/domains/{{domain}}"): "organizations",
}
FORMS: dict[str, Values] = {
    "/sign-in": {"email": "frank@acme.example", "password": PASSWORD},
    "/forgot": {"email": "frank@acme.example"},
    "/reset/{token}": {"password": "four words in a row", "again": "four words in a row"},
    "/invite/{token}": {"name": "Ira", "password": "four words in a row", "again": "four words in a row"},
    "/setup/{token}": {
        "name": "Eve", "email": "eve@desk.example", "password": "four words in a row", "again": "four words in a row",
    },
    "/tickets/new": {"address": "carol@acme.example", "name": "Carol", "subject": "x", "text": "x"},
    "/my/tickets/new": {"subject": "x", "text": "x"},
    "/tickets/{number}/status": {"to": "in_progress"},
    "/tickets/{number}/priority": {"to": "high"},
    "/tickets/{number}/messages": {"kind": "note", "text": "x"},
    "/my/tickets/{number}/messages": {"text": "x"},
    "/account/time-zone": {"zone": "Europe/Berlin"},
    "/mail/suppressed/lift": {"address": "nowhere@acme.example"},
    "/mail/keys": {"address": "carol@acme.example", "key": pgp.armored(pgp.public())},
    "/mail/{id}/keys": {"fingerprint": pgp.public().fingerprint.upper()},
}  # fmt: skip


def furnish(web: Web) -> Furniture:
    """One of everything."""
    cast = web.cast
    found = Furniture(web)
    with web.desk.db.transaction() as s:
        rita, lena = _people(s, found)
        mail, found.things["mailboxes"] = _quarantined(s)
        found.things["mail"] = found.things["mails"] = mail
        found.things["mail with a key"] = with_a_key(s, found.things["mailboxes"])
        found.things["paused mailbox"] = _mailbox(s, "paused@desk.example", paused_at=database_now(s)).id
    found.people = {
        "nobody": None, "customer": cast.carol, "colleague": cast.frank, "customer_admin": cast.dave, "mallory": cast.mallory,
        "other_team": cast.erin, "reader": rita, "agent": cast.alice, "lead": lena, "manager": cast.bob, "admin": cast.root,
    }  # fmt: skip
    for name, person in found.people.items():
        if person is not None:
            found.tokens[name] = web.token(person, Door.API)
            found.cookies[name] = web.token(person, Door.PAGE)
    _tickets(web, found)
    _through_the_api(web, found)
    with web.desk.db.transaction() as s:
        found.things["keys"] = found.things["sender-keys"] = _key(s, cast.bob)
        found.things["suggestions"] = suggested(s, found)
        _ways_in(s, found, database_now(s))
    return found


def _people(s: Session, found: Furniture) -> tuple[Person, Person]:
    web, now = found.web, database_now(s)
    support = Team(name="Support", created_at=now)
    rita = accounts.add(s, email="rita@desk.example", name="Rita", role=Role.AGENT, now=now)
    lena = accounts.add(s, email="lena@desk.example", name="Lena", role=Role.AGENT, now=now)
    gone = accounts.add(s, email="gone@acme.example", name="Gone", role=Role.CUSTOMER, now=now)
    gone.disabled_at = now
    invited = accounts.add(s, email="ira@acme.example", name="Ira", role=Role.CUSTOMER, now=now)
    empty, archived = Team(name="Empty", created_at=now), Team(name="Old", created_at=now, archived_at=now)
    s.add_all([support, empty, archived])
    s.flush()
    for person, part in ((web.cast.alice, Part.MEMBER), (rita, Part.READER), (lena, Part.LEAD)):
        s.add(Membership(team_id=support.id, person_id=person.id, part=part, joined_at=now))
    key = Passkey(person_id=web.cast.frank.id, credential_id=b"one", public_key=b"x", sign_count=0, name="Key", created_at=now)
    s.add(key)
    s.flush()
    carol = web.cast.carol
    found.things |= {
        "teams": support.id, "empty team": empty.id, "disabled": gone.id, "invited": invited.id, "users": carol.id,
        "archived team": archived.id, "organizations": carol.organization_id, "passkeys": key.id, "team": support,
    }  # fmt: skip
    return rita, lena


def _mailbox(s: Session, name: str, **more: Any) -> Mailbox:
    """One whose server is nobody's."""
    box = Mailbox(name=name, address=name, host="127.0.0.1", port=993, tls=True, username=name, folder="INBOX", **more)
    box.credentials, box.password, box.anywhere, box.created_at = "x", b"sealed", False, database_now(s)
    box.last_uid, box.lease_epoch, box.state, box.failures = 1, 1, MailboxState.OK, 0
    s.add(box)
    s.flush()
    return box


def _quarantined(s: Session) -> tuple[int, int]:
    """A mail that waits for a person, and its mailbox; an address that gets no more."""
    now, box = database_now(s), _mailbox(s, "support@desk.example")
    mail = InboundMail(mailbox_id=box.id, uidvalidity=1, uid=1, raw_sha256="0" * 64, size=9, raw=HOSTILE)
    mail.header_only = False
    mail.received_at = mail.taken_at = mail.processed_at = now
    mail.state, mail.reason, mail.attempts, mail.subject = MailState.QUARANTINED, "the reader failed", 3, "A hostile one"
    s.add_all([mail, Suppression(address="nowhere@acme.example", cause=Cause.HARD, reason="550 5.1.1", days=1, since=now)])
    s.flush()
    return mail.id, box.id


def with_a_key(s: Session, mailbox: int, raw: bytes = b"", *, uid: int = 7) -> int:
    """A mail of Carol's that brings her key."""
    now = database_now(s)
    raw = raw or mails.multipart(mails.part("My key."), pgp.attached(pgp.armored(pgp.public())))
    mail = InboundMail(mailbox_id=mailbox, uidvalidity=1, uid=uid, raw_sha256="2" * 64, size=len(raw), raw=raw)
    mail.header_only, mail.attempts, mail.state, mail.sender = False, 0, MailState.DONE, "carol@acme.example"
    mail.received_at = mail.taken_at = mail.processed_at = now
    s.add(mail)
    s.flush()
    return mail.id


def _key(s: Session, by: Person) -> int:
    """One that Bob confirmed."""
    key = SenderKey(address="dave@acme.example", fingerprint="AB" * 20, names=["AB" * 20], people=["Dave"], content=b"x")
    key.confirmed_at, key.confirmed_by_id = database_now(s), by.id
    s.add(key)
    s.flush()
    return key.id


def suggested(s: Session, found: Furniture, *, uid: int = 2) -> int:
    """A mail of Mallory's that waits for a say."""
    now, ticket = database_now(s), found.tickets["accepted"]
    first = s.get_one(InboundMail, found.things["mail"])
    mail = InboundMail(mailbox_id=first.mailbox_id, uidvalidity=1, uid=uid, raw_sha256="1" * 64, size=9, raw=b"From: x\n\n")
    mail.header_only, mail.attempts, mail.state, mail.reason = False, 0, MailState.QUARANTINED, "somebody has to decide"
    mail.received_at = mail.taken_at = mail.processed_at = now
    mail.ticket, mail.subject = ticket, "About your ticket"
    s.add(mail)
    s.flush()
    one = Suggestion(inbound_mail_id=mail.id, ticket=ticket, person_id=found.web.cast.mallory.id, sign=Sign.OURS)
    one.auto, one.body, one.files, one.made_at = False, {"text": "Give it to me."}, [], now
    s.add(one)
    s.flush()
    return one.id


def _tickets(web: Web, found: Furniture) -> None:
    for state in ("new", "accepted", "other", "trashed", "snoozed", "merged", "target"):
        found.tickets[state] = web.ticket(web.cast.carol, subject=f"The {state} one", accepted=state != "new")
        web.to_team(found.tickets[state], found.things["team"])


def _through_the_api(web: Web, found: Furniture) -> None:
    root, t, things = web.program(web.cast.root), found.tickets, found.things
    frank, support = web.program(web.cast.frank), {"team_id": things["teams"]}

    def make(path: str, by: TestClient = root, **body: Any) -> Values:
        answer = by.post(API + path, json=body)
        assert answer.is_success, (path, answer.text)
        told: Values = answer.json()
        return told

    make(f"/tickets/{t['trashed']}/trash", reason="x")
    make(f"/tickets/{t['snoozed']}/snooze", until=_next_month())
    make(f"/tickets/{t['merged']}/merge", into=t["target"])
    make(f"/tickets/{t['accepted']}/links", ticket=t["other"], relation="related_to")
    make(f"/tickets/{t['accepted']}/watchers", email="colleague@acme.example", kind="cc")
    make(f"/tickets/{t['accepted']}/watchers", kind="agent")
    house = letters(web.desk.settings, web.desk.signer)
    things["unfollow token"] = house.unfollow_url(t["accepted"], web.cast.root.id).rpartition("/")[2]
    make("/tags", name="telephone")
    things["custom-fields"] = make("/custom-fields", key="room", label="Room", kind="text", **support)["id"]
    things["canned-replies"] = make("/canned-replies", title="Hello", text="Hello", shared_with="team", **support)["id"]
    things["macros"] = make("/macros", title="High", steps={"priority": "high"}, shared_with="team", **support)["id"]
    things["views"] = make("/views", name="Mine", query="status:open", shared="team", **support)["id"]
    things["bulk"] = make("/tickets/bulk", web.program(web.cast.alice), tickets=[t["other"]], change={"priority": "low"})["id"]
    things["webhooks"] = make("/webhooks", url="https://hooks.acme.example/", events=["ticket.created"])["id"]
    make(f"/webhooks/{things['webhooks']}/test")
    things["empty organization"] = make("/organizations", name="Empty")["id"]
    root.put(f"{API}/organizations/{things['organizations']}/domains/acme.example")
    things["tokens"] = make("/tokens", frank, name="One", scopes=["tickets:read"], days=1)["id"]
    sent = root.post(f"{API}/tickets/{t['accepted']}/attachments", files={"files": ("a.txt", b"x", "text/plain")})
    assert sent.is_success, sent.text
    things["attachments"] = root.get(f"{API}/tickets/{t['accepted']}/attachments").json()["items"][0]["id"]
    things["messages"] = root.get(f"{API}/tickets/{t['accepted']}/messages").json()["items"][0]["id"]
    things["planned"] = make(f"/tickets/{t['accepted']}/messages", body="Later.", send_at=_next_month())["id"]
    make("/sla/policies", name="Gold", match={"tag": ["gold"]}, targets={"resolution": {"high": 7200}})
    things["order"] = [policy["id"] for policy in root.get(f"{API}/sla/policies").json()["items"]][::-1]
    things["policies"] = things["order"][0]
    office: Values = {"name": "Office", "zone": "Europe/Berlin", "week": [[["09:00", "17:00"]]] * 7}
    things["calendars"] = make("/sla/calendars", **office)["id"]
    feed = "https://calendar.example/holidays.ics"
    root.put(f"{API}/sla/calendars/{things['calendars']}/feed", json={"url": feed})
    with web.desk.db.transaction() as s:
        feeds.keep(s, things["calendars"], feed, [{"date": _next_month()[:10], "name": "Feast"}], "", now=database_now(s))
    things["sessions"] = frank.get(f"{API}/auth/sessions").json()["items"][0]["id"]


def _next_month() -> str:
    return (clock.now() + timedelta(days=30)).isoformat()


def _ways_in(s: Session, found: Furniture, now: datetime) -> None:
    frank, password = s.get_one(Person, found.web.cast.frank.id), passwords.hashed(PASSWORD)
    for person in found.people.values():
        if person is not None:
            s.get_one(Person, person.id).password_hash = password
    found.things["refresh"] = sessions.sign_in(s, frank, door=Door.API, source="test", now=now).refresh
    s.execute(update(Message).where(Message.id == found.things["messages"]).values(html="<p>x</p>", html_policy=1))
    for place, purpose in ONE_TIME.items():
        token = found.things[f"{place} token"] = ids.token()
        whose: int = found.things["invited"] if purpose is LinkPurpose.INVITE else frank.id
        email = "new@acme.example" if purpose is LinkPurpose.EMAIL else None
        row = Link(purpose=purpose, person_id=whose, token_hash=ids.fingerprint(token), email=email)
        row.created_at, row.expires_at = now, now + timedelta(hours=1)
        s.add(row)
    found.things["acknowledge token"] = _missed(s, found)
    token = found.things["setup token"] = ids.token()
    s.add(SetupLink(token_hash=ids.fingerprint(token), expires_at=now + timedelta(minutes=15)))
    s.add(Backup(name="a.tar.age", state=BackupState.SOUND, recipient="age1", began_at=now, ended_at=now, rehearsed_at=now))


def _missed(s: Session, found: Furniture) -> str:
    """The accepted ticket was not resolved in time; the token of the link that its manager was mailed."""
    house = letters(found.web.desk.settings, found.web.desk.signer)
    clock = update(Clock).where(Clock.ticket == found.tickets["accepted"], Clock.metric == "resolution")
    s.execute(
        clock.values(started_at=Clock.started_at - DAY, anchor_at=Clock.anchor_at - DAY, due_at=func.now(), next_at=func.now())
    )
    deadlines.process_due(s)
    escalating.tell_due(s, house, UTC)
    mailed = select(Letter.mail_id).where(Letter.dedupe_key.startswith("ladder:"))
    return one_time_token(house.signer, s.scalars(mailed).first() or "")


def headers(found: Furniture, who: str, *, page: bool) -> dict[str, str]:
    """How somebody shows who they are: at a browser, or as a program."""
    if who == "nobody":
        return {}
    return {"Cookie": f"{COOKIE}={found.cookies[who]}"} if page else {"Authorization": f"Bearer {found.tokens[who]}"}
