"""Asks the API of a JupyterHub who somebody is and whether their sign-in there still holds."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

from gateway.errors import CallError, SettingsError, StoreError
from gateway.service.access.groups import check_group
from gateway.service.settings import Settings

_PATIENCE_S = 10.0
_GONE = frozenset({401, 403, 404})


@dataclass(frozen=True, slots=True)
class Standing:
    """What the hub says of somebody."""

    administrator: bool
    groups: frozenset[str]


def hub_configured(settings: Settings) -> bool:
    """Tell whether people sign in through a hub."""
    return settings.hub_api_url is not None


def require_hub(settings: Settings) -> tuple[str, str, str]:
    """Return the address of the hub's API, our token there, and where people find the hub.

    Raises:
        SettingsError: One of them is missing.
    """
    token = settings.hub_api_token.get_secret_value() if settings.hub_api_token else ""
    given = {
        "hub_api_url": settings.hub_api_url or "",
        "hub_api_token": token,
        "hub_url": settings.hub_url or "",
    }
    missing = [name for name, value in given.items() if not value]
    if missing:
        raise SettingsError(
            f"signing in through a hub also needs the setting(s) {', '.join(missing)}; "
            "`gateway up` sets them all, or remove hub_api_url"
        )
    return given["hub_api_url"], token, given["hub_url"]


def ask_standing(settings: Settings, person: str) -> Standing | None:
    """Return what the hub says of a person; None where it knows none of that name.

    Raises:
        StoreError: The hub does not answer.
    """
    said = _ask(settings, f"/users/{quote(person, safe='')}")
    if said is None:
        return None
    groups = said.get("groups")
    named = groups if isinstance(groups, list) else []
    return standing_of(named, administrator=said.get("admin") is True)


def standing_of(groups: Iterable[object], *, administrator: bool) -> Standing:
    """Return what the hub says of somebody, without groups that no grant could name."""
    known = frozenset(str(group) for group in groups if _is_group(group))
    return Standing(administrator=administrator, groups=known)


def holds(settings: Settings, person: str, sign_in: str) -> bool:
    """Tell whether a sign-in at the hub has not ended.

    Raises:
        StoreError: The hub does not answer.
    """
    place = f"/users/{quote(person, safe='')}/tokens/{quote(sign_in, safe='')}"
    return _ask(settings, place) is not None


def _ask(settings: Settings, place: str) -> Mapping[str, Any] | None:
    url, token, _ = require_hub(settings)
    # the hub is asked directly, whatever proxy of the institute the environment names
    opener = build_opener(ProxyHandler({}))
    request = Request(f"{url}{place}", headers={"Authorization": f"token {token}"})  # noqa: S310 - the setting's pattern allows http and https alone
    try:
        with opener.open(request, timeout=_PATIENCE_S) as answer:
            said = json.load(answer)
    except HTTPError as error:
        error.close()
        if error.code in _GONE:
            return None
        raise StoreError(f"the hub at {url} answers {error.code}; see its log") from None
    except (URLError, OSError, ValueError) as error:
        raise StoreError(
            f"the hub at {url} does not answer ({type(error).__name__}); try again in a minute, "
            "or ask an administrator to look whether it runs"
        ) from None
    return said if isinstance(said, dict) else {}


def _is_group(name: object) -> bool:
    try:
        return isinstance(name, str) and bool(check_group(name))
    except CallError:
        return False
