"""A gateway on each kind of database, with two datasets and three people."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.service.access.actor import Actor
from gateway.service.access.people import ensure_person
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.home import init_home
from gateway.volumes.dataset import DatasetInfo, write_dataset

ROOT = Actor(person="root", administrator=True)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def lab(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Gateway]:
    """Yield a gateway with the datasets `brain` and `other`, and the people root, ana and bo."""
    if request.param != "sqlite":
        monkeypatch.setenv("GATEWAY_CATALOGUE", str(request.getfixturevalue("postgres_url")))
    home = tmp_path / "home"
    init_home(home)
    gateway = open_gateway(home)
    with gateway.catalogue:
        for dataset in ("brain", "other"):
            write_dataset(gateway.store, dataset, DatasetInfo())
        ensure_person(gateway, "root", administrator=True)
        for name in ("ana", "bo"):
            ensure_person(gateway, name)
        yield gateway


@pytest.fixture
def root() -> Actor:
    """Return the administrator."""
    return ROOT


@pytest.fixture
def ana() -> Actor:
    """Return a person who administers nothing."""
    return Actor(person="ana")
