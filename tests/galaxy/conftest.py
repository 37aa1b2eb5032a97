"""A real Galaxy behind a real hub, started once for all tests that need it."""

from dataclasses import dataclass

import galaxy_up
import pytest

from gateway.errors import SettingsError
from gateway.galaxy.client import GalaxyClient
from gateway.galaxy.publish import workflow_files
from gateway.hub.programs import find_proxy
from gateway.service.access.actor import Role
from gateway.service.access.grants import grant
from gateway.service.settings import Settings


@pytest.fixture(scope="session")
def real_galaxy(lacking):
    """Start Galaxy with the tools of a new gateway, and stop it at the end."""
    try:
        find_proxy(Settings())
    except SettingsError as error:
        lacking("hub", str(error))
    try:
        with galaxy_up.running_galaxy() as running:
            yield running
    except galaxy_up.NoGalaxyError as error:
        lacking("galaxy", str(error))


@pytest.fixture(scope="session")
def ana(real_galaxy):
    """Return a person who may see the examples, with a history that holds some of them."""
    client = real_galaxy.client("ana")
    grant(real_galaxy.gateway, "examples", "person:ana", Role.VIEWER)
    history = client.history("ana's work")
    names = ("four_tiles", "two_blobs")
    sent = client.send([real_galaxy.example(name) for name in names], history)
    return Sent(client, history, dict(zip(names, sent, strict=True)))


@pytest.fixture(scope="session")
def kept_before(real_galaxy, ana):
    """Return the files that Galaxy keeps before the shipped workflow runs."""
    del ana
    return set((real_galaxy.root / "data/objects").rglob("*"))


@pytest.fixture(scope="session")
def measured(ana, kept_before):
    """Run the shipped workflow once; returns what was told of it and what it made."""
    del kept_before
    workflow = ana.client.publish_workflow(workflow_files()["tiles_to_nuclei"])
    told = []
    inputs = {"tiles": f"dataset:{ana.datasets['four_tiles']}", "diameter": 30.0}
    invocation = ana.client.invoke(workflow, inputs | {"dataset": "ana-work"}, ana.history)
    ana.client.follow(invocation, (told.append,))
    return told, ana.client.results(invocation)


@dataclass
class Sent:
    """Somebody's history, and what was sent there."""

    client: GalaxyClient
    history: str
    datasets: dict[str, str]
