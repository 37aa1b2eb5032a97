"""A real JupyterHub with its proxy and the web service on loopback, shared by the session."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import websocket

from gateway.errors import SettingsError
from gateway.hub.facts import Facts, Resources
from gateway.hub.places import Ports, Secrets
from gateway.hub.programs import find_proxy
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.home import init_home
from gateway.service.settings import Settings

PATIENCE_S = 300.0
PROGRAM = Path(sys.executable).with_name("gateway")


def wait_for(what: Callable[[], Any], said: str, patience_s: float = PATIENCE_S) -> Any:
    """Return the first true answer of `what`."""
    deadline = time.monotonic() + patience_s
    while True:
        with suppress(httpx.TransportError):
            if answer := what():
                return answer
        if time.monotonic() > deadline:
            pytest.fail(f"{said} did not happen in {patience_s:.0f} s")
        time.sleep(0.2)


@dataclass
class Hub:
    """A running hub."""

    home: Path
    gateway: Gateway
    process: "subprocess.Popen[str]"
    said: dict[str, Any]
    visitors: list["Visitor"] = field(default_factory=list)

    @property
    def url(self) -> str:
        return str(self.said["address"]).rstrip("/")

    @property
    def log(self) -> str:
        return Path(self.said["log"]).read_text(encoding="utf-8")

    def password(self, name: str) -> str:
        key = "administrator" if name == self.said["owner"] else "shared"
        return str(self.said[f"{key}_password"])

    def visitor(self, name: str, password: str | None = None) -> "Visitor":
        visitor = Visitor(self, name)
        self.visitors.append(visitor)
        visitor.sign_in(self.password(name) if password is None else password)
        return visitor

    def children(self) -> list[psutil.Process]:
        """Return every process below `gateway up`."""
        return psutil.Process(self.process.pid).children(recursive=True)


class Visitor:
    """Somebody with a browser of their own."""

    def __init__(self, hub: Hub, name: str) -> None:
        self.hub, self.name = hub, name
        self.browser = httpx.Client(base_url=hub.url, timeout=60, follow_redirects=True)
        self.landed: httpx.Response

    def sign_in(self, password: str) -> None:
        self.browser.get("/hub/login")
        xsrf = self.browser.cookies.get("_xsrf", path="/hub/")
        form = {"username": self.name, "password": password, "_xsrf": xsrf}
        self.landed = self.browser.post("/hub/login", data=form)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Call the hub's API as its pages do."""
        page = self.browser.get("/hub/home").text
        xsrf = re.search(r'xsrf_token: "([^"]+)"', page)
        assert xsrf is not None
        headers = {"X-XSRFToken": xsrf[1]}
        return self.browser.request(method, f"/hub/api{path}", headers=headers, **more)

    def state(self, server: str = "") -> dict[str, Any] | None:
        servers = self.ask("GET", f"/users/{self.name}").json()["servers"]
        found: dict[str, Any] | None = servers.get(server)
        return found

    def start_server(self, server: str = "", **options: str) -> None:
        place = f"/users/{self.name}/servers/{server}" if server else f"/users/{self.name}/server"
        answer = self.ask("POST", place, json=options)
        assert answer.status_code in (201, 202), answer.text
        wait_for(lambda: (self.state(server) or {}).get("ready"), "the start of a server")

    def stop_server(self) -> None:
        answer = self.ask("DELETE", f"/users/{self.name}/server")
        assert answer.status_code in (202, 204), answer.text
        wait_for(lambda: self.state() is None, "the stop of a server")

    def run(self, code: str) -> str:
        """Run code in a new kernel of the server, over its websocket; return what it printed."""
        made = self.ask("POST", f"/users/{self.name}/tokens", json={"expires_in": 600})
        header = {"Authorization": f"token {made.json()['token']}"}
        place = f"{self.hub.url}/user/{self.name}/api/kernels"
        kernel = httpx.post(place, headers=header, timeout=PATIENCE_S).json()["id"]
        address = f"{place.replace('http', 'ws', 1)}/{kernel}/channels"
        connection = websocket.create_connection(address, header=header, timeout=PATIENCE_S)
        try:
            return _execute(connection, code)
        finally:
            connection.close()
            httpx.delete(f"{place}/{kernel}", headers=header, timeout=60)


def _execute(connection: Any, code: str) -> str:
    sent = uuid.uuid4().hex
    content = {"code": code, "silent": False, "store_history": False, "stop_on_error": True}
    header = {"msg_id": sent, "msg_type": "execute_request", "version": "5.3"}
    header |= {"username": "", "session": uuid.uuid4().hex, "date": ""}
    connection.send(
        json.dumps(
            {
                "header": header,
                "parent_header": {},
                "metadata": {},
                "content": content,
                "channel": "shell",
            }
        )
    )
    printed = ""
    while True:
        message = json.loads(connection.recv())
        if message["parent_header"].get("msg_id") != sent:
            continue
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            printed += content["text"]
        if kind == "error":
            return printed + f"{content['ename']}: {content['evalue']}"
        if kind == "status" and content["execution_state"] == "idle":
            return printed.strip()


@contextmanager
def up(home: Path, *words: str, **environment: str) -> Iterator[Hub]:
    """Keep a hub up until the block ends."""
    process = subprocess.Popen(
        [PROGRAM, "up", "--home", str(home), "--port", "0", "--json", *words],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "GATEWAY_HUB_SPAWNER": "local", **environment},
    )
    try:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        gateway = open_gateway(home)
        with gateway.catalogue:
            running = Hub(home, gateway, process, said)
            try:
                yield running
            finally:
                for visitor in running.visitors:
                    visitor.browser.close()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=PATIENCE_S)
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture(scope="session")
def hub_can_start(lacking: Callable[[str, str], None]) -> None:
    """Skip, or fail in CI, where the hub's programs are not installed."""
    try:
        find_proxy(Settings())
    except SettingsError as error:
        lacking("hub", str(error))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a fresh, empty gateway home."""
    path = tmp_path / "home"
    init_home(path)
    return path


@pytest.fixture
def facts_of(home: Path):
    """Return what makes facts of settings."""

    def make(**settings: Any) -> Facts:
        return Facts(
            home=home,
            settings=Settings(**settings),
            ports=Ports(hub=1, proxy=2, web=3, galaxy=4),
            secrets=Secrets(proxy="p", web="w", galaxy="g"),
            owner="Ada",
            resources=Resources(cores=8, memory=32_000_000_000),
        )

    return make


@pytest.fixture(scope="session")
def hub(
    hub_can_start: None,  # noqa: ARG001 - skips
    tmp_path_factory: pytest.TempPathFactory,
    fill_dataset: Callable[..., None],
) -> Iterator[Hub]:
    """Yield a hub with local servers for people who trust one another; tests use people of their
    own."""
    home = tmp_path_factory.mktemp("hub") / "home"
    init_home(home)
    environment = {
        "GATEWAY_HUB_PEOPLE_TRUST_ONE_ANOTHER": "true",
        "GATEWAY_HUB_CHECK_SECONDS": "0.2",
    }
    with up(home, **environment) as running:
        fill_dataset(running.gateway.store, "brain")
        fill_dataset(running.gateway.store, "secret")
        yield running
