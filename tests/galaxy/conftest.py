"""A real Galaxy, started once for all tests that need it."""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from socket import create_server
from typing import Any

import pytest
from bioblend.galaxy import GalaxyInstance

from gateway.galaxy.client import GalaxyClient
from gateway.galaxy.publish import write_examples
from gateway.galaxy.server.environment import environment_folder, is_installed
from gateway.galaxy.volref import Volref, read_volref
from gateway.service.access.actor import Role
from gateway.service.access.grants import grant
from gateway.service.access.people import ensure_person
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.home import init_home

DOMAIN = "lab.example"
PROGRAM = Path(sys.executable).with_name("gateway-galaxy")


@dataclass
class RealGalaxy:
    """A Galaxy that runs, with its gateway opened in this process."""

    url: str
    admin_key: str
    gateway: Gateway
    volrefs: Path
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.gateway.home / "galaxy"

    def key(self, name: str) -> str:
        """Return the API key of a person, whom gateway and Galaxy then know."""
        if name not in self.keys:
            ensure_person(self.gateway, name)
            admin = GalaxyInstance(self.url, key=self.admin_key)
            made = admin.users.create_local_user(name, f"{name}@{DOMAIN}", os.urandom(12).hex())
            self.keys[name] = admin.users.create_user_apikey(made["id"])
        return self.keys[name]

    def client(self, name: str) -> GalaxyClient:
        return GalaxyClient(self.url, self.key(name))

    def raw(self, name: str) -> GalaxyInstance:
        return GalaxyInstance(self.url, key=self.key(name))

    def example(self, name: str) -> Volref:
        return read_volref(self.volrefs / f"{name}.volref")

    def run_tool(self, person: str, history: str, tool: str, inputs: dict[str, Any]) -> Any:
        """Run one tool and wait; returns its job with all details."""
        galaxy = self.raw(person)
        made = galaxy.tools.run_tool(history, f"gateway_{tool}", inputs)
        job = made["jobs"][0]["id"]
        galaxy.jobs.wait_for_job(job, maxwait=1200, check=False)
        return galaxy.jobs.show_job(job, full_details=True)


@pytest.fixture(scope="session")
def real_galaxy(lacking):
    """Start Galaxy with the tools of a new gateway, and stop it at the end."""
    # not below pytest's folder: paths of sockets and scripts in it would be too long
    work = Path(tempfile.mkdtemp(prefix="gateway-galaxy-"))
    with create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {name: v for name, v in os.environ.items() if not name.startswith("GATEWAY_")}
    environment["GATEWAY_HOME"] = str(work / "home")
    init_home(work / "home")
    with (work / "home/gateway.toml").open("a") as file:
        file.write(f'galaxy_port = {port}\ngalaxy_domain = "{DOMAIN}"\n')
        file.write('base_url = "http://127.0.0.1:8700"\n')
    gateway = open_gateway(work / "home")
    started = subprocess.run(
        [PROGRAM, "up", "--detach"],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        timeout=1500,
    )
    try:
        if started.returncode != 0 and not is_installed(environment_folder(None)):
            lacking("galaxy", f"Galaxy cannot be installed here: {started.stderr.strip()}")
        assert started.returncode == 0, started.stdout + started.stderr
        with gateway.catalogue:
            write_examples(gateway, work / "volrefs")
            yield RealGalaxy(
                url=f"http://127.0.0.1:{port}",
                admin_key=(work / "home/galaxy/admin_key.secret").read_text().strip(),
                gateway=gateway,
                volrefs=work / "volrefs",
            )
    finally:
        subprocess.run([PROGRAM, "down"], check=False, env=environment, timeout=300)
        shutil.rmtree(work, ignore_errors=True)


@pytest.fixture(scope="session")
def ana(real_galaxy):
    """Return a person who may see the examples, with a history that holds some of them."""
    client = real_galaxy.client("ana")
    grant(real_galaxy.gateway, "examples", "person:ana", Role.VIEWER)
    history = client.history("ana's work")
    names = ("four_tiles", "two_blobs")
    sent = client.send([real_galaxy.example(name) for name in names], history)
    return Sent(client, history, dict(zip(names, sent, strict=True)))


@dataclass
class Sent:
    """Somebody's history, and what was sent there."""

    client: GalaxyClient
    history: str
    datasets: dict[str, str]
