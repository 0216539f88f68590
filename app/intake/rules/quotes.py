"""What a mail's text quotes of earlier mails, and its signature: folded on pages, never removed.

Losing words is worse than keeping quotes, so it takes two signs to fold something: marked lines under a line that says who wrote
them, or a mail's header or such a line as nobody types them. Answers between the lines keep all, and so does a mail that would
have nothing left. What is forwarded is what the mail is about.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from app.intake.rules.quote_words import FORWARDED, FROM, ORIGINAL, SENT_BY_HAND, SUBJECT, TO, WHEN, WROTE

QUOTE, SIGNATURE = "quote", "signature"
Fold = tuple[int, int, str]  # from, up to, and which of the two
Span = tuple[int, int]  # in lines

MOST_LINES = 20_000  # of a text; what is longer is shown as it is
_MOST_OF_A_LINE = 400
_LINES_OF_AN_ATTRIBUTION = 3
_LINES_OF_A_HEADER = 12
_LINES_OF_A_SIGNATURE = 15
COLONS = (":", "\uff1a")  # the second as Chinese is written

_RULE = re.compile(r"[-_*=]{2}")
_ADDRESS = re.compile(r"\S@\S")
_ADDRESS_AT_THE_END = re.compile(r"@[^<>()\[\]@\s]{1,255}[>)\]]\s?[:\uff1a]\Z")
_DATE = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)|(?<![\d.])\d{1,2}[./-]\d{1,2}[./-]\d\d(?![\d.])")
_TIME = re.compile(r"(?<!\d)\d{1,2}[:.h]\d\d(?!\d)")
_FIELD = re.compile(r"[*_ ]{0,4}(\w[^:\uff1a*]{0,24})[*]{0,2}[:\uff1a]")
_TECHNICAL = re.compile(r"(?:\w{1,30}-\w|received:|lines:|sender:|newsgroups:)", re.IGNORECASE)
_FORWARDS = re.compile(r"\s{0,9}\[?(?:fwd?|wg|tr|rv|i|enc|pd|vs|vb|vl|doorst|переслано|转发|轉寄)[:\uff1a]", re.IGNORECASE)
_FIELDS = {name: kind for kind, names in (("from", FROM), ("when", WHEN), ("to", TO), ("subject", SUBJECT)) for name in names}


@dataclass(frozen=True)
class _Line:
    start: int
    end: int
    words: str

    @property
    def quoted(self) -> bool:
        return self.words.startswith(">")


def folds(text: str, *, subject: str = "") -> list[Fold]:
    """The parts of `text` that a page folds, in order; none where nothing else would be left."""
    if text.count("\n") > MOST_LINES or is_forwarded(subject):
        return []
    lines = list(_lines(text))
    forwarded = next((n for n, line in enumerate(lines) if _introduces_forwarded(line.words)), len(lines))
    quotes = _quotes(lines) if forwarded == len(lines) else []
    signatures = list(_signatures(lines, quotes, forwarded))
    if all(_within(n, (*quotes, *signatures)) for n, line in enumerate(lines) if line.words):
        return []
    found = [(*span, QUOTE) for span in quotes] + [(*span, SIGNATURE) for span in signatures]
    return [(lines[a].start, lines[b - 1].end, kind) for a, b, kind in sorted(found)]


def is_forwarded(subject: str) -> bool:
    """Whether a mail of this subject brings another one that is what it is about."""
    return bool(_FORWARDS.match(subject))


def bare(words: str) -> str:
    """A line without what it is drawn with, to be looked up."""
    return words.strip("-_*= :\uff1a").casefold()


def attribution(words: str) -> bool:
    """Whether this line says who wrote what follows, and when to the minute: nobody types that."""
    if len(words) > _MOST_OF_A_LINE or not words.endswith(COLONS) or not _DATE.search(words) or not _TIME.search(words):
        return False
    return bool(WROTE.search(words) or _ADDRESS_AT_THE_END.search(words))


def header(words: Sequence[str]) -> bool:
    """Whether these lines begin with a mail's header for people, as Outlook writes it over what it quotes."""
    seen: set[str] = set()
    for line in takewhile(bool, words[:_LINES_OF_A_HEADER]):
        kind = _field(line)
        if _TECHNICAL.match(line) or (not kind and not seen):
            return False
        seen.add(kind)
    return {"from", "subject"} <= seen and bool(seen & {"when", "to"})


def _field(line: str) -> str:
    found = _FIELD.match(line)
    return _FIELDS.get(found[1].strip().casefold(), "") if found else ""


def _lines(text: str) -> Iterator[_Line]:
    at = 0
    for line in text.split("\n"):
        yield _Line(at, min(at + len(line) + 1, len(text)), line[: _MOST_OF_A_LINE + 1].strip())
        at += len(line) + 1


def _within(n: int, spans: Sequence[Span]) -> bool:
    return any(a <= n < b for a, b in spans)


def _introduces_forwarded(words: str) -> bool:
    return bool(_RULE.match(words) or words.endswith(COLONS)) and bare(words) in FORWARDED


def _quotes(lines: Sequence[_Line]) -> list[Span]:
    """What is marked line by line, and what is older without being marked, which goes on to the end."""
    old = next((n for n in range(len(lines)) if _begins_old_mail(lines, n)), len(lines))
    spans = [_marked(lines, old), (old, len(lines))]
    return [span for span in spans if span and span[0] < span[1]]


def _begins_old_mail(lines: Sequence[_Line], n: int) -> bool:
    words, above = lines[n].words, lines[n - 1].words if n else ""
    if not words or lines[n].quoted:
        return False
    if _RULE.match(words):
        named = bare(words)
        return (named in ORIGINAL or (not named and len(words) >= 20)) and _is_header(lines, _next(lines, n + 1))
    if _field(words):
        return (not above or bool(_RULE.match(above))) and _is_header(lines, n)
    following = _next(lines, _behind_attribution(lines, n))
    return n < following < len(lines) and not lines[following].quoted


def _is_header(lines: Sequence[_Line], n: int) -> bool:
    return header([line.words for line in lines[n : n + _LINES_OF_A_HEADER]])


def _behind_attribution(lines: Sequence[_Line], n: int) -> int:
    """The line after the attribution that begins here and may be wrapped; `n` where none does."""
    joined = ""
    for end in range(n, min(n + _LINES_OF_AN_ATTRIBUTION, len(lines))):
        joined = f"{joined} {lines[end].words}".strip()
        if attribution(joined):
            return end + 1
        if not lines[end].words or lines[end].quoted or joined.endswith((".", "!", "?", *COLONS)):
            break
    return n


def _marked(lines: Sequence[_Line], until: int) -> Span | None:
    """The block of marked lines above or below the answer; None where somebody answers between them, or nobody is quoted."""
    marked = [n for n in range(until) if lines[n].quoted]
    if not marked:
        return None
    first, last = marked[0], marked[-1] + 1
    begin = _attribution_above(lines, first)
    inside = [line.words.lstrip("> ") for line in lines[first : min(first + _LINES_OF_A_HEADER, last)]]
    if begin == first and not header(inside) and not any(map(attribution, (inside[0], " ".join(inside[:2])))):
        return None
    between = any(line.words and not line.quoted for line in lines[first:last])
    signature = _signature(lines, last, until)
    above, below = _any_words(lines[:begin]), _any_words(lines[last : until if signature is None else signature])
    return None if between or (above and below) else (begin, last)


def _any_words(lines: Sequence[_Line]) -> bool:
    return any(line.words for line in lines)


def _attribution_above(lines: Sequence[_Line], first: int) -> int:
    """Where the line begins that says who wrote what is quoted from `first` on; `first` itself where none does."""
    last = first - 1
    while last >= max(first - 3, 0) and not lines[last].words:
        last -= 1
    best = first
    for begin in range(last, max(last - _LINES_OF_AN_ATTRIBUTION, -1), -1):
        if begin < last and (not lines[begin].words or lines[begin].words.endswith((".", "!", "?", *COLONS))):
            break
        joined = " ".join(line.words for line in lines[begin : last + 1])
        if not joined.endswith(COLONS) or not (WROTE.search(joined) or _ADDRESS.search(joined)):
            break
        if _DATE.search(joined):
            return begin
        if best == first and (_ADDRESS.search(joined) or begin == 0 or not lines[begin - 1].words):
            best = begin
    return best


def _next(lines: Sequence[_Line], n: int) -> int:
    while n < len(lines) and not lines[n].words:
        n += 1
    return n


def _signatures(lines: Sequence[_Line], quotes: Sequence[Span], until: int) -> Iterator[Span]:
    """Each at the end of what is said before or after a quote."""
    begin = 0
    for a, b in (*quotes, (until, until)):
        if (at := _signature(lines, begin, a)) is not None:
            yield at, a
        begin = max(begin, b)


def _signature(lines: Sequence[_Line], begin: int, end: int) -> int | None:
    while end > begin and not lines[end - 1].words:
        end -= 1
    for n in range(max(begin, end - _LINES_OF_A_SIGNATURE), end - 1):
        if lines[n].words == "--":
            return n
    return end - 1 if end > begin and SENT_BY_HAND.match(lines[end - 1].words) else None
