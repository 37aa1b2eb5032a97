"""People whom others vouch for: an OpenID server and a course platform, on loopback."""

import json
import re
from html import unescape
from pathlib import Path

import course_platform
import httpx
import oauth_provider
import pytest
from hub_up import Hub, up
from programs import program

pytestmark = [pytest.mark.hub, pytest.mark.slow, pytest.mark.usefixtures("hub_can_start")]
ANA = {"preferred_username": "ana", "groups": ["lab", "brains"]}
EVE = {"preferred_username": "eve", "groups": ["elsewhere"]}


def stranger(hub: Hub) -> httpx.Client:
    return httpx.Client(base_url=hub.url, timeout=60, follow_redirects=True)


def test_an_openid_server_says_who_comes_in_and_to_which_groups_they_belong(home: Path) -> None:
    with program(oauth_provider.__file__, json.dumps(ANA)) as url:
        given = {
            "GATEWAY_HUB_SIGN_IN": "oidc",
            "GATEWAY_HUB_CLIENT_ID": oauth_provider.CLIENT,
            "GATEWAY_HUB_CLIENT_SECRET": oauth_provider.SECRET,
            "GATEWAY_HUB_AUTHORIZE_URL": f"{url}/authorize",
            "GATEWAY_HUB_TOKEN_URL": f"{url}/token",
            "GATEWAY_HUB_USERINFO_URL": f"{url}/me",
            "GATEWAY_HUB_GROUPS_CLAIM": "groups",
            "GATEWAY_HUB_ALLOWED": '["group:lab"]',
            "GATEWAY_HUB_ADMINISTRATORS": '["eve"]',
            "GATEWAY_HUB_PEOPLE_TRUST_ONE_ANOTHER": "true",
        }
        with up(home, **given) as hub:
            with stranger(hub) as browser:
                assert "Institute account" in browser.get("/hub/login").text
                landed = browser.get("/hub/oauth_login")
                assert (landed.status_code, landed.url.path) == (200, "/hub/home")
                browser.get("/services/gateway/login")
                me = browser.get("/services/gateway/api/me").json()
            assert (me["person"], sorted(me["groups"])) == ("ana", ["brains", "lab"])
            assert not me["administrator"]
            httpx.put(url, json={**ANA, "preferred_username": "zoe", "groups": ["elsewhere"]})
            with stranger(hub) as browser:
                assert browser.get("/hub/oauth_login").status_code == 403
            httpx.put(url, json=EVE)  # in no group that is let in, but named
            with stranger(hub) as browser:
                assert browser.get("/hub/oauth_login").url.path == "/hub/home"
                browser.get("/services/gateway/login")
                assert browser.get("/services/gateway/api/me").json()["administrator"]
            assert oauth_provider.SECRET not in hub.log


def launch(hub: Hub, browser: httpx.Client, issuer: str, who: str) -> httpx.Response:
    """Follow the link of a course, as a browser does."""
    asked = {
        "iss": issuer,
        "login_hint": who,
        "client_id": course_platform.CLIENT,
        "target_link_uri": f"{hub.url}/hub",
    }
    form = browser.post("/hub/lti13/oauth_login", data=asked).text
    fields = dict(re.findall(r'name="(\w+)" value="([^"]+)"', form))
    (back,) = re.findall(r'action="([^"]+)"', form)
    sent = {name: unescape(value) for name, value in fields.items()}
    return browser.post(unescape(back), data=sent)


def test_a_course_platform_sends_its_people_and_a_forged_signature_lets_nobody_in(
    home: Path,
) -> None:
    with program(course_platform.__file__) as url:
        given = {
            "GATEWAY_HUB_SIGN_IN": "lti",
            "GATEWAY_HUB_CLIENT_ID": course_platform.CLIENT,
            "GATEWAY_HUB_LTI_ISSUER": url,
            "GATEWAY_HUB_AUTHORIZE_URL": f"{url}/authorize",
            "GATEWAY_HUB_LTI_KEYS_URL": f"{url}/keys",
            "GATEWAY_HUB_ALLOWED": '["*"]',
            "GATEWAY_HUB_PEOPLE_TRUST_ONE_ANOTHER": "true",
        }
        with up(home, **given) as hub:
            with stranger(hub) as browser:
                landed = launch(hub, browser, url, "ana@example.org")
                assert landed.status_code == 200, landed.text
                browser.get("/services/gateway/login")
                me = browser.get("/services/gateway/api/me").json()
                assert me["person"] == "ana@example.org"
            with stranger(hub) as browser:
                assert launch(hub, browser, url, "forged:ana@example.org").status_code >= 400
                assert browser.get("/hub/api/user").status_code == 403
