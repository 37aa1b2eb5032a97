"""The service starts, signs in, refuses and stops."""

import httpx

from gateway.service.access.actor import Role


def test_the_printed_link_signs_in_as_administrator(server) -> None:
    browser = server.browser()
    assert browser.get("/api/me").json()["administrator"]
    assert "Catalogue" in browser.get("/").text
    browser.close()
    assert httpx.get(f"{server.url}/api/me").json()["name"] == "nobody"


def test_a_token_acts_for_its_person(server) -> None:
    with server.client("ana", brain=Role.VIEWER) as client:
        assert client.get("/api/me").json()["person"] == "ana"
    wrong = httpx.get(f"{server.url}/api/me", headers={"Authorization": "Bearer no"})
    assert wrong.status_code == 401
    assert wrong.json()["error"]["type"] == "SignInError"
