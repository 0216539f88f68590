"""Allowing the desk to read a mailbox, from a shell."""

from dataclasses import replace

import pytest

from app.config import Settings
from app.core.errors import Invalid
from app.intake.models import Mailbox
from app.intake.rules import oauth as rules
from tests.mail.cloud import CLOUD, SECRET, Atum, access, found, pretend
from tests.mail.cloud import atum as atum
from tests.mail.cloud import cloud as cloud
from tests.mail.cloud import context as context
from tests.mail.cloud import mailbox as mailbox
from tests.mail.cloud import provider as provider
from tests.mail.cloud import settings as settings
from tests.mail.conftest import Desk
from tests.mail.imap_server import Server
from tests.mail.test_poller import poller as poller
from tests.mail.token_server import Tokens


class TestAllowingIt:
    """From a shell."""

    def add(self, cloud: Server, *more: str) -> tuple[str, ...]:
        return ("add", CLOUD, "--host", "localhost", "--port", str(cloud.port), "--client-id", "desk-1", *more)

    def custom(self, cloud: Server, provider: Tokens, *more: str) -> tuple[str, ...]:
        return self.add(cloud, "--oauth", "custom", "--token-url", f"{provider.url}/token", "--scope", "mail", *more)

    def test_by_a_page_whose_address_is_pasted_back(
        self, atum: Atum, cloud: Server, provider: Tokens, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            rules, "GOOGLE", rules.custom(f"{provider.url}/token", "https://mail.google.com/", "https://allow.example/auth", None)
        )
        monkeypatch.setattr("app.entry.cli_oauth.secrets.token_urlsafe", lambda n: f"chance-{n}")
        pasted = "http://127.0.0.1:52525/?state=chance-16&code=4%2Fcode&scope=x"
        said = atum(*self.add(cloud, "--oauth", "google", "--client-secret"), typed=[SECRET, pasted])
        assert said.startswith(f"{CLOUD} is read from now on")
        page = capsys.readouterr().err
        assert "https://allow.example/auth?client_id=desk-1&redirect_uri=http%3A%2F%2F127.0.0.1%3A52525%2F" in page
        assert all(
            part in page for part in ("code_challenge_method=S256", "access_type=offline", "login_hint=cloud%40desk.example")
        )
        [asked] = provider.asked
        assert (asked["code"], asked["code_verifier"], asked["client_secret"]) == ("4/code", "chance-48", SECRET)
        assert SECRET not in page

    @pytest.mark.parametrize(
        ("pasted", "words"),
        [
            ("http://127.0.0.1:52525/?state=other&code=x", "belongs to another try"),
            ("http://127.0.0.1:52525/?state=chance-16&error=access_denied", "refused: access_denied"),
            ("http://127.0.0.1:52525/?state=chance-16", "has no code in it"),
            ("", "is no code"),
        ],
    )
    def test_what_is_pasted_wrong_is_told(
        self, atum: Atum, cloud: Server, provider: Tokens, monkeypatch: pytest.MonkeyPatch, pasted: str, words: str
    ) -> None:
        monkeypatch.setattr("app.entry.cli_oauth.secrets.token_urlsafe", lambda n: f"chance-{n}")
        with pytest.raises(Invalid, match=words):
            atum(*self.custom(cloud, provider, "--authorize-url", "https://allow.example/auth"), typed=[pasted])
        assert provider.asked == []

    def test_by_a_code_that_is_typed_elsewhere(
        self, atum: Atum, cloud: Server, provider: Tokens, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        login = f"{provider.url}/{{tenant}}"
        monkeypatch.setattr(
            rules, "MICROSOFT", replace(rules.MICROSOFT, token_url=f"{login}/token", device_url=f"{provider.url}/devicecode")
        )
        provider.devices = [(400, {"error": "authorization_pending"}), (400, {"error": "slow_down"})]
        atum(*self.add(cloud, "--oauth", "microsoft", "--tenant", "desk.example"))
        assert "type this code: ABCD-EFGH" in capsys.readouterr().err
        assert [asked["path"] for asked in provider.asked] == ["/devicecode", *["/desk.example/token"] * 3]
        assert provider.asked[0]["scope"] == "https://outlook.office.com/IMAP.AccessAsUser.All offline_access"

    def test_a_person_who_does_not_want_to_is_believed(self, atum: Atum, cloud: Server, provider: Tokens) -> None:
        provider.devices = [(400, {"error": "access_denied", "error_description": "The person said no."})]
        with pytest.raises(Invalid, match=r"Nothing was saved: .* access_denied: The person said no\."):
            atum(*self.custom(cloud, provider, "--device-url", f"{provider.url}/devicecode"))

    def test_by_the_application_itself(
        self, desk: Desk, atum: Atum, cloud: Server, provider: Tokens, monkeypatch: pytest.MonkeyPatch, settings: Settings
    ) -> None:
        monkeypatch.setattr(rules, "MICROSOFT", replace(rules.MICROSOFT, token_url=f"{provider.url}/{{tenant}}/token"))
        atum(*self.add(cloud, "--oauth", "microsoft", "--tenant", "desk.example", "--client-credentials"), typed=[SECRET])
        assert provider.asked[0]["scope"] == "https://outlook.office365.com/.default"
        pretend(desk, access_token=None)
        assert access(desk, found(desk), settings) == "access-2"
        assert {asked["grant_type"] for asked in provider.asked} == {"client_credentials"}

    def test_by_a_refresh_token_that_was_made_elsewhere(self, desk: Desk, atum: Atum, cloud: Server, provider: Tokens) -> None:
        atum(*self.custom(cloud, provider, "--refresh-token"), typed=["refresh-0"])
        assert atum("test", CLOUD) == f"{CLOUD}: signed in, opened INBOX; 0 unread."
        assert provider.given == 1

    def test_untested_nobody_is_asked(self, desk: Desk, atum: Atum, cloud: Server, provider: Tokens) -> None:
        atum(*self.custom(cloud, provider, "--refresh-token", "--untested"), typed=["refresh-0"])
        assert provider.asked == []

    @pytest.mark.parametrize(
        ("words", "refusal"),
        [
            (("--oauth", "custom"), "needs --token-url and --scope"),
            (("--oauth", "custom", "--token-url", "http://plain.example", "--scope", "x"), "is no https:// address"),
            (("--oauth", "microsoft", "--tenant", "../x"), "is no tenant"),
            (("--oauth", "microsoft", "--client-credentials"), "needs the tenant"),
            (("--oauth", "google", "--no-tls"), "needs TLS"),
            (("--oauth", "custom", "--token-url", "https://a.example", "--scope", "x"), "Nobody can allow it in a browser"),
        ],
    )
    def test_what_makes_no_sense_is_refused_in_words(
        self, atum: Atum, cloud: Server, words: tuple[str, ...], refusal: str
    ) -> None:
        with pytest.raises(Invalid, match=refusal):
            atum(*self.add(cloud, *words))

    def test_a_provider_that_gives_access_for_an_hour_alone_is_refused(self, atum: Atum, cloud: Server, provider: Tokens) -> None:
        provider.rotates = False
        with pytest.raises(Invalid, match="no refresh token"):
            atum(*self.custom(cloud, provider, "--device-url", f"{provider.url}/devicecode"))

    def test_a_password_takes_the_place_of_it_and_it_the_place_of_a_password(
        self, desk: Desk, atum: Atum, mailbox: Mailbox, settings: Settings
    ) -> None:
        atum("set", CLOUD, "--password-stdin", typed=["open sesame"])
        assert access(desk, mailbox, settings) is None
        with pytest.raises(Exception, match="signs in by a password"):
            atum("set", CLOUD, "--sign-in-again")
