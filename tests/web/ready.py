"""What has to be so before a call can succeed, and what is then sent: a code of an app, the answer of a passkey.

Everything here happens in the same block that undoes the call itself.
"""

import re
from dataclasses import dataclass
from typing import Any

from app.accounts import factors
from app.accounts.models import Person
from app.core.sealing import Sealer
from app.db.session import now as database_now
from app.sla import queries as policies
from tests.cast import PASSWORD
from tests.web.authenticator import Authenticator
from tests.web.browser import SAME_ORIGIN
from tests.web.conftest import Web
from tests.web.furniture import API, Furniture, Values, headers
from tests.web.sign_in import steps

SET_UP = ("auth/otp/confirmation", "second-factor/confirmation")
IN_USE = ("auth/otp/recovery-codes", "auth/otp/removal", "second-factor/recovery-codes", "second-factor/removal")


@dataclass(frozen=True)
class Ready:
    """ready(method, path, who) makes it so; the answer is what has to be sent, None where that is what is documented."""

    web: Web
    found: Furniture

    def __call__(self, method: str, path: str, who: str) -> Values | None:
        if path == f"{API}/auth/passkeys/sign-in":
            return self._passkeys_answer()
        if path == "/sign-in/second-step":
            return self._second_step()
        if method != "POST" or who == "nobody":
            return None
        person = self.found.person(who)
        if path == f"{API}/auth/passkeys":
            return self._new_passkey(who)
        if path == f"{API}/sla/policies/order":
            with self.web.desk.db.transaction() as s:
                return {"order": [policy.id for policy in policies.policies(s)][::-1]}
        if path.endswith(SET_UP):
            return {"otp": steps.code(self.web, self._begun(person))}
        if path.endswith(IN_USE):
            return {"otp": steps.code(self.web, steps.with_app(self.web, person)[0])}
        return None

    def _begun(self, person: Person) -> str:
        with self.web.desk.db.transaction() as s:
            owner = s.get_one(Person, person.id)
            return factors.begin(s, Sealer(self.web.desk.signer), owner, now=database_now(s))

    def _new_passkey(self, who: str) -> Values:
        program = self.web.program()
        program.headers.update(headers(self.found, who, page=False))
        return {"credential": Authenticator().create(steps.options_to_add(program)), "name": "Laptop"}

    def _passkeys_answer(self) -> Values:
        device = steps.with_passkey(self.web, self.found.person("colleague"))
        return {"credential": device.get(steps.options(self.web))}

    def _second_step(self) -> Values:
        frank = self.found.person("colleague")
        secret, _ = steps.with_app(self.web, frank)
        asked: Any = {"email": frank.email, "password": PASSWORD}
        form = self.web.browser().post("/sign-in", data=asked, headers=SAME_ORIGIN).text
        half = re.search(r'name="half" value="([^"]+)"', form)
        assert half, form
        return {"half": half[1], "otp": steps.code(self.web, secret)}
