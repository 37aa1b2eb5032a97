"""Who sends a request: by share link, by token, or by cookie; and that a cookie was not abused."""

from dataclasses import replace
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from gateway.errors import ForbiddenError, SignInError
from gateway.service.access.actor import NOBODY, Actor
from gateway.service.access.sessions import actor_of
from gateway.service.gateway import Gateway

COOKIE = "gateway_session"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def identify(gateway: Gateway, connection: HTTPConnection) -> Actor:
    """Return who sends a request.

    Raises:
        SignInError: The token of a program does not hold.
        ForbiddenError: A page of another site sends a browser's cookie to change something.
    """
    given = connection.scope.get("gateway.actor")
    if isinstance(given, Actor):  # a share link, checked where the path was taken apart
        return given
    kind, _, token = connection.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and token:
        return replace(actor_of(gateway, token.strip()), address=address_of(connection))
    secret = connection.cookies.get(COOKIE)
    if not secret:
        return replace(NOBODY, address=address_of(connection))
    try:
        actor = replace(actor_of(gateway, secret), address=address_of(connection))
    except SignInError:
        return replace(NOBODY, address=address_of(connection))
    if connection.scope.get("method", "GET") not in _SAFE:
        _refuse_other_sites(connection)
    return actor


def address_of(connection: HTTPConnection) -> str:
    """Return where a request came from, as the proxy says where one is trusted."""
    return connection.client.host if connection.client else ""


def _refuse_other_sites(connection: HTTPConnection) -> None:
    origin = connection.headers.get("origin")
    same = urlsplit(origin).netloc == connection.headers.get("host") if origin else False
    if not same:
        raise ForbiddenError(
            f"a change signed in by cookie must come from this site's own pages; it came from "
            f"{origin or 'a page that does not say'}: use a token in programs"
        )
