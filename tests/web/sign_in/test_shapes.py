"""What the sign-in routes answer is what they say they answer."""

from typing import Any

from pydantic import BaseModel

from app.web.shapes import Shape
from app.web.shapes import sign_in as shapes
from tests.web.authenticator import Authenticator
from tests.web.conftest import Web
from tests.web.sign_in.steps import AUTH, code, login, options, options_to_add, show, with_password


def fits(shape: type[BaseModel], answer: Any) -> dict[str, Any]:
    assert answer.status_code < 300, answer.text
    shape.model_validate_json(answer.text)
    return dict(answer.json())


def test_every_answer_has_the_shape_it_is_described_with(web: Web) -> None:
    with_password(web, web.cast.carol)
    tokens = fits(shapes.SessionTokens, login(web, web.cast.carol))
    fits(shapes.SessionTokens, web.program().post(f"{AUTH}/refresh", json={"refresh_token": tokens["refresh_token"]}))
    carol, root, device = web.program(web.cast.carol), web.program(web.cast.root), Authenticator()
    fits(shapes.Me, carol.get(f"{AUTH}/me"))
    fits(shapes.Sessions, carol.get(f"{AUTH}/sessions"))
    fits(shapes.PasskeyOptions, carol.post(f"{AUTH}/passkeys/options"))
    fits(shapes.Passkey, carol.post(f"{AUTH}/passkeys", json={"credential": device.create(options_to_add(carol))}))
    fits(shapes.Passkeys, carol.get(f"{AUTH}/passkeys"))
    fits(shapes.PasskeyOptions, web.program().post(f"{AUTH}/passkeys/sign-in/options"))
    fits(shapes.SessionTokens, show(web, device.get(options(web))))
    fits(shapes.MadeToken, carol.post("/api/v1/tokens", json={"name": "x", "scopes": ["tickets:read"]}))
    fits(shapes.Tokens, carol.get("/api/v1/tokens"))
    fits(shapes.Standing, carol.get(f"{AUTH}/otp"))
    app = fits(shapes.NewApp, carol.post(f"{AUTH}/otp"))
    codes = fits(shapes.RecoveryCodes, carol.post(f"{AUTH}/otp/confirmation", json={"otp": code(web, app["secret"])}))
    fits(shapes.RecoveryCodes, carol.post(f"{AUTH}/otp/recovery-codes", json={"otp": codes["recovery_codes"][0]}))
    fits(shapes.Standing, carol.get(f"{AUTH}/otp"))
    fits(shapes.RolePolicies, root.get("/api/v1/role-policies"))
    fits(shapes.RolePolicy, root.put("/api/v1/role-policies/agent", json={"second_factor_required": True}))


def test_every_shape_that_is_sent_has_an_example_that_fits() -> None:
    sent = [each for each in vars(shapes).values() if isinstance(each, type) and issubclass(each, Shape) and each is not Shape]
    assert sent
    for shape in sent:
        described: Any = shape.model_config["json_schema_extra"]
        [one] = described["examples"]
        shape.model_validate(one)
