"""A real web service on loopback, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from gateway.service.access.actor import Role
from gateway.service.access.grants import grant
from gateway.service.access.people import ensure_person
from gateway.service.access.sessions import open_session
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.home import init_home


@dataclass(frozen=True)
class Server:
    """A running service: its address, its login link, its gateway opened in this process."""

    url: str
    login: str
    gateway: Gateway
    process: "subprocess.Popen[str]"

    def client(self, person: str | None = None, **roles: Role) -> httpx.Client:
        """Return a client that acts for a person who has `roles`, dataset to role."""
        headers = {}
        if person is not None:
            ensure_person(self.gateway, person)
            for dataset, role in roles.items():
                grant(self.gateway, dataset, f"person:{person}", role)
            secret = open_session(self.gateway, person, kind="token")
            headers["Authorization"] = f"Bearer {secret}"
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def browser(self) -> httpx.Client:
        """Return a client that has followed the login link, as the administrator."""
        client = httpx.Client(base_url=self.url, headers={"Origin": self.url}, timeout=30)
        answer = client.get(self.login)
        assert answer.status_code == 303, answer.text
        return client


@contextmanager
def serving(home: Path, **environment: str) -> Iterator[Server]:
    """Serve a home until the block ends."""
    program = Path(sys.executable).with_name("gateway")
    command = [program, "serve", "--home", str(home), "--port", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    try:
        assert process.stdout is not None
        first, second = process.stdout.readline(), process.stdout.readline()
        url = first.rsplit(" at ", 1)[-1].strip()
        login = second.removeprefix("Sign in: ").strip()
        assert url.startswith("http"), (first, second)
        gateway = open_gateway(home)
        with gateway.catalogue:
            yield Server(url, login, gateway, process)
    finally:
        process.terminate()
        process.wait(timeout=60)
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a fresh, empty gateway home."""
    path = tmp_path / "home"
    init_home(path)
    return path


@pytest.fixture
def serve(home: Path) -> Iterator[Callable[..., Server]]:
    """Return what starts a service of `home`: `serve(GATEWAY_WEB_WORKERS="2")`."""
    with ExitStack() as stack:
        yield lambda **environment: stack.enter_context(serving(home, **environment))


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    """Yield a running service of `home`."""
    with serving(home) as running:
        yield running
