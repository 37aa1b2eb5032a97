"""What every answer carries, what no log holds, and what a proxy changes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_server
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

import gateway as package
from gateway.service.access.actor import Actor
from gateway.service.access.links import make_link
from gateway.service.gateway import Gateway, open_gateway
from gateway.web.logs import redact

ROOT = Actor(person="root", administrator=True)
PROXIED = "https://brains.example.org/lab"


@dataclass(frozen=True)
class Logged:
    """A service whose log is read."""

    said: dict[str, str]
    log: Path

    @property
    def url(self) -> str:
        return self.said["listening"]

    def lines(self, path: str) -> list[dict[str, Any]]:
        """Return the lines of requests to a path, once there is one."""
        deadline = monotonic() + 20
        while monotonic() < deadline:
            lines = [json.loads(line) for line in self.log.read_text().splitlines()]
            found = [line for line in lines if line.get("path") == path]
            if found:
                return found
            sleep(0.05)
        raise AssertionError(f"no line of {path}: {self.log.read_text()}")


@contextmanager
def logged(home: Path, **environment: str) -> Iterator[Logged]:
    log = home.parent / "log"
    command = [Path(sys.executable).with_name("gateway"), "serve", "--home", str(home)]
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*command, "--port", "0", "--json"],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "GATEWAY_LOG_JSON": "true", **environment},
        )
        try:
            assert process.stdout is not None
            yield Logged(json.loads(process.stdout.readline()), log)
        finally:
            process.terminate()
            process.communicate(timeout=60)


@pytest.fixture
def gateway(home: Path) -> Iterator[Gateway]:
    opened = open_gateway(home)
    with opened.catalogue:
        yield opened


PAGES = ["/", "/login", "/tools", "/nowhere", "/static/gateway.css", "/api/me", "/api/nowhere"]


def test_every_page_is_kept_to_itself(server) -> None:
    with closing(server.browser()) as browser:
        for path in PAGES:
            headers = browser.get(path).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy, path
            assert "unsafe" not in policy, path
            assert "frame-ancestors 'self'" in policy, path
            assert headers["x-content-type-options"] == "nosniff", path
            assert headers["referrer-policy"] == "same-origin", path
            assert "private" in headers["cache-control"], path
            assert "server" not in headers, path
            assert "strict-transport-security" not in headers, path


def test_pages_hold_nothing_that_the_policy_forbids(server, put_volume) -> None:
    put_volume(server.gateway.store, "brain/raw", (8, 8, 8))
    with closing(server.browser()) as browser:
        for path in ("/", "/tools", "/tools/stitch", "/runs", "/ingest", "/d/brain", "/people"):
            text = browser.get(path).text.lower()
            assert " style=" not in text, path
            assert "<style" not in text, path
            assert "javascript:" not in text, path
            assert " onclick=" not in text, path
            assert "<script>" not in text, path


def test_a_share_link_is_told_to_nobody(home, gateway, put_volume) -> None:
    put_volume(gateway.store, "brain/raw", (8, 8, 8))
    _, token = make_link(gateway, ROOT, "brain")
    with logged(home, GATEWAY_LOG_CHUNKS="true") as service:
        page = httpx.get(f"{service.url}/s/{token}/d/brain")
        assert page.status_code == 200
        assert page.headers["referrer-policy"] == "no-referrer"
        data = httpx.get(f"{service.url}/s/{token}/data/brain/raw.ome.zarr/zarr.json")
        assert data.status_code == 200
        assert data.headers["referrer-policy"] == "no-referrer"
        service.lines("/s/…/data/brain/raw.ome.zarr/zarr.json")
        (line,) = service.lines("/s/…/d/brain")
        assert line["route"] == "/d/{dataset}"
        assert line["actor"].startswith("link:")
        assert token not in service.log.read_text()


def test_no_secret_in_the_log(home) -> None:
    with logged(home) as service:
        key = service.said["login"].partition("key=")[2]
        with httpx.Client(base_url=service.url, headers={"Origin": service.url}) as browser:
            assert browser.get(service.said["login"]).status_code == 303
            cookie = next(iter(browser.cookies.values()))
            assert browser.get("/api/me").json()["person"]
            made = browser.post("/api/tokens", json={"note": "n"}).json()["token"]
        wrong = {"Authorization": "Bearer not-a-token-of-ours"}
        assert httpx.get(f"{service.url}/api/me", headers=wrong).status_code == 401
        assert service.lines("/login")[0]["status"] == 303
        assert {line["status"] for line in service.lines("/api/me")} == {200, 401}
        (line,) = service.lines("/api/tokens")
        assert line["actor"] != "nobody"
        assert line["ms"] > 0
        text = service.log.read_text()
        for secret in (key, cookie, made, "not-a-token-of-ours"):
            assert secret not in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/s/abc.def-1/d/x", "/s/…/d/x"),
        ("/lab/s/abc/data/x", "/lab/s/…/data/x"),
        ("/login?key=abc&next=/", "/login?key=…&next=/"),
        ("/back?code=abc&state=def", "/back?code=…&state=…"),
        ("Authorization: Bearer abc", "Authorization: Bearer …"),
        ("Cookie: gateway_session=abc; a=b", "Cookie: gateway_session=…; a=b"),
        ("gateway_session_8700=abc; a=b", "gateway_session_8700=…; a=b"),
        ("/d/brain/view", "/d/brain/view"),
        ("/api/entries/s/raw", "/api/entries/s/…"),  # rather too much than too little
    ],
)
def test_secrets_are_cut_out_of_texts(text: str, said: str) -> None:
    assert redact(text) == said


def test_the_cookie_of_a_session(server) -> None:
    answer = httpx.get(server.login)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie, "plain http on this machine"
    port = server.url.rsplit(":", 1)[1]
    assert cookie.startswith(f"gateway_session_{port}="), "that of another gateway here stays"


def test_behind_tls_and_under_a_prefix(home, gateway, put_volume) -> None:
    put_volume(gateway.store, "brain/raw", (8, 8, 8))
    with logged(home, GATEWAY_BASE_URL=PROXIED) as service:
        assert service.said["login"].startswith(f"{PROXIED}/login?key=")
        key = service.said["login"].partition("key=")[2]
        for lead in ("", "/lab"):  # whether the proxy takes its prefix away or not
            answer = httpx.get(f"{service.url}{lead}/login", params={"key": key})
            cookie = answer.headers["set-cookie"].lower()
            assert answer.status_code == 303
            assert answer.headers["location"] == "/lab/"
            assert "secure" in cookie
            assert "path=/lab" in cookie
            assert answer.headers["strict-transport-security"].startswith("max-age=")
            page = httpx.get(f"{service.url}{lead}/login").text
            assert 'href="/lab/static/gateway.css"' in page
            assert httpx.get(f"{service.url}{lead}/static/gateway.css").status_code == 200
            assert httpx.get(f"{service.url}{lead}/api/me").json()["name"] == "nobody"
            denied = httpx.get(f"{service.url}{lead}/data/brain/raw.ome.zarr/zarr.json")
            assert denied.status_code == 401


@pytest.mark.slow
def test_who_a_proxy_speaks_for_is_heard_only_behind_one(home) -> None:
    forwarded = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    for base, secure in (("", False), (PROXIED, True)):
        with logged(home, **({"GATEWAY_BASE_URL": base} if base else {})) as service:
            key = service.said["login"].partition("key=")[2]
            url = f"{service.url}/login"
            answer = httpx.get(url, params={"key": key}, headers=forwarded)
            assert ("secure" in answer.headers["set-cookie"].lower()) == secure


def test_bytes_carry_no_cookie(server, put_volume) -> None:
    put_volume(server.gateway.store, "brain/raw", (8, 8, 8))
    with closing(server.browser()) as browser:
        answer = browser.get("/data/brain/raw.ome.zarr/zarr.json")
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_other_sites_use_tokens_never_cookies(serve) -> None:
    other = "https://viewer.example.org"
    server = serve(GATEWAY_ALLOWED_ORIGINS=json.dumps([other]))
    asked = {"Access-Control-Request-Method": "POST"}
    asked |= {"Access-Control-Request-Headers": "authorization,content-type"}
    for origin, allowed in ((other, True), ("https://evil.example.org", False)):
        answer = httpx.options(f"{server.url}/api/jobs", headers={"Origin": origin, **asked})
        assert (answer.headers.get("access-control-allow-origin") == origin) == allowed
        assert "access-control-allow-credentials" not in answer.headers
        answer = httpx.get(f"{server.url}/api/me", headers={"Origin": origin})
        assert (answer.headers.get("access-control-allow-origin") == origin) == allowed
    with closing(server.browser()) as browser:
        refused = browser.post("/api/tokens", json={}, headers={"Origin": other})
        assert refused.status_code == 403
        assert "must come from this site" in refused.json()["error"]["message"]


def test_a_body_has_a_bound(serve) -> None:
    server = serve(GATEWAY_BODY="1MB")
    with server.client("ana") as client:
        large = b'{"note": "' + b"x" * 1_100_000 + b'"}'
        answer = client.post("/api/tokens", content=large)
        assert answer.status_code == 413
        assert answer.json()["error"]["type"] == "LimitError"

        def pieces() -> Iterator[bytes]:
            for start in range(0, len(large), 65536):
                yield large[start : start + 65536]

        answer = client.post("/api/tokens", content=pieces())
        assert answer.status_code == 413, "without a length, too"
        assert answer.json()["error"]["type"] == "LimitError"
        assert client.post("/api/tokens", json={"note": "short"}).status_code == 201


NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ }}
http {{
  access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
  fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{
    listen 127.0.0.1:{port};
    location /lab/ {{
      proxy_pass {service};
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_buffering off;
    }}
  }}
}}
"""


@pytest.mark.nginx
def test_it_works_behind_nginx(
    home: Path, tmp_path: Path, gateway: Gateway, put_volume: Callable[..., Any], lacking: Any
) -> None:
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        lacking("nginx", "nginx is not installed")
    voxels = put_volume(gateway.store, "brain/raw", (8, 8, 8))
    with create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    base = f"http://127.0.0.1:{port}/lab"
    with logged(home, GATEWAY_BASE_URL=base) as service:
        file = tmp_path / "nginx.conf"
        file.write_text(NGINX.format(folder=tmp_path, port=port, service=service.url))
        proxy = subprocess.Popen([program, "-c", str(file)])
        try:
            deadline = monotonic() + 20
            while monotonic() < deadline:
                try:
                    httpx.get(f"{base}/health")
                    break
                except httpx.HTTPError:
                    sleep(0.05)
            with httpx.Client(headers={"Origin": base.removesuffix("/lab")}) as browser:
                answer = browser.get(service.said["login"], follow_redirects=True)
                assert answer.status_code == 200
                assert str(answer.url) == f"{base}/"
                assert browser.get(f"{base}/d/brain").status_code == 200
                made = browser.post(f"{base}/api/tokens", json={"note": "n"})
                assert made.status_code == 201, made.text
                link = browser.post(f"{base}/api/links/brain", json={}).json()["url"]
                assert link.startswith(f"{base}/s/")
                _same_voxels(base, made.json()["token"], voxels)
                _same_voxels(link, None, voxels)
        finally:
            proxy.terminate()
            proxy.wait(timeout=30)


def _same_voxels(url: str, token: str | None, voxels: Any) -> None:

    with package.connect(url, token) as session:
        assert (session.volume("brain/raw")[0] == voxels).all()
