"""Notebook servers as containers of this machine: where an engine answers, the usual way."""

import hashlib
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from typing import Any

from docker.errors import DockerException

from gateway.errors import SettingsError
from gateway.hub.engine_network import EngineNetwork, close_machine, ensure_network
from gateway.hub.facts import Facts
from gateway.hub.profiles import LAB_IMAGE
from gateway.hub.spawners import Config, Meeting, SpawnerKind
from gateway.service.container_engine import connect_engine, engine_place
from gateway.service.settings import Settings

SPAWNER = "gateway.hub.docker_spawner.GatewayDockerSpawner"
_PATIENCE_S = 20
_OWNER = "gateway"


def lack(settings: Settings) -> str | None:
    """Say why no container can start here; None where one can."""
    try:
        image = images_of(settings)[0]
        with closing(connect_engine(settings.docker_host, _PATIENCE_S)) as client:
            if not client.api.images(image):
                return f"the image {image} is not on this machine; make it with `make images`"
    except (DockerException, OSError) as error:
        return f"no container engine answers ({' '.join(str(error).split())[:200]})"
    return None


def images_of(settings: Settings) -> list[str]:
    """Return the images that people may choose, the usual one first."""
    return [text.rpartition("=")[2] for text in settings.hub_images] or [LAB_IMAGE]


def meet(settings: Settings) -> Meeting:
    """Return where the containers reach this machine: on their network, made on first use.

    Raises:
        SettingsError: The engine refuses to make it, or it is not internal.
    """
    try:
        with closing(connect_engine(settings.docker_host, _PATIENCE_S)) as client:
            network = ensure_network(client.api, settings.hub_network, _OWNER)
    except (DockerException, OSError) as error:
        raise SettingsError(
            f"the network {settings.hub_network} of the containers cannot be made: "
            f"{' '.join(str(error).split())[:300]}; check the container engine"
        ) from error
    return Meeting(address=network.address, close=partial(_close, network))


def configure(facts: Facts) -> Config:
    """Return how a container starts."""
    settings = facts.settings
    # several gateways may share one engine
    prefix = f"gateway-{hashlib.sha256(str(facts.home).encode()).hexdigest()[:6]}"
    values: dict[str, Any] = {
        "client_kwargs": engine_place(settings.docker_host),
        "cmd": ["jupyterhub-singleuser"],
        "gateway_home": str(facts.home),
        "home_bytes": int(settings.hub_disk),
        "image": images_of(settings)[0],
        "network_name": settings.hub_network,
        "prefix": prefix,
        "processes": settings.hub_processes,
        "pull_policy": "ifnotpresent",
        "volume_template": f"{prefix}-home-{{username}}",
    }
    return {"GatewayDockerSpawner": values}


def _close(network: EngineNetwork, ports: Sequence[int]) -> str | None:
    """Close this machine to the containers, but for some ports; say what is not closed."""
    refused = close_machine(network, ports)
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
    meet=meet,
    configure=configure,
)
