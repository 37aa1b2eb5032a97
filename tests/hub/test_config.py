"""The configuration of a hub, computed from facts, is one that JupyterHub takes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jupyterhub.app import JupyterHub
from jupyterhub.proxy import ConfigurableHTTPProxy
from jupyterhub.spawner import Spawner
from traitlets import HasTraits
from traitlets.config import Config as TraitConfig
from traitlets.utils.importstring import import_item

from gateway.errors import SettingsError
from gateway.hub import local
from gateway.hub.config import hub_config
from gateway.hub.facts import read_facts
from gateway.hub.passwords import make_passwords
from gateway.hub.spawners import KINDS, find_kind

SECRET = "the secret there"  # noqa: S105 - of a test
CLIENT = {"hub_client_id": "gateway", "hub_client_secret": SECRET}
URLS = {
    "hub_authorize_url": "https://login.example.org/authorize",
    "hub_token_url": "https://login.example.org/token",
    "hub_userinfo_url": "https://login.example.org/userinfo",
}
SIGN_INS: dict[str, dict[str, Any]] = {
    "shared": {},
    "accounts": {},
    "github": CLIENT,
    "orcid": CLIENT,
    "cilogon": {**CLIENT, "hub_institutes": ["https://idp.example.org/shibboleth"]},
    "oidc": {**CLIENT, **URLS, "hub_groups_claim": "groups"},
    "lti": {
        "hub_client_id": "gateway",
        "hub_authorize_url": URLS["hub_authorize_url"],
        "hub_lti_issuer": "https://courses.example.org",
        "hub_lti_keys_url": "https://courses.example.org/keys",
    },
}


@pytest.mark.parametrize("sign_in", SIGN_INS)
@pytest.mark.parametrize("place", KINDS)
def test_every_value_is_a_trait_that_takes_it(facts_of, place: str, sign_in: str) -> None:
    facts = facts_of(hub_sign_in=sign_in, hub_administrators=["eve"], **SIGN_INS[sign_in])
    config = hub_config(facts, find_kind(place), proxy=["proxy"])
    hub = config["JupyterHub"]
    authenticator, spawner = (import_item(hub[f"{n}_class"]) for n in ("authenticator", "spawner"))
    classes = {
        kind.__name__: kind
        for kind in (JupyterHub, ConfigurableHTTPProxy, Spawner, authenticator, spawner)
    }
    assert set(config) <= set(classes)
    for name, values in config.items():
        traits = classes[name].class_traits(config=True)
        for trait, value in values.items():
            assert trait in traits, f"{name}.{trait}"
            if trait not in ("authenticator_class", "spawner_class"):
                owner = HasTraits()
                owner.add_traits(**{trait: traits[trait]})
                traits[trait]._validate(owner, value)


@pytest.mark.parametrize("sign_in", SIGN_INS)
def test_every_authenticator_can_be_made_and_knows_its_administrators(
    facts_of, home: Path, sign_in: str
) -> None:
    make_passwords(home)
    facts = facts_of(hub_sign_in=sign_in, hub_administrators=["Eve"], **SIGN_INS[sign_in])
    config = hub_config(facts, local.KIND, proxy=["proxy"])
    kind = import_item(config["JupyterHub"]["authenticator_class"])
    given: dict[str, Any] = {"db": None} if sign_in != "accounts" else {}
    if sign_in == "accounts":
        pytest.importorskip("nativeauthenticator")
        assert config["NativeAuthenticator"]["open_signup"] is False
        return
    made = kind(config=TraitConfig(config), **given)
    assert made.admin_users == ({"ada", "eve"} if sign_in == "shared" else {"eve"})
    assert not made.allow_all
    if hasattr(made, "client_secret"):
        assert made.client_secret == SECRET
        assert made.oauth_callback_url == "http://127.0.0.1:8000/hub/oauth_callback"


@pytest.mark.parametrize("sign_in", ["github", "cilogon", "orcid", "oidc", "lti"])
def test_a_setting_that_is_missing_is_named(facts_of, sign_in: str) -> None:
    with pytest.raises(SettingsError, match=r"also needs the setting.*hub_client_id"):
        hub_config(facts_of(hub_sign_in=sign_in), local.KIND, proxy=["proxy"])


def test_only_who_started_it_may_come_in_to_local_servers(facts_of) -> None:
    config = hub_config(facts_of(hub_allowed=["*"]), local.KIND, proxy=["proxy"])
    values = config["SharedPasswordAuthenticator"]
    assert (values["allow_all"], values["allowed_users"]) == (False, {"ada"})
    assert "only Ada may sign in" in config["JupyterHub"]["template_vars"]["gateway_note"]
    trusting = facts_of(hub_people_trust_one_another=True)
    assert hub_config(trusting, local.KIND, proxy=["proxy"])["SharedPasswordAuthenticator"][
        "allow_all"
    ]


def test_who_may_come_in_is_what_the_settings_say(facts_of) -> None:
    kind = replace(local.KIND, isolates=True)
    named = facts_of(hub_sign_in="github", hub_allowed=["Ben", "group:brains"], **CLIENT)
    values = hub_config(named, kind, proxy=["proxy"])["GitHubOAuthenticator"]
    assert (values["allow_all"], values["allowed_users"]) == (False, {"ben"})
    assert values["allowed_organizations"] == {"brains"}
    nobody = facts_of(hub_sign_in="orcid", **CLIENT)
    values = hub_config(nobody, kind, proxy=["proxy"])["GenericOAuthenticator"]
    assert (values["allow_all"], values["allowed_users"]) == (False, set())
    wrong = facts_of(hub_sign_in="orcid", hub_allowed=["group:brains"], **CLIENT)
    with pytest.raises(SettingsError, match=r"group\(s\) brains, which hub_sign_in 'orcid'"):
        hub_config(wrong, kind, proxy=["proxy"])


def test_a_base_url_leads_everything(facts_of) -> None:
    facts = facts_of(base_url="https://brains.example.org/lab")
    config = hub_config(facts, local.KIND, proxy=["proxy"])
    hub = config["JupyterHub"]
    assert hub["bind_url"] == "http://127.0.0.1:8000/lab/"
    assert hub["public_url"] == "https://brains.example.org/lab/"
    assert hub["default_url"] == "/lab/hub/home"
    web, cull = hub["services"]
    assert web["environment"]["GATEWAY_BASE_URL"] == (
        "https://brains.example.org/lab/services/gateway"
    )
    assert web["environment"]["GATEWAY_HUB_API_URL"] == "http://127.0.0.1:1/lab/hub/api"
    assert web["oauth_redirect_uri"] == "/lab/services/gateway/login/back/hub"
    assert "--timeout=3600" in cull["command"]


def test_what_runs_behind_the_hub_finds_engine_and_buckets_as_the_hub_does(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/other.sock")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of the store")
    monkeypatch.setenv("UNRELATED", "of the shell")
    config = hub_config(read_facts(home), local.KIND, proxy=["proxy"])
    web = next(s for s in config["JupyterHub"]["services"] if s["name"] == "gateway")
    given = web["environment"]
    assert given["DOCKER_HOST"] == "unix:///run/other.sock"
    assert given["AWS_ACCESS_KEY_ID"] == "of the store"
    assert "UNRELATED" not in given
    assert "DOCKER_HOST" not in config["Spawner"].get("environment", {})


def test_nobody_but_the_parts_holds_their_secrets(facts_of) -> None:
    facts = facts_of()
    config = hub_config(facts, local.KIND, proxy=["proxy"])
    assert config["ConfigurableHTTPProxy"]["auth_token"] == facts.secrets.proxy
    assert "GATEWAY_HUB_API_TOKEN" not in config["Spawner"].get("environment", {})
    kept = import_item(local.SPAWNER)().env_keep
    assert "PATH" in kept
    assert not [name for name in kept if "GATEWAY" in name or "TOKEN" in name]
