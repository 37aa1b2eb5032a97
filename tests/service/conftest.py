"""A gateway home of its own for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.service.gateway import Gateway, open_gateway
from gateway.service.home import init_home


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    init_home(tmp_path / "home")
    opened = open_gateway(tmp_path / "home")
    yield opened
    opened.catalogue.close()
