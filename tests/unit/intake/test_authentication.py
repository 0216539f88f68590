"""What servers say about a mail, and what its domain asks for: parsed and reckoned without asking anybody."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.intake.rules import authentication
from app.intake.rules.authentication import Policy, aligned, asked_of, policy, results, trusted

GMAIL = """mx.google.com;
       dkim=pass header.i=@acme.example header.s=s1 header.b=AbC/d+e=;
       spf=pass (google.com: domain of carol@acme.example designates 192.0.2.1 as permitted sender; really) smtp.mailfrom=carol@acme.example;
       dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=acme.example"""  # noqa: E501 (as it comes)


def found(raw: str) -> list[tuple[str, str, dict[str, str]]]:
    return [(r.method, r.value, r.properties) for r in results(raw)[1]]


def test_what_a_large_provider_writes() -> None:
    who, said = results(GMAIL)
    assert who == "mx.google.com"
    assert [(r.method, r.value) for r in said] == [("dkim", "pass"), ("spf", "pass"), ("dmarc", "pass")]
    assert [r.domain("header.d", "header.i", "smtp.mailfrom", "header.from") for r in said] == ["acme.example"] * 3


@pytest.mark.parametrize(
    ("raw", "who", "said"),
    [
        ("MX.example 1; none", "mx.example", []),
        ("mx.example; spf=pass smtp.mailfrom=a.example", "mx.example", [("spf", "pass", {"smtp.mailfrom": "a.example"})]),
        ("mx.example; dkim/1=fail header.d=A.example", "mx.example", [("dkim", "fail", {"header.d": "A.example"})]),
        ("mx.example; spf=pass (; dmarc=pass (nested; dmarc=pass) ) ; dmarc=fail", "mx.example",
         [("spf", "pass", {}), ("dmarc", "fail", {})]),
        ('mx.example; spf=fail reason="; dmarc=pass" smtp.helo=x', "mx.example", [("spf", "fail", {"smtp.helo": "x"})]),
        ("mx.example; (dmarc=pass", "mx.example", []),
        ('mx.example; spf=pass smtp.mailfrom="a.example"', "mx.example", [("spf", "pass", {"smtp.mailfrom": "a.example"})]),
        ("mx.example; dmarc=pass header.from=a.example header.from=b.example", "mx.example",
         [("dmarc", "pass", {"header.from": "a.example"})]),
        ("(mx.example) other.example; none", "other.example", []),
        ("", "", []),
    ],
)  # fmt: skip
def test_one_field(raw: str, who: str, said: list[tuple[str, str, dict[str, str]]]) -> None:
    assert results(raw)[0] == who
    assert found(raw) == said


def test_only_the_topmost_of_a_trusted_server_counts() -> None:
    fields = ["evil.example; dmarc=pass", "mx.example; dmarc=fail", "mx.example; dmarc=pass", "(x) mx.example; dmarc=pass"]
    assert [r.value for r in trusted(fields, ["MX.Example"])[1]] == ["fail"]
    assert trusted(fields, ["other.example"]) == ("", ())
    assert trusted(fields, []) == ("", ())
    assert trusted(["", "; dmarc=pass"], []) == ("", ())


@given(st.text(st.sampled_from('();="\\ax.') | st.characters(), max_size=300))
def test_whatever_stands_there_is_read(raw: str) -> None:
    trusted([raw, f"mx.example;{raw}"], ["mx.example"])
    policy([raw.encode("utf-8", "replace"), f"v=DMARC1;{raw}".encode("utf-8", "replace")])


@pytest.mark.parametrize("piece", ["(", '"', '"\\', "\\", ";", "a=", "spf=pass a.b=", '"\\"', "(\\"])
def test_the_worst_that_can_be_written_takes_no_time(piece: str) -> None:
    began = time.process_time()
    for _ in range(5):
        results(f"mx.example;{piece * 100_000}")
    assert time.process_time() - began < 2


REJECT = Policy("reject", "reject", False, False, "u")


@pytest.mark.parametrize(
    ("records", "wanted"),
    [
        ([b"v=DMARC1; p=reject"], REJECT),
        ([b"v=spf1 -all", b"v=DMARC1;p=reject;rua=mailto:x@y"], REJECT),
        ([b"v=DMARC1; p=reject", b"v=DMARC1; p=none"], None),
        ([b"p=reject; v=DMARC1"], None),
        ([b"v=DMARC2; p=reject"], None),
        ([b"v=DMARC1; p=Quarantine; sp=none; adkim=s; aspf=S; psd=n"], Policy("quarantine", "none", True, True, "n")),
        ([b"v=DMARC1; p=reject; t=y"], Policy("none", "none", False, False, "u")),
        ([b"v=DMARC1; rua=mailto:x@y"], Policy("none", "none", False, False, "u")),
        ([b"v=DMARC1; p=shout"], Policy("none", "none", False, False, "u")),
        ([], None),
    ],
)
def test_a_domain_s_record(records: list[bytes], wanted: Policy | None) -> None:
    assert policy(records) == wanted


def tree(**records: str) -> authentication.Record:
    """Records by the names they stand at, with an underscore for each dot."""
    return lambda name: policy([here.encode()]) if (here := records.get(name.replace(".", "_"), "")) else None


PLAIN = tree(acme_example="v=DMARC1; p=reject; sp=none")
SUFFIX = tree(co_example="v=DMARC1; p=reject; psd=y", one_co_example="v=DMARC1; p=none")
TOP = tree(big_example="v=DMARC1; p=reject", unit_big_example="v=DMARC1; p=none; psd=n")


@pytest.mark.parametrize(
    ("record", "domain", "other", "wanted"),
    [
        (PLAIN, "acme.example", "acme.example", True),
        (PLAIN, "acme.example", "mail.acme.example", True),
        (PLAIN, "a.b.acme.example", "c.acme.example", True),
        (PLAIN, "acme.example", "evil.example", False),
        (PLAIN, "acme.example", "notacme.example", False),
        (PLAIN, "acme.example", "example", False),
        (SUFFIX, "one.co.example", "two.co.example", False),
        (SUFFIX, "x.two.co.example", "two.co.example", True),
        (SUFFIX, "one.co.example", "co.example", False),
        (TOP, "unit.big.example", "other.big.example", False),
        (TOP, "a.unit.big.example", "b.unit.big.example", True),
        (tree(), "acme.example", "mail.acme.example", False),
        (tree(), "acme.example", "acme.example", True),
    ],
)
def test_which_domains_are_of_one_organization(record: authentication.Record, domain: str, other: str, wanted: bool) -> None:
    assert aligned(domain, other, record, strict=False) is wanted
    assert aligned(other, domain, record, strict=False) is wanted
    assert aligned(domain, other, record, strict=True) is (domain == other)


@pytest.mark.parametrize(
    ("record", "domain", "wanted"),
    [
        (PLAIN, "acme.example", "reject"),
        (PLAIN, "mail.acme.example", "none"),
        (SUFFIX, "one.co.example", "none"),
        (SUFFIX, "new.co.example", "reject"),
        (tree(), "acme.example", "none"),
    ],
)
def test_what_a_domain_asks_for(record: authentication.Record, domain: str, wanted: str) -> None:
    assert asked_of(domain, record)[0] == wanted


def test_a_name_of_a_hundred_labels_is_asked_for_eight_times_at_most() -> None:
    asked: list[str] = []
    asked_of(".".join("abcde" * 20), asked.append)
    assert len(asked) <= 9
