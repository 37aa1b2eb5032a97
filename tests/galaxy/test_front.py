"""What stands before Galaxy believes the hub alone, on every path."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from gateway.errors import ConflictError, ForbiddenError, SettingsError
from gateway.galaxy.front.app import COOKIE, Front, client_of_galaxy, make_app
from gateway.galaxy.front.headers import to_client, to_galaxy
from gateway.galaxy.front.hub import Hub, HubPlace
from gateway.galaxy.front.names import address_of

PREFIX = "/services/galaxy"
SCOPE = "access:services!service=galaxy"
WHO = {"domain": "lab.example", "reserved": ("admin@lab.example",)}
SPOOFED = (
    "REMOTE_USER",
    "Remote-User",
    "remote-user",
    "REMOTE-USER",
    "Remote_User",
    "GX_SECRET",
    "GX-SECRET",
    "gx_secret",
    "Gx-Secret",
    "HTTP_REMOTE_USER",
    "X-Forwarded-User",
)


@pytest.mark.parametrize("name", SPOOFED)
def test_who_a_client_says_it_is_never_reaches_galaxy(name):
    sent = to_galaxy([(name.encode(), b"admin@lab.example")], "ana@lab.example", "hush")
    assert sent == [(b"remote-user", b"ana@lab.example"), (b"gx-secret", b"hush")]


def test_galaxy_gets_its_own_cookies_and_none_of_ours():
    cookies = b"galaxysession=1; gateway-galaxy=secret; jupyterhub-session-id=2; _xsrf=3; a=b"
    headers = [(b"Cookie", cookies), (b"Authorization", b"token t"), (b"Accept", b"*/*")]
    sent = dict(to_galaxy(headers, "ana@lab.example", "hush"))
    assert sent[b"Cookie"] == b"galaxysession=1; a=b"
    assert b"Authorization" not in sent
    assert sent[b"Accept"] == b"*/*"


def test_headers_of_one_connection_stay_there():
    assert to_client([(b"Connection", b"close"), (b"ETag", b"x")]) == [(b"etag", b"x")]
    assert (b"Upgrade", b"websocket") not in to_galaxy([(b"Upgrade", b"websocket")], "a@b", "s")


def test_people_of_the_hub_get_its_domain():
    assert address_of("ana", administrator=False, **WHO) == "ana@lab.example"
    assert address_of("bo@uni.example", administrator=False, **WHO) == "bo@uni.example"
    assert address_of("admin", administrator=True, **WHO) == "admin@lab.example"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("admin", "admin@lab.example administers Galaxy, which only administrators of the hub may"),
        ("Admin", "administers Galaxy"),
        ("ana@lab.example", "'ana@lab.example' is how Galaxy names 'ana' of this hub"),
        ("ana@LAB.example", "is how Galaxy names 'ana'"),
        ("@uni.example", "is how Galaxy names 'nobody'"),
        ("", "Galaxy takes no name such as ''"),
        ("a b", "Galaxy takes no name such as 'a b'"),
        ("a\r\nb", "Galaxy takes no name such as"),
    ],
)
def test_a_name_that_would_be_somebody_else_is_refused(name, message):
    with pytest.raises(ForbiddenError, match=message):
        address_of(name, administrator=False, **WHO)


def test_without_a_hub_it_says_what_to_use_instead():
    with pytest.raises(SettingsError, match=r"is not set: the sign-in before Galaxy is started by"):
        HubPlace.of_environment({"JUPYTERHUB_API_URL": "http://x"}, PREFIX)


class World:
    """A hub and a Galaxy that answer by rule, and the application between them."""

    def __init__(self) -> None:
        self.tokens = {"t-ana": {"kind": "user", "name": "ana", "scopes": [SCOPE]}}
        self.tokens["ours"] = {"admin": False}
        self.asked: list[httpx.Request] = []
        place = HubPlace(
            api_url="http://hub/hub/api",
            authorize_url="/hub/api/oauth2/authorize",
            token="ours",  # noqa: S106 - of nobody
            client_id="service-galaxy",
            back=f"{PREFIX}/oauth_callback",
        )
        hub = Hub(place)
        hub._client = httpx.AsyncClient(transport=httpx.MockTransport(self._hub))
        self.hub = hub
        self.state: str | None = None
        self.front = Front(
            hub=hub,
            galaxy="http://galaxy",
            prefix=PREFIX,
            secret="hush",  # noqa: S106 - of nothing
            domain="lab.example",
            reserved=("admin@lab.example",),
            secure=False,
            state=lambda: self.state,
            make_account=self._make_account,
        )
        self.front.client = client_of_galaxy(httpx.MockTransport(self._galaxy))

        self.made: list[str] = []

    def _make_account(self, address: str) -> None:
        if address.startswith("gone"):
            raise ConflictError(f"Galaxy has no user {address!r}, and makes none")
        self.made.append(address)

    def client(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=make_app(self.front))
        return httpx.AsyncClient(transport=transport, base_url="http://front")

    def _hub(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/oauth2/token"):
            return httpx.Response(200, json={"access_token": "t-ana"})
        token = request.headers["authorization"].removeprefix("token ")
        known = self.tokens.get(token)
        if request.url.path.startswith("/hub/api/users/"):
            assert token == "ours", "only the service itself may ask this"  # noqa: S105 - of nobody
        return httpx.Response(200, json=known) if known else httpx.Response(403)

    def _galaxy(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        headers = {"set-cookie": "galaxysession=1"}
        return httpx.Response(200, content=_slowly(b"gala", b"xy"), headers=headers)


async def _slowly(*parts):
    for part in parts:
        yield part


@pytest.fixture
def world():
    return World()


@pytest.fixture
def run():
    return asyncio.run


PATHS = ["/", "/api/users", "/api/version", "/static/x.js", "/api/%2e%2e/x", "/history?id=1"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS"])
def test_no_path_is_open(world, run, path, method):
    async def ask():
        async with world.client() as client:
            headers = {"REMOTE_USER": "admin@lab.example", "GX_SECRET": "hush"}
            return await client.request(method, PREFIX + path, headers=headers)

    assert run(ask()).status_code == 401
    assert world.asked == []


def test_paths_beside_its_own_are_not_passed_on(world, run):
    async def ask():
        async with world.client() as client:
            header = {"Authorization": "token t-ana"}
            return [
                (await client.get(path, headers=header)).status_code
                for path in ("/", "/services/galaxyx/", "/hub/api")
            ]

    assert run(ask()) == [404, 404, 404]
    assert world.asked == []


def test_a_browser_signs_in_once_and_is_out_when_the_hub_says_so(world, run):
    async def story():
        async with world.client() as client:
            page = {"Accept": "text/html"}
            first = await client.get(f"{PREFIX}/workflows?x=1", headers=page)
            assert first.status_code == 302
            query = parse_qs(urlsplit(first.headers["location"]).query)
            assert query["redirect_uri"] == [f"{PREFIX}/oauth_callback"]
            wrong = await client.get(f"{PREFIX}/oauth_callback?code=c&state=other")
            assert wrong.status_code == 403
            first = await client.get(f"{PREFIX}/workflows?x=1", headers=page)
            state = parse_qs(urlsplit(first.headers["location"]).query)["state"][0]
            back = await client.get(f"{PREFIX}/oauth_callback?code=c&state={state}")
            assert back.headers["location"] == f"{PREFIX}/workflows?x=1"
            again = await client.get(f"{PREFIX}/oauth_callback?code=c&state={state}")
            assert again.status_code == 403, "an answer counts once"
            inside = await client.get(f"{PREFIX}/workflows?x=1", headers={"Remote-User": "eve"})
            assert inside.content == b"galaxy"
            assert inside.headers["set-cookie"] == "galaxysession=1"
            world.tokens.clear()
            world.hub._answers.clear()  # five seconds later
            out = await client.get(f"{PREFIX}/api/users")
            assert out.status_code == 401
            assert COOKIE in str(back.headers.get_list("set-cookie"))

    run(story())
    (asked,) = world.asked
    assert asked.headers["remote-user"] == "ana@lab.example"
    assert asked.headers["gx-secret"] == "hush"
    assert str(asked.url) == "http://galaxy/services/galaxy/workflows?x=1"
    assert "t-ana" not in str(asked.headers)


def test_bodies_are_streamed_to_galaxy(world, run):
    async def ask():
        async with world.client() as client:
            header = {"Authorization": "Bearer t-ana"}
            await client.post(f"{PREFIX}/api/x", headers=header, content=b"a" * 100_000)

    run(ask())
    assert world.asked[0].headers["content-length"] == "100000"


def test_a_reserved_name_is_stopped_before_galaxy(world, run):
    world.tokens["t-adm"] = {"kind": "user", "name": "admin", "scopes": [SCOPE]}

    async def ask():
        async with world.client() as client:
            return await client.get(f"{PREFIX}/", headers={"Authorization": "token t-adm"})

    answer = run(ask())
    assert answer.status_code == 403
    assert "only administrators of the hub may" in answer.text
    assert world.asked == []


def test_a_token_made_for_another_service_opens_nothing(world, run):
    world.tokens["t-web"] = {"kind": "user", "name": "ana", "scopes": ["read:users!user=ana"]}
    world.tokens["t-srv"] = {"kind": "service", "name": "web", "scopes": [SCOPE]}

    async def ask(token):
        async with world.client() as client:
            return await client.get(f"{PREFIX}/", headers={"Authorization": f"token {token}"})

    assert run(ask("t-web")).status_code == 401
    assert run(ask("t-srv")).status_code == 401
    assert world.asked == []


def test_a_session_of_galaxy_is_passed_on_for_whom_it_was_given_to_only(world, run):
    world.tokens["t-bo"] = {"kind": "user", "name": "bo", "scopes": [SCOPE]}

    async def ask(token, cookie=""):
        async with world.client() as client:
            headers = {"Authorization": f"token {token}", "Cookie": cookie}
            await client.get(f"{PREFIX}/api/users/current", headers=headers)

    run(ask("t-ana"))  # Galaxy gives out the session 1
    for token, passed in (("t-ana", "galaxysession=1; a=b"), ("t-bo", "a=b")):
        run(ask(token, "galaxysession=1; a=b"))
        assert world.asked[-1].headers["cookie"] == passed
    run(ask("t-ana", "galaxysession=forged"))
    assert "cookie" not in world.asked[-1].headers


def test_galaxy_knows_somebody_before_their_first_request(world, run):
    world.tokens["t-gone"] = {"kind": "user", "name": "gone", "scopes": [SCOPE]}

    async def ask(token):
        async with world.client() as client:
            return await client.get(f"{PREFIX}/", headers={"Authorization": f"token {token}"})

    assert [run(ask("t-ana")).status_code for _ in range(2)] == [200, 200]
    assert world.made == ["ana@lab.example"], "once is enough"
    answer = run(ask("t-gone"))
    assert answer.status_code == 503
    assert "has no user 'gone@lab.example', and makes none" in answer.text


def test_while_galaxy_starts_the_page_says_so(world, run):
    world.state = "installing <Galaxy>"

    async def ask():
        async with world.client() as client:
            return await client.get(f"{PREFIX}/", headers={"Authorization": "token t-ana"})

    answer = run(ask())
    assert answer.status_code == 503
    assert "Galaxy is starting: installing &lt;Galaxy&gt;." in answer.text
