"""Allowing the desk to read a mailbox, from a shell: a person does it in a browser, which may stand anywhere."""

import argparse
import secrets
import time
from datetime import UTC, datetime

from app.core.errors import Invalid
from app.entry import asking
from app.intake import oauth
from app.intake.failure import MailboxFailure
from app.intake.grants import Offer
from app.intake.oauth import Client, Tokens
from app.intake.rules import oauth as rules
from app.intake.rules.oauth import Provider


def add_to(parser: argparse.ArgumentParser) -> None:
    """What has to be known to sign in by OAuth."""
    asked = parser.add_argument_group("signing in by OAuth instead of a password")
    asked.add_argument("--oauth", choices=["google", "microsoft", "custom"], help="whose sign-in it is")
    asked.add_argument("--client-id", help="the application's number at the provider")
    asked.add_argument("--client-secret", action="store_true", help="ask for the application's secret")
    asked.add_argument("--client-secret-until", type=day, metavar="YYYY-MM-DD", help="when it ends, to be told a week before")
    asked.add_argument("--tenant", help="Microsoft: the organization's number or domain")
    asked.add_argument("--client-credentials", action="store_true", help="Microsoft: the application signs in for itself")
    asked.add_argument("--refresh-token", action="store_true", help="ask for a refresh token that was made elsewhere")
    asked.add_argument("--token-url", help="custom: where tokens come from")
    asked.add_argument("--authorize-url", help="custom: where a person allows it in a browser")
    asked.add_argument("--device-url", help="custom: where a code to type comes from")
    asked.add_argument("--scope", help="custom: what is asked for")


def day(said: str) -> datetime:
    """A day as it is typed (UTC). Raises ValueError."""
    return datetime.strptime(said, "%Y-%m-%d").replace(tzinfo=UTC)


def offer(given: argparse.Namespace, user: str) -> Offer:
    """What the mailbox of this user is to sign in with. Raises Invalid."""
    try:
        provider = _provider(given)
    except ValueError as wrong:
        raise Invalid(f"{wrong}.") from None
    if not given.client_id:
        raise Invalid("Give the application's number at the provider: --client-id.")
    secret = asking.unseen("Client secret") if given.client_secret or given.client_credentials else None
    client = Client(provider, given.client_id, secret or None, given.client_secret_until)
    if given.client_credentials:
        return Offer(client, None).tried() if not given.untested else Offer(client, None)
    if given.refresh_token:
        made = Offer(client, asking.unseen("Refresh token"))
        return made if given.untested else made.tried()
    return signed_in(client, user)


def signed_in(client: Client, user: str) -> Offer:
    """Have a person allow it. Raises Invalid, and MailboxFailure where the provider gives nothing."""
    if client.provider.device_url:
        tokens = _by_device(client)
    elif client.provider.authorize_url:
        tokens = _by_page(client, user)
    else:
        raise Invalid("Nobody can allow it in a browser: give --authorize-url or --device-url, or a refresh token.")
    if not tokens.refresh:
        raise Invalid("The provider gave no refresh token, so the desk would be out again in an hour. Look at the scope.")
    return Offer(client, tokens.refresh, tokens)


def _provider(given: argparse.Namespace) -> Provider:
    if given.oauth == "google":
        return rules.google()
    if given.oauth == "microsoft":
        return rules.microsoft(given.tenant, credentials=given.client_credentials)
    if not given.token_url or not given.scope:
        raise ValueError("a custom provider needs --token-url and --scope")
    return rules.custom(given.token_url, given.scope, given.authorize_url, given.device_url)


def _by_page(client: Client, user: str) -> Tokens:
    """With a proof that whoever redeems the code is whoever asked for it (RFC 7636)."""
    state, verifier = secrets.token_urlsafe(16), secrets.token_urlsafe(48)
    asking.tell("Open this address in a browser, on any computer, and allow it:\n")
    asking.tell(rules.page_to_open(client.provider, client.id, user, state=state, verifier=verifier))
    asking.tell("\nAt the end the browser finds no page. That is as it should be: copy the address that it shows then.")
    try:
        code = rules.code_in(asking.line("The address"), state=state)
    except ValueError as wrong:
        raise Invalid(f"Nothing was saved: {wrong}.") from None
    return oauth.redeemed(client, code, verifier=verifier)


def _by_device(client: Client) -> Tokens:
    device = oauth.device(client)
    asking.tell(f"Open {device.page} in a browser, on any computer, and type this code: {device.typed}")
    every, until = max(device.every, 1), time.monotonic() + device.seconds
    while time.monotonic() < until:
        time.sleep(every)
        try:
            answer = oauth.typed(client, device)
        except MailboxFailure as failure:
            raise Invalid(f"Nothing was saved: {failure}.") from None
        if isinstance(answer, Tokens):
            return answer
        every += answer
    raise Invalid("Nothing was saved: nobody typed the code in time.")
