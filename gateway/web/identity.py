"""Who sends a request: by share link, by token, or by cookie; and that a cookie was not abused."""

from dataclasses import replace
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from gateway.errors import ForbiddenError, SignInError
from gateway.service.access.actor import NOBODY, Actor
from gateway.service.access.sessions import actor_of
from gateway.service.gateway import Gateway

COOKIE = "gateway_session"
"""What its name begins with; see `cookie_name`."""
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
    secret = connection.cookies.get(cookie_name(connection))
    if not secret:
        return replace(NOBODY, address=address_of(connection))
    try:
        actor = replace(actor_of(gateway, secret), address=address_of(connection))
    except SignInError:
        return replace(NOBODY, address=address_of(connection))
    if connection.scope.get("method", "GET") not in _SAFE:
        refuse_other_sites(gateway, connection)
    return actor


def cookie_name(connection: HTTPConnection) -> str:
    """Return the name of the session cookie: browsers give cookies to all ports of a host.

    So that two gateways of one machine do not sign each other's people out, a port that is typed
    into the address is part of it.
    """
    port = connection.url.port
    return COOKIE if port is None else f"{COOKIE}_{port}"


def address_of(connection: HTTPConnection) -> str:
    """Return where a request came from, as the proxy says where one is trusted."""
    return connection.client.host if connection.client else ""


def refuse_other_sites(gateway: Gateway, connection: HTTPConnection) -> None:
    """Refuse what a page of another site had a browser send.

    Raises:
        ForbiddenError: The browser says that it comes from elsewhere, or does not say.
    """
    origin = connection.headers.get("origin")
    if origin is None or origin.lower() not in _own_origins(gateway, connection):
        raise ForbiddenError(
            "a change signed in by cookie must come from this site's own pages; it came from "
            f"{origin[:200] if origin else 'a page that does not say'}: use a token in programs"
        )


def _own_origins(gateway: Gateway, connection: HTTPConnection) -> set[str]:
    """Return where our own pages come from: as the proxy is called, and as we were called."""
    own = {f"{connection.url.scheme}://{connection.headers.get('host', '')}".lower()}
    if gateway.settings.base_url is not None:
        parts = urlsplit(gateway.settings.base_url)
        own.add(f"{parts.scheme}://{parts.netloc}".lower())
    return own
