"""A hub with containers for benchmarks, and the removal of all that it made on the engine."""

import json
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench_spawn import open_hub

from gateway.hub.engine_network import EngineNetwork, bridge_of, open_machine
from gateway.service.container_engine import connect_engine
from gateway.service.home import init_home


@dataclass(frozen=True)
class ContainerHub:
    """A hub that is up."""

    home: Path
    url: str
    password: str
    network: str


@contextmanager
def container_hub(home: Path, image: str, more: str = "") -> Iterator[ContainerHub]:
    """Keep a hub up whose servers are containers of an image; `more` is configuration read last,
    in which `NETWORK` stands for the name of its network."""
    network = f"bench-{secrets.token_hex(4)}"
    if not home.exists():
        init_home(home)
    extra = home / "extra.py"
    extra.write_text(more.replace("NETWORK", network))
    given = {
        "GATEWAY_HUB_IMAGES": json.dumps([f"lab={image}"]),
        "GATEWAY_HUB_NETWORK": network,
        "GATEWAY_HUB_EXTRA_CONFIG": str(extra),
    }
    try:
        with open_hub(home, "docker", **given) as said:
            url = said["address"].rstrip("/")
            yield ContainerHub(home, url, said["shared_password"], network)
    finally:
        _clear(home, network)


def _clear(home: Path, network: str) -> None:
    with closing(connect_engine(None)) as client:
        engine = client.api
        labelled = {"label": [f"gateway.hub={home}"]}
        found = engine.containers(all=True, filters=labelled)
        found += engine.containers(all=True, filters={"name": network})
        for one in found:
            engine.remove_container(one["Id"], v=True, force=True)
        for volume in engine.volumes(filters=labelled)["Volumes"] or []:
            engine.remove_volume(volume["Name"])
        bridge = bridge_of(engine.inspect_network(network))
        open_machine(EngineNetwork(name=network, bridge=bridge, address=""))
        engine.remove_network(network)
