"""`gateway up` for real: sign-in, notebook, web service behind it, sign-out, stop."""

import pytest
from hub_up import Hub, wait_for

from gateway.service.access.actor import Role
from gateway.service.access.grants import grant
from gateway.service.access.people import find_person

pytestmark = [pytest.mark.hub, pytest.mark.slow]
READ = """
from gateway.client.connect import connect
import os
session = connect(os.environ["GATEWAY_URL"], os.environ["GATEWAY_TOKEN"])
for name in ("brain", "secret"):
    try:
        print(name, session.open(f"{name}/image").info.shape)
    except Exception as error:
        print(name, type(error).__name__)
"""


def test_one_signs_in_and_finds_catalogue_and_notebook(hub: Hub) -> None:
    ana = hub.visitor("ana")
    assert ana.landed.url.path == "/hub/home"
    assert "Open the catalogue" in ana.landed.text
    assert "Start a notebook" in ana.landed.text
    assert "everybody who has one can read what the others have" in ana.landed.text


@pytest.mark.parametrize("name", ["ana", "root"])
def test_a_wrong_password_lets_nobody_in(hub: Hub, name: str) -> None:
    name = hub.said["owner"] if name == "root" else name
    stranger = hub.visitor(name, "wrong-wrong-wrong")
    assert stranger.landed.status_code == 403
    assert "Invalid username or password" in stranger.landed.text
    assert stranger.browser.get("/hub/api/user").status_code == 403


def test_the_shared_password_makes_nobody_an_administrator(hub: Hub) -> None:
    thief = hub.visitor(hub.said["owner"], hub.said["shared_password"])
    assert thief.landed.status_code == 403


def test_the_web_service_knows_who_signed_in_at_the_hub(hub: Hub) -> None:
    ben = hub.visitor("ben")
    page = ben.browser.get("/services/gateway/login", params={"next": "/"})
    assert page.status_code == 200
    assert page.url.path == "/services/gateway/"
    me = ben.browser.get("/services/gateway/api/me").json()
    assert (me["person"], me["administrator"]) == ("ben", False)
    assert find_person(hub.gateway, "ben").provider == "hub"
    owner = hub.visitor(hub.said["owner"])
    owner.browser.get("/services/gateway/login")
    assert owner.browser.get("/services/gateway/api/me").json()["administrator"]


def test_signing_out_of_the_hub_ends_the_session_of_the_web_service(hub: Hub) -> None:
    cleo = hub.visitor("cleo")
    cleo.browser.get("/services/gateway/login")
    cookies = dict(cleo.browser.cookies)
    name = next(name for name in cookies if name.startswith("gateway_session"))
    kept = cookies[name]
    place = "/services/gateway/api/me"
    assert cleo.browser.get(place).json()["person"] == "cleo"
    cleo.browser.get("/hub/logout")

    def who() -> str:
        cookie = {"Cookie": f"{name}={kept}"}
        return str(cleo.browser.get(place, headers=cookie).json()["name"])

    wait_for(lambda: who() == "nobody", "the end of the session", 10)


def test_a_notebook_computes_and_reads_what_its_person_may_and_no_more(hub: Hub) -> None:
    dora = hub.visitor("dora")
    dora.start_server()
    assert dora.run("print(1 + 1)") == "2"
    grant(hub.gateway, "brain", "person:dora", Role.VIEWER)
    assert dora.run(READ).splitlines() == ["brain (96, 160, 128)", "secret ForbiddenError"]
    token = dora.run("import os; print(os.environ['GATEWAY_TOKEN'])")
    headers = {"Authorization": f"Bearer {token}"}
    place = "/services/gateway/api/me"
    assert dora.browser.get(place, headers=headers).json()["person"] == "dora"
    dora.stop_server()
    assert dora.browser.get(place, headers=headers).status_code == 401
    assert token not in hub.log
