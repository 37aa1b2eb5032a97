"""Fixtures for tests with `gateway up` before containers: one hub for all of them."""

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest
from container_engine import DEVICES, ContainerEngine
from docker_fixtures import PREFIX, BuildImages
from hub_up import Hub, up

from gateway.errors import SettingsError
from gateway.hub.engine_network import EngineNetwork, bridge_of, open_machine
from gateway.hub.passwords import Passwords, make_passwords
from gateway.hub.programs import find_proxy
from gateway.service.access.actor import Role
from gateway.service.access.grants import grant
from gateway.service.gateway import open_gateway
from gateway.service.home import init_home
from gateway.service.settings import Settings

EXTRA = "c.Spawner.args = ['--LabApp.expose_app_in_browser=True']\n"
"""Lets tests in a browser talk to JupyterLab."""


@pytest.fixture(scope="session")
def hub_can_start(lacking: Callable[[str, str], None]) -> None:
    """Skip, or fail in CI, where the hub's programs are not installed."""
    try:
        find_proxy(Settings())
    except SettingsError as error:
        lacking("hub", str(error))


@contextmanager
def stage(
    folder: Path, engine: docker.APIClient, fill_dataset: Callable[..., None]
) -> Iterator[tuple[Path, Passwords, dict[str, str]]]:
    """Give a home with a dataset each for ana and ben, its passwords, a network of its own."""
    home, network = folder / "home", f"front-{secrets.token_hex(4)}"
    init_home(home)
    extra = folder / "extra.py"
    extra.write_text(EXTRA)
    passwords = make_passwords(home)
    assert passwords is not None
    opened = open_gateway(home)
    with opened.catalogue:
        for person in ("ana", "ben"):
            fill_dataset(opened.store, f"{person}1", points=50)
            grant(opened, f"{person}1", f"person:{person}", Role.OWNER)
    try:
        given = {"GATEWAY_HUB_NETWORK": network, "GATEWAY_HUB_EXTRA_CONFIG": str(extra)}
        yield home, passwords, given
    finally:
        _clear(engine, home, network)


def _clear(engine: docker.APIClient, home: Path, network: str) -> None:
    labelled = {"label": [f"gateway.hub={home}"]}
    for found in engine.containers(all=True, filters=labelled):
        engine.remove_container(found["Id"], v=True, force=True)
    for volume in engine.volumes(filters=labelled)["Volumes"] or []:
        engine.remove_volume(volume["Name"])
    for found in engine.networks(names=[network]):
        bridge = bridge_of(engine.inspect_network(found["Id"]))
        open_machine(EngineNetwork(name=network, bridge=bridge, address=""))
        engine.remove_network(found["Id"])


@pytest.fixture(scope="session")
def front_settings(
    container_engine: ContainerEngine,
    build_images: BuildImages,
    hub_can_start: None,  # noqa: ARG001 - skips
) -> dict[str, str]:
    """Return what a user would write into the settings of such a machine."""
    build_images("tools")
    (lab,) = build_images("lab")
    return {
        "DOCKER_HOST": container_engine.host,
        "GATEWAY_HUB_SPAWNER": "auto",
        "GATEWAY_HUB_IMAGES": json.dumps([f"lab={lab}"]),
        "GATEWAY_HUB_MEMORY": "1500MB",
        "GATEWAY_HUB_CORES": "2",
        "GATEWAY_HUB_PROCESSES": "300",
        "GATEWAY_DEVICES": json.dumps(DEVICES),
        "GATEWAY_ENGINE": "docker",
        "GATEWAY_IMAGE_NAME": f"{PREFIX}/{{image}}:{{version}}",
    }


@pytest.fixture(scope="session")
def front(
    front_settings: dict[str, str],
    engine: docker.APIClient,
    tmp_path_factory: pytest.TempPathFactory,
    fill_dataset: Callable[..., None],
) -> Iterator[Hub]:
    """Yield a hub with containers; tests stop the servers that they start."""
    folder = tmp_path_factory.mktemp("front")
    with (
        stage(folder, engine, fill_dataset) as (home, passwords, more),
        up(home, passwords=passwords, **front_settings, **more) as hub,
    ):
        assert hub.said["spawner"] == "docker"
        yield hub
