"""Files that programs send and read: what they are called, what a browser may do with them, and who may."""

from typing import Any
from urllib.parse import quote, unquote

import pytest
from httpx2 import Response
from sqlalchemy import select

from app.accounts.models import Person
from app.audit.models import Entry, Event
from app.web.shapes import desk as shapes
from tests.web.conftest import Web

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
HTML = b"<html><script>alert(1)</script></html>"


def send(web: Web, by: Person, number: int, *files: tuple[str, bytes, str], **data: Any) -> Response:
    parts = [("files", file) for file in files]
    return web.program(by).post(f"/api/v1/tickets/{number}/attachments", files=parts, data=data)


def listed(web: Web, by: Person, number: int, **query: Any) -> list[str]:
    answer = web.program(by).get(f"/api/v1/tickets/{number}/attachments", params=query)
    assert answer.status_code == 200, answer.text
    shapes.Attachments.model_validate(answer.json())
    return [each["name"] for each in answer.json()["items"]]


def reads(web: Web) -> list[Entry]:
    with web.desk.db.transaction() as s:
        return list(s.scalars(select(Entry).where(Entry.kind == Event.ATTACHMENT_READ).order_by(Entry.seq)))


def test_files_are_sent_as_a_message_of_their_own(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    answer = send(web, web.cast.alice, number, ("a.txt", b"one", "text/plain"), ("b.png", PNG, "text/html"), text="Look.")

    assert answer.status_code == 201, answer.text
    told = shapes.MessageWithFiles.model_validate(answer.json())
    assert [(f.name, f.media_type, f.size) for f in told.attachments] == [
        ("a.txt", "application/octet-stream", 3),
        ("b.png", "image/png", 24),
    ]
    assert web.said(number)[-1] == ("Look.", False)
    assert listed(web, web.cast.carol, number) == ["a.txt", "b.png"]
    assert web.program(web.cast.carol).get(f"/api/v1/attachments/{told.attachments[0].id}").content == b"one"


def test_a_note_may_have_no_words_but_files_and_is_the_staffs(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    answer = send(web, web.cast.alice, number, ("secret.txt", b"s", "text/plain"), internal="true")
    id = answer.json()["attachments"][0]["id"]

    assert answer.status_code == 201
    assert listed(web, web.cast.alice, number) == ["secret.txt"]
    for customer in (web.cast.carol, web.cast.dave):
        assert listed(web, customer, number) == []
        assert web.program(customer).get(f"/api/v1/attachments/{id}").status_code == 404
        assert send(web, customer, number, ("x", b"x", "text/plain"), internal="true").status_code == 403
    assert reads(web) == []


def test_strangers_neither_send_nor_read_nor_list(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    id = send(web, web.cast.carol, number, ("a.txt", b"one", "text/plain")).json()["attachments"][0]["id"]
    with web.desk.db.transaction() as s:
        web._found(s, number).team_id = web.cast.billing.id
    before = sorted(web.desk.blobs.root.rglob("*"))

    for person in (web.cast.mallory, web.cast.frank, web.cast.alice):
        assert send(web, person, number, ("spy.txt", b"spy", "text/plain")).status_code == 404
        assert web.program(person).get(f"/api/v1/tickets/{number}/attachments").status_code == 404
        assert web.program(person).get(f"/api/v1/attachments/{id}").status_code == 404
        assert web.browser(person).get(f"/attachments/{id}").status_code == 404
    assert sorted(web.desk.blobs.root.rglob("*")) == before, "nothing of theirs was stored"
    assert reads(web) == []


def test_each_reading_is_one_row_of_the_audit_and_asking_for_its_head_is_none(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    id = send(web, web.cast.alice, number, ("a.txt", b"one", "text/plain")).json()["attachments"][0]["id"]
    path = f"/api/v1/attachments/{id}"

    head = web.program(web.cast.carol).head(path)
    assert (head.status_code, head.headers["content-length"]) == (200, "3")
    assert reads(web) == []
    for _ in range(2):
        assert web.program(web.cast.carol).get(path).status_code == 200
    web.browser(web.cast.alice).get(f"/attachments/{id}")
    assert web.program(web.cast.carol).get("/api/v1/attachments/999").status_code == 404

    found = [(e.actor_id, e.ticket, e.data["attachment"], e.data["name"]) for e in reads(web)]
    assert found == [(who.id, number, id, "a.txt") for who in (web.cast.carol, web.cast.carol, web.cast.alice)]


UTF16 = HTML.decode().encode("utf-16")


@pytest.mark.parametrize(
    ("name", "content", "claimed"),
    [
        ("a.html", HTML, "text/html"),
        ("a.xhtml", b'<?xml version="1.0"?>' + HTML, "application/xhtml+xml"),
        ("a.svg", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "image/svg+xml; x"),
        ("a.xml", b'<?xml-stylesheet href="javascript:alert(1)"?><a/>', "text/xml"),
        ("a.mht", b"MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n" + HTML, "multipart/related"),
        ("a.pdf", b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript>>>>", "application/pdf"),
        ("a.shtml", b'<!--#exec cmd="id" -->', "text/html"),
        ("a.png", HTML, "image/png"),
        ("bom.txt", b"\xef\xbb\xbf" + HTML, "text/plain"),
        ("utf7.txt", b"+ADw-script+AD4-alert(1)+ADw-/script+AD4-", "text/plain; charset=utf-7"),
        ("utf16.txt", UTF16, "text/plain"),
        ("poly.pdf", b"\n%PDF-1.7 GIF89a", "image/gif"),
        ("late.png", b" " + PNG, "image/png"),
        ("empty.png", b"", "image/png"),
        ("short.webp", b"RIFF....WEB", "image/webp"),
    ],
)
def test_what_is_no_picture_is_a_download_that_can_do_nothing(web: Web, name: str, content: bytes, claimed: str) -> None:
    number = web.ticket(web.cast.carol)
    id = send(web, web.cast.carol, number, (name, content, claimed)).json()["attachments"][0]["id"]

    answer = web.browser(web.cast.alice).get(f"/attachments/{id}")

    assert answer.content == content
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_picture_with_a_script_behind_it_is_only_ever_a_picture(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    id = send(web, web.cast.carol, number, ("a.html", b"GIF89a/*" + HTML, "text/html")).json()["attachments"][0]["id"]
    answer = web.browser(web.cast.alice).get(f"/attachments/{id}")

    assert answer.headers["content-type"] == "image/gif"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("x.php", "x.php"),
        (".htaccess", "htaccess"),
        ("\u200b.htaccess", "htaccess"),
        ("a.php. . ", "a.php"),
        ("gpj.\u202eexe", "gpj.exe"),
        ("CON", "CON"),
        ("x" * 300 + ".txt", "x" * 196 + ".txt"),
        ("../../../../app/x.py", "x.py"),
        ("/etc/passwd", "passwd"),
        ("C:\\Windows\\win.ini", "win.ini"),
        ("..", "attachment"),
        ("%2e%2e%2fpasswd", "%2e%2e%2fpasswd"),
        ("a;b='c'.txt", "a;b='c'.txt"),
    ],
)
def test_a_name_is_only_a_name(web: Web, sent: str, kept: str) -> None:
    number = web.ticket(web.cast.carol)
    answer = send(web, web.cast.carol, number, (sent, b"content of it", "text/plain"))

    assert answer.json()["attachments"][0]["name"] == kept
    down = web.program(web.cast.carol).get(f"/api/v1/attachments/{answer.json()['attachments'][0]['id']}")
    assert down.headers["content-disposition"] == f"attachment; filename*=UTF-8''{quote(kept)}"
    names = [path.name for path in web.desk.blobs.root.rglob("*") if path.is_file()]
    assert len(names) == 1
    assert set(names[0]) <= set("0123456789abcdef")
    assert unquote(kept) not in names


@pytest.mark.parametrize("part", ['filename="a.jpg\0.php"', "filename*=UTF-8''..%2F..%2Fx.py", 'filename="a\r\nX-Evil: 1"'])
def test_odd_ways_to_write_a_name_do_no_harm(web: Web, part: str) -> None:
    number = web.ticket(web.cast.carol)
    body = f'--x\r\nContent-Disposition: form-data; name="files"; {part}\r\n\r\nx\r\n--x--\r\n'
    answer = web.program(web.cast.carol).post(
        f"/api/v1/tickets/{number}/attachments",
        content=body.encode(),
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )

    assert answer.status_code in {201, 400, 422}
    for name in listed(web, web.cast.carol, number):
        assert not set(name) & set("/\\\0\r\n")
    assert "x-evil" not in answer.headers


def test_a_form_with_other_parts_or_no_file_is_refused(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    file = ("a.txt", b"one", "text/plain")

    assert "'author_id'" in send(web, web.cast.carol, number, file, author_id="1").json()["detail"]
    refused = [
        send(web, web.cast.carol, number, file, author_id="1"),
        send(web, web.cast.carol, number, text="no file"),
        send(web, web.cast.carol, number, file, internal="perhaps"),
        send(web, web.cast.carol, number, *[file] * 51),
        web.program(web.cast.carol).post(f"/api/v1/tickets/{number}/attachments", json={"files": []}),
    ]
    assert [answer.status_code for answer in refused] == [422] * 5
    assert send(web, web.cast.carol, number, ("big.bin", bytes(1_100_000), "x/y")).status_code == 413
    assert len(web.said(number)) == 1


def test_the_same_key_sends_them_once_and_other_files_are_another_request(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    path, key = f"/api/v1/tickets/{number}/attachments", {"Idempotency-Key": "k"}
    program = web.program(web.cast.carol)
    first, again, other = (
        program.post(path, files={"files": ("a.txt", content)}, headers=key) for content in (b"one", b"one", b"two")
    )

    assert (first.status_code, again.json(), other.status_code) == (201, first.json(), 422)
    assert listed(web, web.cast.carol, number) == ["a.txt"]


def test_a_long_list_of_files_goes_on_at_its_cursor(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    send(web, web.cast.carol, number, *((f"{n}.txt", b"x", "text/plain") for n in range(3)))
    first = web.program(web.cast.carol).get(f"/api/v1/tickets/{number}/attachments", params={"limit": 2}).json()

    assert [each["name"] for each in first["items"]] == ["0.txt", "1.txt"]
    assert listed(web, web.cast.carol, number, cursor=first["next"]) == ["2.txt"]
    assert web.program(web.cast.carol).get(f"/api/v1/tickets/{number}/attachments?cursor=x").status_code == 422


def test_files_of_a_ticket_in_the_trash_are_out_of_customers_reach(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    id = send(web, web.cast.carol, number, ("a.txt", b"one", "text/plain")).json()["attachments"][0]["id"]
    gone = web.program(web.cast.alice).post(f"/api/v1/tickets/{number}/trash", json={"reason": "spam"})
    assert gone.status_code == 201

    assert web.program(web.cast.carol).get(f"/api/v1/attachments/{id}").status_code == 404
    assert send(web, web.cast.carol, number, ("b.txt", b"x", "text/plain")).status_code == 404
    assert send(web, web.cast.alice, number, ("b.txt", b"x", "text/plain")).status_code == 409
    assert web.program(web.cast.alice).get(f"/api/v1/attachments/{id}").status_code == 200
