"""A real JupyterHub with its proxy and the web service on loopback, shared by the session."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_up import Hub, up

from gateway.hub.facts import Facts, Resources
from gateway.hub.places import Ports, Secrets
from gateway.service.home import init_home
from gateway.service.settings import Settings


@pytest.fixture
def facts_of(home: Path):
    """Return what makes facts of settings."""

    def make(**settings: Any) -> Facts:
        return Facts(
            home=home,
            settings=Settings(**settings),
            ports=Ports(hub=1, proxy=2, web=3, galaxy=4),
            secrets=Secrets(proxy="p", web="w", galaxy="g"),
            owner="Ada",
            resources=Resources(cores=8, memory=32_000_000_000),
        )

    return make


@pytest.fixture(scope="session")
def hub(
    hub_can_start: None,  # noqa: ARG001 - skips
    tmp_path_factory: pytest.TempPathFactory,
    fill_dataset: Callable[..., None],
) -> Iterator[Hub]:
    """Yield a hub with local servers for people who trust one another; tests use people of their
    own."""
    home = tmp_path_factory.mktemp("hub") / "home"
    init_home(home)
    environment = {
        "GATEWAY_HUB_PEOPLE_TRUST_ONE_ANOTHER": "true",
        "GATEWAY_HUB_CHECK_SECONDS": "0.2",
    }
    with up(home, **environment) as running:
        fill_dataset(running.gateway.store, "brain")
        fill_dataset(running.gateway.store, "secret")
        yield running
