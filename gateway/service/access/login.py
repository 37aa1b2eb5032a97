"""Signing in by a signed link, as the one `gateway serve` prints."""

import getpass
from typing import Any

from gateway.errors import SignInError
from gateway.service.access.keys import signer, unsign
from gateway.service.access.people import ensure_person
from gateway.service.access.sessions import open_session
from gateway.service.gateway import Gateway

_PURPOSE = "login"
_LIFE_S = 24 * 3600


def local_administrator(gateway: Gateway) -> str:
    """Return who started the gateway on this machine, as an administrator of it."""
    name = getpass.getuser()
    return ensure_person(gateway, name, administrator=True)


def login_key(gateway: Gateway, person: str) -> str:
    """Return the key of a link that signs a person in, for a day."""
    return str(signer(gateway, _PURPOSE).dumps({"person": person}))


def sign_in_by_key(gateway: Gateway, key: str) -> str:
    """Return the secret of a new browser session.

    Raises:
        SignInError: The key was not made here or has expired.
    """
    value: Any = unsign(gateway, _PURPOSE, key, _LIFE_S)
    if not isinstance(value, dict) or not isinstance(value.get("person"), str):
        raise SignInError("this login link is damaged; take the one that `gateway serve` prints")
    return open_session(gateway, value["person"])
