"""The hub signs people in to Galaxy, and nobody else does, on any path."""

import json

import httpx
import pytest
from galaxy_up import DOMAIN
from hub_up import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.galaxy, pytest.mark.slow]
PLACE = "/services/galaxy"
PAGE = {"Accept": "text/html"}
SPOOFED = {
    "REMOTE_USER": f"admin@{DOMAIN}",
    "Remote-User": f"admin@{DOMAIN}",
    "X-Forwarded-User": f"admin@{DOMAIN}",
    "HTTP_REMOTE_USER": f"admin@{DOMAIN}",
}


@pytest.fixture(scope="module")
def secret(ana):
    """Return the number of a dataset of ana's history."""
    return ana.datasets["two_blobs"]


def paths(dataset):
    return (
        "/",
        "/api/users/current",
        "/api/histories",
        f"/api/datasets/{dataset}",
        f"/datasets/{dataset}/display",
        f"/api/datasets/{dataset}/display",
        f"/display_application/{dataset}/brain_gateway/viewer",
        "/static/favicon.svg",
        "/workflows/list",
        "/root/login?redirect=/",
    )


def test_nobody_gets_past_the_hub_whatever_they_say_of_themselves(real_galaxy, secret):
    spoofed = SPOOFED | {"GX_SECRET": real_galaxy.site.secret("proxy")}
    with httpx.Client(base_url=real_galaxy.hub.url, timeout=60) as stranger:
        for path in paths(secret):
            for more in ({}, {"x-api-key": real_galaxy.admin_key}):
                answer = stranger.get(PLACE + path, headers=spoofed | more)
                assert answer.status_code == 401, path
                assert "sign in to the hub" in answer.json()["err_msg"]
            page = stranger.get(PLACE + path, headers=spoofed | PAGE)
            assert page.status_code == 302, path
            assert "/hub/api/oauth2/authorize?" in page.headers["location"], path
            assert stranger.post(PLACE + path, headers=spoofed).status_code == 401, path


def test_galaxy_itself_believes_nobody_without_its_secret(real_galaxy, secret):
    for path in (path for path in paths(secret) if not path.startswith("/static")):
        for wrong in ({}, {"GX_SECRET": "wrong"}):
            # it may end the connection after the head of a refusal
            place = real_galaxy.url + path
            with httpx.stream("GET", place, headers=SPOOFED | wrong, timeout=60) as answer:
                refused = answer.status_code in (400, 401, 403)
                assert refused or _anonymous(answer.read()), path


def test_who_signs_in_at_the_hub_is_themselves_in_galaxy(real_galaxy, secret):
    bea = real_galaxy.hub.visitor("bea").browser
    spoofed = SPOOFED | {"GX_SECRET": real_galaxy.site.secret("proxy")}
    page = bea.get(f"{PLACE}/", headers=PAGE | spoofed)
    assert page.status_code == 200
    assert "<html" in page.text
    assert page.url.path == f"{PLACE}/"
    me = bea.get(f"{PLACE}/api/users/current", headers=spoofed).json()
    assert (me["email"], me["is_admin"]) == (f"bea@{DOMAIN}", False)
    assert bea.get(f"{PLACE}/static/favicon.svg").status_code == 200
    for path in (path for path in paths(secret) if secret in path):
        answer = bea.get(PLACE + path, headers=spoofed)
        # Galaxy refuses a link to a viewer in a page whose status says that all is well
        refused = answer.status_code in (400, 403, 404) or "display_application" in path
        assert refused, path
        assert answer.url.path == PLACE + path, "it leads nowhere else"
        assert "blake3" not in answer.text, path
        assert "examples" not in answer.text, path


def test_the_next_person_at_a_browser_is_not_the_last_one(real_galaxy):
    cal = real_galaxy.hub.visitor("cal")
    cal.browser.get(f"{PLACE}/", headers=PAGE)
    assert _who(cal.browser) == f"cal@{DOMAIN}"
    kept = dict(cal.browser.cookies)
    cal.browser.get("/hub/logout")
    with httpx.Client(base_url=real_galaxy.hub.url, cookies=kept, timeout=60) as thief:
        wait_for(lambda: _who(thief) is None, "the end of the session in Galaxy", 30)
        assert thief.get(f"{PLACE}/", headers=PAGE).status_code == 302
    dan = real_galaxy.hub.visitor("dan").browser
    dan.get(f"{PLACE}/", headers=PAGE)
    assert _who(dan) == f"dan@{DOMAIN}"
    left = dict(dan.cookies) | {"galaxysession": kept["galaxysession"]}
    with httpx.Client(base_url=real_galaxy.hub.url, cookies=left, timeout=60) as mixed:
        # the API believes the cookie that cal left in the browser, whoever the proxy says it is
        assert _who(mixed) != f"cal@{DOMAIN}"


def _anonymous(answer):
    said = json.loads(answer)
    return said == [] or (isinstance(said, dict) and not {"email", "username", "id"} & set(said))


def _who(browser):
    """Return the address of whom Galaxy's API takes a browser for; None for nobody."""
    answer = browser.get(f"{PLACE}/api/users/current")
    if answer.status_code != 200:
        return None
    said = answer.json()
    return said.get("email") if isinstance(said, dict) else None
