"""`gateway up --galaxy` on loopback: a real Galaxy behind a real hub."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import create_server
from typing import Any

from bioblend.galaxy import GalaxyInstance
from hub_up import Hub, up, wait_for

from gateway.galaxy.accounts import ensure_account
from gateway.galaxy.client import GalaxyClient
from gateway.galaxy.publish import write_examples
from gateway.galaxy.server import process
from gateway.galaxy.server.site import Site
from gateway.galaxy.server_command import open_site
from gateway.galaxy.volref import Volref, read_volref
from gateway.service.access.people import ensure_person
from gateway.service.gateway import Gateway
from gateway.service.home import init_home

DOMAIN = "lab.example"
DEVICE = "gateway.test/gpu=0"
TOOLS = Path(__file__).parents[1] / "galaxy" / "site"
"""A package of tools of somebody else's: one that waits on a GPU."""
START_S = 1500.0


class NoGalaxyError(Exception):
    """Galaxy cannot be installed here; says why."""


@dataclass
class RealGalaxy:
    """A Galaxy that runs behind a hub, with its gateway opened in this process."""

    hub: Hub
    site: Site
    volrefs: Path
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where this machine reaches it, past the hub."""
        return self.site.url

    @property
    def gateway(self) -> Gateway:
        return self.hub.gateway

    @property
    def root(self) -> Path:
        return self.site.root

    @property
    def admin_key(self) -> str:
        return self.site.secret("admin_key")

    def key(self, name: str) -> str:
        """Return the API key of a person, whom gateway and Galaxy then know."""
        if name not in self.keys:
            ensure_person(self.gateway, name)
            admin = GalaxyInstance(self.url, key=self.admin_key)
            user = ensure_account(admin, f"{name}@{DOMAIN}", remote=True)
            self.keys[name] = admin.users.get_or_create_user_apikey(user)
        return self.keys[name]

    def client(self, name: str) -> GalaxyClient:
        return GalaxyClient(self.url, self.key(name))

    def raw(self, name: str) -> GalaxyInstance:
        return GalaxyInstance(self.url, key=self.key(name))

    def example(self, name: str) -> Volref:
        return read_volref(self.volrefs / f"{name}.volref")

    def start_tool(self, person: str, history: str, tool: str, inputs: dict[str, Any]) -> str:
        """Start one tool; returns the id of its job."""
        made = self.raw(person).tools.run_tool(history, f"gateway_{tool}", inputs)
        return str(made["jobs"][0]["id"])

    def run_tool(self, person: str, history: str, tool: str, inputs: dict[str, Any]) -> Any:
        """Run one tool and wait; returns its job with all details."""
        galaxy, job = self.raw(person), self.start_tool(person, history, tool, inputs)
        galaxy.jobs.wait_for_job(job, maxwait=1200, check=False)
        return galaxy.jobs.show_job(job, full_details=True)

    def wait_ready(self) -> None:
        """Wait until it answers, with the gateway's workflows in it."""
        wait_for(lambda: self._said("Galaxy answers"), "the start of Galaxy", START_S)

    def _said(self, text: str) -> bool:
        lines = [line for line in self.hub.log.splitlines() if line.startswith("galaxy: ")]
        for line in lines:
            if "cannot be installed" in line:
                raise NoGalaxyError(line)
            assert "while starting" not in line, self.site.log.read_text()[-3000:]
        return any(text in line for line in lines)


@contextmanager
def running_galaxy() -> Iterator[RealGalaxy]:
    """Keep a hub with a Galaxy up until the block ends.

    Raises:
        NoGalaxyError: Galaxy cannot be installed here.
    """
    # not below pytest's folder: paths of sockets and scripts in it would be too long
    work = Path(tempfile.mkdtemp(prefix="gateway-galaxy-"))
    home = work / "home"
    init_home(home)
    lines = {"galaxy_port": _free_port(), "galaxy_domain": DOMAIN, "devices": [DEVICE]}
    with (home / "gateway.toml").open("a") as file:
        file.writelines(f"{name} = {json.dumps(value)}\n" for name, value in lines.items())
    packages = os.pathsep.join(filter(None, (str(TOOLS), os.environ.get("PYTHONPATH"))))
    more = {"PYTHONPATH": packages, "GATEWAY_HUB_PEOPLE_TRUST_ONE_ANOTHER": "true"}
    try:
        with up(home, "--galaxy", **more) as hub:
            site = open_site(home, behind_hub=True)
            running = RealGalaxy(hub=hub, site=site, volrefs=work / "volrefs")
            try:
                running.wait_ready()
                write_examples(running.gateway, running.volrefs)
                yield running
            finally:
                process.stop(site)  # the hub stops it; a test may have started one of its own
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _free_port() -> int:
    with create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
