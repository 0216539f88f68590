"""The door to the server that carries our mail: SMTP (RFC 5321) with STARTTLS (RFC 3207), TLS (RFC 8314) or neither."""

import base64
import contextlib
import re
import smtplib
import socket
import ssl
from collections.abc import Container
from dataclasses import astuple, dataclass
from threading import Timer

from app.config import Settings
from app.core import text
from app.outbox.rules import Outcome, Verdict

CONNECTING = 10.0  # seconds
ANSWERING = 30.0
PARTING = 1.0
TOGETHER = 900.0  # a whole conversation, however slowly the server says what
SLOWEST = 10_000  # bytes a second; a text may take as long as that takes
ACCEPTING = 300.0  # after the text: giving up early means sending twice (RFC 5321 4.5.3.2.6 asks for ten minutes)


@dataclass(frozen=True)
class Account:
    """The server and how to sign in there. `security` is starttls, tls or none; `greeting` is who we say we are."""

    host: str
    port: int
    security: str
    user: str | None
    password: str | None
    greeting: str

    def described(self) -> str:
        """All of it as one text, to be signed or compared, never shown."""
        return "\0".join(map(str, astuple(self)))


def account(settings: Settings) -> Account | None:
    """The account of these settings, if they have one."""
    if settings.smtp_host is None:
        return None
    given = settings.smtp_user, settings.smtp_password
    return Account(settings.smtp_host, settings.smtp_port, settings.smtp_security, *given, greeting=settings.host)


class Trouble(Exception):
    """The server could not be used at all, whatever the letter."""

    def __init__(self, verdict: Verdict, words: str) -> None:
        super().__init__(words)
        self.outcome = Outcome(verdict, words)


class Line:
    """A connection that is opened when needed and kept while letters follow each other."""

    def __init__(
        self, account: Account, *, connecting: float = CONNECTING, accepting: float = ACCEPTING, together: float = TOGETHER
    ) -> None:
        self.account = account
        self._connecting, self._accepting, self._together = connecting, accepting, together
        self._smtp: smtplib.SMTP | None = None

    def deliver(self, senders: tuple[str, ...], recipient: str, content: bytes) -> Outcome:
        """Hand over one mail (7 bit, CRLF). The first envelope sender the server takes is used; "" is the null one."""
        watch = Timer(self._together + len(content) / SLOWEST, self._cut)
        watch.daemon = True
        watch.start()
        try:
            return self._converse(senders, recipient, content)
        finally:
            watch.cancel()

    def tried(self) -> dict[str, str]:
        """Greet, encrypt and sign in as for a letter, and part again; what the server said it can do. Raises Trouble."""
        watch = Timer(self._together, self._cut)
        watch.daemon = True
        watch.start()
        try:
            return dict(self._open().esmtp_features)
        finally:
            watch.cancel()
            self.close()

    def _converse(self, senders: tuple[str, ...], recipient: str, content: bytes) -> Outcome:
        try:
            smtp = self._ready()
            refusal = _envelope(smtp, senders, recipient, len(content)) or _answered(smtp.docmd("DATA"), {354})
        except Trouble as trouble:
            return self._gone(trouble.outcome)
        except (OSError, smtplib.SMTPException) as wrong:
            return self._gone(Outcome(Verdict.UNREACHABLE, f"{self._name} hung up: {_said(wrong)}"))
        if refusal:
            return self._gone(refusal) if refusal.verdict is Verdict.UNREACHABLE else refusal
        return self._hand_over(smtp, content)

    def close(self) -> None:
        """Say goodbye, if anybody is there."""
        smtp, self._smtp = self._smtp, None
        if smtp:
            try:
                _patience(smtp, PARTING)
                smtp.quit()
            except (OSError, smtplib.SMTPException):
                smtp.close()

    def _hand_over(self, smtp: smtplib.SMTP, content: bytes) -> Outcome:
        text = re.sub(rb"(?m)^\.", b"..", content) + (b".\r\n" if content.endswith(b"\r\n") else b"\r\n.\r\n")
        try:
            _patience(smtp, ANSWERING + len(text) / SLOWEST)
            smtp.send(text)
        except (OSError, smtplib.SMTPException) as wrong:  # its end did not leave here, so nobody took it
            words = f"the connection to {self._name} broke while the mail was handed over: {_said(wrong)}"
            return self._gone(Outcome(Verdict.RETRY, words))
        try:
            _patience(smtp, self._accepting)
            code, said = smtp.getreply()
            _patience(smtp, ANSWERING)
        except (OSError, smtplib.SMTPException) as wrong:
            return self._gone(Outcome(Verdict.DOUBTFUL, f"the connection broke before {self._name} confirmed: {_said(wrong)}"))
        if not 200 <= code < 600:
            return self._gone(Outcome(Verdict.DOUBTFUL, f"{self._name} answered nonsense: {_text(said)}"))
        if 200 <= code < 300:
            return Outcome(Verdict.SENT, _text(said))
        verdict = Verdict.FAILED if code >= 500 else Verdict.RETRY
        return Outcome(verdict, f"{code} {_text(said)}")

    def _ready(self) -> smtplib.SMTP:
        """The connection that is there, if it still answers, or a new one."""
        if self._smtp:
            try:
                if self._smtp.rset()[0] == 250:
                    return self._smtp
            except (OSError, smtplib.SMTPException):
                pass
            self.close()
        return self._open()

    def _open(self) -> smtplib.SMTP:
        try:
            smtp = self._smtp = self._connect()
            if self.account.security == "starttls":
                smtp.starttls(context=ssl.create_default_context())
            smtp.ehlo_or_helo_if_needed()
            if self.account.user:
                _sign_in(smtp, self.account.user, self.account.password or "")
        except ssl.SSLCertVerificationError as wrong:
            words = f"the certificate of {self._name} is not trusted: {wrong.verify_message}"
            raise Trouble(Verdict.REFUSED, words) from wrong
        except ssl.SSLError as wrong:
            words = f"{self._name}: TLS failed ({wrong.reason}); does SMTP_SECURITY fit the port?"
            raise Trouble(Verdict.UNREACHABLE, words) from wrong
        except smtplib.SMTPNotSupportedError as wrong:
            raise Trouble(Verdict.REFUSED, f"{self._name}: {_said(wrong)}") from wrong
        except smtplib.SMTPResponseException as wrong:
            raise Trouble(_by_code(wrong.smtp_code), f"{self._name} refused us: {_said(wrong)}") from wrong
        except (OSError, smtplib.SMTPException) as wrong:
            raise Trouble(Verdict.UNREACHABLE, f"{self._name} can't be reached: {_said(wrong)}") from wrong
        return smtp

    def _connect(self) -> smtplib.SMTP:
        to, me = self.account, self.account.greeting
        if to.security == "tls":
            context = ssl.create_default_context()
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(to.host, to.port, me, timeout=self._connecting, context=context)
        else:
            smtp = smtplib.SMTP(to.host, to.port, me, timeout=self._connecting)
        _patience(smtp, ANSWERING)
        return smtp

    def _cut(self) -> None:
        """End a conversation that takes too long. By the plain socket's own method: the other thread may be inside of TLS."""
        smtp = self._smtp
        if smtp and smtp.sock:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(smtp.sock, socket.SHUT_RDWR)

    def _gone(self, outcome: Outcome) -> Outcome:
        smtp, self._smtp = self._smtp, None
        if smtp:
            smtp.close()
        return outcome

    @property
    def _name(self) -> str:
        return f"{self.account.host}:{self.account.port}"


def _patience(smtp: smtplib.SMTP, seconds: float) -> None:
    if smtp.sock:
        smtp.sock.settimeout(seconds)


def _sign_in(smtp: smtplib.SMTP, user: str, password: str) -> None:
    """One try by one mechanism, in UTF-8: smtplib's own login tries them all, each counts as a failure, and knows only ASCII."""
    offered = smtp.esmtp_features.get("auth", "").upper().split()
    if "PLAIN" in offered:  # RFC 4616
        code, said = smtp.docmd("AUTH", f"PLAIN {_base64(chr(0) + user + chr(0) + password)}")
    elif "LOGIN" in offered:
        code, said = smtp.docmd("AUTH", "LOGIN")
        for word in (user, password):
            if code == 334:
                code, said = smtp.docmd(_base64(word))
    else:
        raise smtplib.SMTPNotSupportedError(
            f"it offers no way to sign in that we know (it offers: {' '.join(offered) or 'none'})"
        )
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, said)


def _base64(words: str) -> str:
    return base64.b64encode(words.encode()).decode()


def _envelope(smtp: smtplib.SMTP, senders: tuple[str, ...], recipient: str, size: int) -> Outcome | None:
    """Name the sender and the recipient; what the server had against it, or None."""
    sized = f" SIZE={size}" if smtp.has_extn("size") else ""
    refusal = None
    for sender in senders:
        code, said = smtp.docmd("MAIL", f"FROM:<{sender}>{sized}")
        refusal = _answered((code, said), range(200, 300))
        if refusal is None:
            return _answered(smtp.docmd("RCPT", f"TO:<{recipient}>"), range(200, 300))
        if refusal.verdict is not Verdict.FAILED or code == 552:  # 552: the mail is too large, whoever sends it
            return refusal
    return refusal and Outcome(Verdict.REFUSED, f"our address was refused: {refusal.words}")


def _answered(answer: tuple[int, bytes], wanted: Container[int]) -> Outcome | None:
    """What an answer before the text means, where it is not the wanted one. 530: sign in first (RFC 4954)."""
    code, said = answer
    if code in wanted:
        return None
    words = f"{code} {_text(said)}"
    if code == 530:
        return Outcome(Verdict.REFUSED, f"the server wants us to sign in: {words}")
    if code == 421 or not 400 <= code < 600:
        return Outcome(Verdict.UNREACHABLE, f"the server is going away: {words}")
    return Outcome(Verdict.FAILED if code >= 500 else Verdict.RETRY, words)


def _by_code(code: int) -> Verdict:
    return Verdict.REFUSED if code >= 500 else Verdict.UNREACHABLE


def _said(wrong: Exception) -> str:
    if isinstance(wrong, smtplib.SMTPResponseException):
        return f"{wrong.smtp_code} {_text(wrong.smtp_error)}"
    if isinstance(wrong, OSError) and wrong.strerror:
        return wrong.strerror
    return text.one_line(str(wrong), most=300) or type(wrong).__name__


def _text(said: bytes | str) -> str:
    return text.one_line(said.decode("utf-8", "replace") if isinstance(said, bytes) else said, most=300)
