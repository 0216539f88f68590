"""What is said of a pair that can be served: its chain, its end, and whether everybody believes it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.ops import judging
from app.ops.judging import Verdict, judge
from app.ops.pairs import Refused, read
from tests.appliance import certificates

HOST = "desk.example.com"
NOW = datetime.now(UTC)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> certificates.Authority:
    """The only authority that this system knows."""
    made = certificates.root()
    (tmp_path / "known.pem").write_bytes(made.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "known.pem"))
    return made


def verdict(cert: Path, *, host: str = HOST, now: datetime = NOW, authorities: Path | None = None) -> Verdict:
    return judge(read(cert, cert.with_name("tls.key")), host, now, authorities=authorities)


def test_a_whole_chain_to_a_known_root_is_trusted(root: certificates.Authority, tmp_path: Path) -> None:
    cert = root.authority("Between").issue(tmp_path / "a", HOST)
    assert verdict(cert) == Verdict(trusted=True)
    assert verdict(cert, host="other.example.com").trusted is False


def test_a_missing_intermediate_is_named(root: certificates.Authority, tmp_path: Path) -> None:
    between = root.authority("Between")
    found = verdict(between.issue(tmp_path / "a", HOST, chain=()))
    assert not found.trusted
    assert "tls.crt is not complete: who signed CN=desk.example.com is neither in it nor known" in str(found.problem)
    assert "(CN=Between)" in str(found.problem)


def test_an_authority_of_ones_own_is_complete_with_its_root_and_trusted_by_nobody_else(
    root: certificates.Authority, tmp_path: Path
) -> None:
    own = certificates.root("Our own")
    assert root is not own
    assert verdict(own.issue(tmp_path / "a", HOST, chain=(own,))) == Verdict()
    assert "is not complete" in str(verdict(own.issue(tmp_path / "b", HOST)).problem)
    (tmp_path / "own.pem").write_bytes(own.pem)
    assert verdict(own.issue(tmp_path / "c", HOST), authorities=tmp_path / "own.pem") == Verdict()


def test_a_chain_in_the_wrong_order_says_after_which(root: certificates.Authority, tmp_path: Path) -> None:
    upper = root.authority("Upper")
    lower = upper.authority("Lower")
    found = verdict(lower.issue(tmp_path / "a", HOST, chain=(upper, lower)))
    assert "after CN=desk.example.com comes CN=Upper, which did not sign it" in str(found.problem)


def test_an_intermediate_that_expired_is_named(root: certificates.Authority, tmp_path: Path) -> None:
    found = verdict(root.authority("Between", days=-1).issue(tmp_path / "a", HOST))
    assert "'s intermediate certificate CN=Between expired on" in str(found.problem)


def test_a_chain_that_does_not_begin_with_the_desks_own_is_refused(tmp_path: Path) -> None:
    root = certificates.root()
    cert = root.issue(tmp_path / "a", HOST)
    cert.write_bytes(root.pem + cert.read_bytes())
    with pytest.raises(Refused, match="does not begin with the desk's own certificate"):
        read(cert, cert.with_name("tls.key"))


def test_both_may_lie_in_one_file_and_the_key_never_gets_into_the_chain(tmp_path: Path) -> None:
    cert = certificates.make(tmp_path / "a")[0]
    key = cert.with_name("tls.key").read_bytes()
    both = tmp_path / "both.pem"
    both.write_bytes(b"some words before\n" + key + cert.read_bytes())
    pair = read(both, both)
    assert (pair.chain, pair.key) == (cert.read_bytes(), key)


@pytest.mark.parametrize(
    ("days", "problem", "hint"),
    [(31, None, None), (29, None, "30 days"), (13, "14 days", None), (2, "3 days", None)],
)
def test_its_end_is_told_thirty_fourteen_and_three_days_before(
    tmp_path: Path, days: int, problem: str | None, hint: str | None
) -> None:
    certificates.make(tmp_path / "a", days=days, name=HOST)
    found = verdict(tmp_path / "a/tls.crt")
    for said, length in ((found.problem, problem), (found.hint, hint)):
        assert said is None if length is None else f", in less than {length}. Renew it." in str(said)


def test_what_lives_shortly_is_warned_of_later() -> None:
    begin, day = datetime(2026, 3, 1, tzinfo=UTC), timedelta(days=1)
    looks = [begin]
    while (at := judging.look_again(begin, begin + 6 * day, looks[-1])) is not None:
        looks.append(at)
    assert looks[1:] == [begin + 4 * day, begin + 4.5 * day, begin + 5.4 * day, begin + 6 * day]
