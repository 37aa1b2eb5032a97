"""`gateway up` on loopback, and people who visit it with a browser of their own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from kernel_talk import run_code

from gateway.hub.passwords import Passwords
from gateway.service.gateway import Gateway, open_gateway

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

    def ask_server(self, server: str = "", **options: str) -> None:
        place = f"/users/{self.name}/servers/{server}" if server else f"/users/{self.name}/server"
        answer = self.ask("POST", place, json=options)
        assert answer.status_code in (201, 202), answer.text

    def start_server(self, server: str = "", **options: str) -> None:
        self.ask_server(server, **options)
        wait_for(lambda: (self.state(server) or {}).get("ready"), "the start of a server")

    def stop_server(self) -> None:
        answer = self.ask("DELETE", f"/users/{self.name}/server")
        assert answer.status_code in (202, 204), answer.text
        wait_for(lambda: self.state() is None, "the stop of a server")

    def open_kernel(self) -> str:
        """Start a kernel and return its address."""
        answer = httpx.post(self.kernels, headers=self.token, timeout=PATIENCE_S)
        assert answer.status_code == 201, answer.text
        return f"{self.kernels}/{answer.json()['id']}"

    def run(self, code: str, kernel: str = "") -> str:
        """Run code in a kernel, or in a new one; return what it printed."""
        address = kernel.replace(kernel.partition("/user/")[0], self.hub.url, 1)
        address = address if kernel else self.open_kernel()
        try:
            return run_code(address, self.token, code, PATIENCE_S)
        finally:
            if not kernel:
                httpx.delete(address, headers=self.token, timeout=60)

    @property
    def kernels(self) -> str:
        return f"{self.hub.url}/user/{self.name}/api/kernels"

    @cached_property
    def token(self) -> dict[str, str]:
        """The header that lets programs of this person in."""
        made = self.ask("POST", f"/users/{self.name}/tokens", json={"expires_in": 3600})
        return {"Authorization": f"token {made.json()['token']}"}


@contextmanager
def up(
    home: Path, *words: str, passwords: Passwords | None = None, **environment: str
) -> Iterator[Hub]:
    """Keep a hub up until the block ends; one whose passwords were made before does not tell
    them."""
    process = subprocess.Popen(
        [PROGRAM, "up", "--home", str(home), "--port", "0", "--json", *words],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "GATEWAY_HUB_SPAWNER": "local", **environment},
    )
    try:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        if passwords is not None:
            said |= {
                "administrator_password": passwords.administrators,
                "shared_password": passwords.people,
            }
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
