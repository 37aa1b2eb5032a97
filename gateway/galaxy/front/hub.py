"""Asks the hub who somebody is: OAuth2 with state and PKCE, and again every few seconds."""

import base64
import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from gateway.errors import SettingsError, SignInError

_FRESH_S = 5.0
"""How long the hub is believed without asking again: a sign-out there ends the session here."""
_MOST = 10_000
_UNKNOWN = (401, 403, 404)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubPlace:
    """Where the hub is, and who we are there: what it tells each of its services."""

    api_url: str
    authorize_url: str
    token: str
    client_id: str
    back: str
    """Path at which browsers come back."""

    @classmethod
    def of_environment(cls, environment: Mapping[str, str], prefix: str) -> "HubPlace":
        """Read the variables that a hub gives to a service.

        Raises:
            SettingsError: They are not there: no hub has started this.
        """
        names = ("JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN", "JUPYTERHUB_CLIENT_ID")
        missing = [name for name in names if not environment.get(name)]
        if missing:
            raise SettingsError(
                f"{', '.join(missing)} is not set: the sign-in before Galaxy is started by a hub, "
                "with `gateway up --galaxy`; without one use `gateway-galaxy up`"
            )
        base = environment.get("JUPYTERHUB_BASE_URL", "/")
        return cls(
            api_url=environment["JUPYTERHUB_API_URL"].rstrip("/"),
            authorize_url=f"{base}hub/api/oauth2/authorize",
            token=environment["JUPYTERHUB_API_TOKEN"],
            client_id=environment["JUPYTERHUB_CLIENT_ID"],
            back=f"{prefix}/oauth_callback",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Somebody, as the hub said."""

    name: str
    administrator: bool


class Hub:
    """The hub, as one of its services sees it."""

    def __init__(self, place: HubPlace) -> None:
        """Use the hub at a place."""
        self._place = place
        # asked directly, whatever proxy of the institute the environment names
        self._client = httpx.AsyncClient(timeout=20, trust_env=False)
        self._answers: dict[str, tuple[float, Known | None]] = {}

    async def close(self) -> None:
        """End the connections."""
        await self._client.aclose()

    def begin(self) -> tuple[str, str, str]:
        """Return where to send a browser, and the state and verifier it must bring back."""
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self._place.client_id,
            "redirect_uri": self._place.back,
            "state": state,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return f"{self._place.authorize_url}?{urlencode(query)}", state, verifier

    async def exchange(self, code: str, verifier: str) -> str:
        """Return the token that a code stands for.

        Raises:
            SignInError: The hub gives none.
        """
        asked = {
            "grant_type": "authorization_code",
            "client_id": self._place.client_id,
            "client_secret": self._place.token,
            "redirect_uri": self._place.back,
            "code": code,
            "code_verifier": verifier,
        }
        try:
            answer = await self._client.post(f"{self._place.api_url}/oauth2/token", data=asked)
            answer.raise_for_status()
            return str(answer.json()["access_token"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            # what the library says may hold the code: only its kind is told
            kind = type(error).__name__
            raise SignInError(
                f"the hub did not say who you are ({kind}); begin the sign-in again"
            ) from None

    async def who(self, token: str) -> Known | None:
        """Return whose token it is; None once it has ended.

        Raises:
            SignInError: The hub does not answer.
        """
        # never the token itself: a dump of memory's tables should not be a list of keys
        key = hashlib.sha256(token.encode()).hexdigest()
        at, known = self._answers.get(key, (float("-inf"), None))
        if time.monotonic() - at < _FRESH_S:
            return known
        known = await self._ask(token)
        if len(self._answers) >= _MOST:
            self._answers.clear()
        self._answers[key] = (time.monotonic(), known)
        return known

    async def _ask(self, token: str) -> Known | None:
        said = await self._get("/user", token)
        if said is None or said.get("kind") != "user" or not isinstance(said.get("name"), str):
            return None
        # a token that was made for another service does not open this one
        own = f"access:services!service={self._place.client_id.removeprefix('service-')}"
        if not {own, "access:services"} & {str(scope) for scope in said.get("scopes", ())}:
            return None
        name = said["name"]
        standing = await self._get(f"/users/{quote(name, safe='')}", self._place.token)
        return Known(name=name, administrator=bool(standing and standing.get("admin") is True))

    async def _get(self, path: str, token: str) -> dict[str, Any] | None:
        header = {"Authorization": f"token {token}"}
        try:
            answer = await self._client.get(f"{self._place.api_url}{path}", headers=header)
            if answer.status_code in _UNKNOWN:
                return None
            answer.raise_for_status()
            said = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise SignInError(
                f"the hub does not answer ({type(error).__name__}); try again in a minute"
            ) from None
        return said if isinstance(said, dict) else None
