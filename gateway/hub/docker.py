"""Notebook servers as containers of this machine: where an engine answers, the usual way."""

import hashlib
from contextlib import closing
from typing import Any

from docker import APIClient
from docker.errors import DockerException
from docker.utils import kwargs_from_env

from gateway.errors import SettingsError
from gateway.hub.engine_network import EngineNetwork, close_machine, ensure_network
from gateway.hub.facts import Facts
from gateway.hub.profiles import LAB_IMAGE
from gateway.hub.spawners import Config, SpawnerKind
from gateway.service.container_engine import engine_address, require_socket
from gateway.service.settings import Settings

SPAWNER = "gateway.hub.docker_spawner.GatewayDockerSpawner"
_PATIENCE_S = 20
_OWNER = "gateway"


def lack(settings: Settings) -> str | None:
    """Say why no container can start here; None where one can."""
    try:
        image = images_of(settings)[0]
        with closing(connect_engine(settings)) as client:
            if not client.images(image):
                return f"the image {image} is not on this machine; make it with `make images`"
    except (DockerException, OSError) as error:
        return f"no container engine answers ({' '.join(str(error).split())[:200]})"
    return None


def connect_engine(settings: Settings) -> APIClient:
    """Connect to the engine that the settings or DOCKER_HOST name, or the usual one.

    Raises:
        DockerException: None answers.
        FileNotFoundError: Its socket is not there.
    """
    where = _where(settings)
    require_socket(where["base_url"])
    return APIClient(version="auto", timeout=_PATIENCE_S, **where)


def _where(settings: Settings) -> dict[str, Any]:
    return {**kwargs_from_env(), "base_url": engine_address(settings.docker_host)}


def images_of(settings: Settings) -> list[str]:
    """Return the images that people may choose, the usual one first."""
    return [text.rpartition("=")[2] for text in settings.hub_images] or [LAB_IMAGE]


def find_network(settings: Settings) -> EngineNetwork:
    """Return the network of the containers, made on first use.

    Raises:
        SettingsError: The engine refuses to make it, or it is not internal.
    """
    try:
        with closing(connect_engine(settings)) as client:
            return ensure_network(client, settings.hub_network, _OWNER)
    except (DockerException, OSError) as error:
        raise SettingsError(
            f"the network {settings.hub_network} of the containers cannot be made: "
            f"{' '.join(str(error).split())[:300]}; check the container engine"
        ) from error


def configure(facts: Facts) -> Config:
    """Return how a container starts."""
    settings = facts.settings
    # several gateways may share one engine
    prefix = f"gateway-{hashlib.sha256(str(facts.home).encode()).hexdigest()[:6]}"
    values: dict[str, Any] = {
        "client_kwargs": _where(settings),
        "cmd": ["jupyterhub-singleuser"],
        "gateway_home": str(facts.home),
        "home_bytes": int(settings.hub_home or 0),
        "image": images_of(settings)[0],
        "network_name": settings.hub_network,
        "prefix": prefix,
        "processes": settings.hub_processes,
        "pull_policy": "ifnotpresent",
        "volume_template": f"{prefix}-home-{{username}}",
    }
    return {"GatewayDockerSpawner": values}


def prepare(facts: Facts) -> str | None:
    """Close this machine to the containers, but for hub and gateway; say what is not closed."""
    network = find_network(facts.settings)
    refused = close_machine(network, [facts.ports.hub, facts.ports.web])
    if refused is None:
        return None
    return (
        f"containers can reach what else listens on every address of this machine ({refused}): "
        "set the firewall as docs/how-to/notebooks-in-containers.md says"
    )


KIND = SpawnerKind(
    name="docker",
    spawner=SPAWNER,
    title="containers of this machine",
    isolates=True,
    outlive=True,
    sized=True,
    images=True,
    lack=lack,
    inner_host=lambda settings: find_network(settings).address,
    configure=configure,
    prepare=prepare,
)
