"""What each domain that we send from tells the world of who may: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489)."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from dns.exception import DNSException
from dns.resolver import NXDOMAIN, NoAnswer, Resolver

from app.intake import queries as intake
from app.ops.doctor.findings import DESK, Finding, Level, Room
from app.outbox import dkim
from app.outbox.dkim import Shown
from app.outbox.house import house

SUBJECT = "sender"
PATIENCE = 3.0  # seconds for one question
MOST = 20  # domains
_NOBODY_S = frozenset({"example", "invalid", "test", "localhost", "local", "internal"})  # RFC 2606, 6761, 6762: not in DNS

Texts = Callable[[str], list[str] | None]


def look(room: Room) -> Iterable[Finding]:
    with room.db.reading() as c:
        ours = house(room.settings, others=intake.addresses(c))
    file = dkim.key_file(room.settings)
    key = dkim.Key(file.read_bytes()) if file.exists() else None
    domains = sorted(ours.domains)
    asked = [domain for domain in domains if domain.rpartition(".")[2] not in _NOBODY_S][:MOST]
    for domain in (domain for domain in domains if domain not in asked):
        yield Finding(SUBJECT, Level.OK, f"{domain} is no name of the DNS, so it was not asked")
    if asked:
        with ThreadPoolExecutor(len(asked)) as pool:
            for found in pool.map(lambda domain: list(of_domain(domain, key, texts)), asked):
                yield from found


def of_domain(domain: str, key: dkim.Key | None, ask: Texts) -> Iterator[Finding]:
    """What is to be said of one."""
    spf, policy = ask(domain), dmarc(domain, ask)
    shown = dkim.shown(key, domain) if key else Shown.NOTHING
    if spf is None:
        yield Finding(SUBJECT, Level.WARNING, f"{domain}: the DNS did not answer, so nobody knows what it says")
        return
    records = [record for record in spf if record.lower().split(" ")[0] == "v=spf1"]
    yield _spf(domain, records)
    if shown is Shown.ANOTHER:
        why = "Letters go out without a signature of ours."
        yield Finding(SUBJECT, Level.WARNING, f"{domain}: DNS shows another DKIM key than ours", why, f"{DESK} atum dkim")
    elif shown is Shown.OURS:
        yield Finding(SUBJECT, Level.OK, f"{domain}: DNS shows our DKIM key; letters are signed")
    elif shown is Shown.NOTHING:
        why = "That is right where the mail server signs letters itself; otherwise large providers put them aside."
        yield Finding(SUBJECT, Level.HINT, f"{domain}: DNS shows no DKIM key of ours", why, f"{DESK} atum dkim")
    yield _dmarc(domain, policy)


def dmarc(domain: str, ask: Texts) -> str | None:
    """The record that counts for a domain: its own, or that of the domain it is below."""
    labels = domain.split(".")
    for at in range(max(len(labels) - 1, 1)):
        found = ask("_dmarc." + ".".join(labels[at:])) or []
        if records := [record for record in found if record.lower().replace(" ", "").startswith("v=dmarc1")]:
            return records[0]
    return None


def texts(name: str) -> list[str] | None:
    """The TXT records of a name; None where the DNS does not answer."""
    try:
        answer = Resolver().resolve(f"{name}.", "TXT", lifetime=PATIENCE, search=False)
        return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]
    except (NXDOMAIN, NoAnswer):
        return []
    except (DNSException, OSError):
        return None


def _spf(domain: str, records: list[str]) -> Finding:
    if not records:
        why = "Anybody may send in its name, and large providers take no mail of such domains."
        return Finding(SUBJECT, Level.WARNING, f"{domain}: no SPF record", why, f'{domain}. IN TXT "v=spf1 mx ~all"')
    if len(records) > 1:
        why = "Of several none counts (RFC 7208 section 4.5)."
        return Finding(SUBJECT, Level.BAD, f"{domain}: {len(records)} SPF records", why, f'{domain}. IN TXT "{records[0]}"')
    ends = records[0].lower().split()[-1]
    if ends in {"+all", "all"}:
        why = "It says that the whole world may send in its name."
        fixed = " ".join([*records[0].split()[:-1], "~all"])
        return Finding(SUBJECT, Level.WARNING, f"{domain}: SPF ends in {ends}", why, f'{domain}. IN TXT "{fixed}"')
    return Finding(SUBJECT, Level.OK, f"{domain}: {records[0]}")


def _dmarc(domain: str, record: str | None) -> Finding:
    if record is None:
        why = "Large providers want one of whoever sends much, and nobody tells you of mail that is forged in your name."
        paste = f'_dmarc.{domain}. IN TXT "v=DMARC1; p=none; rua=mailto:postmaster@{domain}"'
        return Finding(SUBJECT, Level.HINT, f"{domain}: no DMARC record", why, paste)
    return Finding(SUBJECT, Level.OK, f"{domain}: {record}")
