"""People, roles, tokens, links and the log over HTTP; cookies and pages of other sites."""

from contextlib import closing

import httpx
import pytest

from gateway.service.access.actor import Actor, Role
from gateway.service.access.grants import grant
from gateway.service.access.links import make_link, revoke_link
from gateway.service.access.passwords import set_password
from gateway.service.access.people import ensure_person

ROOT = Actor(person="root", administrator=True)
GOOD = "correct horse battery"


@pytest.fixture(scope="module")
def brain(shared_server, put_volume):
    """Return a service with a dataset of two volumes."""
    for name in ("raw", "hidden"):
        put_volume(shared_server.gateway.store, f"brain/{name}", (8, 8, 8))
    return shared_server


@pytest.fixture
def owner(brain):
    with brain.client("ana", brain=Role.OWNER) as client:
        yield client


@pytest.fixture
def administrator(brain):
    with closing(brain.browser()) as browser:
        yield browser


@pytest.fixture
def viewer(brain):
    with brain.client("vi", brain=Role.VIEWER) as client:
        yield client


def test_an_administrator_manages_people(administrator, owner) -> None:
    made = administrator.post("/api/people", json={"name": "cy", "display": "Cy"})
    assert made.status_code == 201, made.text
    assert administrator.post("/api/people", json={"name": "cy"}).status_code == 409
    assert administrator.post("/api/people", json={"name": "c y"}).status_code == 422
    changed = administrator.patch("/api/people/cy", json={"display": "Cy Twombly"})
    assert changed.json()["display"] == "Cy Twombly"
    assert administrator.put("/api/groups/lab/members/cy").status_code == 204
    assert administrator.get("/api/groups").json()["lab"] == ["cy"]
    assert administrator.get("/api/people/cy").json()["groups"] == ["lab"]
    assert administrator.delete("/api/groups/lab/members/cy").status_code == 204
    assert administrator.delete("/api/groups/lab/members/cy").status_code == 404
    assert administrator.get("/api/people/nobody").status_code == 404
    for method, path in (("GET", "/api/people"), ("GET", "/api/groups"), ("GET", "/api/audit")):
        assert owner.request(method, path).status_code == 403


def test_a_login_link_and_a_password_let_somebody_in(brain, administrator) -> None:
    ensure_person(brain.gateway, "eve")
    url = administrator.post("/api/people/eve/login-link").json()["url"]
    assert url.startswith(f"{brain.url}/login?once=")
    headers = {"Origin": brain.url}
    with httpx.Client(base_url=brain.url, headers=headers, follow_redirects=True) as browser:
        asked = browser.get(url)
        assert str(asked.url) == f"{brain.url}/login/once"
        assert "Welcome, eve" in asked.text
        assert browser.get("/api/me").json()["name"] == "nobody"
        assert "eve" in browser.post("/login/once").text
        assert browser.get("/api/me").json()["person"] == "eve"
        form = {"password": GOOD, "again": GOOD}
        assert "is changed" in browser.post("/account/password", data=form).text
    with httpx.Client(base_url=brain.url, headers=headers) as browser:
        form = {"name": "eve", "password": GOOD, "next": "/d/brain?x=1"}
        answer = browser.post("/login", data=form)
        assert (answer.status_code, answer.headers["location"]) == (303, "/d/brain?x=1")
        assert browser.get("/api/me").json()["person"] == "eve"
    assert httpx.get(url, follow_redirects=True).status_code == 401


def test_deactivating_holds_for_the_next_request(brain, administrator) -> None:
    with brain.client("leaver") as client:
        assert client.get("/api/me").json()["person"] == "leaver"
        administrator.patch("/api/people/leaver", json={"active": False})
        assert client.get("/api/me").status_code == 401


def test_an_owner_gives_and_takes_roles(brain, owner, viewer) -> None:
    ensure_person(brain.gateway, "bo")
    put = {"subject": "person:bo", "role": "editor"}
    assert owner.put("/api/grants/brain", json=put).json()["person:bo"] == "editor"
    put["role"] = "none"
    assert "person:bo" not in owner.put("/api/grants/brain", json=put).json()
    put = {"subject": "person:ana", "role": "viewer"}
    answer = owner.put("/api/grants/brain", json=put)
    assert answer.status_code == 409
    assert "no owner left" in answer.json()["error"]["message"]
    assert {"name": "bo", "display": "bo"} in owner.get("/api/grants/brain/candidates").json()[
        "people"
    ]
    assert viewer.get("/api/grants/brain").status_code == 403
    assert viewer.put("/api/grants/brain", json=put).status_code == 403


def test_tokens_are_ones_own(owner, viewer) -> None:
    made = owner.post("/api/tokens", json={"note": "notebook", "days": 1}).json()
    with httpx.Client(base_url=owner.base_url) as program:
        program.headers["Authorization"] = f"Bearer {made['token']}"
        assert program.get("/api/me").json()["person"] == "ana"
        assert made["token"] not in owner.get("/api/tokens").text
        assert viewer.delete(f"/api/tokens/{made['id']}").status_code == 404
        assert owner.delete(f"/api/tokens/{made['id']}").status_code == 204
        assert program.get("/api/me").status_code == 401
    assert owner.post("/api/tokens", json={"days": 0}).status_code == 422
    assert httpx.post(f"{owner.base_url}/api/tokens", json={}).status_code == 401


def test_a_link_works_until_it_is_revoked(owner) -> None:
    made = owner.post("/api/links/brain", json={"note": "for Bo"}).json()
    url = made["url"]
    assert httpx.get(f"{url}api/me").json()["name"] == f"link:{made['id']}"
    start = httpx.get(url)
    assert (start.status_code, start.headers["location"]) == (303, f"{_path(url)}d/brain")
    assert httpx.get(f"{url}data/brain/raw.ome.zarr/zarr.json").status_code == 200
    assert owner.get(f"/api/links/brain/{made['id']}").json()["url"] == url
    assert url not in owner.get("/api/links/brain").text
    assert owner.delete(f"/api/links/brain/{made['id']}").status_code == 204
    for path in ("api/me", "d/brain", "data/brain/raw.ome.zarr/zarr.json", "", "static/mark.svg"):
        answer = httpx.get(f"{url}{path}")
        assert answer.status_code == 403, path
        assert url.split("/s/")[1].strip("/") not in answer.text


def test_a_link_to_one_volume_tells_of_no_other(owner) -> None:
    url = owner.post("/api/links/brain", json={"entry": "raw"}).json()["url"]
    assert httpx.get(f"{url}data/brain/raw.ome.zarr/zarr.json").status_code == 200
    assert httpx.get(f"{url}data/brain/hidden.ome.zarr/zarr.json").status_code == 403
    for path in (
        "",
        "d/brain",
        "api/datasets",
        "api/datasets/brain",
        "api/state/brain",
        "api/entries/brain/hidden",
        "api/entries/brain/nothing",
        "api/datasets/brain/runs",
        "api/datasets/brain/history",
        "data/brain/nothing.ome.zarr/zarr.json",
    ):
        answer = httpx.get(f"{url}{path}", follow_redirects=True)
        assert answer.status_code in (200, 403, 404), (path, answer.text)
        assert "hidden" not in answer.text.replace('class="hidden"', "").replace(
            "brain/hidden", ""
        ), path


@pytest.mark.parametrize("token", ["x", "a.b", "eyJ.x.y", "%2e%2e", "x" * 3000])
def test_a_forged_link_opens_nothing(brain, token) -> None:
    for path in ("api/me", "d/brain", "data/brain/raw.ome.zarr/zarr.json", ""):
        assert httpx.get(f"{brain.url}/s/{token}/{path}").status_code == 403


def test_a_link_is_no_person(brain) -> None:
    _, token = make_link(brain.gateway, ROOT, "brain", None, Role.ANNOTATOR)
    base = f"{brain.url}/s/{token}"
    for path in ("account", "people", "api/tokens", "api/links/brain", "api/audit", "login"):
        assert httpx.get(f"{base}/{path}").status_code == 403, path
    assert httpx.post(f"{base}/api/tokens", json={}).status_code == 403
    assert httpx.post(f"{base}/logout").status_code == 403
    with closing(brain.browser()) as browser:  # the administrator's cookie does not widen the link
        assert not browser.get(f"{base}/api/me").json()["administrator"]


@pytest.mark.slow
def test_revoking_holds_in_every_process(serve, put_volume) -> None:
    server = serve(GATEWAY_WEB_WORKERS="2")
    put_volume(server.gateway.store, "brain/raw", (8, 8, 8))
    for _ in range(5):
        link, token = make_link(server.gateway, ROOT, "brain")
        url = f"{server.url}/s/{token}/data/brain/raw.ome.zarr/zarr.json"
        seen = [httpx.get(url).status_code for _ in range(6)]  # a connection each: any process
        revoke_link(server.gateway, ROOT, link)
        seen += [httpx.get(url).status_code for _ in range(6)]
        assert seen == [200] * 6 + [403] * 6


def test_the_log_is_for_administrators_and_owners(administrator, owner, viewer) -> None:
    owner.post("/api/links/brain", json={"note": "logged"})
    mine = owner.get("/api/audit/brain", params={"action": "link made", "limit": 1}).json()
    assert mine["lines"][0]["detail"]["note"] == "logged"
    older = owner.get("/api/audit/brain", params={"limit": 1, "before": mine["next"]}).json()
    assert older["lines"][0]["id"] < mine["lines"][0]["id"]
    assert viewer.get("/api/audit/brain").status_code == 403
    assert administrator.get("/api/audit", params={"who": "ana"}).json()["lines"]
    assert administrator.get("/api/audit", params={"since": "yesterday"}).status_code == 422


def test_opening_a_dataset_is_written_down_once(brain, owner) -> None:
    with brain.client("looker", brain=Role.VIEWER) as looker:
        for _ in range(3):
            looker.get("/api/datasets/brain")
    lines = owner.get("/api/audit/brain", params={"who": "looker"}).json()["lines"]
    assert [line["action"] for line in lines] == ["opened"]
    assert lines[0]["address"] == "127.0.0.1"


def test_the_cookie_is_out_of_reach_and_only_our_pages_may_use_it(brain) -> None:
    set_password(brain.gateway, ROOT, ensure_person(brain.gateway, "kit"), GOOD)
    form = {"name": "kit", "password": GOOD}
    with httpx.Client(base_url=brain.url) as browser:
        for origin in ({}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
            assert browser.post("/login", data=form, headers=origin).status_code == 403
        own = {"Origin": brain.url}
        cookie = browser.post("/login", data=form, headers=own).headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert "secure" not in cookie  # plain HTTP, this machine only
        other_port = {"Origin": brain.url.rsplit(":", 1)[0] + ":1"}
        for origin in ({}, {"Origin": "https://evil.example"}, {"Origin": "null"}, other_port):
            assert browser.post("/api/tokens", json={}, headers=origin).status_code == 403
            assert browser.post("/account/tokens", headers=origin).status_code == 403
        assert browser.get("/api/tokens").json() == []
        assert browser.post("/api/tokens", json={}, headers=own).status_code == 201
        browser.post("/logout", headers=own)
        assert browser.get("/api/me").json()["name"] == "nobody"


def test_behind_a_proxy_the_base_url_says_what_is_ours(serve) -> None:
    server = serve(GATEWAY_BASE_URL="https://brains.example.org/lab")
    key = server.login.split("key=")[1]
    inner = f"http://127.0.0.1:{_port(server)}"
    with httpx.Client(base_url=inner, headers={"X-Forwarded-Proto": "https"}) as browser:
        answer = browser.get(f"/login?key={key}")
        cookie = answer.headers["set-cookie"]
        assert answer.headers["location"] == "/lab/"
        assert "Secure" in cookie
        assert "Path=/lab" in cookie
        headers = {"Cookie": cookie.partition(";")[0]}
        assert browser.get("/api/me", headers=headers).json()["administrator"]
        for origin, status in (
            ("https://brains.example.org", 201),
            ("http://brains.example.org", 403),
            ("https://brains.example.org.evil.example", 403),
        ):
            sent = {**headers, "Origin": origin}
            assert browser.post("/api/tokens", json={}, headers=sent).status_code == status


def test_after_signing_in_one_stays_on_this_site(brain) -> None:
    key = brain.login.split("key=")[1]
    for after in ("//evil.example", "https://evil.example", "/\\evil.example", "evil", "/\t/evil"):
        answer = httpx.get(f"{brain.url}/login", params={"key": key, "next": after})
        assert answer.headers["location"] == "/", after


@pytest.mark.slow
def test_guessing_passwords_is_slowed_down(serve) -> None:
    server = serve()
    set_password(server.gateway, ROOT, ensure_person(server.gateway, "kit"), GOOD)
    headers = {"Origin": server.url}
    with httpx.Client(base_url=server.url, headers=headers, timeout=60) as browser:
        for _ in range(10):
            answer = browser.post("/login", data={"name": "kit", "password": "wrong"})
            assert answer.status_code == 401
            assert "the name or the password is wrong" in answer.text
        answer = browser.post("/login", data={"name": "kit", "password": GOOD})
    assert answer.status_code == 429
    assert "try again in" in answer.text


def test_a_stranger_learns_nothing_of_what_there_is(brain) -> None:
    with brain.client("stranger") as stranger:
        there, not_there = (
            stranger.get(f"/api/datasets/{name}").json()["error"] for name in ("brain", "braix")
        )
    assert there["message"].replace("brain", "braix") == not_there["message"]
    grant(brain.gateway, "brain", "everyone", Role.NONE)
    assert httpx.get(f"{brain.url}/api/datasets/brain").status_code == 401


def _path(url: str) -> str:
    return httpx.URL(url).path


def _port(server) -> int:
    import psutil  # noqa: PLC0415

    listening = psutil.Process(server.process.pid).net_connections("tcp")
    return next(c.laddr.port for c in listening if c.status == "LISTEN")
