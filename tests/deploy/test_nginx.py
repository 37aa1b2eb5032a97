"""The configuration of nginx that comes along, in a real nginx before a server that echoes."""

import json
import os
import re
import shutil
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_server

import httpx
import pytest
import yaml

from gateway.galaxy.front.headers import SPOOFED

DEPLOY = Path(__file__).parents[2] / "deploy"
CONF = DEPLOY / "nginx/brain-gateway.conf"
pytestmark = pytest.mark.skipif(not CONF.is_file(), reason="the checkout is not here")
WHOLE = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ }}
http {{
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
  fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  include {folder}/brain-gateway.conf;
}}
"""


def test_every_header_that_says_who_somebody_is_is_emptied():
    nginx = CONF.read_text()
    emptied = {name.lower() for name in re.findall(r'proxy_set_header ([\w-]+) "";', nginx)}
    known = {name.decode() for name in SPOOFED}
    assert emptied == known
    assert "underscores_in_headers off;" in nginx
    traefik = yaml.safe_load((DEPLOY / "traefik/brain-gateway.yml").read_text())["http"]
    headers = traefik["middlewares"]["nobody-says-who-they-are"]["headers"]["customRequestHeaders"]
    assert {name.lower().replace("_", "-") for name in headers} == known
    assert set(headers.values()) == {""}
    assert traefik["routers"]["brain-gateway"]["middlewares"] == ["nobody-says-who-they-are"]


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        size = int(self.headers.get("Content-Length") or 0)
        told = {"path": self.path, "headers": list(self.headers.items()), "size": size}
        self.rfile.read(size)
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the name that the library looks for

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def proxied(tmp_path_factory, lacking):
    """Start nginx as the file says, but without TLS; returns its address and its folder."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        lacking("nginx", "nginx is not installed")
    folder = tmp_path_factory.mktemp("nginx")
    hub = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=hub.serve_forever)
    thread.start()
    with create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    text = re.sub(r"\n\s+ssl_certificate.*", "", CONF.read_text())
    text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    text = text.replace("http://127.0.0.1:8000", f"http://127.0.0.1:{hub.server_port}")
    text = text.replace("/var/log/nginx/brain-gateway.log", f"{folder}/access.log")
    (folder / "brain-gateway.conf").write_text(text)
    (folder / "nginx.conf").write_text(WHOLE.format(folder=folder))
    proxy = subprocess.Popen([program, "-c", str(folder / "nginx.conf")])
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 30
        while not _answers(url):
            assert proxy.poll() is None, (folder / "error.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield url, folder
    finally:
        proxy.terminate()
        proxy.wait(timeout=30)
        hub.shutdown()
        thread.join()
        hub.server_close()


def _answers(url):
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.HTTPError:
        return False


@pytest.mark.nginx
def test_what_a_client_says_of_itself_does_not_pass(proxied):
    url, _ = proxied
    spoofed = {name.decode(): "admin@lab.example" for name in SPOOFED}
    spoofed |= {name.replace("-", "_"): value for name, value in spoofed.items()}
    spoofed |= {"REMOTE_USER": "admin@lab.example", "GX_SECRET": "x"}
    for path in ("/services/galaxy/", "/services/galaxy/api/users", "/hub/login"):
        told = httpx.get(f"{url}{path}", headers=spoofed, trust_env=False).json()
        names = {name.lower().replace("_", "-").encode() for name, _ in told["headers"]}
        assert names.isdisjoint(SPOOFED), path
        assert told["path"] == path, "the prefix is kept"


@pytest.mark.nginx
def test_websockets_large_bodies_and_places_pass(proxied):
    url, folder = proxied
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "X-Forwarded-For": "10.1.1.1"}
    told = dict(httpx.get(f"{url}/user/ana/x", headers=upgrade, trust_env=False).json()["headers"])
    assert told["Upgrade"] == "websocket"
    assert told["Connection"].lower() == "upgrade"
    assert told["X-Forwarded-For"] == "127.0.0.1", "not what the client says"
    plain = httpx.get(f"{url}/x", trust_env=False).json()["headers"]
    assert "Upgrade" not in dict(plain)
    large = httpx.post(f"{url}/services/galaxy/api/x", content=b"x" * 3_000_000, trust_env=False)
    assert large.json()["size"] == 3_000_000
    httpx.get(f"{url}/services/gateway/s/secretkey/m1/x?token=secretquery", trust_env=False)
    deadline = time.monotonic() + 10
    while "/s/.../m1/x" not in (log := (folder / "access.log").read_text(encoding="utf-8")):
        assert time.monotonic() < deadline, log
        time.sleep(0.05)
    assert "secret" not in log
