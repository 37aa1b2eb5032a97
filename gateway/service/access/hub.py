"""The identity provider of a JupyterHub that stands before the gateway: OAuth2 with state, PKCE."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from gateway.errors import CallError, SignInError, StoreError
from gateway.service.access.hub_asking import ask_standing, require_hub
from gateway.service.access.people import check_person
from gateway.service.access.providers import Identity, Start, require_same_browser
from gateway.service.access.vouching import HUB
from gateway.service.settings import Settings

SERVICE = "gateway"
"""The name of the web service at the hub: it lies at /services/gateway."""
_CLIENT = f"service-{SERVICE}"
_PATIENCE_S = 10.0


class HubProvider:
    """Says who somebody is by asking the hub, and by which sign-in there."""

    name = HUB
    label = "Sign in"
    fields: tuple[str, ...] = ()

    def __init__(self, settings: Settings) -> None:
        """Use the hub that the settings name.

        Raises:
            SettingsError: A setting of it is missing.
        """
        self._settings = settings
        self._api, self._token, self._hub = require_hub(settings)

    def start(self, back: str) -> Start:
        """Send the browser to the hub, with a state and a PKCE challenge of its own."""
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(32)
        digest = hashlib.sha256(verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": _CLIENT,
            "redirect_uri": _path(back),
            "state": state,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        url = f"{self._hub}api/oauth2/authorize?{urlencode(query)}"
        return Start(url=url, remember={"state": state, "verifier": verifier})

    def finish(
        self, answer: Mapping[str, str], remembered: Mapping[str, str], back: str
    ) -> Identity:
        """Exchange the code that came back for who it is.

        Raises:
            SignInError: The answer belongs to no sign-in of this browser, or the hub refuses.
        """
        require_same_browser(answer, remembered)
        if answer.get("error") or not answer.get("code"):
            why = answer.get("error", "no code")[:100]
            raise SignInError(f"the hub refused ({why}); begin the sign-in again")
        said = self._exchange(answer["code"], remembered.get("verifier", ""), back)
        name, sign_in = said.get("name"), said.get("token_id")
        if said.get("kind") != "user" or not isinstance(name, str) or not isinstance(sign_in, str):
            raise SignInError("the hub did not say which person this is; begin the sign-in again")
        try:
            check_person(name)
            standing = ask_standing(self._settings, name)
        except (CallError, StoreError) as error:
            raise SignInError(str(error)) from error
        if standing is None:
            raise SignInError(f"the hub knows no {name}; begin the sign-in again")
        return Identity(
            name=name,
            groups=standing.groups,
            administrator=standing.administrator,
            sign_in=sign_in,
        )

    def _exchange(self, code: str, verifier: str, back: str) -> Mapping[str, Any]:
        asked = {
            "grant_type": "authorization_code",
            "client_id": _CLIENT,
            "client_secret": self._token,
            "redirect_uri": _path(back),
            "code": code,
            "code_verifier": verifier,
        }
        try:
            with httpx.Client(timeout=_PATIENCE_S, trust_env=False) as client:
                given = client.post(f"{self._api}/oauth2/token", data=asked)
                given.raise_for_status()
                header = {"Authorization": f"token {given.json()['access_token']}"}
                answer = client.get(f"{self._api}/user", headers=header)
                answer.raise_for_status()
                said = answer.json()
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            # what the library says may hold the code: only its kind is told
            raise SignInError(
                f"the hub did not say who you are ({type(error).__name__}); begin the sign-in again"
            ) from None
        return said if isinstance(said, dict) else {}


def _path(back: str) -> str:
    """Return where to come back to on this site, by whichever of its names it was opened."""
    return urlsplit(back).path
