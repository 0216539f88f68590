"""Which mail domains tell whom somebody works for."""

import pytest

from app.accounts import public_mail
from app.core import text


@pytest.mark.parametrize(
    "domain",
    [
        "gmail.com", "GMAIL.com", "gmail.com.", "googlemail.com", "outlook.de", "hotmail.co.uk", "yahoo.co.jp", "yahoo.com.br",
        "live.nl", "web.de", "gmx.at", "mail.ru", "qq.com", "proton.me", "icloud.com", "mx.gmail.com", "\uff47mail.com",
        "gmail\u3002com", "mailinator.com",
    ],
)  # fmt: skip
def test_a_public_provider_is_known_however_it_is_written(domain: str) -> None:
    assert public_mail.is_public(text.mail_domain(domain))
    assert "public mail provider" in (public_mail.problem(text.mail_domain(domain)) or "")


@pytest.mark.parametrize(
    "domain",
    ["acme.example", "live.acme.example", "yahoo-partners.com", "notgmail.com", "gmail.com.evil.example", "gm\u0430il.com"],
)
def test_a_company_is_no_public_provider(domain: str) -> None:
    assert not public_mail.is_public(text.mail_domain(domain))


@pytest.mark.parametrize(
    "domain",
    ["", "acme", "@acme.example", "carol@acme.example", "acme..example", "-acme.example", "acme.example/x", "a b.example",
     "1.2.3.4", "x" * 64 + ".example", "acme.example\n"],
)  # fmt: skip
def test_what_is_no_domain_is_refused_in_words(domain: str) -> None:
    assert public_mail.problem(domain)


@pytest.mark.parametrize("domain", ["acme.example", "mail.acme.co.uk", "bücher.example", "acme.中国"])
def test_a_domain_of_an_organization_will_do(domain: str) -> None:
    assert public_mail.problem(text.mail_domain(domain)) is None
