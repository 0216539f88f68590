"""Where a request comes from, and the cookie that a browser goes away with."""

from fastapi import Request, Response

from app.web.door import COOKIE


def source(request: Request) -> str:
    """The address at the other end, which nginx vouches for."""
    return request.client.host if request.client else ""


def agent(request: Request) -> str:
    """What the browser or program calls itself."""
    return request.headers.get("user-agent", "")


def with_cookie(answer: Response, token: str | None) -> Response:
    """The answer, with a browser's session in it; a program has none."""
    if token is not None:
        answer.set_cookie(COOKIE, token, path="/", secure=True, httponly=True, samesite="lax")
    return answer
