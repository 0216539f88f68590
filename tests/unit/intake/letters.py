"""Mails for the tests, written the way mail programs write them."""


def mail(
    body: str | bytes = "It is broken.",
    *,
    sender: str | None = "Carol <carol@acme.example>",
    to: str = "support@desk.example",
    subject: str = "Help",
    mail_id: str | None = "<1@acme.example>",
    **fields: str,
) -> bytes:
    """A mail's bytes. Other fields by keyword, with an underscore for each hyphen; None leaves a field out."""
    known = {"From": sender, "To": to, "Subject": subject, "Message-ID": mail_id}
    head = known | {name.replace("_", "-"): value for name, value in fields.items()}
    lines = [f"{name}: {value}\r\n" for name, value in head.items() if value is not None]
    return "".join(lines).encode() + b"\r\n" + (body.encode() if isinstance(body, str) else body)


def multipart(*parts: bytes, kind: str = "mixed", **fields: str) -> bytes:
    """A mail of several parts, each with its own header."""
    inside = b"".join(b"--limit\r\n" + part + b"\r\n" for part in parts) + b"--limit--\r\n"
    return mail(inside, Content_Type=f'multipart/{kind}; boundary="limit"', **fields)


def part(content: str | bytes, kind: str = "text/plain; charset=utf-8", **fields: str) -> bytes:
    """One part of it."""
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in {"Content_Type": kind, **fields}.items())
    return head.encode() + b"\r\n" + (content.encode() if isinstance(content, str) else content)


def report(
    mail_id: str, *, to: str = "support@desk.example", action: str = "failed", recipient: str = "carol@acme.example"
) -> bytes:
    """What a mail server says of a mail that it could not deliver (RFC 3464)."""
    status = (
        f"Reporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; {recipient}\r\nAction: {action}\r\n"
        "Status: 5.1.1\r\nDiagnostic-Code: smtp; 550 no such user\r\n"
    )
    return multipart(
        part("It failed."),
        part(status, "message/delivery-status"),
        part(f"Message-ID: {mail_id}\r\n", "text/rfc822-headers"),
        kind="report; report-type=delivery-status",
        sender="MAILER-DAEMON@mx.acme.example",
        to=to,
        mail_id=f"<report.{action}.{recipient}@mx.acme.example>",
    )
