"""A real hub with its proxy, a gateway and a container engine: one of each for all tests here."""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from socket import create_server
from typing import Any

import docker
import httpx
import numpy as np
import pytest
from hub_up import wait_for
from kernel_talk import run_code

from gateway.errors import SettingsError
from gateway.hub.engine_network import EngineNetwork, close_machine, ensure_network, open_machine
from gateway.hub.programs import find_proxy
from gateway.service.access.actor import Role
from gateway.service.access.grants import grant
from gateway.service.access.people import ensure_person
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.home import init_home
from gateway.service.rebuild import rebuild_catalogue

PEOPLE = ("ana", "ben")
CONFIG = """
import json, os
from pathlib import Path
from gateway.hub.shown_data import gateway_of
from gateway.service.access.actor import Actor
from gateway.service.access.sessions import make_token
given = json.loads(Path(os.environ["HUB_VALUES"]).read_text())
for place, values in given.items():
    for name, value in values.items():
        setattr(getattr(c, place), name, value)
def lend(spawner):
    made = make_token(gateway_of(Path(spawner.gateway_home)), Actor(person=spawner.user.name))
    spawner.environment = {"GATEWAY_URL": os.environ["HUB_GATEWAY"], "GATEWAY_TOKEN": made[1]}
    wanted = spawner.user_options
    usual = {**given["GatewayDockerSpawner"], "devices": [], "container_user": "1000:1000"}
    usual["cmd"] = ["jupyterhub-singleuser"]
    for name in ("image", "mem_limit", "devices", "container_user", "cmd"):
        setattr(spawner, name, wanted.get(name, usual[name]))
c.Spawner.pre_spawn_hook = lend
"""


def free_port(host: str = "127.0.0.1") -> int:
    with create_server((host, 0)) as probe:
        return int(probe.getsockname()[1])


@dataclass
class Hub:
    """A hub that runs, with what stands behind it."""

    folder: Path
    home: Path
    gateway: Gateway
    gateway_url: str
    engine: docker.APIClient
    engine_host: str
    network: EngineNetwork
    prefix: str
    port: int
    token: str
    values: dict[str, Any]
    process: "subprocess.Popen[bytes] | None" = None
    kernels: dict[str, "Kernel"] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "hub.log").read_text(errors="replace")

    def begin(self) -> None:
        values = self.folder / "values.json"
        values.write_text(json.dumps(self.values))
        config = self.folder / "hub_config.py"
        config.write_text(CONFIG)
        with (self.folder / "hub.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", str(config)],
                cwd=self.folder,
                env={
                    **os.environ,
                    "DOCKER_HOST": self.engine_host,
                    "HUB_VALUES": str(values),
                    "HUB_GATEWAY": self.gateway_url,
                },
                stdout=log,
                stderr=log,
            )
        wait_for(self._answers, "the start of the hub")

    def end(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log[-3000:]
        try:
            return "version" in httpx.get(f"{self.url}/hub/api", timeout=5).text
        except httpx.HTTPError:
            return False

    def api(self, method: str, path: str, body: Any = None, token: str = "") -> httpx.Response:
        headers = {"Authorization": f"token {token or self.token}"}
        url = f"{self.url}/hub/api{path}"
        return httpx.request(method, url, headers=headers, json=body, timeout=60)

    def server(self, person: str, name: str = "") -> dict[str, Any] | None:
        found = self.api("GET", f"/users/{person}").json()
        return found.get("servers", {}).get(name)

    def ask_start(self, person: str, **wanted: Any) -> None:
        # the hub takes the options of the last start where none are sent
        answer = self.api("POST", f"/users/{person}/server", {"chosen": True, **wanted})
        assert answer.status_code in (201, 202), answer.text

    def start(self, person: str, **wanted: Any) -> None:
        """Start somebody's server and wait until it is ready."""
        self.ask_start(person, **wanted)
        wait_for(lambda: self._ready(person), f"the server of {person}")

    def _ready(self, person: str) -> bool:
        found = self.server(person)
        if found is None or (not found["pending"] and not found["ready"]):
            pytest.fail(f"the server of {person} did not start: {self.log[-3000:]}")
        return bool(found["ready"])

    def failure(self, person: str, **wanted: Any) -> str:
        """Start somebody's server in vain and return what its page says."""
        answer = self.api("POST", f"/users/{person}/server", {"chosen": True, **wanted})
        if answer.status_code in (201, 202):
            wait_for(lambda: self.server(person) is None, "the end of the start")
        browser = self.browser(person)
        page = browser.get(f"/hub/user/{person}/", follow_redirects=True)
        browser.close()
        return f"{answer.text}\n{page.text}"

    def stop(self, person: str) -> None:
        self.kernels.pop(person, None)
        answer = self.api("DELETE", f"/users/{person}/server")
        assert answer.status_code in (202, 204, 404), answer.text
        wait_for(lambda: self.server(person) is None, "the stop")

    def browser(self, person: str) -> httpx.Client:
        """Sign in with the form, as a browser does."""
        client = httpx.Client(base_url=self.url, timeout=60)
        client.get("/hub/login")
        form = {"username": person, "password": "seaside", "_xsrf": client.cookies["_xsrf"]}
        answer = client.post("/hub/login", data=form)
        assert answer.status_code == 302, answer.text
        return client

    def container(self, person: str) -> dict[str, Any]:
        return dict(self.engine.inspect_container(f"{self.prefix}-{person}"))

    def kernel(self, person: str) -> "Kernel":
        """Return a kernel in somebody's container, started on first use."""
        if person not in self.kernels:
            found = self.server(person)
            if found is None or not found["ready"]:
                self.start(person)
            made = self.api("POST", f"/users/{person}/tokens", {"note": "tests"}).json()
            self.kernels[person] = Kernel.open(self.url, person, made["token"])
        return self.kernels[person]


@dataclass(frozen=True)
class Kernel:
    """A kernel of somebody's server."""

    url: str
    token: str

    @classmethod
    def open(cls, url: str, person: str, token: str) -> "Kernel":
        headers = {"Authorization": f"token {token}"}
        base = f"{url}/user/{person}/api/kernels"
        answer = httpx.post(base, headers=headers, json={"name": "python3"}, timeout=120)
        assert answer.status_code == 201, answer.text
        return cls(f"{base}/{answer.json()['id']}", token)

    def run(self, code: str, seconds: float = 120) -> str:
        """Run code and return what it prints, or the last line of its error."""
        headers = {"Authorization": f"token {self.token}"}
        return run_code(self.url, headers, code, seconds)


@pytest.fixture(scope="session")
def lab_home(
    tmp_path_factory: pytest.TempPathFactory, fill_dataset: Callable[..., None]
) -> tuple[Path, Gateway]:
    """Return a home in which ana and ben each own a dataset, and `open` is everyone's."""
    home = tmp_path_factory.mktemp("containers") / "home"
    init_home(home)
    gateway = open_gateway(home)
    for dataset in ("ana1", "ben1", "open1"):
        fill_dataset(gateway.store, dataset)
    rebuild_catalogue(gateway)
    for person in PEOPLE:
        ensure_person(gateway, person)
        grant(gateway, f"{person}1", f"person:{person}", Role.OWNER)
    grant(gateway, "open1", "everyone", Role.VIEWER)
    return home, gateway


@pytest.fixture(scope="session")
def network(engine: docker.APIClient, lab_home: tuple[Path, Gateway]) -> Iterator[EngineNetwork]:
    """Yield an internal network of the engine, made before the hub."""
    name = f"containers-{secrets.token_hex(4)}"
    made = ensure_network(engine, name, str(lab_home[0]))
    yield made
    open_machine(made)
    engine.remove_network(name)


@pytest.fixture(scope="session")
def gateway_port(lab_home: tuple[Path, Gateway], network: EngineNetwork) -> Iterator[int]:
    """Serve the home where containers reach it, and yield the port."""
    port = free_port(network.address)
    program = Path(sys.executable).with_name("gateway")
    words = ["serve", "--home", lab_home[0], "--host", network.address, "--port", port]
    process = subprocess.Popen(
        list(map(str, [program, *words])), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    assert b"serves" in process.stdout.readline()
    yield port
    process.terminate()
    process.wait(timeout=60)
    process.stdout.close()


@pytest.fixture(scope="session")
def hub(  # noqa: PLR0917 - all that stands behind it
    engine: docker.APIClient,
    container_engine: Any,
    lab_image: str,
    lab_home: tuple[Path, Gateway],
    network: EngineNetwork,
    gateway_port: int,
    tmp_path_factory: pytest.TempPathFactory,
    lacking: Any,
) -> Iterator[Hub]:
    """Yield a hub whose servers are containers."""
    try:
        (proxy, *_) = find_proxy(lab_home[1].settings)
    except SettingsError as error:
        lacking("hub", str(error))
    folder = tmp_path_factory.mktemp("hub")
    home, gateway = lab_home
    prefix, token = f"containers-{secrets.token_hex(4)}", secrets.token_hex(16)
    port, hub_port, proxy_port = free_port(), free_port(network.address), free_port()
    gateway_url = f"http://{network.address}:{gateway_port}"
    values = hub_values(folder, network, (port, hub_port, proxy_port), token, str(proxy))
    values["GatewayDockerSpawner"] = {
        "image": lab_image,
        "network_name": network.name,
        "prefix": prefix,
        "name_template": "{prefix}-{username}",
        "pull_policy": "never",
        "gateway_home": str(home),
        "volume_template": prefix + "-{username}",
        "mem_limit": "700M",
        "cpu_limit": 1.5,
        "processes": 200,
        "start_timeout": 120,
        "http_timeout": 120,
        "poll_interval": 5,
    }
    running = Hub(
        folder=folder,
        home=home,
        gateway=gateway,
        gateway_url=gateway_url,
        engine=engine,
        engine_host=container_engine.host,
        network=network,
        prefix=prefix,
        port=port,
        token=token,
        values=values,
    )
    refused = close_machine(network, [hub_port, gateway_port])
    assert refused is None, refused
    try:
        running.begin()
        yield running
    finally:
        if running.process is not None and running.process.poll() is None:
            running.end()
        _clear(engine, prefix)


def hub_values(
    folder: Path, network: EngineNetwork, ports: tuple[int, int, int], token: str, proxy: str
) -> dict[str, Any]:
    """Return the values of a hub that signs ana and ben in by one password."""
    port, hub_port, proxy_port = ports
    return {
        "JupyterHub": {
            "bind_url": f"http://127.0.0.1:{port}",
            "hub_ip": network.address,
            "hub_port": hub_port,
            "hub_connect_url": f"http://{network.address}:{hub_port}",
            "db_url": f"sqlite:///{folder}/hub.sqlite",
            "cookie_secret_file": str(folder / "cookie"),
            "spawner_class": "gateway.hub.docker_spawner.GatewayDockerSpawner",
            "authenticator_class": "dummy",
            "cleanup_servers": False,
            "tornado_settings": {"slow_spawn_timeout": 1},
            "services": [{"name": "tests", "api_token": token}],
            "load_roles": [
                {
                    "name": "tests",
                    "services": ["tests"],
                    "scopes": ["admin:users", "admin:servers", "tokens", "access:servers"],
                }
            ],
        },
        "DummyAuthenticator": {"password": "seaside", "allowed_users": list(PEOPLE)},
        "ConfigurableHTTPProxy": {
            "command": [proxy],
            "api_url": f"http://127.0.0.1:{proxy_port}",
            "pid_file": str(folder / "proxy.pid"),
        },
    }


def _clear(engine: docker.APIClient, prefix: str) -> None:
    for found in engine.containers(all=True, filters={"name": prefix}):
        engine.remove_container(found["Id"], v=True, force=True)
    for volume in engine.volumes(filters={"name": prefix})["Volumes"] or []:
        engine.remove_volume(volume["Name"])


@pytest.fixture(scope="session")
def voxels(lab_home: tuple[Path, Gateway]) -> Callable[[str], int]:
    """Return what sums all voxels of a volume of the store on this machine."""

    def total(ref: str) -> int:
        from gateway.volumes.volume import open_volume  # noqa: PLC0415 - for this alone

        volume = open_volume(lab_home[1].store, f"{ref}.ome.zarr")
        return int(np.asarray(volume[0]).sum(dtype=np.uint64))

    return total
