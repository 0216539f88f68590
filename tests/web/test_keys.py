"""The keys of senders, on pages and for programs: offered by a mail, confirmed by a person, counted, and withdrawn."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, update

from app.audit.models import Entry
from app.db.session import now as database_now
from app.intake.models import InboundMail, Mailbox, SenderKey
from app.intake.rules.keys import in_groups
from app.intake.rules.seal import SealState
from app.web.agent import reading
from app.web.shapes import mails as shapes
from tests.db.intake.conftest import a_mailbox
from tests.unit.intake import pgp
from tests.unit.intake.letters import multipart, part
from tests.unit.intake.signing import CAROL
from tests.web.browser import SAME_ORIGIN
from tests.web.conftest import Web
from tests.web.furniture import with_a_key

API = "/api/v1/sender-keys"
FINGERPRINT = pgp.public().fingerprint.upper()
BUTTON = f"Confirm this key for {CAROL}"
ENTITY = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" + b"\r\n--x\r\n".join(
    (part("It is broken."), pgp.attached(pgp.armored(pgp.public())))
) + b"\r\n--x--\r\n"  # fmt: skip


@pytest.fixture
def mailbox(web: Web) -> Mailbox:
    with web.desk.db.transaction() as s:
        return a_mailbox(s, database_now(s))


@pytest.fixture(autouse=True, scope="module")
def _no_child_stays() -> Iterator[None]:
    yield
    reading.READER.close()


def came(web: Web, mailbox: Mailbox, raw: bytes, uid: int = 1) -> int:
    with web.desk.db.transaction() as s:
        return with_a_key(s, mailbox.id, raw, uid=uid)


def seal(web: Web, id: int) -> tuple[SealState | None, str | None]:
    with web.desk.db.transaction() as s:
        row = s.get_one(InboundMail, id)
        return row.seal, row.seal_words


def recorded(web: Web) -> list[tuple[str, str]]:
    with web.desk.db.transaction() as s:
        every = s.scalars(select(Entry).where(Entry.kind.startswith("mail.key")).order_by(Entry.seq))
        return [(one.kind.value, one.actor) for one in every]


def test_a_key_that_came_along_is_offered_and_once_confirmed_its_mail_is_told_to_be_signed(web: Web, mailbox: Mailbox) -> None:
    id = came(web, mailbox, pgp.beside(pgp.signature(ENTITY), ENTITY))
    other = came(web, mailbox, pgp.beside(pgp.signature(ENTITY), ENTITY), uid=2)
    before = (SealState.UNKNOWN, "Signed by a key that nobody here has confirmed.")
    with web.desk.db.transaction() as s:
        row = s.get_one(InboundMail, other)
        row.seal, row.seal_words = before
    bob = web.browser(web.cast.bob)
    opened = bob.page(f"/mail/{id}")
    assert in_groups(FINGERPRINT) in opened.text
    assert "Carol <carol@acme.example>" in opened.text
    assert "The signature names it" in opened.text
    assert BUTTON in opened.text
    assert seal(web, id) == (None, None)
    assert bob.fill(opened, f"/mail/{id}/keys").headers["location"] == f"/mail/{id}"
    assert seal(web, id) == (SealState.GOOD, "Signed by carol@acme.example, intact.")
    assert seal(web, other) == before, "what was told of other mails stays"
    shown = bob.page(f"/mail/{other}").text
    assert shown.index(before[1]) < shown.index("By today's keysSigned by carol@acme.example, intact.")
    shown = bob.page(f"/mail/{id}").text
    assert "Signed by carol@acme.example, intact." in shown
    assert "confirmed for carol@acme.example by Bob" in shown
    assert "By today's keys" not in shown
    assert BUTTON not in shown
    assert bob.fill(opened, f"/mail/{id}/keys").status_code == 409
    assert recorded(web) == [("mail.key_confirmed", "Bob <bob@desk.example>")]


def test_no_key_is_confirmed_that_the_mail_does_not_bring(web: Web, mailbox: Mailbox) -> None:
    id = came(web, mailbox, multipart(part("My key."), pgp.attached(pgp.armored(pgp.public()))))
    bob = web.browser(web.cast.bob)
    answer = bob.fill(bob.page(f"/mail/{id}"), f"/mail/{id}/keys", fingerprint="AB" * 20)
    assert answer.status_code == 404
    assert "This mail brings no such key." in answer.text
    assert "The signature names it" not in answer.text
    assert recorded(web) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (pgp.revoked(), "Its owner has taken it back."),
        (pgp.kept("short.key").encode(), "Signatures by it can be forged."),
        (pgp.kept("ran_out.key").encode(), "It ran out."),
    ],
)
def test_a_key_that_is_worth_nothing_is_not_offered(web: Web, mailbox: Mailbox, content: bytes, words: str) -> None:
    id = came(web, mailbox, multipart(part("My key."), pgp.attached(content)))
    shown = web.browser(web.cast.bob).page(f"/mail/{id}").text
    assert words in shown
    assert BUTTON not in shown


@pytest.mark.parametrize(("year", "words"), [(2090, "runs out on 5 Mar 2090, 09:00"), (2020, "ran out on 5 Mar 2020, 09:00")])
def test_the_page_says_when_a_key_runs_out_be_it_to_come_or_over(web: Web, year: int, words: str) -> None:
    bob = web.browser(web.cast.bob)
    bob.fill(bob.page("/mail/keys"), "/mail/keys", address=CAROL, key=pgp.armored(pgp.public()))
    with web.desk.db.transaction() as s:
        s.execute(update(SenderKey).values(expires_at=datetime(year, 3, 5, 9, tzinfo=UTC)))
    assert words in bob.page("/mail/keys").text


def test_a_key_is_brought_on_its_page_and_withdrawn_there(web: Web) -> None:
    bob = web.browser(web.cast.bob)
    opened = bob.page("/mail/keys")
    assert "No key is confirmed." in opened.text
    wrong = bob.fill(opened, "/mail/keys", address=CAROL, key="nonsense <b>")
    assert wrong.status_code == 422
    assert "That is no OpenPGP public key." in wrong.text
    assert "nonsense &lt;b&gt;" in wrong.text
    assert bob.fill(opened, "/mail/keys", address=CAROL, key=pgp.armored(pgp.public())).status_code == 303
    shown = bob.page("/mail/keys")
    assert in_groups(FINGERPRINT) in shown.text
    assert "by Bob" in shown.text
    [action] = re.findall(r'action="(/mail/keys/\d+/withdrawal)"', bob.get("/mail/keys").text)
    assert bob.fill(shown, action).status_code == 303
    assert "No key is confirmed." in bob.page("/mail/keys").text
    assert bob.fill(shown, action).status_code == 404
    assert [kind for kind, _ in recorded(web)] == ["mail.key_confirmed", "mail.key_withdrawn"]


def test_programs_bring_and_withdraw_keys(web: Web) -> None:
    program = web.program(web.cast.bob)
    made = program.post(API, json={"address": "Carol@ACME.example", "key": pgp.armored(pgp.public())})
    assert made.status_code == 201
    told = shapes.SenderKey.model_validate(made.json())
    assert (told.address, told.fingerprint, told.people) == (CAROL, FINGERPRINT, ["Carol <carol@acme.example>"])
    assert (told.confirmed_by.name, told.mail, told.expires_at) == ("Bob", None, None)
    assert program.get(made.headers["location"]).json() == made.json()
    assert program.get(API).json() == {"items": [made.json()], "next": None}
    assert program.post(API, json={"address": CAROL, "key": pgp.armored(pgp.public())}).status_code == 409
    assert program.post(API, json={"address": CAROL, "key": "nonsense"}).status_code == 422
    assert program.delete(f"{API}/{told.id}").status_code == 204
    assert program.delete(f"{API}/{told.id}").status_code == 404
    assert program.get(f"{API}/{told.id}").status_code == 404


def test_every_key_is_on_one_page(web: Web) -> None:
    program, found, cursor = web.program(web.cast.bob), [], ""
    for name in "abc":
        program.post(API, json={"address": f"{name}@acme.example", "key": pgp.armored(pgp.public())})
    while True:
        page = program.get(f"{API}?limit=2{cursor}").json()
        found += [one["address"] for one in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert found == ["a@acme.example", "b@acme.example", "c@acme.example"]


def test_nobody_confirms_who_is_not_responsible_for_the_desk(web: Web, mailbox: Mailbox) -> None:
    id = came(web, mailbox, multipart(part("My key."), pgp.attached(pgp.armored(pgp.public()))))
    for person in (web.cast.alice, web.cast.carol, web.cast.mallory):
        browser, program = web.browser(person), web.program(person)
        assert {browser.get(path).status_code for path in ("/mail/keys", f"/mail/{id}")} == {403}
        form = next(form.fields for form in browser.page("/account/second-factor").forms if "csrf" in form.fields)
        for path in ("/mail/keys", f"/mail/{id}/keys", "/mail/keys/1/withdrawal"):
            sent = {"address": CAROL, "key": pgp.armored(pgp.public()), "fingerprint": FINGERPRINT, "csrf": form["csrf"]}
            refused = browser.post(path, data=sent, headers=SAME_ORIGIN)
            assert (refused.status_code, "another session" in refused.text) == (403, False)
        assert program.post(API, json={"address": CAROL, "key": pgp.armored(pgp.public())}).status_code == 403
        assert {program.get(API).status_code, program.delete(f"{API}/1").status_code} == {403}
    assert recorded(web) == []
