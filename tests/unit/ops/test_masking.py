"""What is hidden before something leaves the house, and that what helps stays readable."""

import json
import time

import pytest

from app.ops.doctor.masking import Mask, trace

TRACE = """Traceback (most recent call last):
  File "/opt/atum/app/web/door.py", line 12, in door
    return whatever(secret="geheim")
  File "/opt/atum/app/intake/reader.py", line 7, in <module>
    raise ValueError("Liebe Gruesse")
ValueError: Liebe Gruesse,
SecondLine of Carol's words
"""


@pytest.fixture
def mask() -> Mask:
    return Mask(["hunter2-hunter2", "", "a+b*c"])


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("NO hunter2-hunter2 is wrong", "NO (hidden) is wrong"),
        ("a+b*c", "(hidden)"),
        ("mail of Carol <carol.smith@acme.example> waits", "mail of Carol <…@acme.example> waits"),
        ("postgresql://atum:pw@db.example/atum", "postgresql://atum:…@db.example/atum"),
        ("make it at https://x/setup/pIK5XBIyPMIav306MSVK", "make it at https://x/setup/(hidden)"),
        ("the key pIK5XBIyPMIav306MSVK of it", "the key … of it"),
        ("from 203.0.113.77 and 2001:db8:1:2::77", "from 203.0.113.… and 2001:db8:1:…"),
        ('duplicate key violates "person_email_key"', 'duplicate key violates "person_email_key"'),
        ('invalid input "Carol\'s cat"', 'invalid input "…"'),
        ("no table 'Carol'", 'no table "…"'),
        ("2026-12-01T01:48:52.857+00:00", "2026-12-01T01:48:52.857+00:00"),
        ("ATUM Desk 0.1.0 is ready at https://desk.example.org", "ATUM Desk 0.1.0 is ready at https://desk.example.org"),
    ],
)
def test_what_is_hidden_and_what_is_not(mask: Mask, words: str, shown: str) -> None:
    assert mask.said(words) == shown


@pytest.mark.parametrize(
    ("path", "status", "shown"),
    [
        ("/tickets", 200, "/tickets"),
        ("/tickets/12/messages", 303, "/tickets/…/…"),
        ("/api/v1/tickets/12/messages", 201, "/api/v1/tickets/…/…"),
        ("/api/v1/suppressions/carol@acme.example", 200, "/api/v1/suppressions/…"),
        ("/api/v1/tags/angry-carol", 200, "/api/v1/tags/…"),
        ("/carols-secret", 404, "(hidden)"),
    ],
)
def test_of_a_request_only_our_own_part_of_its_path_is_kept(mask: Mask, path: str, status: int, shown: str) -> None:
    record = {
        "ts": "2026-03-01T12:00:00+00:00",
        "level": "info",
        "proc": "nginx",
        "msg": f"GET {path} {status}",
        "status": status,
    }
    more = {"client": "203.0.113.77", "agent": "Carol's browser", "seconds": 0.004, "request_id": "ab" * 16, "via": "10.0.0.7"}
    told = json.loads(mask.line(json.dumps(record | more)) or "")
    assert told == record | {
        "msg": f"GET {shown} {status}", "seconds": 0.004, "request_id": "ab" * 16, "via": "10.0.0.…",
    }  # fmt: skip


def test_fields_that_nobody_knows_are_left_out(mask: Mask) -> None:
    record = {
        "ts": "t",
        "level": "info",
        "proc": "mail-poller",
        "msg": "took a mail",
        "subject": "Carol",
        "mail": 7,
        "tags": ["x"],
    }
    assert json.loads(mask.line(json.dumps(record)) or "") == {
        "ts": "t", "level": "info", "proc": "mail-poller", "msg": "took a mail", "mail": 7,
    }  # fmt: skip


def test_of_a_traceback_stays_where_it_was_and_what_was_raised(mask: Mask) -> None:
    assert trace(TRACE) == [
        'File "/opt/atum/app/web/door.py", line 12, in door',
        'File "/opt/atum/app/intake/reader.py", line 7, in <module>',
        "ValueError",
    ]
    record = {"ts": "t", "level": "error", "proc": "api_00", "msg": "ValueError: Liebe Gruesse,", "trace": TRACE}
    assert "Gruesse" not in (mask.line(json.dumps(record)) or "")


@pytest.mark.parametrize("letter", ["a", "-", "a1", "'", '"', "1.", "a:", "@"])
def test_a_long_line_is_read_once_however_it_is_made(mask: Mask, letter: str) -> None:
    began = time.process_time()
    mask.said(letter * (200_000 // len(letter)))
    assert time.process_time() - began < 2


def test_a_line_that_is_no_record_is_left_out(mask: Mask) -> None:
    assert mask.line("Carol wrote this") is None
    assert mask.line('["Carol"]') is None
