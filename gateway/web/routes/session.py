"""Who asks; their sessions and the tokens of their programs."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from gateway.service.access.sessions import (
    LONGEST_TOKEN_LIFE,
    TOKEN_LIFE,
    end_one,
    list_sessions,
    make_token,
)
from gateway.web.identity import cookie_name
from gateway.web.rules import Anyone, GatewayHere, Person

router = APIRouter(prefix="/api", tags=["session"])


class NewToken(BaseModel):
    """A token for a program."""

    model_config = ConfigDict(extra="forbid")

    note: Annotated[str, Field(max_length=200, description="What it is for.")] = ""
    days: Annotated[
        int, Field(ge=1, le=LONGEST_TOKEN_LIFE.days, description="How long it holds.")
    ] = TOKEN_LIFE.days


@router.get("/me")
def me(actor: Anyone) -> dict[str, Any]:
    """Say who asks."""
    return {
        "name": actor.name,
        "person": actor.person,
        "groups": sorted(actor.groups),
        "administrator": actor.administrator,
    }


@router.get("/tokens")
def tokens(gateway: GatewayHere, actor: Person) -> list[dict[str, Any]]:
    """List one's own tokens; their secrets are kept nowhere."""
    return [token.to_json() for token in list_sessions(gateway, actor, "token")]


@router.post("/tokens", status_code=201)
def new_token(gateway: GatewayHere, actor: Person, wanted: NewToken) -> dict[str, Any]:
    """Make a token that acts for oneself; `token` is shown this once."""
    made, secret = make_token(gateway, actor, wanted.note, timedelta(days=wanted.days))
    return {**made.to_json(), "token": secret}


@router.delete("/tokens/{token}", status_code=204)
def end_token(gateway: GatewayHere, actor: Person, token: str) -> None:
    """End one of one's own tokens, by its id."""
    end_one(gateway, actor, "token", token)


@router.get("/sessions")
def sessions(request: Request, gateway: GatewayHere, actor: Person) -> list[dict[str, Any]]:
    """List the browsers in which one is signed in."""
    secret = request.cookies.get(cookie_name(request))
    return [s.to_json() for s in list_sessions(gateway, actor, "browser", secret)]


@router.delete("/sessions/{session}", status_code=204)
def end_browser(gateway: GatewayHere, actor: Person, session: str) -> None:
    """Sign out of one browser."""
    end_one(gateway, actor, "browser", session)
