"""How people sign in to the hub: from settings to the values of an authenticator."""

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gateway.errors import SettingsError
from gateway.hub.facts import Facts
from gateway.hub.spawners import Config, SpawnerKind
from gateway.service.settings import Settings

_EVERYONE = "*"
_GROUP = "group:"
_OIDC = "oauthenticator.generic.GenericOAuthenticator"
_ORCID = "https://orcid.org"
Values = dict[str, Any]


def sign_in_config(facts: Facts, kind: SpawnerKind) -> Config:
    """Return the values of the authenticator that the settings choose, and who may come in.

    Raises:
        SettingsError: A setting that it needs is missing.
    """
    name = facts.settings.hub_sign_in
    path, values = _CHOICES[name](facts)
    values |= _allowed(facts, kind)
    values["admin_users"] = administrators(facts)
    return {
        "JupyterHub": {"authenticator_class": path},
        path.rpartition(".")[2]: values,
    }


def administrators(facts: Facts) -> set[str]:
    """Return who administers; where names are vouched for elsewhere, only those who are named."""
    named = {name.lower() for name in facts.settings.hub_administrators}
    return named | ({facts.owner.lower()} if facts.settings.hub_sign_in == "shared" else set())


def more_templates(settings: Settings) -> list[str]:
    """Return the folders of pages that the authenticator brings."""
    if settings.hub_sign_in != "accounts":
        return []
    found = importlib.util.find_spec("nativeauthenticator")
    places = found.submodule_search_locations if found is not None else None
    return [str(Path(place) / "templates") for place in places or ()]


def only_owner(facts: Facts, kind: SpawnerKind) -> bool:
    """Tell whether nobody but who started the gateway may come in."""
    return not kind.isolates and not facts.settings.hub_people_trust_one_another


def _allowed(facts: Facts, kind: SpawnerKind) -> Values:
    settings = facts.settings
    if only_owner(facts, kind):
        mine = administrators(facts) if settings.hub_sign_in != "shared" else {facts.owner.lower()}
        return {"allow_all": False, "allowed_users": mine, "allow_existing_users": False}
    given = settings.hub_allowed
    everyone = _EVERYONE in given or (settings.hub_sign_in == "shared" and not given)
    names = {n.lower() for n in given if n != _EVERYONE and not n.startswith(_GROUP)}
    groups = {n.removeprefix(_GROUP) for n in given if n.startswith(_GROUP)}
    values: Values = {"allow_all": everyone, "allow_existing_users": False}
    values["allowed_users"] = names | administrators(facts)
    if groups:
        values |= _groups(settings, groups)
    return values


def _groups(settings: Settings, groups: set[str]) -> Values:
    if settings.hub_sign_in == "github":
        return {"allowed_organizations": groups, "scope": ["read:org"]}
    if settings.hub_sign_in in ("oidc", "cilogon") and settings.hub_groups_claim:
        return {"allowed_groups": groups}
    raise SettingsError(
        f"hub_allowed names the group(s) {', '.join(sorted(groups))}, which hub_sign_in "
        f"{settings.hub_sign_in!r} does not tell; name people, or sign in by github, or by oidc or "
        "cilogon with hub_groups_claim"
    )


def _shared(facts: Facts) -> tuple[str, Values]:
    path = "gateway.hub.shared_password.SharedPasswordAuthenticator"
    return path, {"home": str(facts.home)}


def _accounts(facts: Facts) -> tuple[str, Values]:
    del facts
    values: Values = {
        "open_signup": False,  # an administrator lets each one in
        "minimum_password_length": 10,
        "check_common_password": True,
        "allowed_failed_logins": 10,
        "seconds_before_next_try": 900,
    }
    return "nativeauthenticator.NativeAuthenticator", values


def _client(facts: Facts, *more: str) -> Values:
    settings = facts.settings
    secret = settings.hub_client_secret
    given = {
        "hub_client_id": settings.hub_client_id,
        "hub_client_secret": secret.get_secret_value() if secret else None,
        **{name: getattr(settings, name) for name in more},
    }
    _require(settings, given)
    return {
        "client_id": given["hub_client_id"],
        "client_secret": given["hub_client_secret"],
        "oauth_callback_url": f"{facts.front}/hub/oauth_callback",
    }


def _require(settings: Settings, given: Mapping[str, Any]) -> None:
    missing = [name for name, value in given.items() if not value]
    if missing:
        raise SettingsError(
            f"hub_sign_in {settings.hub_sign_in!r} also needs the setting(s) {', '.join(missing)}"
        )


def _github(facts: Facts) -> tuple[str, Values]:
    return "oauthenticator.github.GitHubOAuthenticator", _client(facts)


def _cilogon(facts: Facts) -> tuple[str, Values]:
    values = _client(facts, "hub_institutes")
    claim = {"username_claim": facts.settings.hub_username_claim or "eppn"}
    named = facts.settings.hub_institutes
    values["allowed_idps"] = {name: {"username_derivation": claim} for name in named}
    return (
        "oauthenticator.cilogon.CILogonOAuthenticator",
        values | _managed_groups(facts.settings),
    )


def _orcid(facts: Facts) -> tuple[str, Values]:
    values = _client(facts) | {
        "login_service": "ORCID",
        "authorize_url": f"{_ORCID}/oauth/authorize",
        "token_url": f"{_ORCID}/oauth/token",
        "userdata_url": f"{_ORCID}/oauth/userinfo",
        "scope": ["openid"],
        "username_claim": facts.settings.hub_username_claim or "sub",
    }
    return _OIDC, values


def _oidc(facts: Facts) -> tuple[str, Values]:
    settings = facts.settings
    urls = ("hub_authorize_url", "hub_token_url", "hub_userinfo_url")
    values = _client(facts, *urls) | {
        "login_service": settings.oauth2_label,
        "authorize_url": settings.hub_authorize_url,
        "token_url": settings.hub_token_url,
        "userdata_url": settings.hub_userinfo_url,
        "scope": ["openid", "profile"],
        "username_claim": settings.hub_username_claim or "preferred_username",
    }
    return _OIDC, values | _managed_groups(settings)


def _managed_groups(settings: Settings) -> Values:
    if settings.hub_groups_claim is None:
        return {}
    return {"manage_groups": True, "auth_state_groups_key": _groups_key(settings.hub_groups_claim)}


def _groups_key(claim: str) -> Callable[[Mapping[str, Any]], list[str]]:
    def groups(state: Mapping[str, Any]) -> list[str]:
        said: Any = next((v for k, v in state.items() if k.endswith("_user")), None)
        named = said.get(claim) if isinstance(said, dict) else None
        return [str(group) for group in named] if isinstance(named, list) else []

    return groups


def _lti(facts: Facts) -> tuple[str, Values]:
    settings = facts.settings
    names = ("hub_client_id", "hub_lti_issuer", "hub_authorize_url", "hub_lti_keys_url")
    _require(settings, {name: getattr(settings, name) for name in names})
    values: Values = {
        "issuer": settings.hub_lti_issuer,
        "client_id": {settings.hub_client_id},
        "authorize_url": settings.hub_authorize_url,
        "jwks_endpoint": settings.hub_lti_keys_url,
        "username_key": settings.hub_username_claim or "email",
    }
    return "ltiauthenticator.lti13.auth.LTI13Authenticator", values


_CHOICES: Mapping[str, Callable[[Facts], tuple[str, Values]]] = {
    "shared": _shared,
    "accounts": _accounts,
    "github": _github,
    "orcid": _orcid,
    "cilogon": _cilogon,
    "oidc": _oidc,
    "lti": _lti,
}
