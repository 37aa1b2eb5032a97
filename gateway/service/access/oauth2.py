"""The identity provider of a trusted OAuth2 server: authorization code with state and PKCE."""

import secrets
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from authlib.common.errors import AuthlibBaseError

from gateway.errors import CallError, SettingsError, SignInError
from gateway.service.access.groups import check_group
from gateway.service.access.people import check_person
from gateway.service.access.providers import Identity, Start, require_same_browser
from gateway.service.settings import Settings

with warnings.catch_warnings():
    # it would rather have httpx2, and says so to everybody who starts the program
    import authlib.deprecate  # noqa: F401 - sets a filter of its own, before ours

    warnings.simplefilter("ignore")
    from authlib.integrations.httpx_client import OAuth2Client

_PATIENCE_S = 10.0
_VERIFIER_LENGTH = 64
_LONGEST_DISPLAY = 200


@dataclass(frozen=True, slots=True)
class _Server:
    client_id: str
    client_secret: str
    authorize: str
    token: str
    userinfo: str


def oauth2_configured(settings: Settings) -> bool:
    """Tell whether the settings name an OAuth2 server."""
    return settings.oauth2_client_id is not None


class OAuth2Provider:
    """Says who somebody is by asking an OAuth2 server."""

    name = "oauth2"
    fields: tuple[str, ...] = ()

    def __init__(self, settings: Settings) -> None:
        """Use the server that the settings name.

        Raises:
            SettingsError: A setting of it is missing.
        """
        self._settings = settings
        self._server = _server(settings)
        self.label = settings.oauth2_label

    def start(self, back: str) -> Start:
        """Send the browser to the server, with a state and a PKCE challenge of its own."""
        verifier, state = secrets.token_urlsafe(_VERIFIER_LENGTH), secrets.token_urlsafe(32)
        with self._client(back) as client:
            url, _ = client.create_authorization_url(
                self._server.authorize, state=state, code_verifier=verifier
            )
        return Start(url=url, remember={"state": state, "verifier": verifier})

    def finish(
        self, answer: Mapping[str, str], remembered: Mapping[str, str], back: str
    ) -> Identity:
        """Exchange the code that came back for who it is.

        Raises:
            SignInError: The answer belongs to no sign-in of this browser, or the server refuses.
        """
        require_same_browser(answer, remembered)
        if answer.get("error"):
            raise SignInError(f"{self.label} refused: {answer['error'][:100]!r}; begin again")
        if not answer.get("code"):
            raise SignInError(f"{self.label} sent no code; begin the sign-in again")
        return self._identity(self._ask(answer["code"], remembered.get("verifier", ""), back))

    def _ask(self, code: str, verifier: str, back: str) -> Mapping[str, Any]:
        try:
            with self._client(back) as client:
                client.fetch_token(self._server.token, code=code, code_verifier=verifier)
                answer = client.get(self._server.userinfo)
                answer.raise_for_status()
                said = answer.json()
        except (AuthlibBaseError, httpx.HTTPError, ValueError, KeyError) as error:
            # what the library says may hold the code: only its kind is told
            raise SignInError(
                f"{self.label} did not say who you are ({type(error).__name__}); begin the "
                "sign-in again, or ask an administrator to look at the settings oauth2_…"
            ) from None
        if not isinstance(said, dict):
            raise SignInError(f"{self.label} answered with {type(said).__name__}, not with claims")
        return said

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        settings = self._settings
        name = claims.get(settings.oauth2_username_claim)
        if not isinstance(name, str):
            raise SignInError(
                f"{self.label} gives no claim {settings.oauth2_username_claim!r}; set "
                "oauth2_username_claim to one of " + (", ".join(sorted(claims)) or "none")
            )
        try:
            check_person(name)
        except CallError as error:
            raise SignInError(str(error)) from error
        display = claims.get("name")
        shown = display[:_LONGEST_DISPLAY] if isinstance(display, str) else ""
        shown = shown if shown.isprintable() else ""
        return Identity(name=name, display=shown, groups=self._groups(claims))

    def _groups(self, claims: Mapping[str, Any]) -> frozenset[str] | None:
        claim = self._settings.oauth2_groups_claim
        if claim is None:
            return None
        given = claims.get(claim)
        return (
            frozenset(g for g in given if _is_group(g)) if isinstance(given, list) else frozenset()
        )

    def _client(self, back: str) -> OAuth2Client:
        return OAuth2Client(
            client_id=self._server.client_id,
            client_secret=self._server.client_secret,
            redirect_uri=back,
            scope=self._settings.oauth2_scope,
            code_challenge_method="S256",
            timeout=_PATIENCE_S,
            leeway=0,  # the token is used at once: one that lives for a minute will do
        )


def _is_group(name: object) -> bool:
    try:
        return isinstance(name, str) and bool(check_group(name))
    except CallError:
        return False  # a group that no grant can name


def _server(settings: Settings) -> _Server:
    secret = settings.oauth2_client_secret
    given = {
        "oauth2_client_id": settings.oauth2_client_id,
        "oauth2_client_secret": secret.get_secret_value() if secret else None,
        "oauth2_authorize_url": settings.oauth2_authorize_url,
        "oauth2_token_url": settings.oauth2_token_url,
        "oauth2_userinfo_url": settings.oauth2_userinfo_url,
    }
    missing = [name for name, value in given.items() if not value]
    if missing:
        raise SettingsError(
            f"signing in by OAuth2 also needs the setting(s) {', '.join(missing)}; or remove "
            "oauth2_client_id"
        )
    return _Server(*(value or "" for value in given.values()))
