"""Signing in."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from gateway.service.access.login import sign_in_by_key
from gateway.service.access.sessions import BROWSER_LIFE, end_session
from gateway.web.identity import COOKIE
from gateway.web.pages.rendering import page
from gateway.web.rules import Anyone, GatewayHere

router = APIRouter(include_in_schema=False)


@router.get("/login")
def login(request: Request, gateway: GatewayHere, actor: Anyone, key: str = "") -> Response:
    """Sign in by a link, or show how."""
    root = request.scope.get("root_path", "")
    if not key:
        return sign_in_page(request, actor)
    secret = sign_in_by_key(gateway, key)
    answer = RedirectResponse(f"{root}/", status_code=303)
    set_session(request, answer, secret)
    return answer


@router.post("/logout")
def logout(request: Request, gateway: GatewayHere, actor: Anyone) -> Response:
    """End the session."""
    del actor
    if secret := request.cookies.get(COOKIE):
        end_session(gateway, secret)
    answer = RedirectResponse(f"{request.scope.get('root_path', '')}/", status_code=303)
    answer.delete_cookie(COOKIE)
    return answer


def sign_in_page(request: Request, actor: Anyone) -> HTMLResponse:
    """Return the page that says how to sign in."""
    return page(request, "login.html", actor)


def set_session(request: Request, answer: Response, secret: str) -> None:
    """Give the browser its session, out of reach of scripts and of other sites."""
    answer.set_cookie(
        COOKIE,
        secret,
        max_age=int(BROWSER_LIFE.total_seconds()),
        path=request.scope.get("root_path", "") or "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
