"""How mail programs in many languages introduce what they quote or forward. All in lower case, but for what is a pattern."""

# ruff: noqa: RUF001 (letters that look like others are what some languages are written in)

import re


def _names(listed: str) -> frozenset[str]:
    return frozenset(name.strip() for name in listed.split(","))


# Names of a header's fields, in the order English, German, French, Spanish, Italian, Dutch, Portuguese, Polish, Swedish, Danish,
# Norwegian, Russian, Czech, Japanese, Chinese.
FROM = _names("from, von, de, da, van, od, från, fra, от, от кого, odesílatel, 差出人, 送信者, 发件人, 寄件者, 寄件人")
TO = _names("to, an, à, para, a, aan, do, till, til, кому, komu, 宛先, 收件人, 收件者")
WHEN = _names(
    "sent, date, gesendet, datum, envoyé, enviado, enviado el, enviado em, enviada em, fecha, inviato, data, verzonden, wysłano, "
    "skickat, sendt, dato, отправлено, дата, odesláno, 送信日時, 日付, 日時, 发送时间, 发送日期, 日期, 寄件日期, 傳送時間"
)
SUBJECT = _names(
    "subject, betreff, objet, sujet, asunto, oggetto, onderwerp, assunto, temat, ämne, emne, тема, předmět, 件名, 主题, 主旨"
)

ORIGINAL = _names(
    "original message, ursprüngliche nachricht, original-nachricht, originalnachricht, message d'origine, message original, "
    "mensaje original, messaggio originale, oorspronkelijk bericht, origineel bericht, mensagem original, wiadomość oryginalna, "
    "oryginalna wiadomość, ursprungligt meddelande, originalmeddelande, oprindelig meddelelse, original meddelelse, "
    "opprinnelig melding, исходное сообщение, původní zpráva, 元のメッセージ, 原始邮件, 原始郵件, 邮件原件"
)
FORWARDED = _names(
    "forwarded message, begin forwarded message, weitergeleitete nachricht, anfang der weitergeleiteten nachricht, "
    "anfang der weitergeleiteten e-mail, message transféré, début du message transféré, début du message réexpédié, "
    "mensaje reenviado, inicio del mensaje reenviado, messaggio inoltrato, inizio messaggio inoltrato, doorgestuurd bericht, "
    "begin doorgestuurd bericht, mensagem encaminhada, mensagem reencaminhada, início da mensagem reencaminhada, "
    "wiadomość przekazana dalej, treść przekazanej wiadomości, początek przekazywanej wiadomości, vidarebefordrat meddelande, "
    "vidarebefordrat brev, videresendt meddelelse, videresendt melding, пересылаемое сообщение, přeposlaná zpráva, "
    "転送メッセージ, 转发邮件信息, 转发的邮件, 轉寄郵件"
)

WROTE = re.compile(
    r"\b(?:wrote|writes|schrieb|geschrieben|a écrit|escribió|ha scritto|scrisse|schreef|geschreven|escreveu|napisał(?:\(a\)|a)?"
    r"|pisze|skrev|skreiv|написал(?:\(а\)|а)?|пишет|пользователь|napsal(?:\(a\)|a)?)(?!\w)"
    r"|写道|寫道|さんは書きました|のメッセージ|のメール",
    re.IGNORECASE,
)

SENT_BY_HAND = re.compile(
    r"(?:sent (?:from|via|with) |get outlook for |von meinem .{1,40} gesendet|gesendet (?:von|mit) |inviato da "
    r"|envoyé (?:de(?:puis)?|à partir de) |enviado (?:desde|de|do) |verzonden (?:vanaf|vanuit|met) |verstuurd vanaf "
    r"|wysłane z |skickat från |sendt fra |отправлено (?:с|из) |iPhoneから送信|发自我的|從我的).{0,80}$",
    re.IGNORECASE,
)
