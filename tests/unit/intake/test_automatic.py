"""Telling machines from people."""

import pytest

from app.intake.rules import read
from tests.unit.intake.letters import mail


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"Auto_Submitted": "auto-replied"}, "Auto-Submitted: auto-replied"),
        ({"Auto_Submitted": "auto-generated; owner=x"}, "Auto-Submitted: auto-generated"),
        ({"Precedence": "Bulk"}, "Precedence: bulk"),
        ({"List_Id": "<l.example>"}, "the header List-Id"),
        ({"List_Unsubscribe": "<https://x.example>"}, "the header List-Unsubscribe"),
        *(({"Precedence": word}, f"Precedence: {word}") for word in ("junk", "list", "auto_reply")),
        *(
            ({name.replace("-", "_"): "x"}, f"the header {name}")
            for name in ("List-Post", "List-Help", "List-Owner", "List-Subscribe", "List-Archive")
        ),
        ({"X_Autoreply": "yes"}, "the header X-Autoreply"),
        ({"X_Auto_Reply": "yes"}, "the header X-Auto-Reply"),
        ({"X_Autorespond": "yes"}, "the header X-Autorespond"),
        ({"X_Auto_Response_Suppress": "All"}, "the header X-Auto-Response-Suppress"),
        ({"X_Loop": "x"}, "the header X-Loop"),
        ({"Return_Path": "<>"}, "it can't be answered"),
        ({"sender": "<>"}, "it can't be answered"),
        ({"Content_Type": "multipart/report; boundary=b"}, "it is a report"),
        ({"sender": "MAILER-DAEMON@mx.example"}, "it is from mailer-daemon@mx.example"),
        ({"sender": "Mail Delivery Subsystem <MAILER-DAEMON>"}, "it is from MAILER-DAEMON"),
        ({"sender": "postmaster@mx.example"}, "it is from postmaster@mx.example"),
        ({"sender": "no-reply@shop.example"}, "it is from no-reply@shop.example"),
        ({"sender": "noreply+abc@shop.example"}, "it is from noreply+abc@shop.example"),
        ({"subject": "Automatic reply: Help"}, "its subject says that somebody is away"),
        ({"subject": "Out of Office: Re: Help"}, "its subject says that somebody is away"),
        *(
            ({"subject": subject}, "its subject says that somebody is away")
            for subject in (
                "=?utf-8?q?R=C3=A9ponse_automatique_:_Help?=", "Absence du bureau : Help", "Abwesenheitsnotiz: Help",
                "Fuera de la oficina: Help", "Risposta automatica: Help", "Automatisch antwoord: Help", "Autosvar: Help",
                "Автоответ: Help", "自動返信: Help", "自动回复: Help",
            )
        ),
    ],
)  # fmt: skip
def test_a_machine_is_known_by(fields: dict[str, str], reason: str) -> None:
    raw = mail("--b\r\n\r\nhello\r\n--b--\r\n", **fields)
    assert read.mail(raw)[0].automatic == reason


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"Auto_Submitted": "no"},
        {"Precedence": "first-class"},
        {"Return_Path": "<carol@acme.example>"},
        {"sender": "postmasters.friend@acme.example"},
        {"subject": "The office is out of paper"},
        {"subject": "My automatic reply does not work"},
        {"X_Mailer": "Outlook"},
    ],
)
def test_a_person_is_taken_for_a_person(fields: dict[str, str]) -> None:
    assert read.mail(mail(**fields))[0].automatic == ""
