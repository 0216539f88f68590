"""What hangs on messages: files that go up and come down, and mails as they were sent."""

import errno

import pytest
from starlette.datastructures import UploadFile

from app.core import html
from app.db.session import now as database_now
from app.tickets import actions as tickets
from app.tickets import queries
from app.tickets.actions import Body
from tests.web.browser import SAME_ORIGIN, Page
from tests.web.conftest import BY_MAIL, Web

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


def _with_files(web: Web, *files: tuple[str, bytes]) -> int:
    """A ticket of Carol's with these files, sent by the form."""
    sent = [("files", (name, content, "text/html")) for name, content in files]
    browser = web.browser(web.cast.carol)
    answer = browser.submit("/my/tickets/new", "/my/tickets/new", subject="Files", text="See there.", files=sent)
    assert answer.status_code == 303, answer.text
    return int(answer.headers["location"].rpartition("/")[2])


def test_a_file_comes_down_as_it_went_up_and_is_never_run(web: Web) -> None:
    _with_files(web, ("Bön <b>.html", b"<script>alert(1)</script>"))

    answer = web.browser(web.cast.carol).get("/attachments/1")

    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''B%C3%B6n%20%3Cb%3E.html"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "no-store" in answer.headers["cache-control"]


def test_a_picture_is_shown_as_what_its_bytes_say(web: Web) -> None:
    _with_files(web, ("really.html", PNG))

    answer = web.program(web.cast.carol).get("/api/v1/attachments/1")

    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"].startswith("inline")


def test_files_are_listed_on_their_message_and_belong_to_it(web: Web) -> None:
    number = _with_files(web, ("../../etc/passwd", b"one"), ("two.txt", b"two"))

    words = web.browser(web.cast.alice).page(f"/tickets/{number}").text

    assert "passwd 3 B" in words
    assert "/etc/" not in words
    assert "two.txt 3 B" in words
    assert web.browser(web.cast.mallory).get("/attachments/1").status_code == 404
    assert web.browser(web.cast.dave).get("/attachments/2").content == b"two"


def test_the_file_of_a_note_is_not_the_customers(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    at = f"/tickets/{number}"
    sent = [("files", ("secret.txt", b"secret", "text/plain"))]
    web.browser(web.cast.alice).submit(at, f"{at}/messages", having="note", text="Look.", files=sent)

    assert web.browser(web.cast.alice).get("/attachments/1").content == b"secret"
    assert web.browser(web.cast.carol).get("/attachments/1").status_code == 404
    assert web.program(web.cast.carol).get("/api/v1/attachments/1").status_code == 404


def test_a_form_where_no_file_was_chosen_has_none(web: Web) -> None:
    browser = web.browser(web.cast.carol)
    fields = browser.page("/my/tickets/new").forms[-1].fields | {"subject": "None", "text": "No file."}
    parts = [f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()]
    empty = '--x\r\nContent-Disposition: form-data; name="files"; filename=""\r\n'
    empty += "Content-Type: application/octet-stream\r\n\r\n\r\n--x--\r\n"
    headers = SAME_ORIGIN | {"Content-Type": "multipart/form-data; boundary=x"}

    answer = browser.post("/my/tickets/new", content="".join([*parts, empty]), headers=headers)

    assert answer.status_code == 303
    assert "attachments" not in browser.get(answer.headers["location"]).text


def test_more_than_the_desk_takes_is_refused_and_nothing_is_stored(web: Web) -> None:
    sent = [("files", ("big.bin", bytes(1_100_000), "application/octet-stream"))]

    answer = web.browser(web.cast.carol).submit(
        "/my/tickets/new", "/my/tickets/new", subject="Files", text="See there.", files=sent
    )

    assert answer.status_code == 413
    assert "You have no tickets yet" in web.browser(web.cast.carol).page("/my/tickets").text


def _html_mail(web: Web, markup: str) -> int:
    """The ticket of a mail with markup."""
    with web.desk.db.transaction() as s:
        body = Body("as text", html.clean(markup), html.POLICY)
        carol = s.merge(web.cast.carol)
        return tickets.open(s, requester=carol, by=None, subject="Mail", body=body, source=BY_MAIL, now=database_now(s)).number


def test_a_mail_is_shown_as_it_was_sent_in_a_document_that_can_do_nothing(web: Web) -> None:
    number = _html_mail(web, "<p>Hello <b>you</b></p><script>alert(1)</script><img src=https://evil.example/seen.gif>")
    page = web.browser(web.cast.alice).get(f"/tickets/{number}").text
    with web.desk.db.transaction() as s:
        ticket = queries.by_number(s, number)
        assert ticket is not None
        path = f"/messages/{queries.messages(s, ticket, notes=True)[0].id}/html"

    assert f'sandbox="allow-popups allow-popups-to-escape-sandbox" loading="lazy" src="{path}"' in page
    assert "<b>you</b>" not in page
    answer = web.browser(web.cast.alice).get(path)
    policy = answer.headers["content-security-policy"].split("; ")
    assert {
        "sandbox allow-popups allow-popups-to-escape-sandbox",
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "img-src data:",
    } <= set(policy)
    assert "<b>you</b>" in answer.text
    assert "script" not in Page(answer.text).tags
    assert "evil.example" not in answer.text
    assert "a:hover::after,a:focus::after{content:' \\2192 'attr(href)" in answer.text  # where a link really leads
    assert web.browser(web.cast.mallory).get(path).status_code == 404
    assert web.browser().get(path).status_code == 303


def test_a_message_without_markup_has_no_other_form(web: Web) -> None:
    number = web.ticket(web.cast.carol)

    assert "iframe" not in Page(web.browser(web.cast.alice).get(f"/tickets/{number}").text).tags
    assert web.browser(web.cast.alice).get("/messages/1/html").status_code == 404


def test_where_there_is_no_room_for_an_upload_it_says_so_and_everything_else_goes_on(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The framework calls every failure to read a form the sender's own fault."""
    number = web.ticket(web.cast.carol, accepted=True)
    carol, at = web.program(web.cast.carol), f"/api/v1/tickets/{number}"
    browser = web.browser(web.cast.carol)
    form = browser.page(f"/my/tickets/{number}")

    async def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(UploadFile, "write", full)
        refused = carol.post(f"{at}/attachments", files={"files": ("big.bin", b"x" * 500_000, "application/octet-stream")})
        big = [("files", ("big.bin", b"x" * 500_000, "application/octet-stream"))]
        page = browser.fill(form, f"/my/tickets/{number}/messages", text="See", files=big)
        assert carol.post(f"{at}/messages", json={"body": "no file"}).status_code == 201
        assert carol.get(at).status_code == 200
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:atum-desk:problem:no-room")
    assert (page.status_code, refused.headers["Retry-After"], page.headers["Retry-After"]) == (503, "5", "5")
    assert [told.count("There is no room for files of this size") for told in (refused.json()["detail"], page.text)] == [1, 1]
    assert [text for text, _ in web.said(number)] == ["It smokes.", "no file"]
    assert carol.post(f"{at}/attachments", files={"files": ("a.txt", b"x", "text/plain")}).status_code == 201


def test_where_there_is_no_room_to_keep_a_file_it_says_so_and_leaves_nothing_behind(
    web: Web, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It came whole, and then the disk was full. Who writes on a page keeps their words."""
    number = web.ticket(web.cast.carol, accepted=True)
    carol, at = web.program(web.cast.carol), f"/api/v1/tickets/{number}"
    browser = web.browser(web.cast.carol)
    form = browser.page(f"/my/tickets/{number}")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("app.files.disk.os.fsync", full)
        refused = carol.post(f"{at}/attachments", files={"files": ("a.txt", b"x", "text/plain")})
        page = browser.fill(
            form, f"/my/tickets/{number}/messages", text="Try once more", files=[("files", ("a.txt", b"x", "text/plain"))]
        )
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:atum-desk:problem:no-room")
    assert (page.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert "There is no room for files of this size" in page.text
    assert "Try once more" in page.text
    told = [getattr(record, "reason", "") for record in caplog.records if record.name == "app.web.failures"]
    assert told == ["[Errno 28] No space left on device"] * 2
    assert [text for text, _ in web.said(number)] == ["It smokes."]
    assert not [path for path in web.desk.blobs.root.rglob("*") if path.is_file()]
    assert carol.post(f"{at}/attachments", files={"files": ("a.txt", b"x", "text/plain")}).status_code == 201


def test_what_else_the_disk_refuses_is_no_matter_of_room(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    number = web.ticket(web.cast.carol, accepted=True)

    def broken(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("app.files.disk.os.fsync", broken)
    with pytest.raises(OSError, match="Input/output error"):
        web.program(web.cast.carol).post(f"/api/v1/tickets/{number}/attachments", files={"files": ("a.txt", b"x", "text/plain")})
