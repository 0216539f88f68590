"""The half that talks to an authority by ACME (RFC 8555): a process of its own, as the desk's user, that ends with its answer.

It is told on its input what to ask for, and gets the account's key, but never that of a certificate. What is to be proven over
HTTP it says on its output and waits until it is there (renewal.py); then comes the chain, or in words why there is none.
"""

import json
import sys
from typing import Any, NoReturn

import requests
from acme import challenges, client, errors, messages
from josepy.errors import Error as JoseError
from josepy.jwa import ES256
from josepy.jwk import JWKEC

from app import __version__

PROOF, CHAIN, REFUSED = "proof", "chain", "refused"
PATIENCE = 20  # seconds


def main() -> None:
    """One certificate."""
    wanted = json.loads(sys.stdin.readline())
    try:
        chain = ask(wanted)
    except errors.ValidationError as wrong:
        refuse("; ".join(_failures(wrong)) or "The name could not be proven.")
    except messages.Error as wrong:
        refuse(f"{wrong.detail or wrong.title or 'It gave no reason'} ({wrong.code or wrong.typ})")
    except errors.IssuanceError as wrong:
        refuse(f"{wrong.error.detail} ({wrong.error.code})")
    except errors.TimeoutError:
        refuse("It did not come to an end within 90 seconds.")
    except requests.exceptions.SSLError as wrong:
        refuse(f"Its own certificate is not believed (an authority of your own goes into ACME_CA_FILE): {_root_of(wrong)}")
    except requests.exceptions.RequestException as wrong:
        refuse(f"It can't be reached: {_root_of(wrong)}")
    except (errors.Error, JoseError, ValueError, KeyError) as wrong:
        refuse(f"It answered what is no ACME: {wrong}")
    say(CHAIN, pem=chain)


def ask(wanted: dict[str, str]) -> str:
    """The chain, as PEM."""
    key = JWKEC.load(wanted["account"].encode())
    net = client.ClientNetwork(key, alg=ES256, user_agent=f"ATUM-Desk/{__version__}", timeout=PATIENCE)
    net.verify_ssl = wanted["authorities"]  # type: ignore[assignment]  # handed on to requests, which takes a path too
    acme = client.ClientV2(client.ClientV2.get_directory(wanted["directory"], net), net)
    register(acme, wanted.get("email"))
    order = acme.new_order(wanted["csr"].encode())
    for each in order.authorizations:
        if each.body.status != messages.STATUS_VALID:
            prove(acme, each)
    return str(acme.poll_and_finalize(order).fullchain_pem)


def register(acme: client.ClientV2, email: str | None) -> None:
    """An account that is there already is found by its key."""
    try:
        acme.new_account(messages.NewRegistration.from_data(email=email, terms_of_service_agreed=True))
    except errors.ConflictError as known:
        acme.net.account = messages.RegistrationResource(uri=known.location, body=messages.Registration())


def prove(acme: client.ClientV2, authorization: messages.AuthorizationResource) -> None:
    """Have the proof laid where the authority looks for it, then have it look."""
    for body in authorization.body.challenges:
        if isinstance(body.chall, challenges.HTTP01):
            response, proof = body.chall.response_and_validation(acme.net.key)
            say(PROOF, token=body.chall.encode("token"), proof=proof)
            sys.stdin.readline()
            acme.answer_challenge(body, response)
            return
    raise errors.Error("it offers no proof over HTTP (http-01)")


def say(kind: str, **more: str) -> None:
    print(json.dumps({"kind": kind, **more}), flush=True)


def refuse(words: str) -> NoReturn:
    say(REFUSED, words=words)
    sys.exit(1)


def _failures(wrong: errors.ValidationError) -> list[str]:
    return [
        f"{each.body.identifier.value}: {body.error.detail} ({body.error.code})"
        for each in wrong.failed_authzrs
        for body in each.body.challenges
        if body.error is not None
    ]


def _root_of(wrong: BaseException) -> Any:
    """What the operating system or OpenSSL said, below what libraries wrapped it in."""
    inner = wrong.__cause__ or wrong.__context__ or next((each for each in wrong.args if isinstance(each, BaseException)), None)
    inner = getattr(wrong, "reason", None) if isinstance(getattr(wrong, "reason", None), BaseException) else inner
    return _root_of(inner) if inner is not None else wrong


if __name__ == "__main__":
    main()
