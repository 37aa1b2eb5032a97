"""Accounts in a home's own Galaxy: what people have there is theirs alone until they share it."""

import secrets
from typing import Any

import requests
from bioblend import ConnectionError as BioblendError
from bioblend.galaxy import GalaxyInstance

from gateway.errors import ConflictError

_MANAGE, _ACCESS = "DATASET_MANAGE_PERMISSIONS", "DATASET_ACCESS"


def ensure_account(admin: GalaxyInstance, address: str, *, remote: bool) -> str:
    """Return the id of a user of Galaxy, who is made where there is none.

    Args:
        admin: Galaxy as one who administers it.
        address: E-mail address of the user.
        remote: Whether people come through a proxy that says who they are.

    Raises:
        ConflictError: Galaxy makes no such user.
    """
    try:
        for user in admin.users.get_users(f_email=address):
            if user["email"].casefold() == address.casefold():
                return str(user["id"])
        return _make(admin, address, remote=remote)
    except (BioblendError, requests.RequestException) as error:
        said = str(getattr(error, "body", None) or error).strip().splitlines()[0][:300]
        raise ConflictError(
            f"the Galaxy at {admin.base_url} has no user {address!r}, and makes none: {said}; ask "
            "who administers it whether that account was deleted there"
        ) from error


def _make(admin: GalaxyInstance, address: str, *, remote: bool) -> str:
    if not remote:
        # nobody knows the password: such a user comes in by keys, or gets one from an administrator
        name = address.partition("@")[0].lower()
        made = admin.users.create_local_user(name, address, secrets.token_urlsafe(24))
        return str(made["id"])  # whose data Galaxy itself makes private, as we configure it
    number = str(admin.users.create_remote_user(address)["id"])
    # that configuration is not heeded for those who come through a proxy
    place = f"{admin.url}/users/{number}/permissions/inputs"
    fields: dict[str, Any] = {
        field["name"]: field["value"] for field in admin.make_get_request(place).json()["inputs"]
    }
    own = {_MANAGE: fields[_MANAGE], _ACCESS: fields[_MANAGE]}
    admin.make_put_request(place, payload=own)
    return number
