"""A gateway with one dataset of an image, labels and points."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.service.gateway import Gateway, open_gateway
from gateway.service.home import init_home


@pytest.fixture(scope="session")
def brain_home(tmp_path_factory, fill_dataset) -> Path:
    home = tmp_path_factory.mktemp("views") / "home"
    init_home(home)
    opened = open_gateway(home)
    with opened.catalogue:
        fill_dataset(opened.store, "brain")
    return home


@pytest.fixture
def brain(brain_home) -> Iterator[Gateway]:
    """Yield a gateway whose dataset `brain` no test changes."""
    opened = open_gateway(brain_home)
    with opened.catalogue:
        yield opened
